/* Pools that run on this machine: where their threads are, what they are told, and how they begin. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool_under_test.h"

static void handle_nothing(cport_worker *me, const cport_event *events, unsigned count)
{
    (void)me;
    (void)events;
    (void)count;
}

static cport_workers_options plain(void)
{
    return (cport_workers_options){.size = sizeof(cport_workers_options), .handle = handle_nothing};
}

static cport_workers *open_ok(const cport_workers_options *opt)
{
    cport_workers *w = NULL;
    assert_int_equal(cport_workers_open(opt, &w), 0);
    assert_non_null(w);
    return w;
}

static void stop_ok(cport_workers *w)
{
    assert_int_equal(cport_workers_stop(w, now_ns() + PATIENCE_NS), 0);
}

/* ---- W05 ---- */

/* What each thread saw of itself. */
#define SIGHTS_MAX 64u
struct sights {
    atomic_uint count;
    struct sight {
        unsigned index, thread;
        int here;
        bool has_user;
        char name[32], affinity[256];
    } sight[SIGHTS_MAX];
    atomic_uint lines;
    char log[512]; /* the first of them */
    atomic_uint stops;
};

static int see(cport_worker *me)
{
    struct sights *s = me->ctx;
    unsigned i = atomic_fetch_add(&s->count, 1);
    if (i >= SIGHTS_MAX)
        return CPORT_ENOSPC;
    struct sight *sight = &s->sight[i];
    sight->index = me->index;
    sight->thread = me->thread;
    sight->here = cport_workers_here();
    sight->has_user = me->user != NULL;
    os_name(sight->name, sizeof(sight->name));
    os_affinity(sight->affinity, sizeof(sight->affinity));
    return 0;
}

static void see_stop(cport_worker *me)
{
    struct sights *s = me->ctx;
    atomic_fetch_add(&s->stops, 1);
}

static void w05_threads_are_bound_and_named(void **state)
{
    (void)state;
    static struct sights s;
    cport_workers_options opt = plain();
    memset(&s, 0, sizeof(s));
    opt.start = see;
    opt.stop = see_stop;
    opt.ctx = &s;
    opt.threads_per_port = 2;
    opt.unit = CPORT_UNIT_PU;
    opt.name = "pool";
    cport_workers *w = open_ok(&opt);
    unsigned ports = cport_workers_count(w);
    assert_int_equal(atomic_load(&s.count), 2 * ports);
    assert_int_equal(cport_workers_here(), -1);
    for (unsigned i = 0; i < 2 * ports; i++) {
        const struct sight *sight = &s.sight[i];
        cport_workers_info info = {.size = sizeof(info)};
        char name[32];
        assert_int_equal(cport_workers_get_info(w, sight->index, &info), 0);
        assert_int_equal(info.threads, 2);
        assert_int_equal(info.bound, 2);
        assert_string_equal(info.reason, "");
        assert_string_equal(sight->affinity, info.cpuset);
        assert_int_equal(sight->here, (int)sight->index);
        assert_false(sight->has_user);
        snprintf(name, sizeof(name), "pool/%u.%u", sight->index, sight->thread);
        if (sight->name[0])
            assert_string_equal(sight->name, name);
        for (unsigned j = 0; j < i; j++)
            assert_true(s.sight[j].index != sight->index || s.sight[j].thread != sight->thread);
    }
    stop_ok(w);
    assert_int_equal(atomic_load(&s.stops), 2 * ports);
}

/* One port for each processor that the process may use, and none for others. */
static void w05_the_ports_share_out_what_is_allowed(void **state)
{
    (void)state;
    cport_workers_options opt = plain();
    char allowed[256];
    size_t len = 0;
    char text[512] = "";
    os_affinity(allowed, sizeof(allowed));
    opt.unit = CPORT_UNIT_ALL;
    cport_workers *w = open_ok(&opt);
    cport_workers_info info = {.size = sizeof(info)};
    assert_int_equal(cport_workers_count(w), 1);
    assert_int_equal(cport_workers_get_info(w, 0, &info), 0);
    assert_string_equal(info.cpuset, allowed);
    stop_ok(w);

    opt.unit = CPORT_UNIT_PU;
    w = open_ok(&opt);
    for (unsigned i = 0; i < cport_workers_count(w); i++) {
        assert_int_equal(cport_workers_get_info(w, i, &info), 0);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? "," : "", info.cpuset);
    }
    stop_ok(w);
    opt.cpuset = text; /* what it said is what can be asked for */
    opt.unit = CPORT_UNIT_ALL;
    w = open_ok(&opt);
    assert_int_equal(cport_workers_get_info(w, 0, &info), 0);
    assert_string_equal(info.cpuset, allowed);
    stop_ok(w);
}

