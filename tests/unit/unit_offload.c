/*
 * The threads of a port: how many, in what order, who ends a job, and what cancel and close leave
 * behind.
 */
#include "port.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TASKS = 32, THREADS = 3 };
#define PATIENCE_NS INT64_C(30000000000)

/* What holds jobs back until the test lets them go. */
struct gate {
    _Atomic uint32_t open;
    _Atomic int inside;
    _Atomic int inside_most;
    _Atomic int entered;
};

struct task {
    struct op op;
    struct gate *gate; /* NULL: goes through */
    int number;
    int order; /* as the how-manieth it began */
    os_thread_id ran_in;
    os_thread_id ended_in;
    _Atomic int ends;
};

static struct task *task_of(struct op *op)
{
    return CPORT_CONTAINER_OF(op, struct task, op);
}

static void task_run(struct op *op)
{
    struct task *task = task_of(op);
    task->ran_in = os_thread_self();
    op->result = task->number;
    struct gate *gate = task->gate;
    if (!gate)
        return;
    task->order = atomic_fetch_add(&gate->entered, 1);
    int inside = atomic_fetch_add(&gate->inside, 1) + 1;
    int most = atomic_load(&gate->inside_most);
    while (inside > most && !atomic_compare_exchange_weak(&gate->inside_most, &most, inside))
        continue;
    while (!atomic_load(&gate->open))
        sched_yield();
    atomic_fetch_sub(&gate->inside, 1);
}

static void task_end(struct op *op, struct harvest *out)
{
    struct task *task = task_of(op);
    (void)out;
    task->ended_in = os_thread_self();
    atomic_fetch_add(&task->ends, 1);
    op->key = 7;
    op_set_state(op, OP_READY);
    port_ready(op->port, op);
}

static const struct job_kind task_kind = {task_run, task_end};

static cport_port *open_port(uint32_t flags, unsigned threads)
{
    cport_port_options opt = {.size = sizeof(opt), .flags = flags, .file_threads = threads};
    cport_port *port;
    assert_int_equal(cport_port_open(&opt, &port), 0);
    return port;
}

static void task_start(cport_port *port, struct task *task, int number, struct gate *gate)
{
    memset(task, 0, sizeof(*task));
    task->number = number;
    task->gate = gate;
    task->op.port = port;
    op_set_state(&task->op, OP_STARTED);
    assert_int_equal(offload_run(port, &task->op, &task_kind), 0);
}

static void until_inside(struct gate *gate, int count)
{
    while (atomic_load(&gate->inside) != count)
        sched_yield();
}

/* Dequeues `count` events; each is a task's own. */
static void take_events(cport_port *port, int count)
{
    cport_event ev[TASKS];
    while (count > 0) {
        int n = cport_wait(port, ev, TASKS, PATIENCE_NS);
        assert_true(n > 0 && n <= count);
        for (int i = 0; i < n; i++) {
            const struct task *task = task_of(op_of(ev[i].op));
            assert_int_equal(ev[i].result, task->number);
            assert_int_equal(ev[i].key, 7);
            assert_int_equal(atomic_load(&task->ends), 1);
        }
        count -= n;
    }
}

static const uint32_t kinds_of_port[] = {CPORT_PORT_SINGLE, 0};

static void jobs_run_elsewhere_and_end_in_the_port(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct task tasks[TASKS];
        cport_port *port = open_port(kinds_of_port[kind], 0);
        for (int i = 0; i < TASKS; i++)
            task_start(port, &tasks[i], i, NULL);
        take_events(port, TASKS);
        for (int i = 0; i < TASKS; i++) {
            assert_true(tasks[i].ran_in != os_thread_self());
            if (kinds_of_port[kind] & CPORT_PORT_SINGLE)
                assert_true(tasks[i].ended_in == os_thread_self());
        }
        assert_int_equal(cport_port_close(port), 0);
    }
}

static void no_more_run_at_once_than_the_option_says(void **state)
{
    (void)state;
    struct task tasks[TASKS];
    struct gate gate = {0};
    cport_port *port = open_port(CPORT_PORT_SINGLE, THREADS);
    for (int i = 0; i < TASKS; i++)
        task_start(port, &tasks[i], i, &gate);
    until_inside(&gate, THREADS);
    atomic_store(&gate.open, 1);
    take_events(port, TASKS);
    assert_int_equal(atomic_load(&gate.inside_most), THREADS);
    assert_int_equal(port->offload.started, THREADS);
    assert_int_equal(cport_port_close(port), 0);
}

/* A thread that has nothing to do is used again before another is started. */
static void one_job_at_a_time_needs_one_thread(void **state)
{
    (void)state;
    struct task task;
    cport_port *port = open_port(CPORT_PORT_SINGLE, THREADS);
    for (int i = 0; i < TASKS; i++) {
        task_start(port, &task, i, NULL);
        take_events(port, 1);
        for (bool idle = false; !idle; sched_yield()) {
            lock_acquire(&port->offload.lock);
            idle = port->offload.idle == port->offload.started;
            lock_release(&port->offload.lock);
        }
    }
    assert_int_equal(port->offload.started, 1);
    assert_int_equal(cport_port_close(port), 0);
}

