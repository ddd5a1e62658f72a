/*
 * libcport: completion ports for every system.
 *
 * Ownership. A cport_op, the buffers it names and the handle it was given to stay where they are from an
 * accepted submit (return 0) to the op's final event; in between they belong to the engine. An op is final when
 * an event without CPORT_MORE names it, or when the submit itself returned 1. Everything else that a call is
 * given (addresses, arrays of buffers, options, names) is copied before the call returns. A cport_msg counts as a
 * buffer: it stays, and so do the address and the control data that it names.
 *
 * Threading. A port opened with CPORT_PORT_SINGLE belongs to the thread that opened it: every call on it, its
 * handles, its ops and its pools from another thread returns CPORT_EWRONGTHREAD, with three exceptions:
 * cport_post, cport_wake and cport_bufs_return. Any other port may be used from any thread at any time. A child
 * of fork must not touch a port of its parent, not even to close it.
 *
 * Returns. A call that starts an operation returns 0: pending, exactly one final event will come; 1: done now,
 * no event (only with CPORT_INLINE_OK; see cport_op_result); or < 0: refused, no event, the op is still the
 * caller's. Error codes are negative, ours, and the same numbers on every system.
 *
 * Time is in nanoseconds of the port's monotonic clock (cport_now_ns). Sizes are in bytes.
 */
#ifndef CPORT_CPORT_H
#define CPORT_CPORT_H

#include <stddef.h>
#include <stdint.h>

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#else
#include <sys/socket.h>
#endif

#if defined(_WIN32) && defined(CPORT_SHARED)
#ifdef CPORT_BUILDING
#define CPORT_API __declspec(dllexport)
#else
#define CPORT_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define CPORT_API __attribute__((visibility("default")))
#else
#define CPORT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define CPORT_VERSION_MAJOR 0
#define CPORT_VERSION_MINOR 1
#define CPORT_VERSION_PATCH 0

/* ---- Types ------------------------------------------------------------------------------------------------ */

/* What the system calls a socket or a file: a file descriptor on POSIX systems, a SOCKET or a HANDLE on Windows. */
#ifdef _WIN32
typedef uintptr_t cport_os_handle;
typedef int cport_socklen;
#else
typedef int cport_os_handle;
typedef socklen_t cport_socklen;
#endif
#define CPORT_OS_HANDLE_INVALID ((cport_os_handle)-1)

typedef struct cport_port cport_port;     /* a completion port: queue of events, stack of waiters */
typedef struct cport_handle cport_handle; /* a socket or a file; gone with its close event */
typedef struct cport_bufs cport_bufs;     /* a pool of receive buffers shared by many handles */
typedef struct cport_addresses cport_addresses; /* what a name stands for */

/* One operation in flight. Zero it, or cport_op_init, before its first use; after a final event it can be used
 * again as it is. 16-byte aligned. Find the record around it with CPORT_CONTAINER_OF. */
typedef struct cport_op {
#if defined(__cplusplus)
    alignas(16) void *user;
#else
    _Alignas(16) void *user; /* caller: never touched by the library */
#endif
    uint64_t engine[15]; /* engine: opaque */
} cport_op;

#define CPORT_CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* One dequeued packet, a plain value. */
typedef struct cport_event {
    cport_op *op;   /* the operation, or what was posted */
    uintptr_t key;  /* the handle's key, or what was posted; 0 for timers */
    int64_t result; /* >= 0: bytes, a new socket, a timer's overrun count; < 0: an error code */
    uint32_t flags; /* CPORT_MORE, CPORT_BUFFER, CPORT_COPIED */
    uint32_t aux;   /* CPORT_BUFFER: the buffer's id; failed: the raw system error */
} cport_event;

/* One piece of memory of a vectored operation. Layout of struct iovec, or of WSABUF. */
#ifdef _WIN32
typedef unsigned long cport_buf_len;
typedef struct cport_buf {
    cport_buf_len len;
    void *base;
} cport_buf;
#else
typedef size_t cport_buf_len;
typedef struct cport_buf {
    void *base;
    cport_buf_len len;
} cport_buf;
#endif

/* Where the library gets its memory. alloc returns NULL to refuse; align is a power of two. free gets the size
 * that was asked for. Both may be called from any thread that calls into the port, and from the port's own. */
typedef struct cport_allocator {
    void *(*alloc)(void *ctx, size_t size, size_t align);
    void (*free)(void *ctx, void *memory, size_t size);
    void *ctx;
} cport_allocator;

/* ---- Errors ----------------------------------------------------------------------------------------------- */

#define CPORT_EINVAL        (-1001) /* an argument, a flag or a state that this call does not take */
#define CPORT_ENOMEM        (-1002) /* the allocator or the kernel refused memory */
#define CPORT_ENOBUFS       (-1003) /* the buffer pool is dry, or the kernel has no socket buffers */
#define CPORT_EMFILE        (-1004) /* the process or the system has no free descriptor */
#define CPORT_ECANCELED     (-1005) /* cancelled, or its handle is being closed */
#define CPORT_ENOENT        (-1006) /* nothing there: the op is already final, the path does not exist */
#define CPORT_EALREADY      (-1007) /* already attached, or already being closed */
#define CPORT_EBUSY         (-1008) /* the op is in flight, the port has handles, the pool has receives */
#define CPORT_ETIMEDOUT     (-1009)
#define CPORT_ECONNREFUSED  (-1010)
#define CPORT_ECONNRESET    (-1011)
#define CPORT_ECONNABORTED  (-1012)
#define CPORT_EPIPE         (-1013) /* sending after the connection's sending side was closed */
#define CPORT_ENETUNREACH   (-1014)
#define CPORT_EHOSTUNREACH  (-1015)
#define CPORT_EADDRINUSE    (-1016)
#define CPORT_EADDRNOTAVAIL (-1017)
#define CPORT_EMSGSIZE      (-1018)
#define CPORT_ENOTSUP       (-1019) /* this backend, kernel or build cannot do it */
#define CPORT_EACCES        (-1020)
#define CPORT_EEXIST        (-1021)
#define CPORT_EABANDONED    (-1022) /* the port was closed while this thread waited */
#define CPORT_EWRONGTHREAD  (-1023) /* a SINGLE port was called from a thread that does not own it */
#define CPORT_EIO           (-1024) /* anything else; the raw system error is in the event's aux */
#define CPORT_ENOTCONN      (-1025)
#define CPORT_ENOSPC        (-1026)

