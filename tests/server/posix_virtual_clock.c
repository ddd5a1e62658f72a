/*
 * A whole server whose clock is the test's: its calls of cport_now_ns, cport_timer, cport_timer_rearm and cport_cancel come here (the
 * linker's --wrap). No time passes but by clock_advance, and then exactly as much: what is due a nanosecond later is not due.
 */
#include "e2e.h"
#include "inside.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

#define MS         INT64_C(1000000)
#define SECOND     (1000 * MS)
#define MINUTE     (60 * SECOND)

/* ---- The clock ---- */

#define TIMERS_MAX 64u

struct alarm {
    cport_port *port;
    cport_op *op;
    int64_t at_ns;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t now_ns = SECOND;
static struct alarm alarms[TIMERS_MAX];
static unsigned armed;

int64_t __wrap_cport_now_ns(const cport_port *port);
int __wrap_cport_timer(cport_port *port, cport_op *op, int64_t deadline_ns, int64_t period_ns);
int __wrap_cport_timer_rearm(cport_op *op, int64_t deadline_ns);
int __wrap_cport_cancel(cport_op *op);
int __real_cport_cancel(cport_op *op);

static void ring(unsigned i, int64_t result)
{
    struct alarm alarm = alarms[i];
    alarms[i] = alarms[--armed];
    if (cport_post(alarm.port, alarm.op, 0, result) != 0)
        abort();
}

static void ring_all_due(void)
{
    for (unsigned i = 0; i < armed;) {
        if (alarms[i].at_ns <= now_ns)
            ring(i, 0);
        else
            i++;
    }
}

static unsigned find(const cport_op *op)
{
    unsigned i = 0;
    while (i < armed && alarms[i].op != op)
        i++;
    return i;
}

int64_t __wrap_cport_now_ns(const cport_port *port)
{
    (void)port;
    pthread_mutex_lock(&lock);
    int64_t now = now_ns;
    pthread_mutex_unlock(&lock);
    return now;
}

int __wrap_cport_timer(cport_port *port, cport_op *op, int64_t deadline_ns, int64_t period_ns)
{
    pthread_mutex_lock(&lock);
    if (period_ns != 0 || armed == TIMERS_MAX || find(op) < armed)
        abort();
    alarms[armed++] = (struct alarm){port, op, deadline_ns};
    ring_all_due();
    pthread_mutex_unlock(&lock);
    return 0;
}

int __wrap_cport_timer_rearm(cport_op *op, int64_t deadline_ns)
{
    pthread_mutex_lock(&lock);
    unsigned i = find(op);
    bool found = i < armed;
    if (found)
        alarms[i].at_ns = deadline_ns;
    ring_all_due();
    pthread_mutex_unlock(&lock);
    return found ? 0 : CPORT_ENOENT;
}

int __wrap_cport_cancel(cport_op *op)
{
    pthread_mutex_lock(&lock);
    unsigned i = find(op);
    bool found = i < armed;
    if (found)
        ring(i, CPORT_ECANCELED);
    pthread_mutex_unlock(&lock);
    return found ? 0 : __real_cport_cancel(op);
}

static void clock_advance(int64_t by_ns)
{
    pthread_mutex_lock(&lock);
    now_ns += by_ns;
    ring_all_due();
    pthread_mutex_unlock(&lock);
}

/* A server that has ended took its ports along. */
static void clock_forget(void)
{
    armed = 0;
}

/* ---- Clients ---- */

static struct inside inside;

static cport_os_handle connect_to(uint8_t preface)
{
    cport_os_handle fd = net_connect(inside.tcp_port);
    assert_true(fd != CPORT_OS_HANDLE_INVALID);
    if (preface != 0)
        e2e_send(fd, &preface, 1);
    return fd;
}

/* When a newcomer is served twice, the one worker has dealt with all that was due before. */
static void worker_has_looked(void)
{
    cport_os_handle fd = connect_to(0x10);
    e2e_echo(fd, 1, "a", 1);
    e2e_echo(fd, 2, "b", 1);
    net_reset(fd);
}

static void expect_silence(cport_os_handle fd)
{
    char byte;
    worker_has_looked();
    assert_int_equal(recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT), -1);
    assert_true(errno == EAGAIN);
}

