/* Posts and wakes: S07, S10, S12. */
#include "cts.h"

#include <stdatomic.h>
#include <stdlib.h>

void s12_post_carries_key_op_and_result(void)
{
    static const struct {
        uintptr_t key;
        int64_t result;
    } sent[] = {{0, 0}, {1, 1}, {UINTPTR_MAX, INT64_MAX}, {7, INT64_MIN}, {8, -1}, {9, CPORT_EIO}};
    cport_op ops[CTS_COUNT_OF(sent)] = {0};
    cport_event ev[CTS_COUNT_OF(sent)];
    cport_port *port = cts_port_open();
    for (size_t i = 0; i < CTS_COUNT_OF(sent); i++) {
        cport_op_init(&ops[i], &ops[i]);
        CHECK_EQ(cts_post(port, &ops[i], sent[i].key, sent[i].result), 0);
    }
    for (size_t got = 0; got < CTS_COUNT_OF(sent);) {
        int n = cts_wait(port, ev, CTS_COUNT_OF(ev), CTS_PATIENCE_NS);
        CHECK(n > 0);
        for (int i = 0; i < n; i++, got++) {
            CHECK(ev[i].op == &ops[got]);
            CHECK(ev[i].key == sent[got].key);
            CHECK(ev[i].result == sent[got].result);
            CHECK_EQ(ev[i].flags, 0);
            CHECK(ev[i].op->user == ev[i].op);
        }
    }
    cts_port_close(port);
}

void s12_post_refuses_what_it_cannot_queue(void)
{
    cport_op op = {0};
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_post(port, NULL, 1, 1), CPORT_EINVAL);
    CHECK_EQ(cport_post(NULL, &op, 1, 1), CPORT_EINVAL);
    CHECK_EQ(cts_post(port, &op, 1, 1), 0);
    CHECK_EQ(cts_post(port, &op, 2, 2), CPORT_EBUSY);
    CHECK_EQ(cts_cancel(&op), CPORT_ENOENT);
    cport_event ev = cts_next(port, &op);
    CHECK_EQ(ev.key, 1);
    CHECK_EQ(ev.result, 1);
    CHECK_EQ(cts_post(port, &op, 3, 3), 0); /* free again */
    CHECK_EQ(cts_result(port, &op), 3);
    cts_port_close(port);
}

void s12_post_needs_no_memory(void)
{
    enum { COUNT = 1000 };
    static cport_op ops[COUNT];
    cport_port *port = cts_port_open();
    cts_alloc_fail_at(1);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_post(port, &ops[i], 0, i), 0);
    CHECK(!cts_alloc_refused());
    cts_alloc_fail_at(0);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &ops[i]), i);
    cts_port_close(port);
}

void s12_post_from_inside_a_handler(void)
{
    cport_op op = {0};
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_post(port, &op, 0, 0), 0);
    for (int i = 0; i < 10000; i++) {
        cport_event ev;
        CHECK_EQ(cts_wait(port, &ev, 1, CTS_PATIENCE_NS), 1);
        CHECK_EQ(ev.result, i);
        CHECK_EQ(cts_post(port, ev.op, 0, i + 1), 0);
    }
    CHECK_EQ(cts_result(port, &op), 10000);
    cts_port_close(port);
}

void s07_events_leave_in_the_order_they_were_queued(void)
{
    enum { COUNT = 5000 };
    static cport_op ops[COUNT];
    static const unsigned maxima[] = {1, 7, 64, 3, 256};
    cport_event ev[256];
    cport_port *port = cts_port_open();
    int posted = 0, got = 0;
    for (unsigned round = 0; got < COUNT; round++) {
        for (int i = 0; i < 90 && posted < COUNT; i++, posted++)
            CHECK_EQ(cts_post(port, &ops[posted], 5, posted), 0);
        int n = cts_wait(port, ev, maxima[round % CTS_COUNT_OF(maxima)], CTS_PATIENCE_NS);
        CHECK(n > 0);
        for (int i = 0; i < n; i++)
            CHECK_EQ(ev[i].result, got++);
    }
    cts_port_close(port);
}

void s10_a_batch_takes_what_is_there(void)
{
    cport_op ops[10] = {0};
    cport_event ev[64];
    cport_port *port = cts_port_open();
    for (int i = 0; i < 10; i++)
        CHECK_EQ(cts_post(port, &ops[i], 0, i), 0);
    CHECK_EQ(cts_wait(port, ev, 4, -1), 4);
    CHECK_EQ(cts_wait(port, ev, 64, -1), 6); /* and does not wait for 58 more */
    CHECK_EQ(cts_wait(port, ev, 64, 0), 0);
    cts_port_close(port);
}

