/* Timers: S58. */
#include "cts.h"

#include <stdatomic.h>
#include <stdlib.h>

#define HOUR_NS ((int64_t)3600 * 1000 * CTS_MS)

/* The next event of a timer, which may not be early. */
static cport_event expect_on_time(cport_port *port, cport_op *op, int64_t deadline_ns)
{
    cport_event ev = cts_next(port, op);
    int64_t now = cport_now_ns(port);
    if (now < deadline_ns)
        cts_fail(__FILE__, __LINE__, "a timer came %lld ns early", (long long)(deadline_ns - now));
    return ev;
}

void s58_a_timer_is_never_early(void)
{
    static const int64_t delays[] = {
        1, 1000, 50000, 999999, 1000000, 1000001, 1500000, 2900000, 7300001, 16000000, 40000000};
    cport_op op = {0};
    cport_port *port = cts_port_open();
    for (size_t i = 0; i < CTS_COUNT_OF(delays); i++) {
        int64_t deadline = cport_now_ns(port) + delays[i];
        CHECK_EQ(cts_timer(port, &op, deadline, 0), 0);
        cport_event ev = expect_on_time(port, &op, deadline);
        CHECK_EQ(ev.result, 0);
        CHECK_EQ(ev.key, 0);
        CHECK_EQ(ev.flags, 0);
    }
    cts_port_close(port);
}

