/* Waits and wakes: S08, S09. */
#include "cts.h"

#include <stdatomic.h>
#include <stdlib.h>

void s08_wait_returns_zero_at_the_deadline(void)
{
    cport_event ev[3];
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_wait(port, ev, 3, 0), 0);
    CHECK_EQ(cts_wait(port, ev, 3, CTS_MS), 0);
    CHECK_EQ(cts_wait(port, ev, 1, 0), 0);
    cts_port_close(port);
}

void s08_a_failed_operation_is_an_event_like_any_other(void)
{
    char byte;
    cts_pair pair;
    cport_op op = {0};
    cport_event ev[2];
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0);
    cts_sock_reset(pair.peer);
    pair.peer = CPORT_OS_HANDLE_INVALID;
    CHECK_EQ(cts_wait(port, ev, 2, CTS_PATIENCE_NS), 1);
    CHECK(ev[0].op == &op);
    CHECK_EQ(ev[0].key, CTS_KEY_A);
    CHECK_EQ(ev[0].result, CPORT_ECONNRESET);
    CHECK(ev[0].aux != 0); /* the system's own number */
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* cts_wait itself checks that the time has passed. */
void s09_wait_is_never_early(void)
{
    static const int64_t timeouts[] = {
        1, 1000, 100000, 999999, 1000000, 1500001, 7300000, 20000000};
    cport_event ev;
    cport_port *port = cts_port_open();
    for (size_t i = 0; i < CTS_COUNT_OF(timeouts); i++)
        CHECK_EQ(cts_wait(port, &ev, 1, timeouts[i]), 0);
    cts_port_close(port);
}

void s09_wait_is_never_early_with_operations_pending(void)
{
    char byte;
    cts_pair pair;
    cport_op op = {0}, timer = {0};
    cport_event ev;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0);
    CHECK_EQ(cts_timer(port, &timer, cport_now_ns(port) + 3600 * 1000 * CTS_MS, 0), 0);
    for (int i = 1; i <= 10; i++)
        CHECK_EQ(cts_wait(port, &ev, 1, i * 700001), 0);
    CHECK_EQ(cts_cancel(&timer), 0);
    CHECK_EQ(cts_result(port, &timer), CPORT_ECANCELED);
    cts_pair_close_peer(&pair);
    CHECK_EQ(cts_result(port, &op), 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* ---- The deadline is absolute: a wait that is woken in vain still ends ---- */

typedef struct robbed {
    cport_port *port;
    atomic_bool over;
} robbed;

static void wait_to_the_deadline(void *arg)
{
    robbed *r = arg;
    cport_event ev;
    CHECK_EQ(cts_wait(r->port, &ev, 1, 100 * CTS_MS), 0);
    atomic_store(&r->over, true);
}

/* This thread is active and stays so, hence no event that it posts is for the other one. */
void s09_a_lost_race_does_not_restart_the_deadline(void)
{
    enum { COUNT = 50000 };
    cport_op *ops = calloc(COUNT, sizeof *ops);
    robbed r = {0};
    cport_op first = {0};
    cport_event ev;
    CHECK(ops != NULL);
    r.port = cts_port_open();
    CHECK_EQ(cts_post(r.port, &first, 0, 0), 0);
    CHECK_EQ(cts_wait(r.port, &ev, 1, CTS_PATIENCE_NS), 1);
    cts_thread *t = cts_thread_start(wait_to_the_deadline, &r, 0);
    int64_t end = cts_now_ns() + CTS_PATIENCE_NS;
    for (int posted = 0; !atomic_load(&r.over); cts_spin()) {
        CHECK(cts_now_ns() < end);
        if (posted < COUNT)
            CHECK_EQ(cts_post(r.port, &ops[posted++], 0, 0), 0);
    }
    cts_drain(r.port);
    cts_thread_join(t);
    cts_port_close(r.port);
    free(ops);
}

/* ---- Wakes ---- */

void wake_ends_the_next_wait(void)
{
    cport_event ev;
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_wake(port), 0);
    CHECK_EQ(cts_wait(port, &ev, 1, -1), 0);
    CHECK_EQ(cport_wake(NULL), CPORT_EINVAL);
    cts_port_close(port);
}