static void w05_a_cpuset_is_kept_to(void **state)
{
    (void)state;
    cport_workers_options opt = plain();
    cport_workers_info info = {.size = sizeof(info)};
    opt.unit = CPORT_UNIT_PU;
    cport_workers *w = open_ok(&opt);
    unsigned last = cport_workers_count(w) - 1;
    assert_int_equal(cport_workers_get_info(w, last, &info), 0);
    stop_ok(w);
    char one[sizeof(info.cpuset)];
    memcpy(one, info.cpuset, sizeof(one));
    opt.cpuset = one;
    w = open_ok(&opt);
    assert_int_equal(cport_workers_count(w), 1);
    assert_int_equal(cport_workers_get_info(w, 0, &info), 0);
    assert_string_equal(info.cpuset, one);
    stop_ok(w);
}

static void keep_line(void *ctx, const char *line)
{
    struct sights *s = ctx;
    if (strncmp(line, "cport-workers: ", 15) == 0 && atomic_fetch_add(&s->lines, 1) == 0)
        snprintf(s->log, sizeof(s->log), "%s", line);
}

static void w05_unbound_threads_run_all_the_same(void **state)
{
    (void)state;
    static struct sights s;
    memset(&s, 0, sizeof(s));
    cport_workers_options opt = plain();
    cport_workers_info info = {.size = sizeof(info)};
    opt.flags = CPORT_WORKERS_UNBOUND;
    opt.log = keep_line;
    opt.log_ctx = &s;
    opt.ports = 1;
    cport_workers *w = open_ok(&opt);
    assert_int_equal(cport_workers_get_info(w, 0, &info), 0);
    assert_int_equal(info.bound, 0);
    assert_string_equal(info.reason, "the options say so");
    assert_int_equal(atomic_load(&s.lines), 0); /* it was asked for */
    stop_ok(w);

    os_env_set("HWLOC_SYNTHETIC", "pack:2 [numa] core:8 pu:2");
    opt.flags = 0;
    opt.ports = 0;
    w = open_ok(&opt);
    os_env_set("HWLOC_SYNTHETIC", NULL);
    assert_int_equal(cport_workers_count(w), 16);
    for (unsigned i = 0; i < 16; i++) {
        char expected[16];
        snprintf(expected, sizeof(expected), "%u-%u", 2 * i, 2 * i + 1);
        assert_int_equal(cport_workers_get_info(w, i, &info), 0);
        assert_string_equal(info.cpuset, expected);
        assert_int_equal(info.numa, i / 8);
        assert_int_equal(info.bound, 0);
        assert_string_equal(info.reason, "the environment describes another machine than this");
    }
    assert_non_null(strstr(s.log, "is not bound: the environment describes another machine"));
    stop_ok(w);
}

/* ---- W06 ---- */

static int look_at_port(cport_worker *me)
{
    struct sights *s = me->ctx;
    cport_port_info info = {.size = sizeof(info)};
    if (cport_port_get_info(me->port, &info) != 0)
        return CPORT_EWRONGTHREAD;
    snprintf(s->log, sizeof(s->log), "%u of %u", (unsigned)(info.flags & CPORT_PORT_SINGLE),
        info.concurrency);
    return 0;
}

static void w06_one_thread_makes_single_ports(void **state)
{
    (void)state;
    static struct sights s;
    cport_port_options port = {.size = sizeof(port), .concurrency = 7};
    cport_workers_options opt = plain();
    opt.start = look_at_port;
    opt.ctx = &s;
    opt.ports = 1;
    opt.port = &port;
    stop_ok(open_ok(&opt));
    assert_string_equal(s.log, "1 of 1");
    opt.threads_per_port = 2;
    stop_ok(open_ok(&opt));
    assert_string_equal(s.log, "0 of 7");
    port.concurrency = 0;
    stop_ok(open_ok(&opt));
    assert_string_equal(s.log, "0 of 1");
}

/* In the start hooks every port is there, and takes posts. */
#define RING_PORTS 8u
struct ring {
    cport_op op[RING_PORTS];
    atomic_uint arrived;
    atomic_uint wrong;
};

static int ring_start(cport_worker *me)
{
    struct ring *ring = me->ctx;
    unsigned next = (me->index + 1) % RING_PORTS;
    cport_port *port = cport_workers_port(me->pool, next);
    if (cport_workers_count(me->pool) != RING_PORTS || !port)
        return CPORT_ENOENT;
    return cport_post(port, &ring->op[next], next, me->index);
}

