/*
 * Accepts that the system refuses, for want of memory or because the connection is gone: S42 where no test can fill a table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "functions.h"

#define MS         INT64_C(1000000)
#define PATIENT_NS (INT64_C(60000) * MS)

static LPFN_ACCEPTEX system_accept_ex;
static int allowed;      /* calls that go to the system before the rest is refused; < 0: all */
static int refuse_first; /* calls that are refused before all others */
static int refusal;      /* the error */

static BOOL PASCAL refuse_or_accept(SOCKET listener, SOCKET s, void *addresses, DWORD data_len,
    DWORD local_len, DWORD remote_len, DWORD *ret_n, OVERLAPPED *overlapped)
{
    if (refuse_first > 0 || allowed == 0) {
        refuse_first -= refuse_first > 0;
        WSASetLastError(refusal);
        return FALSE;
    }
    allowed -= allowed > 0;
    return system_accept_ex(
        listener, s, addresses, data_len, local_len, remote_len, ret_n, overlapped);
}

struct fixture {
    cport_port *port;
    cport_handle *listener;
    struct sockaddr_storage address;
    cport_socklen address_len;
};

static struct fixture open_listener(uint32_t flags)
{
    struct fixture f;
    cport_os_handle fd;
    cport_port_options opt = {.size = sizeof(opt), .flags = flags};
    assert_int_equal(functions_load(), 0);
    if (!system_accept_ex) {
        system_accept_ex = functions()->accept_ex;
        ((struct functions *)(uintptr_t)functions())->accept_ex = refuse_or_accept;
    }
    allowed = -1;
    refuse_first = 0;
    refusal = WSAENOBUFS;
    assert_int_equal(cport_port_open(&opt, &f.port), 0);
    assert_int_equal(cport_address("127.0.0.1", 0, &f.address, &f.address_len), 0);
    assert_int_equal(
        cport_socket_tcp_listen((struct sockaddr *)&f.address, f.address_len, NULL, &fd), 0);
    assert_int_equal(cport_socket_local(fd, &f.address, &f.address_len), 0);
    assert_int_equal(cport_attach(f.port, fd, 1, 0, &f.listener), 0);
    return f;
}

static cport_event next_event(struct fixture *f)
{
    cport_event ev;
    assert_int_equal(cport_wait(f->port, &ev, 1, PATIENT_NS), 1);
    return ev;
}

static void close_all(struct fixture *f)
{
    cport_op op = {0};
    assert_int_equal(cport_close(f->listener, &op, 0), 0);
    while (next_event(f).op != &op)
        continue;
    assert_int_equal(cport_port_close(f->port), 0);
}

/* Connects, and expects the accept's event to be of that connection. */
static void connect_one(struct fixture *f, cport_op *accept, uint32_t flags)
{
    cport_os_handle client;
    assert_int_equal(cport_socket_tcp(AF_INET, NULL, &client), 0);
    assert_int_equal(connect((SOCKET)client, (struct sockaddr *)&f->address, f->address_len), 0);
    cport_event ev = next_event(f);
    assert_ptr_equal(ev.op, accept);
    assert_true(ev.result > 0);
    assert_int_equal(ev.flags, flags);
    assert_int_equal(cport_socket_close((cport_os_handle)ev.result), 0);
    assert_int_equal(cport_socket_close(client), 0);
}

static cport_port_stats stats_of(struct fixture *f)
{
    cport_port_stats stats = {.size = sizeof(stats)};
    assert_int_equal(cport_port_get_stats(f->port, &stats), 0);
    return stats;
}

/* No further event while the want lasts, and it is tried again all the same. */
static void expect_silence_and_tries(struct fixture *f, unsigned pauses)
{
    cport_event ev;
    int64_t end = cport_now_ns(f->port) + PATIENT_NS;
    while (stats_of(f).accept_pauses < pauses && cport_now_ns(f->port) < end)
        assert_int_equal(cport_wait(f->port, &ev, 1, 5 * MS), 0);
    assert_true(stats_of(f).accept_pauses >= pauses);
}

static void a_want_is_told_once_and_overcome(void **state)
{
    (void)state;
    for (uint32_t flags = 0; flags <= CPORT_PORT_SINGLE; flags++) {
        cport_op accept = {0};
        struct fixture f = open_listener(flags);
        allowed = 0;
        assert_int_equal(cport_accept(f.listener, &accept, CPORT_MULTISHOT), 0);
        for (int episode = 0; episode < 2; episode++) {
            cport_event ev = next_event(&f);
            assert_ptr_equal(ev.op, &accept);
            assert_int_equal(ev.result, CPORT_ENOBUFS);
            assert_int_equal(ev.flags, CPORT_MORE);
            assert_int_equal(ev.aux, WSAENOBUFS);
            expect_silence_and_tries(&f, 3 * ((unsigned)episode + 1));
            allowed = 2; /* and no third: the second connection begins the next episode */
            connect_one(&f, &accept, CPORT_MORE);
            connect_one(&f, &accept, CPORT_MORE);
        }
        assert_int_equal(next_event(&f).result, CPORT_ENOBUFS);
        allowed = -1;
        connect_one(&f, &accept, CPORT_MORE);
        close_all(&f);
    }
}

static void a_starving_accept_is_cancelled(void **state)
{
    (void)state;
    for (uint32_t flags = 0; flags <= CPORT_PORT_SINGLE; flags++) {
        for (int told = 0; told < 2; told++) {
            cport_op accept = {0};
            struct fixture f = open_listener(flags);
            allowed = 0;
            assert_int_equal(cport_accept(f.listener, &accept, CPORT_MULTISHOT), 0);
            if (told)
                assert_int_equal(next_event(&f).result, CPORT_ENOBUFS);
            assert_int_equal(cport_cancel(&accept), 0);
            cport_event ev = next_event(&f);
            assert_int_equal(ev.result, CPORT_ECANCELED);
            assert_int_equal(ev.flags, 0);
            close_all(&f);
        }
    }
}

static void a_single_accept_ends_with_the_want(void **state)
{
    cport_op accept = {0};
    (void)state;
    struct fixture f = open_listener(CPORT_PORT_SINGLE);
    refuse_first = 1;
    assert_int_equal(cport_accept(f.listener, &accept, 0), 0);
    cport_event ev = next_event(&f);
    assert_int_equal(ev.result, CPORT_ENOBUFS);
    assert_int_equal(ev.flags, 0);
    assert_int_equal(cport_accept(f.listener, &accept, 0), 0);
    connect_one(&f, &accept, 0);
    close_all(&f);
}

static void vanished_connections_are_passed_over(void **state)
{
    (void)state;
    for (uint32_t flags = 0; flags <= CPORT_MULTISHOT; flags += CPORT_MULTISHOT) {
        cport_op accept = {0};
        struct fixture f = open_listener(CPORT_PORT_SINGLE);
        refuse_first = 3;
        refusal = WSAECONNRESET;
        assert_int_equal(cport_accept(f.listener, &accept, flags), 0);
        assert_int_equal(stats_of(&f).accept_aborted, 3);
        connect_one(&f, &accept, flags ? CPORT_MORE : 0);
        close_all(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_want_is_told_once_and_overcome),
        cmocka_unit_test(a_starving_accept_is_cancelled),
        cmocka_unit_test(a_single_accept_ends_with_the_want),
        cmocka_unit_test(vanished_connections_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