/* cport_strerror: a sentence for people; cport_error_name: the constant's name. Unknown codes, and numbers >= 0,
 * have texts of their own.
 * Thread: any. Blocks: no. Returns: a string that is never freed. Since: 0.1. */
CPORT_API const char *cport_strerror(int code);
CPORT_API const char *cport_error_name(int code);

/* cport_version: the library's version as it runs, "0.1.0".
 * Thread: any. Blocks: no. Returns: a string that is never freed. Since: 0.1. */
CPORT_API const char *cport_version(void);

/* ---- Ports ------------------------------------------------------------------------------------------------ */

#define CPORT_BACKEND_AUTO         0u
#define CPORT_BACKEND_IO_URING     1u
#define CPORT_BACKEND_EPOLL        2u
#define CPORT_BACKEND_IOCP         3u

#define CPORT_PORT_SINGLE          0x1u /* one owner thread: no locks, and the fastest engine there is */
#define CPORT_PORT_UNWATCHED       0x2u /* shared: no thread watches for handlers that block */

/* Capabilities. In caps: this port can do it, whoever does the work. In native: the kernel does it, as
 * told here. In allow_caps: the kernel may be asked to; the library's own ways are always open. */
#define CPORT_CAP_MULTISHOT_ACCEPT ((uint64_t)1 << 0) /* the kernel keeps an accept armed */
#define CPORT_CAP_MULTISHOT_RECV   ((uint64_t)1 << 1) /* the kernel keeps a pooled receive armed */
#define CPORT_CAP_BUFFER_RINGS     ((uint64_t)1 << 2) /* the kernel picks pool buffers */
#define CPORT_CAP_DEFER_TASKRUN    ((uint64_t)1 << 3) /* io_uring completes where it is waited for */
#define CPORT_CAP_REGISTERED_RING  ((uint64_t)1 << 4)  /* io_uring's own descriptor is registered */
#define CPORT_CAP_SPECULATIVE      ((uint64_t)1 << 5)  /* tried at submit: never native */
#define CPORT_CAP_SKIP_ON_SUCCESS  ((uint64_t)1 << 6)  /* IOCP: no packet for instant success */
#define CPORT_CAP_SHARED           ((uint64_t)1 << 7)  /* the port takes several threads */
#define CPORT_CAP_MULTISHOT_MSG    ((uint64_t)1 << 8)  /* the same for datagrams: recvmsg_pooled */
#define CPORT_CAP_MSG_BATCH        ((uint64_t)1 << 9)  /* several datagrams go by one system call */
#define CPORT_CAP_UDP_GSO          ((uint64_t)1 << 10) /* the kernel cuts one send into datagrams */
#define CPORT_CAP_UNIX             ((uint64_t)1 << 11) /* Unix sockets: cport_socket_unix_… */
#define CPORT_CAP_FILES            ((uint64_t)1 << 14) /* files; else threads of the port use them */
#define CPORT_CAP_PINNED_MEMORY    ((uint64_t)1 << 15) /* cport_memory_pin: native only */
#define CPORT_CAP_DETACH           ((uint64_t)1 << 18) /* cport_detach: connections can move on */
#define CPORT_CAP_ZERO_COPY        ((uint64_t)1 << 19) /* CPORT_ZERO_COPY is more than a wish */
#define CPORT_CAP_SENDFILE         ((uint64_t)1 << 20) /* else the port's thread hands piece by piece */
#define CPORT_CAP_NATIVE_RESOLVE   ((uint64_t)1 << 24) /* cport_resolve: native only; else threads */
#define CPORT_CAP_HANDOVER         ((uint64_t)1 << 32) /* a handler that blocks frees its slot unasked */
#define CPORT_CAP_NONE             ((uint64_t)1 << 63) /* in allow_caps: no optional capability at all */

typedef struct cport_port_options {
    uint32_t size;         /* sizeof(cport_port_options) */
    uint32_t flags;        /* CPORT_PORT_… */
    uint32_t backend;      /* CPORT_BACKEND_…; AUTO looks at $CPORT_BACKEND first */
    uint32_t concurrency;  /* threads that may run at once; 0: the processors of this process */
    uint32_t entries;      /* operations that one wait starts together; 0: 1024. A hint, no limit */
    uint32_t file_threads; /* threads that wait for disks and names, at most 1024; 0: 4 */
    uint64_t allow_caps;   /* 0: all; else those that may be used, for tests and for caution */
    const cport_allocator *allocator; /* NULL: the C library's. Copied */
    void (*log)(
        void *ctx, const char *line); /* NULL: silent. From any calling thread, or the port's own */
    void *log_ctx;
} cport_port_options;

typedef struct cport_port_info {
    uint32_t size;        /* sizeof(cport_port_info), set before the call */
    uint32_t backend;     /* CPORT_BACKEND_…, never AUTO */
    uint32_t flags;       /* as opened */
    uint32_t concurrency; /* as in force */
    uint64_t caps;        /* CPORT_CAP_…: what this port can do */
    uint32_t handles;     /* attached now */
    uint32_t reserved;
    char backend_name[16]; /* "io_uring", "epoll", "iocp" */
    char reason[232];      /* why this backend, and why not those before it */
    uint64_t native;       /* CPORT_CAP_…: those of caps that the kernel does by itself */
} cport_port_info;

/* Counters since the port was opened. Each only grows. */
typedef struct cport_port_stats {
    uint32_t size; /* sizeof(cport_port_stats), set before the call */
    uint32_t reserved;
    uint64_t events;         /* events handed out */
    uint64_t inline_done;    /* operations that were done in their own submit, without an event */
    uint64_t system_waits;   /* system calls made to wait for, or harvest, completions */
    uint64_t wakeups;        /* system calls made to wake a waiting thread, or the port's own */
    uint64_t posts;          /* posted packets handed out */
    uint64_t accept_aborted; /* connections that vanished before they were accepted */
    uint64_t accept_pauses;  /* pauses of multishot accepts for want of descriptors or memory */
    uint64_t handovers;      /* slots freed by cport_blocking_begin */
    uint64_t handovers_seen; /* slots freed because the monitor saw their threads blocked */
    uint64_t handovers_idle; /* the same, told by the threads' own processor falling idle */
    uint64_t promotions;     /* waiting threads woken since handlers took longer than usual */
    uint64_t pumps;          /* times that I/O was moved while all threads were blocked */
} cport_port_stats;