static void ring_handle(cport_worker *me, const cport_event *events, unsigned count)
{
    struct ring *ring = me->ctx;
    for (unsigned i = 0; i < count; i++) {
        bool right = events[i].key == me->index && events[i].op == &ring->op[me->index] &&
                     cport_workers_here() == (int)me->index;
        atomic_fetch_add(right ? &ring->arrived : &ring->wrong, 1);
    }
}

static void w06_start_hooks_find_all_ports_open(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 2; threads++) {
        struct ring ring = {0};
        cport_workers_options opt = plain();
        opt.start = ring_start;
        opt.handle = ring_handle;
        opt.ctx = &ring;
        opt.ports = RING_PORTS;
        cport_workers *w = open_ok(&opt);
        assert_null(cport_workers_port(w, RING_PORTS));
        until(&ring.arrived, RING_PORTS);
        stop_ok(w);
        assert_int_equal(atomic_load(&ring.wrong), 0);
    }
}

/* ---- W07 ---- */

struct failing {
    unsigned port, thread; /* whose start fails */
    atomic_uint started, stopped;
    atomic_uint stopped_others; /* stop hooks of threads that did not start */
};

static int failing_start(cport_worker *me)
{
    struct failing *f = me->ctx;
    if (me->index == f->port && me->thread == f->thread)
        return CPORT_EADDRINUSE;
    me->user = f;
    atomic_fetch_add(&f->started, 1);
    return 0;
}

static void failing_stop(cport_worker *me)
{
    struct failing *f = me->ctx;
    atomic_fetch_add(me->user == f ? &f->stopped : &f->stopped_others, 1);
}

static void w07_a_start_that_fails_leaves_nothing(void **state)
{
    (void)state;
    cport_port_options port = {.size = sizeof(port), .allocator = counting_allocator()};
    for (unsigned i = 0; i < 9; i++) {
        struct failing f = {.port = i / 3, .thread = i % 3};
        cport_workers_options opt = plain();
        cport_workers *w = NULL;
        opt.start = failing_start;
        opt.stop = failing_stop;
        opt.ctx = &f;
        opt.ports = 3;
        opt.threads_per_port = 3;
        opt.port = &port;
        assert_int_equal(cport_workers_open(&opt, &w), CPORT_EADDRINUSE);
        assert_null(w);
        assert_int_equal(atomic_load(&f.stopped), atomic_load(&f.started));
        assert_int_equal(atomic_load(&f.stopped_others), 0);
        assert_int_equal(allocations_live(), 0);
    }
}

static void w07_every_allocation_may_fail(void **state)
{
    (void)state;
    cport_port_options port = {.size = sizeof(port), .allocator = counting_allocator()};
    cport_workers_options opt = plain();
    unsigned descriptors = os_descriptors();
    opt.ports = 2;
    opt.threads_per_port = 2;
    opt.port = &port;
    for (uint64_t n = 1; n < 200; n++) {
        cport_workers *w = NULL;
        allocation_fails(n);
        int r = cport_workers_open(&opt, &w);
        bool failed = allocation_failed();
        allocation_fails(0);
        if (r == 0)
            stop_ok(w);
        else
            assert_true(failed && r == CPORT_ENOMEM);
        assert_int_equal(allocations_live(), 0);
        if (!failed) {
            assert_true(n > 4);
            assert_int_equal(os_descriptors(), descriptors);
            return;
        }
    }
    fail_msg("it never stopped allocating");
}

static void w04_a_plan_tells_the_number_of_ports(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {0, 1, 5};
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        for (uint32_t unit = CPORT_UNIT_CORE; unit <= CPORT_UNIT_ALL; unit++) {
            cport_workers_options opt = plain();
            opt.unit = unit;
            opt.ports = numbers[i];
            cport_workers *w = open_ok(&opt);
            assert_int_equal(cport_workers_plan(&opt), cport_workers_count(w));
            stop_ok(w);
        }
    }
    cport_workers_options opt = plain();
    opt.unit = CPORT_UNIT_ALL + 1;
    assert_int_equal(cport_workers_plan(&opt), CPORT_EINVAL);
    opt = plain();
    opt.cpuset = "99999";
    assert_int_equal(cport_workers_plan(&opt), CPORT_EINVAL);
    assert_int_equal(cport_workers_plan(NULL), CPORT_EINVAL);
}

