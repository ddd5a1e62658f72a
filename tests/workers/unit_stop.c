/* The end of a pool: what is waited for, what is cancelled, and that nothing is left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os_thread.h"
#include "pool_under_test.h"

static int stop_by(cport_workers *w, int64_t deadline_ns)
{
    return cport_workers_stop(w, deadline_ns);
}

static int stop(cport_workers *w)
{
    return stop_by(w, now_ns() + PATIENCE_NS);
}

static void options(cport_workers_options *opt, cport_port_options *port, unsigned threads)
{
    *port = (cport_port_options){.size = sizeof(*port), .allocator = counting_allocator()};
    *opt = (cport_workers_options){
        .size = sizeof(*opt), .ports = 2, .threads_per_port = threads, .port = port};
}

/* ---- W08 ---- */

static void w08_connections_come_to_their_end(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 3; threads++) {
        enum { CLIENTS = 5 };
        cport_workers_options opt;
        cport_port_options port;
        struct client clients[CLIENTS];
        struct echo e = {0};
        options(&opt, &port, threads);
        unsigned descriptors = os_descriptors();
        assert_int_equal(echo_open(&e, &opt), 0);
        for (int i = 0; i < CLIENTS; i++) {
            client_connect(&clients[i], e.tcp_port);
            client_talk(&clients[i], (char)('a' + i));
        }
        assert_int_equal(stop(e.pool), 0);
        for (int i = 0; i < CLIENTS; i++) {
            assert_true(client_sees_end(&clients[i]));
            client_close(&clients[i]);
        }
        assert_int_equal(atomic_load(&e.closed), CLIENTS);
        assert_int_equal(allocations_live(), 0);
        assert_int_equal(os_descriptors(), descriptors);
    }
}

static void w08_a_hundred_times_at_the_same_address(void **state)
{
    (void)state;
    struct echo e = {0};
    cport_workers_options opt;
    cport_port_options port;
    options(&opt, &port, 1);
    unsigned descriptors = os_descriptors();
    for (int i = 0; i < 100; i++) {
        struct client c;
        opt.threads_per_port = 1 + (unsigned)i % 2;
        assert_int_equal(echo_open(&e, &opt), 0); /* the port of the first round, from then on */
        client_connect(&c, e.tcp_port);
        client_talk(&c, 'x');
        assert_int_equal(stop(e.pool), 0);
        client_close(&c);
    }
    assert_int_equal(atomic_load(&e.accepted), 100);
    assert_int_equal(allocations_live(), 0);
    assert_int_equal(os_descriptors(), descriptors);
}

/* ---- W09: posts between ports ---- */

#define HOPPERS 4u
struct hopper {
    cport_op op;
    atomic_uint left;
    struct hoppers *all;
};
struct hoppers {
    struct hopper hopper[HOPPERS];
    atomic_uint hops;
};

static void hop(cport_worker *me, const cport_event *events, unsigned count)
{
    struct hoppers *h = me->ctx;
    for (unsigned i = 0; i < count; i++) {
        struct hopper *hopper = CPORT_CONTAINER_OF(events[i].op, struct hopper, op);
        atomic_fetch_add(&h->hops, 1);
        if (atomic_fetch_sub(&hopper->left, 1) == 1)
            continue;
        unsigned next = (me->index + 1) % cport_workers_count(me->pool);
        (void)cport_post(cport_workers_port(me->pool, next), &hopper->op, 0, 0);
    }
}

static void w09_what_handlers_post_is_handled(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 2; threads++) {
        for (unsigned round = 0; round < 20; round++) {
            struct hoppers h = {0};
            cport_workers_options opt;
            cport_port_options port;
            cport_workers *w;
            options(&opt, &port, threads);
            opt.handle = hop;
            opt.ctx = &h;
            opt.ports = 3;
            assert_int_equal(cport_workers_open(&opt, &w), 0);
            for (unsigned i = 0; i < HOPPERS; i++) {
                atomic_init(&h.hopper[i].left, 100 + round);
                assert_int_equal(
                    cport_post(cport_workers_port(w, i % 3), &h.hopper[i].op, 0, 0), 0);
            }
            assert_int_equal(stop(w), 0);
            assert_int_equal(atomic_load(&h.hops), HOPPERS * (100 + round));
            assert_int_equal(allocations_live(), 0);
        }
    }
}