/* cport_port_open: opens a port. NULL options: AUTO backend, shared, concurrency 0.
 * AUTO takes io_uring for SINGLE ports where the kernel has all that it needs, else epoll; epoll for the others;
 * IOCP on Windows; and falls back only when an engine is unavailable, never when resources are short.
 * On Linux shared ports on which several threads wait have a thread of the library in common that watches for handlers that
 * block; CPORT_PORT_UNWATCHED forgoes it. SINGLE ports have none, and with them that flag is refused.
 * Thread: any; with CPORT_PORT_SINGLE the caller becomes the owner. Blocks: no.
 * Returns: 0; CPORT_EINVAL unknown flags, size or non-zero reserved fields; CPORT_ENOTSUP this backend is not
 * available here; CPORT_ENOMEM; CPORT_EMFILE. Since: 0.1. */
CPORT_API int cport_port_open(const cport_port_options *opt, cport_port **ret_port);

/* cport_port_close: closes the port and frees all it holds. Waiting threads return CPORT_EABANDONED first.
 * Timers still armed, lookups and events not yet dequeued are dropped: their ops are the caller's again.
 * Thread: owner, or any. Blocks: until the waiting threads have left, and lookups that the system cannot interrupt
 * have come back.
 * Returns: 0; CPORT_EBUSY handles are attached or pools are open; CPORT_EWRONGTHREAD. Since: 0.1. */
CPORT_API int cport_port_close(cport_port *port);

/* cport_wait: starts what this thread has submitted, then dequeues up to max events, oldest first. Waits until
 * there is at least one, or timeout_ns has passed (0: do not wait; < 0: for ever). Never returns 0 early unless
 * cport_wake asks for it. On a shared port the calling thread is active from its return to its next wait on
 * any port, and events are handed out only while fewer than concurrency threads are.
 * Thread: owner, or any. Blocks: yes.
 * Returns: > 0 the number of events; 0 timeout or wake; CPORT_EINVAL max is 0 or ev is NULL; CPORT_EABANDONED
 * the port was closed; CPORT_EWRONGTHREAD. ev is touched only for events. Since: 0.1. */
CPORT_API int cport_wait(cport_port *port, cport_event *ev, unsigned max, int64_t timeout_ns);

/* cport_post: queues an event {op, key, result} in order with all others. Never coalesced, needs no memory.
 * Thread: any. Blocks: no.
 * Returns: 0; CPORT_EINVAL op is NULL; CPORT_EBUSY the op is in flight. Since: 0.1. */
CPORT_API int cport_post(cport_port *port, cport_op *op, uintptr_t key, int64_t result);

/* cport_wake: makes one waiting thread, or the next that waits, return from cport_wait at once. Coalesces: many
 * wakes may end one wait.
 * Thread: any. Blocks: no. Returns: 0. Since: 0.1. */
CPORT_API int cport_wake(cport_port *port);

/* cport_flush: starts what has been submitted, without waiting: for a handler that will be long about something.
 * Thread: owner, or any. Blocks: no. Returns: 0; CPORT_EWRONGTHREAD. Since: 0.1. */
CPORT_API int cport_flush(cport_port *port);

/* cport_now_ns: the port's clock: what timers are set against.
 * Thread: any. Blocks: no. Returns: monotonic nanoseconds. Since: 0.1. */
CPORT_API int64_t cport_now_ns(const cport_port *port);

/* cport_port_get_info, cport_port_get_stats: set the struct's size first; what this library does not know of it is
 * zeroed.
 * Thread: owner, or any. Blocks: no. Returns: 0; CPORT_EINVAL size is too small; CPORT_EWRONGTHREAD. Since: 0.1. */
CPORT_API int cport_port_get_info(cport_port *port, cport_port_info *ret_info);
CPORT_API int cport_port_get_stats(cport_port *port, cport_port_stats *ret_stats);

/* cport_blocking_begin, cport_blocking_end: around something in a handler that may block: frees this thread's
 * slot in its shared port, so that another thread carries on; then takes it back, even above the concurrency
 * value. They nest. Without them the same happens as soon as it is found out that the thread blocks, if the port has
 * CPORT_CAP_HANDOVER (docs/semantics.md tells how soon; CPORT_PORT_UNWATCHED forgoes it). Without effect on threads that hold no slot, on SINGLE
 * ports, and on IOCP, where the kernel sees for itself.
 * Thread: any. Blocks: no. Since: 0.1. */
CPORT_API void cport_blocking_begin(void);
CPORT_API void cport_blocking_end(void);

/* ---- Handles ---------------------------------------------------------------------------------------------- */

#define CPORT_ATTACH_BORROWED 0x1u /* somebody else's: to be polled, not to be closed */
#define CPORT_ATTACH_UNREACHABLE                                                                   \
    0x2u /* UDP: a datagram that came back as unreachable ends a receive or a send */

/* cport_attach: gives a socket, a regular file or a block device to the port. key comes back with every
 * event of the handle. A socket may be of any blocking mode and keeps its options. From here on it is
 * used, and closed, through the handle alone.
 * With CPORT_ATTACH_BORROWED a socket stays with whoever reads, writes and closes it, another library for example. Its
 * handle takes cport_poll alone (else CPORT_EINVAL) and changes nothing about it; it can have any number of such
 * handles, on any ports. cport_close lets go of it: as soon as that call has returned, it may be closed, and its
 * number be attached again. (On Linux the port holds a duplicate: the connection ends with the later of the
 * owner's close and the handle's close event.)
 * Thread: owner, or any. Blocks: no. Flags: CPORT_ATTACH_BORROWED, or CPORT_ATTACH_UNREACHABLE.
 * Returns: 0; CPORT_EALREADY it is attached; CPORT_EINVAL not an open descriptor, a file that was opened to
 * append or, on Windows, not for overlapped use, or flags that it does not take; CPORT_ENOTSUP not something that this
 * library drives (a directory; a file to be borrowed); CPORT_ENOMEM; CPORT_EMFILE. Since: 0.1. */
