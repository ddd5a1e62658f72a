/*
 * The kernel has no memory for packets: what is ready waits in the port's list, and comes out in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "functions.h"

static unsigned refusals; /* of the next posts */

static BOOL WINAPI refuse_or_post(HANDLE queue, DWORD bytes, ULONG_PTR key, OVERLAPPED *overlapped)
{
    if (refusals == 0)
        return PostQueuedCompletionStatus(queue, bytes, key, overlapped);
    refusals--;
    SetLastError(ERROR_NO_SYSTEM_RESOURCES);
    return FALSE;
}

static int refuse_posts(void **state)
{
    (void)state;
    if (functions_load() < 0)
        return -1;
    ((struct functions *)(uintptr_t)functions())->post_packet = refuse_or_post;
    return 0;
}

static cport_port *open_port(uint32_t flags)
{
    cport_port_options opt = {.size = sizeof(opt), .flags = flags};
    cport_port *port;
    assert_int_equal(cport_port_open(&opt, &port), 0);
    return port;
}

static void expect_in_order(cport_port *port, int64_t count)
{
    for (int64_t next = 0; next < count;) {
        cport_event ev[4];
        int n = cport_wait(port, ev, 4, 0);
        assert_true(n > 0);
        for (int i = 0; i < n; i++)
            assert_int_equal(ev[i].result, next++);
    }
}

/* Refused from the given post on, for some posts; then, or never in this test, there is memory again. */
static void posts_wait_in_order(void **state)
{
    static cport_op ops[20];
    (void)state;
    for (uint32_t flags = 0; flags <= CPORT_PORT_SINGLE; flags++) {
        for (unsigned from = 0; from < 20; from += 3) {
            for (unsigned length = 1; length <= 1001; length += 8 + length * 10) {
                cport_port *port = open_port(flags);
                for (unsigned i = 0; i < 20; i++) {
                    if (i == from)
                        refusals = length;
                    assert_int_equal(cport_post(port, &ops[i], 0, i), 0);
                }
                expect_in_order(port, 20);
                refusals = 0;
                assert_int_equal(cport_port_close(port), 0);
            }
        }
    }
}

static DWORD WINAPI post_refused(void *port)
{
    static cport_op ops[3];
    for (int i = 0; i < 3; i++)
        cport_post(port, &ops[i], 0, i);
    return 0;
}

static void another_threads_posts_wait_too(void **state)
{
    (void)state;
    for (uint32_t flags = 0; flags <= CPORT_PORT_SINGLE; flags++) {
        cport_port *port = open_port(flags);
        refusals = 100;
        HANDLE thread = CreateThread(NULL, 0, post_refused, port, 0, NULL);
        WaitForSingleObject(thread, INFINITE);
        CloseHandle(thread);
        expect_in_order(port, 3);
        refusals = 0;
        assert_int_equal(cport_port_close(port), 0);
    }
}

static void closing_gives_them_back(void **state)
{
    cport_op ops[4] = {0};
    (void)state;
    cport_port *port = open_port(0);
    refusals = 2;
    for (int i = 0; i < 4; i++)
        assert_int_equal(cport_post(port, &ops[i], 0, i), 0);
    refusals = 0;
    assert_int_equal(cport_port_close(port), 0);
    port = open_port(0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(cport_post(port, &ops[i], 0, i), 0);
    expect_in_order(port, 4);
    assert_int_equal(cport_port_close(port), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(posts_wait_in_order, refuse_posts),
        cmocka_unit_test_setup(another_threads_posts_wait_too, refuse_posts),
        cmocka_unit_test_setup(closing_gives_them_back, refuse_posts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