static void w09_posts_without_end_are_cut(void **state)
{
    (void)state;
    static struct hoppers h; /* what is dropped stays ours, and somewhere */
    cport_workers_options opt;
    cport_port_options port;
    cport_workers *w;
    memset(&h, 0, sizeof(h));
    options(&opt, &port, 1);
    opt.handle = hop;
    opt.ctx = &h;
    assert_int_equal(cport_workers_open(&opt, &w), 0);
    atomic_init(&h.hopper[0].left, 0); /* four thousand million */
    assert_int_equal(cport_post(cport_workers_port(w, 0), &h.hopper[0].op, 0, 0), 0);
    until(&h.hops, 10);
    assert_int_equal(stop_by(w, 0), CPORT_ETIMEDOUT);
    assert_int_equal(allocations_live(), 0);
}

/* A timer that goes on and on delays nobody. */
struct ticking {
    cport_op op;
    atomic_uint ticks;
};

static int ticking_start(cport_worker *me)
{
    struct ticking *t = me->ctx;
    return me->index ? 0 : cport_timer(me->port, &t->op, cport_now_ns(me->port), 5 * MS);
}

static void ticking_handle(cport_worker *me, const cport_event *events, unsigned count)
{
    struct ticking *t = me->ctx;
    (void)events;
    atomic_fetch_add(&t->ticks, count);
}

static void w09_timers_are_dropped(void **state)
{
    (void)state;
    struct ticking t = {0};
    cport_workers_options opt;
    cport_port_options port;
    cport_workers *w;
    options(&opt, &port, 1);
    opt.handle = ticking_handle;
    opt.start = ticking_start;
    opt.ctx = &t;
    assert_int_equal(cport_workers_open(&opt, &w), 0);
    until(&t.ticks, 2);
    assert_int_equal(stop(w), 0);
    assert_int_equal(allocations_live(), 0);
}

/* ---- W10: the deadline ---- */

/* Each port ends what it has by itself: nothing is left to be cancelled, and each is told once. */
struct expiring {
    struct echo echo;
    atomic_uint told[2];
};

static void expire(cport_worker *me)
{
    struct expiring *x = CPORT_CONTAINER_OF(me->ctx, struct expiring, echo);
    atomic_fetch_add(&x->told[me->index], 1);
    if (me->index == 0)
        echo_end(&x->echo);
}

static void w10_ports_are_told_that_the_deadline_has_passed(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 2; threads++) {
        struct client c;
        struct expiring x = {.echo.keep = true};
        cport_workers_options opt;
        cport_port_options port;
        options(&opt, &port, threads);
        opt.expire = expire;
        assert_int_equal(echo_open(&x.echo, &opt), 0);
        client_connect(&c, x.echo.tcp_port);
        client_talk(&c, 'x');
        assert_int_equal(stop_by(x.echo.pool, now_ns() + 20 * MS), CPORT_ETIMEDOUT);
        assert_true(client_sees_end(&c));
        client_close(&c);
        assert_int_equal(atomic_load(&x.told[0]), 1);
        assert_int_equal(atomic_load(&x.told[1]), 1);
        assert_int_equal(atomic_load(&x.echo.closed), 1);
        assert_int_equal(allocations_live(), 0);
    }
}

static void w10_nobody_is_told_in_time(void **state)
{
    (void)state;
    struct expiring x = {0};
    cport_workers_options opt;
    cport_port_options port;
    options(&opt, &port, 1);
    opt.expire = expire;
    assert_int_equal(echo_open(&x.echo, &opt), 0);
    assert_int_equal(stop(x.echo.pool), 0);
    assert_int_equal(atomic_load(&x.told[0]) + atomic_load(&x.told[1]), 0);
}