CPORT_API int cport_attach(
    cport_port *port, cport_os_handle fd, uintptr_t key, uint32_t flags, cport_handle **ret_h);

/* cport_close: closes the handle. What is pending gets CPORT_ECANCELED (or its success, if that came first),
 * then op gets its event, the last of the handle, which is gone with it. Graceful by default: what was sent is
 * delivered, then end-of-stream. CPORT_ABORT resets the connection. Unread received bytes make any close a reset,
 * on every system: read to the end first. A file is closed after the last operation on it, and CPORT_ABORT is nothing to it.
 * Thread: owner, or any. Blocks: no. Flags: CPORT_ABORT.
 * Returns: 0; CPORT_EALREADY being closed; CPORT_EINVAL; CPORT_EBUSY the op is in flight, or a cport_sendfile, perhaps of
 * another port, reads this file; CPORT_EWRONGTHREAD.
 * Since: 0.1. */
CPORT_API int cport_close(cport_handle *h, cport_op *op, uint32_t flags);

/* cport_detach: takes a quiescent socket off its port. The handle is gone when this returns 0, without an event; the
 * descriptor is the caller's again, with everything that it has received and is still to be read, to be attached to another
 * port or closed with cport_socket_close. Its blocking mode may have changed. Events that other threads have dequeued
 * already are no hindrance.
 * Thread: owner, or any. Blocks: no.
 * Returns: 0; CPORT_EBUSY an operation is pending, or its event is not dequeued yet; CPORT_EALREADY being closed;
 * CPORT_ENOTSUP the port has no CPORT_CAP_DETACH (Windows before 8.1, Wine); CPORT_EINVAL; CPORT_EWRONGTHREAD. Since: 0.1. */
CPORT_API int cport_detach(cport_handle *h, cport_os_handle *ret_fd);

/* cport_port_next_handle: walks over the handles of a port, those being closed among them: *cursor is 0 at first, and
 * NULL comes after the last. What is attached or closed during the walk is met or not. On a shared port another thread may
 * close the handle before the caller gets to use it: cport_cancel_all and cport_close take one that is gone, other calls do not.
 * Thread: owner, or any. Blocks: no. Returns: the next handle; NULL also from a thread that does not own a SINGLE port.
 * Since: 0.1. */
CPORT_API cport_handle *cport_port_next_handle(cport_port *port, size_t *cursor);

/* What a handle was made of. Thread: any, until the handle's close event. Blocks: no. Since: 0.1. */
CPORT_API cport_os_handle cport_handle_fd(const cport_handle *h);
CPORT_API uintptr_t cport_handle_key(const cport_handle *h);
CPORT_API cport_port *cport_handle_port(const cport_handle *h);

/* ---- Operations ------------------------------------------------------------------------------------------- */
/*
 * For all of them. Thread: owner, or any. Blocks: no. Since: 0.1.
 * Returns: 0 pending, 1 done now (CPORT_INLINE_OK), or refused: CPORT_EINVAL a NULL, unknown flags, a size that
 * cannot be, a handle of the other kind; CPORT_EBUSY the op is in flight; CPORT_ECANCELED the handle is being closed;
 * CPORT_ENOMEM; CPORT_EWRONGTHREAD.
 * A handle takes any number of operations at once: receives complete, and sends go out, in the order of the calls.
 */

#define CPORT_INLINE_OK 0x1u  /* if done at once, return 1 and queue no event. Not for multishot */
#define CPORT_MULTISHOT 0x2u  /* stay armed: events with CPORT_MORE, until cancel, close or error */
#define CPORT_RECV_ALL  0x4u  /* fill the buffer; less only at end-of-stream or with an error */
#define CPORT_ABORT     0x8u  /* cport_close: reset instead of finishing */
#define CPORT_DATA_ONLY 0x80u /* cport_sync: the contents, and what finds them */
#define CPORT_ZERO_COPY 0x100u /* cport_send: from the caller's memory, if that can be */

/* In cport_event.flags. */
#define CPORT_MORE      0x1u /* the op stays armed and will have further events */
#define CPORT_BUFFER    0x2u /* aux is a pool buffer, the caller's now: see cport_bufs_return */
#define CPORT_COPIED                                                                               \
    0x100u /* a send with CPORT_ZERO_COPY that was, at least in part, an ordinary one */

/* Most pieces in one vectored operation. */
#define CPORT_BUFS_MAX 64u

/* Zeroes an op and sets its user pointer. Never on an op in flight. */
CPORT_API void cport_op_init(cport_op *op, void *user);

/* The last result of an op (as cport_event.result), for submits that returned 1; and the bytes that a receive or a send
 * has moved, also when it ended in an error. */
CPORT_API int64_t cport_op_result(const cport_op *op);
CPORT_API size_t cport_op_transferred(const cport_op *op);

/* cport_accept: result = a connected socket (a cport_os_handle), the caller's to attach or to close with
 * cport_socket_close. Connections that vanish meanwhile are counted and passed over. With CPORT_MULTISHOT a want
 * of descriptors or memory (CPORT_EMFILE, CPORT_ENOMEM, CPORT_ENOBUFS) is told in one event with CPORT_MORE, and the
 * accept goes on by itself after a pause that grows from 10 ms to 1 s. Flags: CPORT_MULTISHOT, CPORT_INLINE_OK. */
CPORT_API int cport_accept(cport_handle *listener, cport_op *op, uint32_t flags);

/* cport_connect: result = 0, or CPORT_ECONNREFUSED, CPORT_ENETUNREACH, CPORT_EHOSTUNREACH, CPORT_ETIMEDOUT, … Flags:
 * CPORT_INLINE_OK. */
CPORT_API int cport_connect(cport_handle *h, cport_op *op, const struct sockaddr *address,
    cport_socklen address_len, uint32_t flags);

/* cport_recv: result = bytes, at least 1; 0 end-of-stream; CPORT_ECONNRESET. len 0: result 0 as soon as there is
 * something to read (or the end, or an error to be had), and takes nothing. Flags: CPORT_RECV_ALL, CPORT_INLINE_OK.
 * cport_recvv: the same into up to CPORT_BUFS_MAX pieces, filled in order. On a datagram socket either takes one datagram:
 * result 0 is an empty one, CPORT_EMSGSIZE one that did not fit, and CPORT_RECV_ALL is refused. */