void s58_a_deadline_in_the_past_comes_at_once(void)
{
    static const int64_t past[] = {0, 1, -1, INT64_MIN};
    cport_op op = {0};
    cport_port *port = cts_port_open();
    for (size_t i = 0; i < CTS_COUNT_OF(past); i++) {
        cport_event ev;
        CHECK_EQ(cts_timer(port, &op, past[i], 0), 0);
        CHECK_EQ(cts_wait(port, &ev, 1, -1), 1);
        CHECK(ev.op == &op);
        CHECK_EQ(ev.result, 0);
    }
    CHECK_EQ(cts_timer(port, &op, cport_now_ns(port) - CTS_MS, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    cts_port_close(port);
}

/* The wait's own deadline is later, and earlier, than the timer's. */
void s58_a_wait_ends_for_whichever_deadline_is_first(void)
{
    cport_op op = {0};
    cport_event ev;
    cport_port *port = cts_port_open();
    int64_t deadline = cport_now_ns(port) + 15 * CTS_MS;
    CHECK_EQ(cts_timer(port, &op, deadline, 0), 0);
    CHECK_EQ(cts_wait(port, &ev, 1, CTS_PATIENCE_NS), 1);
    CHECK(ev.op == &op);
    CHECK(cport_now_ns(port) >= deadline);

    CHECK_EQ(cts_timer(port, &op, cport_now_ns(port) + HOUR_NS, 0), 0);
    CHECK_EQ(cts_wait(port, &ev, 1, 3 * CTS_MS), 0);
    CHECK_EQ(cts_wait(port, &ev, 1, 0), 0);
    CHECK_EQ(cts_cancel(&op), 0);
    CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    cts_port_close(port);
}

/* Arming may not keep the wait from looking at sockets, and traffic may not keep it from looking at the clock. */
void s58_timers_and_traffic_do_not_starve_each_other(void)
{
    enum { ROUNDS = 2000 };
    cts_pair pair;
    cport_op timer = {0}, send = {0}, recv = {0};
    char byte = 0;
    int ticks = 0;
    cport_port *port = cts_port_open();
    cts_pair_open_both(port, &pair);
    CHECK_EQ(cts_timer(port, &timer, cport_now_ns(port) + CTS_MS, CTS_MS), 0);
    for (int i = 0; i < ROUNDS || ticks < 5; i++) {
        CHECK_EQ(cts_recv(pair.b, &recv, &byte, 1, 0), 0);
        CHECK_EQ(cts_send(pair.a, &send, "x", 1, 0), 0);
        while (cts_pending(&recv) || cts_pending(&send)) {
            cport_event ev[4];
            int n = cts_wait(port, ev, 4, CTS_PATIENCE_NS);
            CHECK(n > 0);
            for (int j = 0; j < n; j++)
                ticks += ev[j].op == &timer;
        }
    }
    CHECK_EQ(cts_cancel(&timer), 0);
    CHECK_EQ(cts_result(port, &timer), CPORT_ECANCELED);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* ---- Cancel and re-arm ---- */

void s58_a_cancelled_timer_ends_once(void)
{
    cport_op op = {0};
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_timer(port, &op, cport_now_ns(port) + HOUR_NS, 0), 0);
    CHECK_EQ(cts_timer(port, &op, cport_now_ns(port), 0), CPORT_EBUSY);
    CHECK_EQ(cts_cancel(&op), 0);
    CHECK_EQ(cport_timer_rearm(&op, cport_now_ns(port)), CPORT_ENOENT);
    CHECK_EQ(cts_cancel(&op), CPORT_ENOENT);
    cport_event ev = cts_next(port, &op);
    CHECK_EQ(ev.result, CPORT_ECANCELED);
    CHECK_EQ(ev.key, 0);
    CHECK_EQ(ev.flags, 0);
    CHECK_EQ(cts_cancel(&op), CPORT_ENOENT);
    CHECK_EQ(cts_timer(port, &op, cport_now_ns(port), 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    cts_port_close(port);
}

void s58_rearming_moves_a_timer_both_ways(void)
{
    cport_op op = {0};
    cport_event ev;
    cport_port *port = cts_port_open();
    int64_t now = cport_now_ns(port);
    CHECK_EQ(cts_timer(port, &op, now + HOUR_NS, 0), 0);
    CHECK_EQ(cport_timer_rearm(&op, now + 5 * CTS_MS), 0);
    CHECK_EQ(expect_on_time(port, &op, now + 5 * CTS_MS).result, 0);

    now = cport_now_ns(port);
    CHECK_EQ(cts_timer(port, &op, now + 2 * CTS_MS, 0), 0);
    CHECK_EQ(cport_timer_rearm(&op, now + HOUR_NS), 0);
    CHECK_EQ(cts_wait(port, &ev, 1, 5 * CTS_MS), 0);
    CHECK_EQ(cport_timer_rearm(&op, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);

    now = cport_now_ns(port);
    CHECK_EQ(cts_timer(port, &op, now + HOUR_NS, 0), 0);
    for (int i = 20; i >= 0; i--)
        CHECK_EQ(cport_timer_rearm(&op, now + i * CTS_MS), 0);
    CHECK_EQ(cport_timer_rearm(&op, now + 3 * CTS_MS), 0);
    CHECK_EQ(expect_on_time(port, &op, now + 3 * CTS_MS).result, 0);
    cts_port_close(port);
}

void s58_rearming_what_is_not_armed(void)
{
    char byte;
    cts_pair pair;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    CHECK_EQ(cport_timer_rearm(NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cport_timer_rearm(&op, 0), CPORT_ENOENT); /* never armed */
    CHECK_EQ(cts_timer(port, &op, 0, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    CHECK_EQ(cport_timer_rearm(&op, 0), CPORT_ENOENT); /* expired */
    CHECK_EQ(cts_post(port, &op, 0, 0), 0);
    CHECK_EQ(cport_timer_rearm(&op, 0), CPORT_ENOENT);
    CHECK_EQ(cts_result(port, &op), 0);
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0);
    CHECK_EQ(cport_timer_rearm(&op, 0), CPORT_ENOENT); /* not a timer */
    cts_pair_close_peer(&pair);
    CHECK_EQ(cts_result(port, &op), 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* The timers are due, and their events perhaps queued, when they are cancelled. */
void s58_cancelling_what_has_expired(void)
{
    cport_op once = {0}, beat = {0}, post[3] = {0};
    cport_event ev;
    cport_port *port = cts_port_open();
    for (int round = 0; round < 3; round++) {
        CHECK_EQ(cts_timer(port, &once, cport_now_ns(port), 0), 0);
        CHECK_EQ(cts_timer(port, &beat, cport_now_ns(port), CTS_MS), 0);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(cts_post(port, &post[i], 0, i), 0);
        for (int i = 0; i < round; i++) {
            CHECK_EQ(cts_wait(port, &ev, 1, CTS_PATIENCE_NS), 1);
            checker_stash(&ev);
        }
        if (cts_pending(&once)) {
            int ret = cts_cancel(&once);
            CHECK(ret == 0 || ret == CPORT_ENOENT);
            CHECK_EQ(cts_result(port, &once), ret == 0 ? CPORT_ECANCELED : 0);
        } else {
            CHECK_EQ(cts_result(port, &once), 0);
        }
        CHECK_EQ(cts_cancel(&beat), 0);
        CHECK_EQ(cts_cancel(&beat), CPORT_ENOENT);
        do
            ev = cts_next(port, &beat);
        while ((ev.flags & CPORT_MORE) != 0);
        CHECK_EQ(ev.result, CPORT_ECANCELED);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(cts_result(port, &post[i]), i);
    }
    cts_port_close(port);
}

/* ---- Periodic ---- */

void s58_a_periodic_timer_keeps_its_beat(void)
{
    enum { BEATS = 20 };
    cport_op op = {0};
    cport_port *port = cts_port_open();
    int64_t period = 2 * CTS_MS;
    int64_t first = cport_now_ns(port) + 3 * CTS_MS;
    int64_t periods = -1; /* that have passed since the first deadline */
    CHECK_EQ(cts_timer(port, &op, first, period), 0);
    for (int i = 0; i < BEATS; i++) {
        cport_event ev = cts_next(port, &op);
        CHECK_EQ(ev.flags, CPORT_MORE);
        CHECK_EQ(ev.key, 0);
        CHECK(ev.result >= 0);
        periods += 1 + ev.result;
        CHECK(cport_now_ns(port) >= first + periods * period); /* neither early nor counted twice */
    }
    CHECK_EQ(cts_timer(port, &op, first, period), CPORT_EBUSY);
    CHECK_EQ(cts_cancel(&op), 0);
    cport_event ev;
    do
        ev = cts_next(port, &op);
    while ((ev.flags & CPORT_MORE) != 0);
    CHECK_EQ(ev.result, CPORT_ECANCELED);
    CHECK_EQ(cts_cancel(&op), CPORT_ENOENT);
    cts_port_close(port);
}

void s58_missed_periods_are_counted_in_one_event(void)
{
    cport_op op = {0};
    cport_event ev;
    cport_port *port = cts_port_open();
    int64_t period = CTS_MS;
    int64_t first = cport_now_ns(port) + period;
    CHECK_EQ(cts_timer(port, &op, first, period), 0);
    while (cport_now_ns(port) < first + 50 * period)
        cts_yield(); /* a handler that is long about something */
    CHECK_EQ(cts_wait(port, &ev, 1, -1), 1);
    CHECK(ev.op == &op);
    CHECK_EQ(ev.flags, CPORT_MORE);
    CHECK(ev.result >= 50);
    CHECK(cport_now_ns(port) >= first + ev.result * period);
    CHECK_EQ(cts_cancel(&op), 0);
    cts_drain(port);
    cts_port_close(port);
}

void s58_a_periodic_timer_is_rearmed(void)
{
    cport_op op = {0};
    cport_event ev;
    cport_port *port = cts_port_open();
    int64_t now = cport_now_ns(port);
    CHECK_EQ(cts_timer(port, &op, now + HOUR_NS, 2 * CTS_MS), 0);
    CHECK_EQ(cport_timer_rearm(&op, now + CTS_MS), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(expect_on_time(port, &op, now + CTS_MS + 2 * i * CTS_MS).flags, CPORT_MORE);
    do
        ev.result = cport_timer_rearm(&op, cport_now_ns(port) + HOUR_NS);
    while (ev.result == CPORT_ENOENT && cts_wait(port, &ev, 1, CTS_PATIENCE_NS) == 1);
    CHECK_EQ(ev.result, 0);
    CHECK_EQ(cts_wait(port, &ev, 1, 6 * CTS_MS), 0);
    CHECK_EQ(cts_cancel(&op), 0);
    CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    cts_port_close(port);
}

/* ---- Many ---- */

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

typedef struct stamped {
    cport_op op;
    int64_t deadline_ns;
} stamped;

/* Deadlines over six orders of magnitude, so that each level of the wheel and each cascade takes part. */
void s58_ten_thousand_timers_of_all_lengths(void)
{
    enum { COUNT = 10000 };
    stamped *timers = calloc(COUNT, sizeof(*timers));
    cport_event ev[64];
    uint32_t seed = 20240229;
    CHECK(timers != NULL);
    cport_port *port = cts_port_open();
    int64_t now = cport_now_ns(port);
    for (int i = 0; i < COUNT; i++) {
        unsigned shift = next_random(&seed) % 20;
        timers[i].deadline_ns = now + ((int64_t)1000 << shift) + next_random(&seed) % 1000;
        CHECK_EQ(cts_timer(port, &timers[i].op, timers[i].deadline_ns, 0), 0);
        if (i % 7 == 0) {
            timers[i].deadline_ns += (int64_t)(next_random(&seed) % 30) * CTS_MS;
            CHECK_EQ(cport_timer_rearm(&timers[i].op, timers[i].deadline_ns), 0);
        }
    }
    for (int got = 0; got < COUNT;) {
        int n = cts_wait(port, ev, CTS_COUNT_OF(ev), CTS_PATIENCE_NS);
        CHECK(n > 0);
        int64_t when = cport_now_ns(port);
        for (int i = 0; i < n; i++, got++) {
            CHECK_EQ(ev[i].result, 0);
            CHECK(when >= CPORT_CONTAINER_OF(ev[i].op, stamped, op)->deadline_ns);
        }
    }
    cts_port_close(port);
    free(timers);
}

void s58_a_million_timers_armed_and_cancelled(void)
{
    enum { AT_ONCE = 62500, ROUNDS = 16 };
    cport_op *ops = calloc(AT_ONCE, sizeof(*ops));
    uint32_t seed = 1;
    CHECK(ops != NULL);
    cport_port *port = cts_port_open();
    uint64_t calls = cts_alloc_calls();
    for (int round = 0; round < cts_load(ROUNDS); round++) {
        int64_t base = cport_now_ns(port) + HOUR_NS;
        for (int i = 0; i < AT_ONCE; i++)
            CHECK_EQ(cts_timer(port, &ops[i], base + (int64_t)next_random(&seed) * 1000, 0), 0);
        for (int i = 0; i < AT_ONCE; i++)
            CHECK_EQ(cts_cancel(&ops[(i * 7919) % AT_ONCE]), 0);
        cport_event ev[256];
        for (int got = 0; got < AT_ONCE;) {
            int n = cts_wait(port, ev, CTS_COUNT_OF(ev), CTS_PATIENCE_NS);
            CHECK(n > 0);
            for (int i = 0; i < n; i++, got++)
                CHECK_EQ(ev[i].result, CPORT_ECANCELED);
        }
    }
    CHECK_EQ(cts_alloc_calls(), calls); /* timers need no memory */
    cts_port_close(port);
    free(ops);
}

void s58_deadlines_of_all_ages(void)
{
    static const int64_t ahead[] = {
        HOUR_NS, 24 * HOUR_NS, 365 * 24 * HOUR_NS, INT64_MAX / 2, INT64_MAX};
    cport_op ops[CTS_COUNT_OF(ahead)] = {0}, periodic[2] = {0};
    cport_event ev;
    cport_port *port = cts_port_open();
    for (size_t i = 0; i < CTS_COUNT_OF(ahead); i++)
        CHECK_EQ(cts_timer(port, &ops[i],
                     ahead[i] == INT64_MAX ? ahead[i] : cport_now_ns(port) + ahead[i], 0),
            0);
    CHECK_EQ(cts_timer(port, &periodic[0], 0, INT64_MAX), 0);
    CHECK_EQ(cts_timer(port, &periodic[1], cport_now_ns(port), INT64_MAX), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(cts_next(port, &periodic[i]).flags, CPORT_MORE);
    CHECK_EQ(cts_wait(port, &ev, 1, 5 * CTS_MS), 0);
    for (size_t i = 0; i < CTS_COUNT_OF(ahead); i++) {
        CHECK_EQ(cts_cancel(&ops[i]), 0);
        CHECK_EQ(cts_result(port, &ops[i]), CPORT_ECANCELED);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(cts_cancel(&periodic[i]), 0);
        CHECK_EQ(cts_result(port, &periodic[i]), CPORT_ECANCELED);
    }
    cts_port_close(port);
}

/* ---- From other threads ---- */

typedef struct timer_waiter {
    cport_port *port;
    atomic_int got;
} timer_waiter;

static void wait_for_one(void *arg)
{
    timer_waiter *w = arg;
    cport_event ev;
    CHECK_EQ(cts_wait(w->port, &ev, 1, -1), 1);
    CHECK_EQ(ev.result, 0);
    atomic_fetch_add(&w->got, 1);
}

/* A thread sleeps towards a far deadline when a nearer one is set. */
void s58_an_earlier_timer_shortens_a_sleep(void)
{
    timer_waiter w = {0};
    cport_op late = {0}, early = {0};
    w.port = cts_port_open();
    CHECK_EQ(cts_timer(w.port, &late, cport_now_ns(w.port) + HOUR_NS, 0), 0);
    cts_thread *t = cts_thread_start(wait_for_one, &w, 0);
    cts_until_sleeps(t);
    CHECK_EQ(cts_timer(w.port, &early, cport_now_ns(w.port) + 5 * CTS_MS, 0), 0);
    cts_thread_join(t);

    t = cts_thread_start(wait_for_one, &w, 0);
    cts_until_sleeps(t);
    CHECK_EQ(cport_timer_rearm(&late, cport_now_ns(w.port) + 5 * CTS_MS), 0);
    cts_thread_join(t);
    CHECK_EQ(atomic_load(&w.got), 2);
    cts_port_close(w.port);
}

void s58_one_of_several_waiters_keeps_the_time(void)
{
    enum { THREADS = 4 };
    timer_waiter w = {0};
    cts_thread *threads[THREADS];
    cport_op ops[THREADS] = {0};
    w.port = cts_port_open();
    for (int i = 0; i < THREADS; i++) {
        threads[i] = cts_thread_start(wait_for_one, &w, 0);
        cts_until_sleeps(threads[i]);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(cts_timer(w.port, &ops[i], cport_now_ns(w.port) + i * 3 * CTS_MS, 0), 0);
    for (int i = 0; i < THREADS; i++)
        cts_thread_join(threads[i]);
    CHECK_EQ(atomic_load(&w.got), THREADS);
    cts_port_close(w.port);
}

enum { TIMER_RACES = 500 };

typedef struct timer_racer {
    cport_port *port;
    cport_op *op;
    atomic_int round, done; /* main: may begin; racer: is over */
} timer_racer;

static void race_with_timer(void *arg)
{
    timer_racer *r = arg;
    for (int round = 1; round <= TIMER_RACES; round++) {
        while (atomic_load(&r->round) < round)
            cts_spin();
        for (int i = 0; i < round % 30; i++)
            cts_spin();
        int ret =
            round % 2 ? cts_cancel(r->op) : cport_timer_rearm(r->op, cport_now_ns(r->port) + 20000);
        CHECK(ret == 0 || ret == CPORT_ENOENT);
        atomic_store(&r->done, round);
    }
}

void s58_cancel_and_rearm_against_expiry(void)
{
    cport_op op = {0};
    timer_racer r = {.op = &op};
    r.port = cts_port_open();
    cts_thread *t = cts_thread_start(race_with_timer, &r, 0);
    for (int round = 1; round <= TIMER_RACES; round++) {
        int64_t deadline = cport_now_ns(r.port) + 20000;
        CHECK_EQ(cts_timer(r.port, &op, deadline, 0), 0);
        atomic_store(&r.round, round);
        cport_event ev = cts_next(r.port, &op);
        CHECK(ev.result == CPORT_ECANCELED || cport_now_ns(r.port) >= deadline);
        CHECK(ev.result == 0 || round % 2 == 1);
        while (atomic_load(&r.done) < round)
            cts_spin();
    }
    cts_thread_join(t);
    cts_port_close(r.port);
}
