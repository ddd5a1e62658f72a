/* Ports, waits and the frame of a case. */
#include "cts.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cts_mutex log_lock = CTS_MUTEX_INIT;
static char log_line[512];
static unsigned descriptors_before;
static atomic_bool woken; /* some wait may return 0 early */

/* ---- Ports ---- */

static void keep_log(void *ctx, const char *line)
{
    CHECK(ctx == (void *)log_line);
    cts_lock(&log_lock);
    snprintf(log_line, sizeof log_line, "%s", line);
    cts_unlock(&log_lock);
}

const char *cts_log_last(void)
{
    return log_line;
}

void cts_options(cport_port_options *ret_opt)
{
    const cts_config *config = cts_config_now();
    *ret_opt = (cport_port_options){
        .size = sizeof *ret_opt,
        .flags = config->flags,
        .backend = config->backend,
        .concurrency = config->concurrency,
        .allow_caps = config->allow_caps,
        .allocator = cts_allocator(),
        .log = keep_log,
        .log_ctx = log_line,
    };
}

cport_port *cts_port_open_with(const cport_port_options *opt)
{
    cport_port *port = NULL;
    int ret = cport_port_open(opt, &port);
    if (ret != 0)
        cts_fail(__FILE__, __LINE__, "cport_port_open: %s (%s)", cport_error_name(ret), log_line);
    CHECK(port != NULL);
    checker_port_opened(port);
    return port;
}

cport_port *cts_port_open(void)
{
    cport_port_options opt;
    cts_options(&opt);
    return cts_port_open_with(&opt);
}

static void check_counters(cport_port *port)
{
    cport_port_stats expected, actual = {.size = sizeof actual};
    if (cport_port_get_stats(port, &actual) != 0)
        return; /* not this thread's port: the close will say so */
    checker_port_counters(port, &expected);
    CHECK_EQ(actual.events, expected.events);
    CHECK_EQ(actual.inline_done, expected.inline_done);
    CHECK_EQ(actual.posts, expected.posts);
}

int cts_port_close_try(cport_port *port)
{
    int ret = cport_port_close(port);
    CHECK(ret <= 0);
    if (ret == 0)
        checker_port_closed(port);
    return ret;
}

void cts_port_close(cport_port *port)
{
    check_counters(port);
    CHECK_EQ(cts_port_close_try(port), 0);
}

/* ---- Waiting ---- */

int cts_wake(cport_port *port)
{
    atomic_store(&woken, true);
    return cport_wake(port);
}

#define CANARY 0xC7

/* Both ends of the array that cport_wait is given are guarded: it writes events, and only that many. */
int cts_wait(cport_port *port, cport_event *ev, unsigned max, int64_t timeout_ns)
{
    size_t bytes = ((size_t)max + 2) * sizeof(cport_event);
    unsigned char *guarded = malloc(bytes);
    CHECK(guarded != NULL);
    memset(guarded, CANARY, bytes);
    cport_event *slots = (cport_event *)(void *)guarded + 1;

    cts_wait_mark wait = checker_wait_begins();
    int64_t start = cts_now_ns();
    int n = cport_wait(port, ev != NULL ? slots : NULL, max, timeout_ns);
    int64_t waited = cts_now_ns() - start;

    unsigned events = n > 0 ? (unsigned)n : 0;
    CHECK(events <= max);
    for (size_t i = 0; i < bytes; i++) {
        bool written = i >= sizeof *slots && i < (events + 1) * sizeof *slots;
        if (!written && guarded[i] != CANARY)
            cts_fail("contract", 0, "cport_wait wrote outside its %u events", events);
    }
    for (unsigned i = 0; i < events; i++)
        checker_event(port, wait, &slots[i]);
    if (events > 0)
        memcpy(ev, slots, events * sizeof *slots);
    free(guarded);
    if (n == 0 && !atomic_load(&woken) && (timeout_ns < 0 || waited < timeout_ns))
        cts_fail("contract", 0, "cport_wait returned 0 after %lld of %lld ns", (long long)waited,
            (long long)timeout_ns);
    if (n > 0 && timeout_ns >= CTS_PATIENCE_NS / 2 && waited >= timeout_ns)
        cts_fail("contract", 0, "an event was there, and only the deadline found it");
    return n;
}

/* One wait of the harness's own: what comes is kept for cts_next. */
static int wait_and_stash(cport_port *port, int64_t timeout_ns)
{
    cport_event ev[64];
    int n = cts_wait(port, ev, CTS_COUNT_OF(ev), timeout_ns);
    if (n < 0)
        cts_fail(__FILE__, __LINE__, "cport_wait: %s", cport_error_name(n));
    for (int i = 0; i < n; i++)
        checker_stash(&ev[i]);
    return n;
}

cport_event cts_next(cport_port *port, cport_op *op)
{
    cport_event ev;
    int64_t end = cts_now_ns() + CTS_PATIENCE_NS;
    while (!checker_unstash(op, &ev)) {
        if (!cts_pending(op))
            cts_fail(__FILE__, __LINE__, "waiting for an op that is not in flight");
        int64_t left = end - cts_now_ns();
        if (left <= 0)
            cts_fail(__FILE__, __LINE__, "the event of op %p did not come", (void *)op);
        /* The patience is with the next event, however many come before this one. */
        if (wait_and_stash(port, left) > 0)
            end = cts_now_ns() + CTS_PATIENCE_NS;
    }
    return ev;
}