CPORT_API int cport_recv(cport_handle *h, cport_op *op, void *data, size_t len, uint32_t flags);
CPORT_API int cport_recvv(
    cport_handle *h, cport_op *op, const cport_buf *bufs, unsigned count, uint32_t flags);

/* cport_recv_pooled: like cport_recv, into a buffer of the pool that is taken only when there is something to read.
 * With bytes the event has CPORT_BUFFER and aux is the buffer. A dry pool ends it with CPORT_ENOBUFS; nothing is
 * lost: call again after a cport_bufs_return. Not for datagram sockets, see cport_recvmsg_pooled. Flags: CPORT_MULTISHOT. */
CPORT_API int cport_recv_pooled(cport_handle *h, cport_op *op, cport_bufs *pool, uint32_t flags);

/* cport_send: result = len, when the kernel has taken all of it, or an error; cport_op_transferred tells how much went
 * out before the error. Never raises SIGPIPE. Flags: CPORT_INLINE_OK, CPORT_ZERO_COPY.
 * cport_sendv: the same from up to CPORT_BUFS_MAX pieces.
 * With CPORT_ZERO_COPY the network reads the caller's memory, and the event comes when it has done with it: when the peer's
 * system has acknowledged the bytes, which later sends do not wait for, and their events may come first. So does
 * cport_close, for as long as the peer takes nothing (see user_timeout_ms); with CPORT_ABORT it does not. Where the system
 * copies all the same, always on the loopback interface, the event has CPORT_COPIED; so it has from ports without
 * CPORT_CAP_ZERO_COPY, where the flag changes nothing else. It pays from some tens of kilobytes on. */
CPORT_API int cport_send(
    cport_handle *h, cport_op *op, const void *data, size_t len, uint32_t flags);
CPORT_API int cport_sendv(
    cport_handle *h, cport_op *op, const cport_buf *bufs, unsigned count, uint32_t flags);

/* What cport_sendfile sends around the file. Memory that stays until the event; either may be NULL with 0. */
typedef struct cport_headtail {
    const void *head;
    size_t head_len;
    const void *tail;
    size_t tail_len;
} cport_headtail;

/* cport_sendfile: sends a head, len bytes of the file from offset on, and a tail, as one send: in order with the others of the
 * socket, and without the file's bytes passing through this process, except on Windows without CPORT_CAP_SENDFILE.
 * len 0: to the end, as it is at the call. result = all bytes sent, or an error, and
 * cport_op_transferred tells how many went out before it. A file that has become too short is CPORT_EIO with aux 0.
 * headtail may be NULL; the struct is copied. The file is a handle of this or of any other port and may be sent by any
 * number of operations at once; until their events it cannot be closed (CPORT_EBUSY). What of it is not in memory yet is
 * read from the disk by the thread that waits at the port, with CPORT_CAP_SENDFILE by the system.
 * Returns further: CPORT_EINVAL not a stream, not a file, or more than SIZE_MAX / 2 bytes.
 * Flags: CPORT_INLINE_OK. */
CPORT_API int cport_sendfile(cport_handle *socket, cport_op *op, cport_handle *file,
    uint64_t offset, uint64_t len, const cport_headtail *headtail, uint32_t flags);

#define CPORT_SHUT_RECV 0x1
#define CPORT_SHUT_SEND 0x2
#define CPORT_SHUT_BOTH 0x3

/* cport_shutdown: after the sends before it have gone out, closes the sending side, the receiving side or both. */
CPORT_API int cport_shutdown(cport_handle *h, cport_op *op, int how);

#define CPORT_POLL_IN  0x1u
#define CPORT_POLL_OUT 0x2u
#define CPORT_POLL_ERR 0x4u /* always reported */
#define CPORT_POLL_HUP 0x8u /* always reported */

/* cport_poll: result = the CPORT_POLL_… that hold, once one of mask does. Moves no data: for sockets that another
 * library reads and writes (see CPORT_ATTACH_BORROWED). Any number at once, in no order. */
CPORT_API int cport_poll(cport_handle *h, cport_op *op, uint32_t mask);

/* cport_read: from a file, starting at byte `offset`: result = bytes, less than len only where the file ends, 0 at and behind
 * its end. cport_write: result = len, or an error (CPORT_ENOSPC the disk is full, or the file as long as it may be);
 * cport_op_transferred tells how much was moved before the error. Operations on a file have no order among each other: start
 * one when another that it depends on has ended. CPORT_EACCES: the file was not opened for it. A cancel that comes too late
 * changes nothing, and what has begun may be past cancelling. Flags: CPORT_INLINE_OK.
 * cport_readv, cport_writev: the same with up to CPORT_BUFS_MAX pieces. */
CPORT_API int cport_read(
    cport_handle *h, cport_op *op, void *data, size_t len, uint64_t offset, uint32_t flags);
CPORT_API int cport_readv(cport_handle *h, cport_op *op, const cport_buf *bufs, unsigned count,
    uint64_t offset, uint32_t flags);
CPORT_API int cport_write(
    cport_handle *h, cport_op *op, const void *data, size_t len, uint64_t offset, uint32_t flags);
CPORT_API int cport_writev(cport_handle *h, cport_op *op, const cport_buf *bufs, unsigned count,
    uint64_t offset, uint32_t flags);

/* cport_sync: result = 0 when all that was written by operations that had ended before this call is on the disk. Flags:
 * CPORT_DATA_ONLY. */
CPORT_API int cport_sync(cport_handle *h, cport_op *op, uint32_t flags);

/* cport_cancel: asks for an early end. Exactly one final event follows: CPORT_ECANCELED, or whatever came first.
 * Thread: owner, or any. Blocks: no.
 * Returns: 0; CPORT_ENOENT the op is already final, or was never started; CPORT_EWRONGTHREAD. Since: 0.1. */
CPORT_API int cport_cancel(cport_op *op);

/* cport_cancel_all: cancels whatever the handle has pending, but not its close. Returns: 0, also if there is nothing;
 * CPORT_EWRONGTHREAD. Thread: owner, or any. Blocks: no. Since: 0.1. */
CPORT_API int cport_cancel_all(cport_handle *h);

