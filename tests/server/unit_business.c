/* The pool for what may block: every task runs once and comes back to its port; slow ones leave a thread to the others. */
#include "business.h"
#include "check.h"
#include "os.h"

#include <stdatomic.h>

enum { TASKS = 200, THREADS = 3 };

struct errand {
    struct task task;
    atomic_int runs;
    struct sys_gate *wait_for; /* NULL: be done at once */
    atomic_int *running;
};

static void errand_run(struct task *task)
{
    struct errand *errand = CPORT_CONTAINER_OF(task, struct errand, task);
    if (errand->running)
        atomic_fetch_add(errand->running, 1);
    if (errand->wait_for)
        sys_gate_wait(errand->wait_for);
    atomic_fetch_add(&errand->runs, 1);
}

static cport_port *port_new(void)
{
    cport_port *port;
    cport_port_options options = {.size = sizeof(options), .flags = CPORT_PORT_SINGLE};
    assert_int_equal(cport_port_open(&options, &port), 0);
    return port;
}

static void errand_submit(struct business *business, struct errand *errand, cport_port *port)
{
    cport_op_init(&errand->task.op, errand);
    errand->task.run = errand_run;
    errand->task.port = port;
    business_submit(business, &errand->task);
}

static struct errand *errand_wait(cport_port *port)
{
    cport_event event;
    assert_int_equal(cport_wait(port, &event, 1, INT64_C(60000000000)), 1);
    return event.op->user;
}

static void every_task_runs_once(void **state)
{
    (void)state;
    static _Alignas(16) struct errand errands[TASKS];
    cport_port *port = port_new();
    struct business *business = business_open(THREADS);
    assert_non_null(business);
    for (int i = 0; i < TASKS; i++) {
        errands[i].task.slow = i % 3 == 0;
        errand_submit(business, &errands[i], port);
    }
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(atomic_load(&errand_wait(port)->runs), 1);
    business_close(business);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(atomic_load(&errands[i].runs), 1);
    assert_int_equal(cport_port_close(port), 0);
}

static void slow_tasks_leave_a_thread_free(void **state)
{
    (void)state;
    static _Alignas(16) struct errand slow[5], quick;
    cport_port *port = port_new();
    struct business *business = business_open(THREADS);
    atomic_int running = 0;
    struct sys_gate *gate = sys_gate_new();
    for (int i = 0; i < 5; i++) {
        slow[i].task.slow = true;
        slow[i].wait_for = gate;
        slow[i].running = &running;
        errand_submit(business, &slow[i], port);
    }
    /* All that may run do; the quick one overtakes those that wait. */
    errand_submit(business, &quick, port);
    assert_ptr_equal(errand_wait(port), &quick);
    assert_true(atomic_load(&running) < THREADS);
    sys_gate_open(gate);
    for (int i = 0; i < 5; i++)
        assert_int_equal(atomic_load(&errand_wait(port)->runs), 1);
    business_close(business);
    sys_gate_free(gate);
    assert_int_equal(cport_port_close(port), 0);
}

static void closing_runs_what_is_queued(void **state)
{
    (void)state;
    static _Alignas(16) struct errand errands[TASKS];
    cport_port *port = port_new();
    struct business *business = business_open(2);
    for (int i = 0; i < TASKS; i++) {
        errands[i].task.slow = true;
        errand_submit(business, &errands[i], port);
    }
    business_close(business);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(atomic_load(&errands[i].runs), 1);
    for (int i = 0; i < TASKS; i++)
        (void)errand_wait(port);
    assert_int_equal(cport_port_close(port), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once),
        cmocka_unit_test(slow_tasks_leave_a_thread_free),
        cmocka_unit_test(closing_runs_what_is_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