static void w10_what_is_pending_is_cancelled_at_the_deadline(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 2; threads++) {
        struct client c;
        struct echo e = {.keep = true};
        cport_workers_options opt;
        cport_port_options port;
        options(&opt, &port, threads);
        assert_int_equal(echo_open(&e, &opt), 0);
        client_connect(&c, e.tcp_port);
        client_talk(&c, 'x');
        assert_int_equal(stop_by(e.pool, now_ns() + 20 * MS), CPORT_ETIMEDOUT);
        assert_true(client_sees_end(&c));
        client_close(&c);
        assert_int_equal(atomic_load(&e.cancelled), 1);
        assert_int_equal(atomic_load(&e.closed), 1);
        assert_int_equal(allocations_live(), 0);
    }
}

static void w10_a_client_that_leaves_in_time_is_waited_for(void **state)
{
    (void)state;
    struct client c;
    struct echo e = {.keep = true};
    cport_workers_options opt;
    cport_port_options port;
    options(&opt, &port, 1);
    assert_int_equal(echo_open(&e, &opt), 0);
    client_connect(&c, e.tcp_port);
    client_talk(&c, 'x');
    client_close(&c);
    assert_int_equal(stop_by(e.pool, INT64_MAX), 0);
    assert_int_equal(atomic_load(&e.cancelled), 0);
    assert_int_equal(allocations_live(), 0);
}

/* More handles than are closed at a time, whose handlers close none. */
static void w10_handles_that_nobody_closes_are_closed(void **state)
{
    (void)state;
    enum { CLIENTS = 30 };
    for (unsigned threads = 1; threads <= 2; threads++) {
        struct client clients[CLIENTS];
        struct echo e = {.keep = true, .stubborn = true};
        cport_workers_options opt;
        cport_port_options port;
        options(&opt, &port, threads);
        unsigned descriptors = os_descriptors();
        assert_int_equal(echo_open(&e, &opt), 0);
        for (int i = 0; i < CLIENTS; i++) {
            client_connect(&clients[i], e.tcp_port);
            client_talk(&clients[i], 'x');
        }
        assert_int_equal(stop_by(e.pool, 0), CPORT_ETIMEDOUT);
        for (int i = 0; i < CLIENTS; i++) {
            assert_true(client_sees_end(&clients[i]));
            client_close(&clients[i]);
        }
        assert_int_equal(atomic_load(&e.closed), 0);
        assert_int_equal(allocations_live(), 0);
        assert_int_equal(os_descriptors(), descriptors);
    }
}

/* ---- W12: what comes from outside ---- */

/* A thread of another kind posts a packet when the pool has been told to stop, and past its deadline. */
struct outside {
    cport_op ask, answer;
    atomic_uint asked, expired, answered;
};

static void outside_handle(cport_worker *me, const cport_event *events, unsigned count)
{
    struct outside *o = me->ctx;
    for (unsigned i = 0; i < count; i++) {
        if (events[i].op == &o->answer) {
            atomic_fetch_add(&o->answered, 1);
            cport_workers_release(me);
        } else {
            cport_workers_hold(me);
            atomic_fetch_add(&o->asked, 1);
        }
    }
}

static void outside_expire(cport_worker *me)
{
    struct outside *o = me->ctx;
    if (me->index != 1)
        return;
    atomic_fetch_add(&o->expired, 1);
}

static void outside_drain(cport_worker *me)
{
    struct outside *o = me->ctx;
    if (me->index != 1)
        return;
    atomic_fetch_add(&o->expired, 1);
}

static void late_answer(void *arg)
{
    struct outside *o = arg;
    until(&o->expired, 1);
    for (int i = 0; i < 20; i++)
        os_pause(); /* a pool that did not wait would most likely have gone */
    if (cport_post(o->answer.user, &o->answer, 0, 0) < 0)
        abort();
}

