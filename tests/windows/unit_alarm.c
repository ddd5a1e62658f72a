/*
 * The engine's clock with an alarm, also where the system has none: its packets are made here, by a thread of the system's pool
 * that waits for the timer and posts what the kernel would have queued.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "functions.h"

#include <stdatomic.h>
#include <stdlib.h>

#define MS         INT64_C(1000000)
#define PATIENT_NS (INT64_C(60000) * MS)

struct packet {
    SRWLOCK lock;
    HANDLE wait; /* the pool's, while the packet is associated */
    HANDLE queue;
    void *key;
};

static atomic_int packets_live;
static atomic_int associations;
static bool refuse_associations;

static NTSTATUS NTAPI packet_create(HANDLE *ret_packet, ULONG access, void *attributes)
{
    (void)access;
    (void)attributes;
    /* A handle that the engine can close, and the record under its number. */
    *ret_packet = CreateEventW(NULL, TRUE, FALSE, NULL);
    atomic_fetch_add(&packets_live, 1);
    return 0;
}

/* The tests have one port at a time, hence one packet. */
static struct packet the_packet;

static void CALLBACK rings(void *context, BOOLEAN timed_out)
{
    struct packet *p = context;
    (void)timed_out;
    AcquireSRWLockExclusive(&p->lock);
    UnregisterWaitEx(p->wait, NULL);
    p->wait = NULL;
    PostQueuedCompletionStatus(p->queue, 0, (ULONG_PTR)p->key, NULL);
    ReleaseSRWLockExclusive(&p->lock);
}

static NTSTATUS NTAPI packet_associate(HANDLE packet, HANDLE queue, HANDLE target, void *key,
    void *apc_context, NTSTATUS status, ULONG_PTR information, BOOLEAN *ret_signaled)
{
    (void)packet;
    (void)apc_context;
    (void)status;
    (void)information;
    struct packet *p = &the_packet;
    if (refuse_associations)
        return (NTSTATUS)STATUS_INVALID_HANDLE;
    AcquireSRWLockExclusive(&p->lock);
    assert_null(p->wait); /* one association at a time */
    atomic_fetch_add(&associations, 1);
    *ret_signaled = FALSE;
    p->queue = queue;
    p->key = key;
    bool ok = RegisterWaitForSingleObject(
        &p->wait, target, rings, p, INFINITE, WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD);
    ReleaseSRWLockExclusive(&p->lock);
    assert_true(ok);
    return 0;
}

static NTSTATUS NTAPI packet_cancel(HANDLE packet, BOOLEAN remove_signaled)
{
    (void)packet;
    (void)remove_signaled;
    struct packet *p = &the_packet;
    AcquireSRWLockExclusive(&p->lock);
    HANDLE wait = p->wait;
    p->wait = NULL;
    ReleaseSRWLockExclusive(&p->lock);
    if (wait)
        UnregisterWaitEx(wait, INVALID_HANDLE_VALUE);
    atomic_fetch_sub(&packets_live, 1);
    return 0;
}

static int use_alarm(void **state)
{
    (void)state;
    if (functions_load() < 0)
        return -1;
    struct functions *f = (struct functions *)(uintptr_t)functions();
    f->create_wait_packet = packet_create;
    f->associate_wait_packet = packet_associate;
    f->cancel_wait_packet = packet_cancel;
    refuse_associations = false;
    atomic_store(&associations, 0);
    return 0;
}

static cport_port *open_port(uint32_t flags)
{
    cport_port_options opt = {.size = sizeof(opt), .flags = flags, .concurrency = 4};
    cport_port *port;
    assert_int_equal(cport_port_open(&opt, &port), 0);
    return port;
}

static void close_port(cport_port *port)
{
    assert_int_equal(cport_port_close(port), 0);
    assert_int_equal(atomic_load(&packets_live), 0);
}

/* Each event is that of a timer which is due. */
static void wait_all(cport_port *port, const int64_t *deadlines, cport_op *ops, int count)
{
    cport_event ev[8];
    for (int seen = 0; seen < count;) {
        int n = cport_wait(port, ev, 8, PATIENT_NS);
        assert_true(n > 0);
        int64_t now = cport_now_ns(port);
        for (int i = 0; i < n; i++) {
            assert_int_equal(ev[i].result, 0);
            assert_true(now >= deadlines[ev[i].op - ops]);
        }
        seen += n;
    }
}