int64_t cts_result(cport_port *port, cport_op *op)
{
    cport_event ev = cts_next(port, op);
    CHECK_EQ(ev.flags & CPORT_MORE, 0);
    return ev.result;
}

void cts_drain(cport_port *port)
{
    /* The patience is with the next one to end, however many there are. */
    int64_t end = cts_now_ns() + CTS_PATIENCE_NS;
    while (cts_outstanding(port) > 0) {
        int64_t left = end - cts_now_ns();
        if (left <= 0)
            cts_fail(__FILE__, __LINE__, "%u operations did not end", cts_outstanding(port));
        if (wait_and_stash(port, left) > 0)
            end = cts_now_ns() + CTS_PATIENCE_NS;
    }
}

/* Where the port has a thread of its own: it has begun what was submitted, and handed over what ended at once. Opening a pool is done
 * by that thread, in one of its turns. */
static void await_turns(cport_port *port)
{
    for (int turns = 0; turns < 2; turns++) {
        cport_bufs *pool;
        CHECK_EQ(cport_bufs_open(port, 1, 1, &pool), 0);
        CHECK_EQ(cport_bufs_close(pool), 0);
    }
}

void cts_settle(cport_port *port)
{
    cport_op mark = {0};
    if (cts_is(CTS_URING | CTS_SHARED))
        await_turns(port);
    while (wait_and_stash(port, 0) > 0)
        continue;
    CHECK_EQ(cts_post(port, &mark, 0, 0), 0);
    cts_result(port, &mark);
}

/* ---- Threads ---- */

void cts_thread_join(cts_thread *t)
{
    cport_blocking_begin();
    cts_thread_join_raw(t);
    cport_blocking_end();
}

void cts_until(bool (*condition)(void *arg), void *arg, const char *what)
{
    int64_t end = cts_now_ns() + CTS_PATIENCE_NS;
    while (!condition(arg)) {
        if (cts_now_ns() > end)
            cts_fail(__FILE__, __LINE__, "waited in vain: %s", what);
        cts_yield();
    }
}

static bool sleeps(void *arg)
{
    return cts_thread_sleeps(arg);
}

static int64_t patience_ns =
#ifdef CTS_SLOW
    40000 * CTS_MS;
#else
    10000 * CTS_MS;
#endif

int64_t cts_patience_ns(void)
{
    return patience_ns;
}

void cts_patience_lose(void)
{
    patience_ns /= 20;
}

bool cts_load_whole(void)
{
#ifdef CTS_SLOW
    bool dear = !cts_is(CTS_IOCP) || cts_os_emulation()[0] != '\0';
#else
    bool dear = false;
#endif
    return !dear || (cts_is(CTS_SINGLE) && cts_config_now()->allow_caps == 0);
}

int cts_load(int n)
{
    return cts_load_whole() ? n : n / 8;
}

void cts_until_sleeps(cts_thread *t)
{
    cts_until(sleeps, t, "a thread to sleep in its wait");
}

/* ---- The frame of a case ---- */

#ifdef CTS_TSAN
static cport_port *companion;

static void look_in(void *port)
{
    cport_event ev;
    CHECK_EQ(cport_wait(port, &ev, 1, 0), 0);
}

/* Under the thread sanitizer a thread that starts another sleeps for a while. A case that waits until a thread sleeps in its wait must
 * not find it starting the library's monitor: a port with two threads has started it before. */
static void start_library_threads(void)
{
    const cport_port_options opt = {.size = sizeof opt, .backend = CPORT_BACKEND_EPOLL};
    CHECK_EQ(cport_port_open(&opt, &companion), 0);
    look_in(companion);
    cts_thread_join_raw(cts_thread_start(look_in, companion, 0));
}

static void end_library_threads(void)
{
    CHECK_EQ(cport_port_close(companion), 0);
}
#else
static void start_library_threads(void) {}

static void end_library_threads(void) {}
#endif

void cts_case_begin(const char *config, const char *case_name)
{
    (void)case_name;
    CHECK(cts_select_config(config));
    cts_setenv("CPORT_BACKEND", NULL);
    if (cts_is(CTS_IOCP)) {
        /* What the system and the library start once, and keep, is not the case's leak. */
        cport_os_handle one, other;
        cport_port *port = cts_port_open();
        cts_port_close(port);
        cts_sock_pair(&one, &other);
        cts_sock_close(one);
        cts_sock_close(other);
    }
    start_library_threads();
    descriptors_before = cts_descriptors_open();
}

void cts_case_end(void)
{
    checker_case_end();
    CHECK_EQ(cts_alloc_live(), 0);
    unsigned open_now = cts_descriptors_open();
    /* Windows itself counts what it opens and closes for its own use, too. Under Wine all of that is known: see cts_os_start. */
    if (!cts_is(CTS_IOCP) || cts_os_emulation()[0] != '\0' || open_now > descriptors_before)
        CHECK_EQ(open_now, descriptors_before);
    end_library_threads();
}