/* ---- Datagrams -------------------------------------------------------------------------------------------- */
/*
 * UDP and Unix datagram sockets. Each operation is one datagram, whole, with whom it comes from or goes to. A port that
 * cannot be reached is not told, so that one dead peer does not end a server's receive: see CPORT_ATTACH_UNREACHABLE, with which it
 * ends one receive or send of the socket with CPORT_ECONNREFUSED, on every system.
 */

#define CPORT_MSG_TRUNCATED         0x1u /* the datagram was longer than the room for it */
#define CPORT_MSG_CONTROL_TRUNCATED 0x2u /* so was the control data */

/* Room for whatever control data the calls below read and write. */
#define CPORT_MSG_CONTROL_ROOM      128u
/* Bytes at the beginning of a pool's buffer that cport_recvmsg_pooled keeps for itself. */
#define CPORT_MSG_HEAD              192u

/* A datagram. To send: address, bufs and control, each with its length. To receive: address, bufs and control with the
 * room in each; when it has been received, the lengths and flags are set, and the rooms are as they were. */
typedef struct cport_msg {
    struct sockaddr
        *address; /* whom to, or room for whom from; NULL: the connected peer, or not asked */
    cport_socklen address_room; /* caller, to receive */
    cport_socklen address_len;  /* caller to send, library when received */
    const cport_buf
        *bufs; /* the pieces; the array is copied at the call. NULL, to send: an empty datagram */
    uint32_t bufs_count;   /* at most CPORT_BUFS_MAX */
    uint32_t flags;        /* library, when received: CPORT_MSG_… */
    void *control;         /* the system's control data, 8-aligned; NULL: none */
    uint32_t control_room; /* caller */
    uint32_t control_len;  /* caller and cport_msg_set_… to send, library when received */
} cport_msg;

/* cport_recvmsg: result = bytes, 0 for an empty datagram; CPORT_EMSGSIZE: it did not fit, what did is in bufs and counted by
 * cport_op_transferred. cport_sendmsg: result = the bytes; CPORT_EMSGSIZE: more than a datagram takes.
 * For both: CPORT_EINVAL also for a handle that is no datagram socket. CPORT_ENOTSUP: a segment size, without
 * CPORT_CAP_UDP_GSO. Flags: CPORT_INLINE_OK. Several that are queued go to the kernel together where it takes that. */
CPORT_API int cport_recvmsg(cport_handle *h, cport_op *op, cport_msg *msg, uint32_t flags);
CPORT_API int cport_sendmsg(cport_handle *h, cport_op *op, const cport_msg *msg, uint32_t flags);

/* cport_recvmsg_pooled: like cport_recvmsg, into a buffer of the pool, which must be longer than CPORT_MSG_HEAD. The event has
 * CPORT_BUFFER, and aux is the buffer, with an empty datagram and with CPORT_EMSGSIZE too; neither ends a multishot. A dry
 * pool does, with CPORT_ENOBUFS; what has come meanwhile stays with the socket as far as its own buffer goes. Flags:
 * CPORT_MULTISHOT. */
CPORT_API int cport_recvmsg_pooled(cport_handle *h, cport_op *op, cport_bufs *pool, uint32_t flags);

/* cport_bufs_msg: the datagram that cport_recvmsg_pooled has put into buffer id, until that is returned: ret_data is where its
 * bytes lie, and ret_msg has address, control and flags; its bufs is ret_data, so that it can be sent as it is.
 * Thread: any. Blocks: no. Returns: 0; CPORT_EINVAL no such buffer. Since: 0.1. */
CPORT_API int cport_bufs_msg(
    const cport_bufs *pool, uint32_t id, cport_msg *ret_msg, cport_buf *ret_data);

/* Where a datagram came to, or which of our addresses it shall go out from. */
typedef struct cport_packet_info {
    struct sockaddr_storage address; /* port 0; to send also family 0: whatever the system takes */
    uint32_t interface_index;        /* to send also 0: the same */
    uint32_t reserved;               /* 0 */
} cport_packet_info;

/* cport_msg_get_packet_info: of a socket made with CPORT_SOCKET_PACKET_INFO. The address is the one that was sent to: it may
 * be a broadcast or multicast address.
 * cport_msg_get_segment_size: the datagram is several that came together, each but the last of this length: of a socket made
 * with CPORT_SOCKET_GRO.
 * cport_msg_set_…: the same, to send: appended to the control data, in control_room. With a segment size the bytes go out as
 * several datagrams, each but the last of this length (CPORT_CAP_UDP_GSO).
 * Thread: any. Blocks: no. Returns: 0; CPORT_ENOENT it did not come with that; CPORT_ENOBUFS no room for it;
 * CPORT_EINVAL; CPORT_ENOTSUP the system has none. Since: 0.1. */
CPORT_API int cport_msg_get_packet_info(const cport_msg *msg, cport_packet_info *ret_info);
CPORT_API int cport_msg_get_segment_size(const cport_msg *msg, uint32_t *ret_bytes);
CPORT_API int cport_msg_set_packet_info(cport_msg *msg, const cport_packet_info *info);
CPORT_API int cport_msg_set_segment_size(cport_msg *msg, uint32_t bytes);

/* ---- Timers ----------------------------------------------------------------------------------------------- */

/* cport_timer: an event at deadline_ns (absolute; never early; one in the past comes at once), result = 0. With
 * period_ns > 0 further events follow each period, all with CPORT_MORE; result = periods that were missed since
 * the last event. Needs no memory and no system call.
 * Thread: owner, or any. Blocks: no. Returns: 0; CPORT_EINVAL; CPORT_EBUSY; CPORT_EWRONGTHREAD. Since: 0.1. */
CPORT_API int cport_timer(cport_port *port, cport_op *op, int64_t deadline_ns, int64_t period_ns);

/* cport_timer_rearm: moves an armed timer. Returns: 0; CPORT_ENOENT not armed: it has expired (its event may still
 * be queued), was cancelled, or is not a timer; CPORT_EWRONGTHREAD. Thread: owner, or any. Blocks: no. Since: 0.1. */
CPORT_API int cport_timer_rearm(cport_op *op, int64_t deadline_ns);

/* ---- Buffer pools ----------------------------------------------------------------------------------------- */