static void jobs_begin_in_the_order_of_their_start(void **state)
{
    (void)state;
    struct task tasks[TASKS];
    struct gate gate = {0};
    cport_port *port = open_port(CPORT_PORT_SINGLE, 1);
    for (int i = 0; i < TASKS; i++)
        task_start(port, &tasks[i], i, &gate);
    atomic_store(&gate.open, 1);
    take_events(port, TASKS);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(tasks[i].order, i);
    assert_int_equal(cport_port_close(port), 0);
}

static void what_has_not_begun_can_be_cancelled(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct task begun, waiting[3];
        struct gate gate = {0};
        cport_port *port = open_port(kinds_of_port[kind], 1);
        task_start(port, &begun, 100, &gate);
        until_inside(&gate, 1);
        for (int i = 0; i < 3; i++)
            task_start(port, &waiting[i], i, NULL);
        assert_true(offload_cancel(port, &waiting[1].op));
        assert_false(offload_cancel(port, &begun.op));
        atomic_store(&gate.open, 1);
        take_events(port, 3);
        assert_int_equal(atomic_load(&waiting[1].ends), 0);
        assert_int_equal(cport_port_close(port), 0);
    }
}

/* An owner that is awake is not woken; one that sleeps is woken for the first of a batch. */
static void a_busy_owner_is_not_woken(void **state)
{
    (void)state;
    struct task tasks[TASKS];
    cport_port_stats stats = {.size = sizeof(stats)};
    cport_port *port = open_port(CPORT_PORT_SINGLE, THREADS);
    for (int i = 0; i < TASKS; i++)
        task_start(port, &tasks[i], i, NULL);
    for (unsigned idle = 0; idle < port->offload.started; sched_yield()) {
        lock_acquire(&port->offload.lock);
        idle = list_empty(&port->offload.waiting) ? port->offload.idle : 0;
        lock_release(&port->offload.lock);
    }
    cport_event ev[TASKS];
    assert_int_equal(cport_wait(port, ev, TASKS, 0), TASKS);
    assert_int_equal(cport_port_get_stats(port, &stats), 0);
    assert_int_equal(stats.wakeups, 0);
    assert_int_equal(cport_port_close(port), 0);
}

/* The op whose thread it blocks in is awaited; those that wait behind it are given back; nobody
 * gets an event. */
static void close_gives_everything_back(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct task tasks[TASKS];
        struct gate gate = {0};
        cport_port *port = open_port(kinds_of_port[kind], 1);
        for (int i = 0; i < TASKS; i++)
            task_start(port, &tasks[i], i, &gate);
        until_inside(&gate, 1);
        /* Too late to begin: its thread looks at `stopping` first, which close sets before it
         * waits for the thread. */
        lock_acquire(&port->offload.lock);
        port->offload.stopping = true;
        lock_release(&port->offload.lock);
        atomic_store(&gate.open, 1);
        assert_int_equal(cport_port_close(port), 0);
        assert_int_equal(tasks[0].op.result, 0);
        for (int i = 0; i < TASKS; i++) {
            assert_int_equal(atomic_load(&tasks[i].ends), 1);
            assert_int_equal(op_state(&tasks[i].op), OP_FREE);
            if (i > 0)
                assert_int_equal(tasks[i].op.result, CPORT_ECANCELED);
        }
    }
}

static void *refuse(void *ctx, size_t size, size_t align)
{
    (void)size;
    return atomic_load((_Atomic int *)ctx) ? NULL : os_alloc(size, align);
}

static void give_back(void *ctx, void *memory, size_t size)
{
    (void)ctx;
    (void)size;
    os_free(memory);
}

static void without_memory_for_a_thread_a_job_is_refused(void **state)
{
    (void)state;
    _Atomic int refusing = 0;
    cport_allocator allocator = {refuse, give_back, &refusing};
    cport_port_options opt = {
        .size = sizeof(opt), .flags = CPORT_PORT_SINGLE, .allocator = &allocator};
    cport_port *port;
    struct task task = {.op.port = NULL};
    assert_int_equal(cport_port_open(&opt, &port), 0);
    atomic_store(&refusing, 1);
    assert_int_equal(offload_run(port, &task.op, &task_kind), CPORT_ENOMEM);
    atomic_store(&refusing, 0);
    task_start(port, &task, 5, NULL);
    take_events(port, 1);
    assert_int_equal(cport_port_close(port), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_elsewhere_and_end_in_the_port),
        cmocka_unit_test(no_more_run_at_once_than_the_option_says),
        cmocka_unit_test(one_job_at_a_time_needs_one_thread),
        cmocka_unit_test(jobs_begin_in_the_order_of_their_start),
        cmocka_unit_test(what_has_not_begun_can_be_cancelled),
        cmocka_unit_test(a_busy_owner_is_not_woken),
        cmocka_unit_test(close_gives_everything_back),
        cmocka_unit_test(without_memory_for_a_thread_a_job_is_refused),
    };
    return cmocka_run_group_tests_name("offload", tests, NULL, NULL);
}