static void serve(const char *option, const char *value)
{
    const char *const options[] = {"--workers", "1", "--message-anonymous", "yes",
        "--preface-timeout", "1h", option, value, NULL};
    clock_forget();
    inside_start(&inside, 0, NULL, options);
}

/* ---- Tests ---- */

/* The original's timeouts went wrong below a second, above a minute and beyond an hour. */
static void idle_clients_have_exactly_their_time(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } limits[] = {
        {"900ms", 900 * MS}, {"1100ms", 1100 * MS}, {"61s", 61 * SECOND}, {"3601s", 3601 * SECOND}};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        serve("--idle-timeout", limits[i].text);
        cport_os_handle fd = connect_to(0x10);
        for (uint32_t n = 0; n < 3; n++) { /* bytes in time move it, however late they come */
            e2e_echo(fd, n, "hello", 5);
            worker_has_looked();
            clock_advance(limits[i].ns - 1);
            expect_silence(fd);
        }
        clock_advance(1);
        e2e_message_expect(fd, MESSAGE_GOAWAY, 0, STATUS_NOT_ALLOWED, 0, "", 0);
        e2e_expect_end(fd);
        net_close(fd);
        assert_int_equal(inside_stop(&inside), 0);
    }
}

static void silent_clients_have_exactly_their_time(void **state)
{
    (void)state;
    serve("--preface-timeout", "6s");
    cport_os_handle fd = connect_to(0);
    worker_has_looked();
    clock_advance(6 * SECOND - 1);
    expect_silence(fd);
    clock_advance(1);
    e2e_expect_end(fd);
    net_close(fd);
    assert_int_equal(inside_stop(&inside), 0);
}

/* The system keeps a worker waiting, here at a look at the clock, while a client speaks up in time and its deadline goes by: which of the
 * two the worker hears of first must not matter. One that has said nothing goes all the same. */
static void a_late_worker_blames_no_client(void **state)
{
    (void)state;
    enum { CLIENTS = 20 };
    cport_os_handle fds[CLIENTS];
    serve("--preface-timeout", "6s");
    cport_os_handle silent = connect_to(0), other = connect_to(0x10);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = connect_to(0);
    worker_has_looked();

    pthread_mutex_lock(&lock);
    e2e_message_send(other, MESSAGE_PING, 0, 0, 1, "", 0);
    for (int i = 0; i < CLIENTS; i++) {
        e2e_send(fds[i], "\x10", 1);
        e2e_message_send(fds[i], MESSAGE_PING, 0, 0, 2, "", 0);
    }
    now_ns += 7 * SECOND;
    ring_all_due();
    pthread_mutex_unlock(&lock);

    e2e_message_expect(other, MESSAGE_PONG, 0, 0, 1, "", 0);
    for (int i = 0; i < CLIENTS; i++) {
        e2e_message_expect(fds[i], MESSAGE_PONG, 0, 0, 2, "", 0);
        net_close(fds[i]);
    }
    expect_silence(silent);
    clock_advance(SECOND);
    e2e_expect_end(silent);
    net_close(silent);
    net_close(other);
    assert_int_equal(inside_stop(&inside), 0);
}

/* A byte now and then keeps a frame no longer alive than its time. */
static void frames_have_exactly_their_time(void **state)
{
    (void)state;
    static const uint8_t frame[] = {20, 0, 0, 0, MESSAGE_REQUEST, 0, VERB_ECHO, 0, 1, 0, 0, 0};
    serve("--frame-timeout", "2m");
    cport_os_handle fd = connect_to(0x10);
    e2e_send(fd, frame, 1);
    worker_has_looked();
    for (unsigned i = 1; i < 12; i++) {
        clock_advance(10 * SECOND);
        e2e_send(fd, frame + i, 1);
        expect_silence(fd);
    }
    clock_advance(10 * SECOND - 1);
    expect_silence(fd);
    clock_advance(1);
    e2e_message_expect(fd, MESSAGE_GOAWAY, 0, STATUS_NOT_ALLOWED, 0, "", 0);
    e2e_expect_end(fd);
    net_close(fd);
    assert_int_equal(inside_stop(&inside), 0);
}

