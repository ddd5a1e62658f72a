/*
 * What the threads of a shared port on epoll have ended: in one piece, with one wake.
 */
#include "port.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { TASKS = 32 };
#define PATIENCE_NS INT64_C(30000000000)

static void *take_syncs(void *arg)
{
    cport_event ev[TASKS];
    int n = cport_wait(arg, ev, TASKS, PATIENCE_NS);
    assert_int_equal(n, TASKS); /* all at once */
    for (int i = 0; i < n; i++)
        assert_int_equal(ev[i].result, 0);
    return NULL;
}

static int ended_count(cport_port *port)
{
    int count = 0;
    lock_acquire(&port->offload.lock);
    for (const struct job *job = port->offload.ended; job; count++)
        job = (const struct job *)(const void *)job->link.next;
    lock_release(&port->offload.lock);
    return count;
}

static void set_answering(cport_port *port, bool answering)
{
    lock_acquire(&port->offload.lock);
    port->offload.answering = answering;
    lock_release(&port->offload.lock);
}

/* What piles up while a thread is ending others comes in one piece, and wakes one waiter once. */
static void a_batch_wakes_a_shared_port_once(void **state)
{
    (void)state;
    cport_op syncs[TASKS] = {0}, closed = {0};
    cport_port_stats stats = {.size = sizeof(stats)};
    char path[] = "/tmp/cport-unit-XXXXXX";
    cport_handle *h;
    cport_event ev;
    pthread_t waiter;
    cport_port_options opt = {.size = sizeof(opt), .backend = CPORT_BACKEND_EPOLL};
    cport_port *port;
    assert_int_equal(cport_port_open(&opt, &port), 0);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(cport_attach(port, fd, 0, 0, &h), 0);
    set_answering(port, true); /* as if one were at it */
    for (int i = 0; i < TASKS - 1; i++)
        assert_int_equal(cport_sync(h, &syncs[i], 0), 0);
    while (ended_count(port) != TASKS - 1)
        sched_yield();
    assert_int_equal(pthread_create(&waiter, NULL, take_syncs, port), 0);
    for (bool leads = false; !leads; sched_yield()) {
        port_lock(port);
        leads = port->crew.leader != NULL;
        port_unlock(port);
    }
    set_answering(port, false);
    assert_int_equal(cport_sync(h, &syncs[TASKS - 1], 0), 0);
    assert_int_equal(pthread_join(waiter, NULL), 0);
    assert_int_equal(cport_port_get_stats(port, &stats), 0);
    assert_int_equal(stats.wakeups, 1);
    assert_int_equal(cport_close(h, &closed, 0), 0);
    assert_int_equal(cport_wait(port, &ev, 1, PATIENCE_NS), 1);
    assert_int_equal(cport_port_close(port), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_wakes_a_shared_port_once),
    };
    return cmocka_run_group_tests_name("offload", tests, NULL, NULL);
}
