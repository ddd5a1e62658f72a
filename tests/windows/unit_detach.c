/*
 * Sockets that leave their port, also where the system does not let them: what the engine asks of it is looked at here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "functions.h"

enum { REPLACE_COMPLETION = 61 };

static unsigned asked;
static bool refuse;

static NTSTATUS NTAPI set_information(
    HANDLE file, IO_STATUS_BLOCK *status, void *information, ULONG len, int information_class)
{
    const HANDLE *port_and_key = information;
    (void)file;
    (void)status;
    assert_int_equal(information_class, REPLACE_COMPLETION);
    assert_int_equal(len, 2 * sizeof(HANDLE));
    assert_null(port_and_key[0]);
    asked++;
    return refuse ? (NTSTATUS)STATUS_INVALID_HANDLE : 0;
}

static struct functions *stand_in(void)
{
    assert_int_equal(functions_load(), 0);
    struct functions *f = (struct functions *)(uintptr_t)functions();
    f->set_information_file = set_information;
    asked = 0;
    refuse = false;
    return f;
}

static cport_port *open_port(cport_handle **ret_h)
{
    cport_port_options opt = {.size = sizeof(opt), .flags = CPORT_PORT_SINGLE};
    cport_port_info info = {.size = sizeof(info)};
    cport_port *port;
    cport_os_handle s;
    assert_int_equal(cport_port_open(&opt, &port), 0);
    assert_int_equal(cport_port_get_info(port, &info), 0);
    assert_true(info.caps & CPORT_CAP_DETACH);
    assert_int_equal(cport_socket_tcp(AF_INET, NULL, &s), 0);
    assert_int_equal(cport_attach(port, s, 3, 0, ret_h), 0);
    return port;
}

static void the_association_is_removed(void **state)
{
    (void)state;
    struct functions before = *stand_in();
    cport_handle *h;
    cport_port_info info = {.size = sizeof(info)};
    cport_port *port = open_port(&h);
    cport_os_handle fd = 0, attached = cport_handle_fd(h);
    assert_int_equal(cport_detach(h, &fd), 0);
    assert_true(fd == attached);
    assert_int_equal(asked, 1);
    assert_int_equal(cport_port_get_info(port, &info), 0);
    assert_int_equal(info.handles, 0);
    assert_int_equal(cport_socket_close(fd), 0);
    assert_int_equal(cport_port_close(port), 0);
    *(struct functions *)(uintptr_t)functions() = before;
}

/* An event in the kernel's queue has the handle's name on it: not before it is out. */
static void an_event_that_is_queued_is_pending(void **state)
{
    (void)state;
    stand_in();
    cport_handle *h;
    cport_op op = {0};
    cport_event ev;
    cport_os_handle fd;
    cport_port *port = open_port(&h);
    assert_int_equal(cport_shutdown(h, &op, CPORT_SHUT_BOTH), 0);
    assert_int_equal(cport_detach(h, &fd), CPORT_EBUSY);
    assert_int_equal(asked, 0);
    assert_int_equal(cport_wait(port, &ev, 1, -1), 1);
    assert_int_equal(cport_detach(h, &fd), 0);
    assert_int_equal(asked, 1);
    assert_int_equal(cport_socket_close(fd), 0);
    assert_int_equal(cport_port_close(port), 0);
}

static void a_system_that_refuses_changes_nothing(void **state)
{
    (void)state;
    stand_in();
    refuse = true;
    cport_handle *h;
    cport_op op = {0};
    cport_event ev;
    cport_os_handle fd = 0;
    cport_port *port = open_port(&h);
    assert_true(cport_detach(h, &fd) < 0);
    assert_int_equal(asked, 1);
    assert_int_equal(fd, 0);
    assert_int_equal(cport_close(h, &op, 0), 0);
    assert_int_equal(cport_wait(port, &ev, 1, -1), 1);
    assert_ptr_equal(ev.op, &op);
    assert_int_equal(cport_port_close(port), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_association_is_removed),
        cmocka_unit_test(an_event_that_is_queued_is_pending),
        cmocka_unit_test(a_system_that_refuses_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