static void w07_wrong_options_are_refused(void **state)
{
    (void)state;
    cport_workers *w = NULL;
    cport_port_options single = {.size = sizeof(single), .flags = CPORT_PORT_SINGLE};
    cport_port_options strange = {.size = sizeof(strange), .flags = 0x40000000u};
    static struct sights s;
    struct {
        const char *what;
        cport_workers_options opt;
    } wrong[] = {
        {"size", plain()},
        {"flags", plain()},
        {"unit", plain()},
        {"handle", plain()},
        {"batch", plain()},
        {"ports", plain()},
        {"threads", plain()},
        {"cpuset of letters", plain()},
        {"cpuset beyond the machine", plain()},
        {"single and threads", plain()},
        {"port flags", plain()},
    };
    wrong[0].opt.size = 8;
    wrong[1].opt.flags = 0x80;
    wrong[2].opt.unit = 17;
    wrong[3].opt.handle = NULL;
    wrong[4].opt.batch = 257;
    wrong[5].opt.ports = 100000;
    wrong[6].opt.threads_per_port = 100000;
    wrong[7].opt.cpuset = "first";
    wrong[8].opt.cpuset = "65535";
    wrong[9].opt.threads_per_port = 2;
    wrong[9].opt.port = &single;
    wrong[10].opt.port = &strange;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        atomic_store(&s.lines, 0);
        wrong[i].opt.log = keep_line;
        wrong[i].opt.log_ctx = &s;
        if (cport_workers_open(&wrong[i].opt, &w) != CPORT_EINVAL || w)
            fail_msg("%s was taken", wrong[i].what);
        if (i == 8)
            assert_non_null(strstr(s.log, "the cpuset 65535 names no processor that"));
    }
    cport_workers_options good = plain();
    assert_int_equal(cport_workers_open(NULL, &w), CPORT_EINVAL);
    assert_int_equal(cport_workers_open(&good, NULL), CPORT_EINVAL);
    assert_int_equal(cport_workers_stop(NULL, 0), CPORT_EINVAL);
    assert_int_equal(cport_workers_count(NULL), 0);
    assert_null(cport_workers_port(NULL, 0));

    good.ports = 1;
    w = open_ok(&good);
    cport_workers_info info = {.size = 4};
    assert_int_equal(cport_workers_get_info(w, 0, &info), CPORT_EINVAL);
    info.size = sizeof(info);
    assert_int_equal(cport_workers_get_info(w, 1, &info), CPORT_EINVAL);
    assert_int_equal(cport_workers_get_info(NULL, 0, &info), CPORT_EINVAL);
    assert_int_equal(cport_workers_get_info(w, 0, NULL), CPORT_EINVAL);
    stop_ok(w);
}

/* A handler that blocks leaves its port to the others. */
struct blocked {
    cport_op first, second;
    bool says_so;
    atomic_uint entered, done;
};

static void blocked_handle(cport_worker *me, const cport_event *events, unsigned count)
{
    struct blocked *b = me->ctx;
    if (count != 1) /* the others would wait behind this one */
        return;
    if (events[0].op == &b->second) {
        atomic_fetch_add(&b->done, 1);
        return;
    }
    atomic_fetch_add(&b->entered, 1);
    if (b->says_so)
        cport_blocking_begin();
    while (atomic_load(&b->done) == 0)
        os_pause();
    if (b->says_so)
        cport_blocking_end();
    atomic_fetch_add(&b->done, 1);
}

static void w06_a_blocked_handler_leaves_its_port_to_others(void **state)
{
    (void)state;
    for (int says_so = 0; says_so <= 1; says_so++) {
        struct blocked b = {.says_so = says_so};
        cport_workers_options opt = plain();
        opt.handle = blocked_handle;
        opt.ctx = &b;
        opt.unit = CPORT_UNIT_PU;
        opt.ports = 1;
        opt.threads_per_port = 2;
        cport_workers *w = open_ok(&opt);
        assert_int_equal(cport_post(cport_workers_port(w, 0), &b.first, 0, 0), 0);
        until(&b.entered, 1);
        assert_int_equal(cport_post(cport_workers_port(w, 0), &b.second, 0, 0), 0);
        until(&b.done, 2);
        stop_ok(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(w05_threads_are_bound_and_named),
        cmocka_unit_test(w05_the_ports_share_out_what_is_allowed),
        cmocka_unit_test(w05_a_cpuset_is_kept_to),
        cmocka_unit_test(w05_unbound_threads_run_all_the_same),
        cmocka_unit_test(w06_one_thread_makes_single_ports),
        cmocka_unit_test(w06_start_hooks_find_all_ports_open),
        cmocka_unit_test(w06_a_blocked_handler_leaves_its_port_to_others),
        cmocka_unit_test(w04_a_plan_tells_the_number_of_ports),
        cmocka_unit_test(w07_a_start_that_fails_leaves_nothing),
        cmocka_unit_test(w07_every_allocation_may_fail),
        cmocka_unit_test(w07_wrong_options_are_refused),
    };
    (void)now_ns(); /* its port is not what the tests miss at their end */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
