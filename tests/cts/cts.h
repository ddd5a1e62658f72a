/*
 * The conformance suite's harness: what a case may use. One process runs one case on one configuration.
 *
 * A case opens ports with cts_port_open, submits through the cts_… twin of each cport_… call, and dequeues with
 * cts_wait or cts_next; each of them tells the contract checker (checker.h), which ends the case at the first broken
 * promise. What a case opened it closes; the end of the case checks memory, descriptors and operations.
 *
 * Threading: everything here may be called from any thread, as far as the port may. A failed check prints what is
 * outstanding and ends the process, or, on the main thread with no other running, the CMocka test.
 */
#ifndef CTS_H
#define CTS_H

#include "checker.h"
#include "cport/cport.h"
#include "cts_os.h"

#include <stdio.h>

/* How long to wait for what must come: a fail-safe, long enough for a machine under load. A case that has to fail waits a
 * twentieth as long, since it waits in vain. */
#define CTS_PATIENCE_NS cts_patience_ns()
int64_t cts_patience_ns(void);
void cts_patience_lose(void);
#define CTS_MS ((int64_t)1000000)

/* Whether a load is run whole here. Where each of its steps is dear, under a sanitizer, or under an emulation of Windows, whose
 * system calls are messages to another process, only one configuration of each engine runs it whole: what many find in more of
 * the same steps is found by the others in fewer. */
bool cts_load_whole(void);
int cts_load(int n); /* n, or an eighth of it */

#define CTS_COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* ---- Checks ---- */