static void w12_packets_from_outside_are_waited_for(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 2; threads++) {
        for (int late = 0; late <= 1; late++) {
            struct outside o = {0};
            struct thread thread;
            cport_workers_options opt;
            cport_port_options port;
            cport_workers *w;
            options(&opt, &port, threads);
            opt.handle = outside_handle;
            if (late)
                opt.expire = outside_expire;
            else
                opt.drain = outside_drain;
            opt.ctx = &o;
            assert_int_equal(cport_workers_open(&opt, &w), 0);
            o.answer.user = cport_workers_port(w, 1);
            assert_int_equal(cport_post(cport_workers_port(w, 1), &o.ask, 0, 0), 0);
            until(&o.asked, 1);
            assert_true(thread_start(&thread, late_answer, &o));
            assert_int_equal(stop_by(w, late ? 0 : INT64_MAX), late ? CPORT_ETIMEDOUT : 0);
            assert_int_equal(atomic_load(&o.answered), 1);
            thread_join(&thread);
            assert_int_equal(allocations_live(), 0);
        }
    }
}

/* ---- W11: mistakes ---- */

struct mistake {
    cport_workers *pool;
    cport_op op;
    atomic_uint result;
    cport_bufs *bufs;
    cport_port *port;
};

static void stop_from_inside(cport_worker *me, const cport_event *events, unsigned count)
{
    struct mistake *m = me->ctx;
    (void)events;
    (void)count;
    atomic_store(&m->result, cport_workers_stop(me->pool, 0) == CPORT_EWRONGTHREAD ? 1 : 2);
}

static void w11_a_worker_cannot_stop_its_own_pool(void **state)
{
    (void)state;
    struct mistake m = {0};
    cport_workers_options opt;
    cport_port_options port;
    options(&opt, &port, 1);
    opt.handle = stop_from_inside;
    opt.ctx = &m;
    assert_int_equal(cport_workers_open(&opt, &m.pool), 0);
    assert_int_equal(cport_post(cport_workers_port(m.pool, 1), &m.op, 0, 0), 0);
    until(&m.result, 1);
    assert_int_equal(atomic_load(&m.result), 1);
    assert_int_equal(stop(m.pool), 0);
    assert_int_equal(allocations_live(), 0);
}

static void no_events(cport_worker *me, const cport_event *events, unsigned count)
{
    (void)me;
    (void)events;
    (void)count;
}

static int open_bufs(cport_worker *me)
{
    struct mistake *m = me->ctx;
    if (me->index != 0 || me->thread != 0)
        return 0;
    m->port = me->port;
    return cport_bufs_open(me->port, 64, 4, &m->bufs);
}

static void w11_a_buffer_pool_left_open_is_told(void **state)
{
    (void)state;
    struct mistake m = {0};
    cport_workers_options opt;
    cport_port_options port;
    options(&opt, &port, 2); /* a shared port: this thread can put it right */
    opt.handle = no_events;
    opt.start = open_bufs;
    opt.ctx = &m;
    assert_int_equal(cport_workers_open(&opt, &m.pool), 0);
    assert_int_equal(stop(m.pool), CPORT_EBUSY);
    assert_int_equal(cport_bufs_close(m.bufs), 0);
    assert_int_equal(cport_port_close(m.port), 0);
    assert_int_equal(allocations_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(w08_connections_come_to_their_end),
        cmocka_unit_test(w08_a_hundred_times_at_the_same_address),
        cmocka_unit_test(w09_what_handlers_post_is_handled),
        cmocka_unit_test(w09_posts_without_end_are_cut),
        cmocka_unit_test(w09_timers_are_dropped),
        cmocka_unit_test(w10_what_is_pending_is_cancelled_at_the_deadline),
        cmocka_unit_test(w10_a_client_that_leaves_in_time_is_waited_for),
        cmocka_unit_test(w10_handles_that_nobody_closes_are_closed),
        cmocka_unit_test(w10_ports_are_told_that_the_deadline_has_passed),
        cmocka_unit_test(w10_nobody_is_told_in_time),
        cmocka_unit_test(w12_packets_from_outside_are_waited_for),
        cmocka_unit_test(w11_a_worker_cannot_stop_its_own_pool),
        cmocka_unit_test(w11_a_buffer_pool_left_open_is_told),
    };
    (void)now_ns(); /* its port is not what the tests miss at their end */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