/* cport_bufs_open: count buffers (1 to 32768) of size bytes (1 to 1 MiB) for cport_recv_pooled on this port.
 * Thread: owner, or any. Blocks: no. Returns: 0; CPORT_EINVAL; CPORT_ENOMEM; CPORT_EWRONGTHREAD. Since: 0.1. */
CPORT_API int cport_bufs_open(
    cport_port *port, uint32_t size, uint32_t count, cport_bufs **ret_pool);

/* ---- Names ------------------------------------------------------------------------------------------------ */

#define CPORT_RESOLVE_IPV4 0x1u /* IPv4 addresses; neither flag: both kinds */
#define CPORT_RESOLVE_IPV6 0x2u /* IPv6 addresses */

/* cport_resolve: looks a name (UTF-8, or a numeric address) up for TCP connections, as the system is configured to: files,
 * name servers. result = how many addresses, at least 1: take them with cport_resolve_take; CPORT_ENOENT there are none;
 * CPORT_ETIMEDOUT no name server answered; … At most 64 are kept, in the system's order of preference. cport_cancel ends it
 * at once; what the system cannot interrupt goes on in a thread of the port's, and its outcome is dropped.
 * Thread: owner, or any. Blocks: no. Flags: CPORT_RESOLVE_….
 * Returns: 0; CPORT_EINVAL no name, one of more than 1024 bytes, unknown flags; CPORT_EBUSY the op is in flight;
 * CPORT_ENOMEM; CPORT_EWRONGTHREAD. Since: 0.1. */
CPORT_API int cport_resolve(
    cport_port *port, cport_op *op, const char *host, uint16_t tcp_port, uint32_t flags);

/* cport_resolve_take: the addresses that an op has found, once: the caller's to free, also after the port is closed. NULL:
 * none, or taken. What is not taken before the op's next use is lost memory.
 * Thread: the one that has the op's event. Blocks: no. Since: 0.1. */
CPORT_API cport_addresses *cport_resolve_take(cport_op *op);

/* cport_addresses_count: how many there are. cport_addresses_get: address i, with the port number that was given, and its
 * length if ret_len is not NULL; NULL past the end. cport_addresses_free: NULL is fine.
 * Thread: any. Blocks: no. Since: 0.1. */
CPORT_API unsigned cport_addresses_count(const cport_addresses *addresses);
CPORT_API const struct sockaddr *cport_addresses_get(
    const cport_addresses *addresses, unsigned i, cport_socklen *ret_len);
CPORT_API void cport_addresses_free(cport_addresses *addresses);

/* cport_bufs_close: frees the pool. Buffers that the caller still holds are gone with it.
 * Thread: owner, or any. Blocks: no. Returns: 0; CPORT_EBUSY receives use it; CPORT_EWRONGTHREAD. Since: 0.1. */
CPORT_API int cport_bufs_close(cport_bufs *pool);

/* cport_bufs_data: where buffer id lies. NULL for an id that the pool does not have.
 * Thread: any. Blocks: no. Since: 0.1. */
CPORT_API void *cport_bufs_data(const cport_bufs *pool, uint32_t id);

/* cport_bufs_return: gives a buffer back to the pool.
 * Thread: any. Blocks: no. Returns: 0; CPORT_EINVAL no such buffer, or it is not the caller's. Since: 0.1. */
CPORT_API int cport_bufs_return(cport_bufs *pool, uint32_t id);

/* ---- Sockets ---------------------------------------------------------------------------------------------- */

#define CPORT_SOCKET_NODELAY     0x1u /* TCP_NODELAY; accepted sockets inherit it */
#define CPORT_SOCKET_REUSE_PORT  0x2u /* listeners share the address, if the system balances them */
#define CPORT_SOCKET_KEEPALIVE   0x4u
#define CPORT_SOCKET_V6ONLY      0x8u  /* an IPv6 socket takes IPv6 only; otherwise it takes both */
#define CPORT_SOCKET_BROADCAST   0x10u /* UDP: may send to broadcast addresses */
#define CPORT_SOCKET_PACKET_INFO 0x20u /* UDP: datagrams come with cport_msg_get_packet_info */
#define CPORT_SOCKET_GRO         0x40u /* UDP: several may come together, cport_msg_get_segment_size */

typedef struct cport_socket_options {
    uint32_t size;            /* sizeof(cport_socket_options) */
    uint32_t flags;           /* CPORT_SOCKET_… */
    uint32_t backlog;         /* listeners; 0: the system's most */
    uint32_t user_timeout_ms; /* unacknowledged data ends the connection; 0: the system's. Linux */
    uint32_t send_buffer;     /* bytes; 0: the system's */
    uint32_t recv_buffer;     /* bytes; 0: the system's */
} cport_socket_options;

/* cport_address: a numeric IPv4 or IPv6 address ("127.0.0.1", "::1", "*" any IPv4, "[::]" brackets allowed) and a port as a
 * socket address. Thread: any. Blocks: no. Returns: 0; CPORT_EINVAL. Since: 0.1. */
CPORT_API int cport_address(const char *host, uint16_t tcp_port,
    struct sockaddr_storage *ret_address, cport_socklen *ret_len);

/* cport_address_unix: the address of a Unix socket: a path, or "@" and a name in Linux's abstract space, which is no file.
 * Thread: any. Blocks: no. Returns: 0; CPORT_EINVAL empty, or too long; CPORT_ENOTSUP no Unix sockets on this system.
 * Since: 0.1. */
CPORT_API int cport_address_unix(
    const char *path, struct sockaddr_storage *ret_address, cport_socklen *ret_len);

/* cport_address_text: "127.0.0.1:80", "[::1]:80", "/path", "@name" or "unnamed" into text, always terminated if size > 0.
 * Thread: any. Blocks: no. Returns: 0; CPORT_EINVAL unknown family; CPORT_ENOBUFS it does not fit. Since: 0.1. */
CPORT_API int cport_address_text(
    const struct sockaddr *address, cport_socklen address_len, char *text, size_t size);

/* cport_socket_tcp: a TCP socket of the address's family, with the options set; for cport_connect.
 * cport_socket_tcp_listen: the same, bound and listening (SO_REUSEADDR's meaning of a server: rebinding at once works,
 * a second listener does not). NULL options: defaults.
 * Thread: any. Blocks: no. Returns: 0; CPORT_EINVAL; CPORT_EADDRINUSE; CPORT_EADDRNOTAVAIL; CPORT_EACCES; CPORT_EMFILE; …
 * Since: 0.1. */
