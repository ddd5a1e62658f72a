/*
 * Sockets whose owner has had instant success skip the queue already, which cannot be taken back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "functions.h"

#define PATIENT_NS (INT64_C(60000) * 1000000)

static void set_skipping(cport_os_handle fd)
{
    assert_true(SetFileCompletionNotificationModes(
        (HANDLE)(uintptr_t)fd, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS));
}

/* One that would not skip by itself, if allow_caps says so. */
static cport_port *open_port(uint64_t allow_caps)
{
    cport_port_options opt = {.size = sizeof(opt), .allow_caps = allow_caps};
    cport_port *port;
    assert_int_equal(cport_port_open(&opt, &port), 0);
    return port;
}

static void open_pair(SOCKET *ret_one, SOCKET *ret_other)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int len = sizeof(at);
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    *ret_one = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(*ret_one, (struct sockaddr *)&at, sizeof(at)), 0);
    *ret_other = accept(listener, NULL, NULL);
    assert_true(*ret_other != INVALID_SOCKET);
    closesocket(listener);
}

static void expect_event(cport_port *port, const cport_op *op, int64_t result)
{
    cport_event ev;
    assert_int_equal(cport_wait(port, &ev, 1, PATIENT_NS), 1);
    assert_ptr_equal(ev.op, op);
    assert_int_equal(ev.result, result);
}

static void a_stream_ends_its_operations_all_the_same(void **state)
{
    (void)state;
    for (int allow = 0; allow < 2; allow++) {
        SOCKET s, peer;
        cport_handle *h;
        char byte = 'x';
        cport_op op = {0};
        cport_port *port = open_port(allow ? CPORT_CAP_SKIP_ON_SUCCESS : CPORT_CAP_NONE);
        open_pair(&s, &peer);
        set_skipping(s);
        assert_int_equal(cport_attach(port, s, 1, 0, &h), 0);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(cport_send(h, &op, "y", 1, 0), 0);
            expect_event(port, &op, 1);
            assert_int_equal(send(peer, &byte, 1, 0), 1);
            assert_int_equal(cport_poll(h, &op, CPORT_POLL_IN), 0);
            expect_event(port, &op, CPORT_POLL_IN);
            assert_int_equal(cport_recv(h, &op, &byte, 1, 0), 0); /* it is there */
            expect_event(port, &op, 1);
        }
        assert_int_equal(cport_close(h, &op, 0), 0);
        expect_event(port, &op, 0);
        closesocket(peer);
        assert_int_equal(cport_port_close(port), 0);
    }
}

static void a_datagram_socket_is_refused_and_stays_as_it_is(void **state)
{
    cport_os_handle fd;
    cport_handle *h;
    (void)state;
    assert_int_equal(cport_socket_udp(AF_INET, NULL, 0, NULL, &fd), 0);
    set_skipping(fd);
    for (int i = 0; i < 2; i++) {
        cport_port *port = open_port(0);
        assert_int_equal(cport_attach(port, fd, 1, 0, &h), CPORT_ENOTSUP);
        assert_int_equal(cport_port_close(port), 0);
    }
    HANDLE own = CreateIoCompletionPort((HANDLE)(uintptr_t)fd, NULL, 0, 0);
    assert_non_null(own); /* no port has had it */
    CloseHandle(own);
    assert_int_equal(cport_socket_close(fd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_ends_its_operations_all_the_same),
        cmocka_unit_test(a_datagram_socket_is_refused_and_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