#define CHECK(cond)         ((cond) ? (void)0 : cts_fail(__FILE__, __LINE__, "%s", #cond))
#define CHECK_EQ(actual, expected)                                                                 \
    cts_check_eq((int64_t)(actual), (int64_t)(expected), #actual, #expected, __FILE__, __LINE__)

#if defined(__MINGW_PRINTF_FORMAT)
#define CTS_PRINTF(at, first) __attribute__((format(__MINGW_PRINTF_FORMAT, at, first)))
#elif defined(__GNUC__)
#define CTS_PRINTF(at, first) __attribute__((format(printf, at, first)))
#else
#define CTS_PRINTF(at, first)
#endif
_Noreturn void cts_fail(const char *file, int line, const char *format, ...) CTS_PRINTF(3, 4);
void cts_check_eq(int64_t actual, int64_t expected, const char *actual_text,
    const char *expected_text, const char *file, int line);

/* ---- Configuration ---- */

/* What a configuration is, and what a case asks of one: a case applies where all its words hold. */
#define CTS_ALL    0x00u
#define CTS_SINGLE 0x01u
#define CTS_SHARED 0x02u
#define CTS_ONE    0x04u /* shared, concurrency 1 */
#define CTS_FOUR   0x08u /* shared, concurrency 4 */
#define CTS_URING  0x10u
#define CTS_EPOLL  0x20u
#define CTS_IOCP   0x40u
#define CTS_LINUX  0x80u

#define CTS_CAPS_ALL                                                                               \
    (CPORT_CAP_MULTISHOT_ACCEPT | CPORT_CAP_MULTISHOT_RECV | CPORT_CAP_BUFFER_RINGS |              \
        CPORT_CAP_DEFER_TASKRUN | CPORT_CAP_REGISTERED_RING | CPORT_CAP_SPECULATIVE |              \
        CPORT_CAP_SKIP_ON_SUCCESS | CPORT_CAP_SHARED | CPORT_CAP_DETACH | CPORT_CAP_ZERO_COPY |    \
        CPORT_CAP_FILES | CPORT_CAP_PINNED_MEMORY | CPORT_CAP_SENDFILE | CPORT_CAP_HANDOVER |      \
        CPORT_CAP_NATIVE_RESOLVE | CPORT_CAP_MULTISHOT_MSG | CPORT_CAP_MSG_BATCH |                 \
        CPORT_CAP_UDP_GSO | CPORT_CAP_UNIX)

typedef struct cts_config {
    const char *name;
    uint32_t words; /* CTS_… */
    uint32_t backend;
    uint32_t flags;
    uint32_t concurrency;
    uint64_t allow_caps;
} cts_config;

const cts_config *cts_config_now(void);
const cts_config *cts_config_find(const char *name);
bool cts_select_config(const char *name);
bool cts_is(uint32_t words); /* does the running configuration have all of them? */

/* ---- Ports ---- */

/* The running configuration as options, with the counting allocator and the log. */
void cts_options(cport_port_options *ret_opt);
cport_port *cts_port_open(void);
cport_port *cts_port_open_with(const cport_port_options *opt);
void cts_port_close(cport_port *port);    /* must succeed */
int cts_port_close_try(cport_port *port); /* whatever it returns */
const char *cts_log_last(void);           /* the last line a port logged, or "" */

/* ---- Handles and pairs ---- */

cport_handle *cts_attach(cport_port *port, cport_os_handle fd, uintptr_t key);
void cts_close_wait(cport_handle *h, uint32_t flags); /* closes and waits for the close event */

/* A connected TCP pair. a is attached; the other side is either a raw blocking socket or attached as well. */
typedef struct cts_pair {
    cport_port *port;
    cport_handle *a;
    cport_handle *b;      /* NULL with a raw peer */
    cport_os_handle peer; /* CPORT_OS_HANDLE_INVALID when b is attached, or once closed */
} cts_pair;

#define CTS_KEY_A ((uintptr_t)0xA0)
#define CTS_KEY_B ((uintptr_t)0xB0)

void cts_sock_pair(cport_os_handle *ret_one, cport_os_handle *ret_other);
void cts_pair_open(cport_port *port, cts_pair *ret_pair);
void cts_pair_open_both(cport_port *port, cts_pair *ret_pair);
void cts_pair_close_peer(cts_pair *pair);
void cts_pair_close(cts_pair *pair); /* both sides, and waits */

/* An attached loopback listener on a free port. */
cport_handle *cts_listen(
    cport_port *port, struct sockaddr_storage *ret_address, cport_socklen *ret_len);

/* Reads from a raw socket on a thread of its own, until len bytes, the end of the stream or an error; join returns the
 * bytes. data NULL: only counts. */
typedef struct cts_reader cts_reader;
cts_reader *cts_read_start(cport_os_handle s, void *data, size_t len);
size_t cts_read_join(cts_reader *r);

/* Sends on a raw socket until both sides' buffers are full. Returns the bytes. */
size_t cts_fill_socket(cport_os_handle fd);

/* ---- Waiting ---- */

/* cport_wait, checked. */
int cts_wait(cport_port *port, cport_event *ev, unsigned max, int64_t timeout_ns);
/* The op's next event; events of other ops that come before it are kept for their own cts_next. */
cport_event cts_next(cport_port *port, cport_op *op);
/* The result of the op's next event, which must be its final one. */
int64_t cts_result(cport_port *port, cport_op *op);
/* Waits until nothing that was accepted on the port is outstanding. */
void cts_drain(cport_port *port);
/* Dequeues all that is queued now: returns when a packet posted by this call has come out. */
void cts_settle(cport_port *port);

/* ---- Threads ---- */

/* Joins outside the port's slot, which the calling thread may hold. */
void cts_thread_join(cts_thread *t);
void cts_thread_count(int change); /* for the thread layer */
/* Waits until condition(arg) holds; ends the case when it does not for CTS_PATIENCE_NS. */
void cts_until(bool (*condition)(void *arg), void *arg, const char *what);
void cts_until_sleeps(cts_thread *t);

/* ---- The counting allocator of every port ---- */

uint64_t cts_alloc_calls(void);     /* allocations so far */
int64_t cts_alloc_live(void);       /* blocks not yet freed */
void cts_alloc_fail_at(uint64_t n); /* refuse the n-th allocation from now, once; 0: none */
bool cts_alloc_refused(void);       /* has it been refused? */
const cport_allocator *cts_allocator(void);
/* One allocation is refused per run, so a call that failed for memory must succeed when it is repeated. */
#define CTS_PERSIST(call)                                                                          \
    do {                                                                                           \
        int persist_ret = (call);                                                                  \
        if (persist_ret == CPORT_ENOMEM) {                                                         \
            CHECK(cts_alloc_refused());                                                            \
            persist_ret = (call);                                                                  \
        }                                                                                          \
        CHECK_EQ(persist_ret, 0);                                                                  \
    } while (0)

/* ---- The run of a case ---- */

void cts_case_begin(const char *config, const char *case_name);
void cts_case_end(void);

/* Every case. */
#define CTS_CASE(name, words) void name(void);
#include "cases.def"
#undef CTS_CASE

#endif