void s10_max_zero_is_refused(void)
{
    cport_op op = {0};
    cport_event ev;
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_post(port, &op, 0, 0), 0);
    CHECK_EQ(cts_wait(port, &ev, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_wait(port, NULL, 1, 0), CPORT_EINVAL);
    CHECK_EQ(cport_wait(NULL, &ev, 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_result(port, &op), 0); /* it was not eaten */
    cts_port_close(port);
}

/* ---- Several producers ---- */

enum { PRODUCERS = 4, PER_PRODUCER = 5000, WINDOW = 64 };

typedef struct producer {
    cport_port *port;
    uintptr_t number;
    cport_op ops[WINDOW];
    atomic_int free_until; /* consumer: how many of the posts have come out */
} producer;

static void produce(void *arg)
{
    producer *p = arg;
    for (int i = 0; i < PER_PRODUCER; i++) {
        while (i >= atomic_load(&p->free_until) + WINDOW)
            cts_spin();
        CHECK_EQ(cts_post(p->port, &p->ops[i % WINDOW], p->number, i), 0);
    }
}

static void consume_all(cport_port *port, producer *producers)
{
    cport_event ev[32];
    int next[PRODUCERS] = {0};
    for (int got = 0; got < PRODUCERS * PER_PRODUCER;) {
        int n = cts_wait(port, ev, CTS_COUNT_OF(ev), CTS_PATIENCE_NS);
        CHECK(n > 0);
        for (int i = 0; i < n; i++, got++) {
            CHECK(ev[i].key < PRODUCERS);
            CHECK_EQ(ev[i].result, next[ev[i].key]++);
            atomic_fetch_add(&producers[ev[i].key].free_until, 1);
        }
    }
}

void s12_post_storm_loses_and_reorders_nothing(void)
{
    static producer producers[PRODUCERS];
    cts_thread *threads[PRODUCERS];
    cport_port *port = cts_port_open();
    for (uintptr_t i = 0; i < PRODUCERS; i++) {
        producers[i].port = port;
        producers[i].number = i;
        threads[i] = cts_thread_start(produce, &producers[i], 0);
    }
    consume_all(port, producers);
    for (int i = 0; i < PRODUCERS; i++)
        cts_thread_join(threads[i]);
    cts_port_close(port);
}

/* ---- Several consumers: nothing lost, nothing twice ---- */

typedef struct consumer {
    cport_port *port;
    atomic_int *left;
} consumer;

/* Result -1 is the stop packet. */
static void consume_some(void *arg)
{
    consumer *c = arg;
    cport_event ev[8];
    for (;;) {
        int n = cts_wait(c->port, ev, CTS_COUNT_OF(ev), -1);
        CHECK(n > 0);
        for (int i = 0; i < n; i++) {
            if (ev[i].result == -1) {
                for (int j = i + 1; j < n; j++) /* the others' stops */
                    CHECK_EQ(cts_post(c->port, ev[j].op, 0, -1), 0);
                return;
            }
            atomic_fetch_sub(c->left, 1);
        }
    }
}

static bool all_consumed(void *arg)
{
    return atomic_load((atomic_int *)arg) == 0;
}

/* The ops come back out of order here, so each post has its own. */
typedef struct plain_producer {
    cport_port *port;
    uintptr_t number;
    cport_op *ops;
} plain_producer;

static void produce_plain(void *arg)
{
    plain_producer *p = arg;
    for (int i = 0; i < PER_PRODUCER; i++)
        CHECK_EQ(cts_post(p->port, &p->ops[i], p->number, i), 0);
}

void s12_post_storm_into_many_waiters(void)
{
    static plain_producer producers[PRODUCERS];
    static consumer consumers[4];
    cts_thread *producing[PRODUCERS], *consuming[4];
    cport_op stop[4] = {0};
    atomic_int left = PRODUCERS * PER_PRODUCER;
    cport_port *port = cts_port_open();
    cport_op *ops = calloc((size_t)PRODUCERS * PER_PRODUCER, sizeof *ops);
    CHECK(ops != NULL);
    for (int i = 0; i < 4; i++) {
        consumers[i] = (consumer){port, &left};
        consuming[i] = cts_thread_start(consume_some, &consumers[i], 0);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (plain_producer){port, (uintptr_t)i, ops + (ptrdiff_t)i * PER_PRODUCER};
        producing[i] = cts_thread_start(produce_plain, &producers[i], 0);
    }
    cts_until(all_consumed, &left, "all posts to be handled");
    for (int i = 0; i < PRODUCERS; i++)
        cts_thread_join(producing[i]);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(cts_post(port, &stop[i], 0, -1), 0);
    for (int i = 0; i < 4; i++)
        cts_thread_join(consuming[i]);
    cts_port_close(port);
    free(ops);
}
