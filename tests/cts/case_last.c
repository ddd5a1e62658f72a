/*
 * Who has dequeued a port's last event may close the port, although the call that led to the event has not returned yet in
 * its own thread. These cases bypass the checker, whose lock would put the two threads in order and hide what a sanitizer
 * is to find.
 */
#include "cts.h"

#include <stdatomic.h>

enum { ROUNDS = 200 };

/* A thread that acts once on every port it is given. */
typedef struct actor {
    _Atomic(cport_port *) port; /* to act on; NULL: nothing to do */
    atomic_bool over;
    cport_handle *h; /* written before port */
    cport_op *op;
    int ret; /* written before port is NULL again */
    bool closes;
} actor;

static void act(void *arg)
{
    actor *a = arg;
    while (!atomic_load(&a->over)) {
        cport_port *port = atomic_load(&a->port);
        if (!port) {
            cts_spin();
            continue;
        }
        a->ret = a->closes ? cport_close(a->h, a->op, 0) : cport_post(port, a->op, 0, 0);
        atomic_store(&a->port, NULL);
    }
}

static bool has_acted(void *arg)
{
    return !atomic_load(&((actor *)arg)->port);
}

static cport_port *open_unchecked(void)
{
    cport_port_options opt;
    cport_port *port;
    cts_options(&opt);
    CHECK_EQ(cport_port_open(&opt, &port), 0);
    return port;
}

/* The last event of `port` is to come: takes it and closes the port at once. */
static void close_after_event(cport_port *port, cport_op *op)
{
    cport_event ev;
    CHECK_EQ(cport_wait(port, &ev, 1, CTS_PATIENCE_NS), 1);
    CHECK(ev.op == op && ev.result == 0 && !(ev.flags & CPORT_MORE));
    CHECK_EQ(cport_port_close(port), 0);
}

static void run_rounds(actor *a)
{
    cts_thread *t = cts_thread_start(act, a, 0);
    for (int round = 0; round < ROUNDS; round++) {
        static cport_op op;
        cport_os_handle one = CPORT_OS_HANDLE_INVALID, other = CPORT_OS_HANDLE_INVALID;
        cport_port *port = open_unchecked();
        cport_op_init(&op, NULL);
        a->op = &op;
        if (a->closes) {
            cts_sock_pair(&one, &other);
            CHECK_EQ(cport_attach(port, one, 0, 0, &a->h), 0);
        }
        atomic_store(&a->port, port);
        close_after_event(port, &op);
        cts_until(has_acted, a, "the other thread's call has returned");
        CHECK_EQ(a->ret, 0);
        if (a->closes)
            cts_sock_close(other);
    }
    atomic_store(&a->over, true);
    cts_thread_join(t);
}

void s12_the_port_may_close_after_the_last_post(void)
{
    actor a = {.closes = false};
    run_rounds(&a);
}

void s29_the_port_may_close_after_the_last_close(void)
{
    actor a = {.closes = true};
    run_rounds(&a);
}