static void timers_ring(void **state)
{
    enum { COUNT = 200 };
    static cport_op ops[COUNT];
    static int64_t deadlines[COUNT];
    (void)state;
    for (uint32_t flags = 0; flags <= CPORT_PORT_SINGLE; flags++) {
        cport_port *port = open_port(flags);
        int64_t start = cport_now_ns(port);
        for (int i = 0; i < COUNT; i++) {
            deadlines[i] = start + (i * 37 % COUNT) * MS;
            assert_int_equal(cport_timer(port, &ops[i], deadlines[i], 0), 0);
        }
        wait_all(port, deadlines, ops, COUNT);
        close_port(port);
    }
    assert_true(atomic_load(&associations) > 0);
}

/* A sleeper that nothing but the alarm can wake. */
static void an_earlier_timer_moves_the_alarm(void **state)
{
    cport_op late = {0}, early = {0};
    cport_event ev;
    (void)state;
    cport_port *port = open_port(0);
    assert_int_equal(cport_timer(port, &late, cport_now_ns(port) + PATIENT_NS, 0), 0);
    assert_int_equal(cport_wait(port, &ev, 1, 5 * MS), 0); /* the alarm is set for the late one */
    int64_t deadline = cport_now_ns(port) + 20 * MS;
    assert_int_equal(cport_timer(port, &early, deadline, 0), 0);
    assert_int_equal(cport_wait(port, &ev, 1, -1), 1);
    assert_ptr_equal(ev.op, &early);
    assert_true(cport_now_ns(port) >= deadline);
    assert_int_equal(cport_cancel(&late), 0);
    assert_int_equal(cport_wait(port, &ev, 1, PATIENT_NS), 1);
    close_port(port);
}

struct sleeper {
    cport_port *port;
    atomic_int *left;
};

static DWORD WINAPI sleep_for_timers(void *arg)
{
    struct sleeper *s = arg;
    cport_event ev;
    while (cport_wait(s->port, &ev, 1, -1) == 1)
        atomic_fetch_sub(s->left, 1);
    return 0;
}

static void several_sleepers_miss_nothing(void **state)
{
    enum { COUNT = 300, THREADS = 3 };
    static cport_op ops[COUNT];
    HANDLE threads[THREADS];
    atomic_int left = COUNT;
    (void)state;
    cport_port *port = open_port(0);
    struct sleeper s = {port, &left};
    for (int i = 0; i < THREADS; i++)
        threads[i] = CreateThread(NULL, 0, sleep_for_timers, &s, 0, NULL);
    for (int i = 0; i < COUNT; i++) {
        int64_t deadline = cport_now_ns(port) + (i * 7 % 23) * MS;
        assert_int_equal(cport_timer(port, &ops[i], deadline, 0), 0);
    }
    int64_t end = cport_now_ns(port) + PATIENT_NS;
    while (atomic_load(&left) > 0 && cport_now_ns(port) < end)
        SwitchToThread();
    assert_int_equal(atomic_load(&left), 0);
    close_port(port);
    WaitForMultipleObjects(THREADS, threads, TRUE, INFINITE);
    for (int i = 0; i < THREADS; i++)
        CloseHandle(threads[i]);
}

static void without_its_packet_the_keeper_does(void **state)
{
    (void)state;
    refuse_associations = true;
    for (uint32_t flags = 0; flags <= CPORT_PORT_SINGLE; flags++) {
        cport_op op = {0};
        cport_event ev;
        cport_port *port = open_port(flags);
        assert_int_equal(cport_timer(port, &op, cport_now_ns(port) + 5 * MS, 0), 0);
        assert_int_equal(cport_wait(port, &ev, 1, -1), 1);
        close_port(port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(timers_ring, use_alarm),
        cmocka_unit_test_setup(an_earlier_timer_moves_the_alarm, use_alarm),
        cmocka_unit_test_setup(several_sleepers_miss_nothing, use_alarm),
        cmocka_unit_test_setup(without_its_packet_the_keeper_does, use_alarm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