CPORT_API int cport_socket_tcp(
    int family, const cport_socket_options *opt, cport_os_handle *ret_fd);
CPORT_API int cport_socket_tcp_listen(const struct sockaddr *address, cport_socklen address_len,
    const cport_socket_options *opt, cport_os_handle *ret_fd);

/* cport_socket_udp: a UDP socket of a family, with the options set; bound, if an address is given. The options of connections
 * (CPORT_SOCKET_NODELAY, CPORT_SOCKET_KEEPALIVE, backlog, user_timeout_ms) are refused, as those of UDP are for TCP.
 * Thread: any. Blocks: no. Returns: as cport_socket_tcp_listen; CPORT_ENOTSUP an option that the system does not have. Since: 0.1. */
CPORT_API int cport_socket_udp(int family, const struct sockaddr *address,
    cport_socklen address_len, const cport_socket_options *opt, cport_os_handle *ret_fd);

/* cport_socket_unix_stream, cport_socket_unix_listen: as cport_socket_tcp and cport_socket_tcp_listen, with Unix sockets.
 * cport_socket_unix_datagram: one that is bound, if an address is given: only such a one can be answered.
 * A path that is bound stays when the socket is closed: it is the caller's to remove, and in the way until then
 * (CPORT_EADDRINUSE). Of the options, backlog and the buffers apply; the others are refused.
 * Thread: any. Blocks: no. Returns: the same; CPORT_ENOTSUP no Unix sockets on this system. Since: 0.1. */
CPORT_API int cport_socket_unix_stream(const cport_socket_options *opt, cport_os_handle *ret_fd);
CPORT_API int cport_socket_unix_listen(const struct sockaddr *address, cport_socklen address_len,
    const cport_socket_options *opt, cport_os_handle *ret_fd);
CPORT_API int cport_socket_unix_datagram(const struct sockaddr *address, cport_socklen address_len,
    const cport_socket_options *opt, cport_os_handle *ret_fd);

/* cport_socket_configure: sets the options (flags that are not given are left as they are) on any TCP or UDP socket.
 * cport_socket_close: closes a socket that is not attached.
 * cport_socket_local, cport_accept_address: the socket's own address, and the peer's: of an accepted or connected socket.
 * Thread: any. Blocks: no. Returns: 0 or an error. Since: 0.1. */
CPORT_API int cport_socket_configure(cport_os_handle fd, const cport_socket_options *opt);
CPORT_API int cport_socket_close(cport_os_handle fd);
CPORT_API int cport_socket_local(
    cport_os_handle fd, struct sockaddr_storage *ret_address, cport_socklen *ret_len);
CPORT_API int cport_accept_address(
    cport_os_handle fd, struct sockaddr_storage *ret_address, cport_socklen *ret_len);

/* ---- Files ------------------------------------------------------------------------------------------------ */

#define CPORT_FILE_READ      0x1u
#define CPORT_FILE_WRITE     0x2u
#define CPORT_FILE_CREATE    0x4u  /* if it does not exist */
#define CPORT_FILE_EXCLUSIVE 0x8u  /* with CREATE: it must not exist */
#define CPORT_FILE_TRUNCATE  0x10u /* with WRITE: to nothing */
#define CPORT_FILE_DIRECT                                                                          \
    0x20u /* past the system's cache: memory, offset and length are multiples of the block size */

/* cport_file_open: opens a regular file or a block device for cport_attach. path is UTF-8 on Windows, and taken as it is
 * elsewhere. mode: permissions of a file that is created, less the umask; nothing on Windows.
 * Thread: any. Blocks: as long as the system takes. Returns: 0; CPORT_EINVAL unknown or contradictory flags, a path that
 * cannot be, a directory or what else is no file; CPORT_ENOENT; CPORT_EEXIST; CPORT_EACCES; CPORT_EBUSY; CPORT_ENOTSUP no
 * DIRECT on this file system; CPORT_EMFILE; CPORT_ENOSPC; … Since: 0.1.
 * cport_file_close: closes one that is not attached. cport_file_size: of one that is, too.
 * Thread: any. Blocks: as long as the system takes. Returns: 0 or an error. Since: 0.1. */
CPORT_API int cport_file_open(
    const char *path, uint32_t flags, uint32_t mode, cport_os_handle *ret_fd);
CPORT_API int cport_file_close(cport_os_handle fd);
CPORT_API int cport_file_size(cport_os_handle fd, uint64_t *ret_size);

/* Most regions of pinned memory that a port has. */
#define CPORT_MEMORY_REGIONS_MAX 16u

/* cport_memory_pin: tells the port of memory (at most 1 GiB) that files will be read into and written from again and
 * again: the kernel then pins it once, and not for each cport_read and cport_write of a part of it. It stays where it is
 * until cport_memory_unpin or the port's close. Counts against the process's limit of locked memory.
 * Thread: owner, or any. Blocks: no. Returns: 0; CPORT_ENOTSUP without CPORT_CAP_PINNED_MEMORY: everything works
 * without; CPORT_EALREADY it is pinned; CPORT_ENOBUFS no more regions; CPORT_ENOMEM beyond the limit; CPORT_EINVAL;
 * CPORT_EWRONGTHREAD. Since: 0.1.
 * cport_memory_unpin: operations that are under way still end well. Returns: 0; CPORT_ENOENT; CPORT_EBUSY the kernel takes no
 * requests just now; CPORT_EWRONGTHREAD. */
CPORT_API int cport_memory_pin(cport_port *port, void *memory, size_t len);
CPORT_API int cport_memory_unpin(cport_port *port, void *memory);

#if defined(__cplusplus)
static_assert(sizeof(cport_op) == 128, "a cport_op is 128 bytes");
static_assert(sizeof(cport_event) == 32, "a cport_event is 32 bytes");
#else
_Static_assert(sizeof(cport_op) == 128, "a cport_op is 128 bytes");
_Static_assert(sizeof(cport_event) == 32, "a cport_event is 32 bytes");
#endif

#ifdef __cplusplus
}
#endif
#endif