void wakes_coalesce(void)
{
    cport_event ev;
    cport_op timer = {0};
    cport_port *port = cts_port_open();
    int early = 0;
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(cts_wake(port), 0);
    CHECK_EQ(cts_wait(port, &ev, 1, -1), 0);
    CHECK_EQ(cts_timer(port, &timer, cport_now_ns(port) + 20 * CTS_MS, 0), 0);
    while (cts_wait(port, &ev, 1, -1) == 0)
        early++;
    CHECK(early <= 1);
    CHECK(ev.op == &timer);
    cts_port_close(port);
}

typedef struct sleeper {
    cport_port *port;
    atomic_bool open;
    atomic_bool may_close; /* the other thread is out of its call */
    atomic_int woken;      /* 1 + what the wait returned */
} sleeper;

static bool may_close(void *arg)
{
    return atomic_load(&((sleeper *)arg)->may_close);
}

static void open_and_sleep(void *arg)
{
    sleeper *s = arg;
    cport_event ev;
    s->port = cts_port_open();
    atomic_store(&s->open, true);
    int n = cts_wait(s->port, &ev, 1, -1);
    atomic_store(&s->woken, 1 + n);
    cts_until(may_close, s, "the port to be out of use");
    cts_port_close(s->port);
}

static bool is_open(void *arg)
{
    return atomic_load(&((sleeper *)arg)->open);
}

void wake_from_another_thread_ends_a_wait(void)
{
    sleeper s = {0};
    cts_thread *t = cts_thread_start(open_and_sleep, &s, 0);
    cts_until(is_open, &s, "the port to be open");
    cts_until_sleeps(t);
    CHECK_EQ(cts_wake(s.port), 0);
    atomic_store(&s.may_close, true);
    cts_thread_join(t);
    CHECK_EQ(atomic_load(&s.woken), 1);
}

void s12_post_from_another_thread_ends_a_wait(void)
{
    sleeper s = {0};
    cport_op op = {0};
    cts_thread *t = cts_thread_start(open_and_sleep, &s, 0);
    cts_until(is_open, &s, "the port to be open");
    cts_until_sleeps(t);
    CHECK_EQ(cts_post(s.port, &op, 1, 2), 0);
    atomic_store(&s.may_close, true);
    cts_thread_join(t);
    CHECK_EQ(atomic_load(&s.woken), 2);
}

static void sleep_once(void *arg)
{
    sleeper *s = arg;
    cport_event ev;
    int n = cts_wait(s->port, &ev, 1, -1);
    CHECK_EQ(n, 0);
    atomic_fetch_add(&s->woken, 1);
}

static bool one_woken(void *arg)
{
    return atomic_load(&((sleeper *)arg)->woken) >= 1;
}

static bool two_woken(void *arg)
{
    return atomic_load(&((sleeper *)arg)->woken) >= 2;
}

void wake_releases_one_waiter_at_a_time(void)
{
    sleeper s = {0};
    cts_thread *threads[3];
    s.port = cts_port_open();
    for (int i = 0; i < 3; i++) {
        threads[i] = cts_thread_start(sleep_once, &s, 0);
        cts_until_sleeps(threads[i]);
    }
    CHECK_EQ(cts_wake(s.port), 0);
    cts_until(one_woken, &s, "one wait to end");
    CHECK_EQ(cts_wake(s.port), 0);
    cts_until(two_woken, &s, "a second wait to end");
    CHECK_EQ(cts_wake(s.port), 0);
    for (int i = 0; i < 3; i++)
        cts_thread_join(threads[i]);
    CHECK_EQ(atomic_load(&s.woken), 3);
    cts_port_close(s.port);
}

/* ---- Flush ---- */

void flush_starts_what_was_submitted(void)
{
    char data[5];
    cts_pair pair;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_send(pair.a, &op, "early", 5, 0), 0);
    CHECK_EQ(cport_flush(port), 0);
    cts_sock_recv_all(pair.peer, data, 5); /* before any wait of ours */
    CHECK_EQ(cts_result(port, &op), 5);
    CHECK_EQ(cport_flush(NULL), CPORT_EINVAL);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void a_shared_port_starts_a_submit_at_once(void)
{
    char data[5];
    cts_pair pair;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_send(pair.a, &op, "early", 5, 0), 0);
    cts_sock_recv_all(pair.peer, data, 5);
    CHECK_EQ(cts_result(port, &op), 5);
    cts_pair_close(&pair);
    cts_port_close(port);
}