static struct sys_gate *gate;

static enum message_status block(void *ctx, const struct call *call, struct buffer *reply)
{
    (void)ctx;
    (void)call;
    (void)reply;
    sys_gate_wait(gate);
    return STATUS_OK;
}

static void call_block(cport_os_handle fd)
{
    static const char fields[] = "\x07\x05group\x01\0\0\0g\x07\x08"
                                 "function\x05\0\0\0block";
    e2e_message_send(fd, MESSAGE_REQUEST, MESSAGE_FIELDS, VERB_CALL, 7, fields, sizeof(fields) - 1);
}

/* A client that takes nothing of what it is owed, and is owed more than the system holds for it. */
static cport_os_handle stalled_client(void)
{
    enum { BYTES = 900000, FRAMES = 8 };
    cport_os_handle fd = connect_to(0x10);
    uint8_t *bytes = e2e_bytes(BYTES, 1);
    net_small_buffers(fd);
    for (uint32_t i = 0; i < FRAMES; i++)
        e2e_message_send(fd, MESSAGE_REQUEST, 0, VERB_ECHO, i, bytes, BYTES);
    free(bytes);
    return fd;
}

/* What is under way when the server is told to stop comes to its end, half an hour later if need be; whoever does not take what
 * is his by the deadline is cut off then, not a moment sooner, and the server ends. */
static void a_drain_lasts_until_its_deadline(void **state)
{
    (void)state;
    struct call_entry entries[] = {{"g", "block", block, NULL}};
    struct calls calls = {entries, 1};
    const char *const options[] = {"--workers", "1", "--message-anonymous", "yes",
        "--preface-timeout", "1h", "--write-timeout", "1h", "--idle-timeout", "2h",
        "--frame-timeout", "2h", "--send-queue", "16M", "--drain-timeout", "30m", NULL};
    clock_forget();
    gate = sys_gate_new();
    assert_non_null(gate);
    inside_start(&inside, 0, &calls, options);
    cport_os_handle stalled = stalled_client(), working = connect_to(0x10), idle = connect_to(0x10);
    call_block(working);
    e2e_echo(idle, 1, "hello", 5);
    worker_has_looked();

    inside_ask_to_stop(&inside);
    e2e_message_expect(idle, MESSAGE_GOAWAY, 0, STATUS_SHUTTING_DOWN, 0, "", 0);
    e2e_expect_end(idle);
    net_close(idle);
    clock_advance(30 * MINUTE - 1);
    sys_gate_open(gate);
    e2e_message_expect(working, MESSAGE_REPLY, MESSAGE_FIELDS, STATUS_OK, 7, "", 0);
    e2e_message_expect(working, MESSAGE_GOAWAY, 0, STATUS_SHUTTING_DOWN, 0, "", 0);
    e2e_expect_end(working);
    net_close(working);
    assert_false(atomic_load(&inside.ended));
    clock_advance(1);
    assert_int_equal(inside_join(&inside), 0);

    /* Some of it came before the cut; the rest never does. */
    int64_t got;
    char bytes[4096];
    while ((got = net_recv(stalled, bytes, sizeof(bytes))) > 0)
        continue;
    assert_true(got < 0);
    net_close(stalled);
    sys_gate_free(gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_clients_have_exactly_their_time),
        cmocka_unit_test(silent_clients_have_exactly_their_time),
        cmocka_unit_test(a_late_worker_blames_no_client),
        cmocka_unit_test(frames_have_exactly_their_time),
        cmocka_unit_test(a_drain_lasts_until_its_deadline),
    };
    if (!inside_prepare())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
