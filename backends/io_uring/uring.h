/*
 * uring.h: the io_uring engine: a ring and the thread that owns it.
 *
 * Ownership. One struct uring per port, from its open to its close. An op that has been submitted is the kernel's until every
 * completion that names it has been reaped: only then may it become final, so that none can ever name a reused op.
 *
 * Threading. The thread that made the ring, since requests belong to the thread that submits them: the owner of a SINGLE port,
 * or the I/O thread of a shared one (shared.h). ring_wake alone may be called by others, and touches what is constant after
 * open.
 *
 * Files: ring.c opens the ring and enters the kernel, trial.c tries what it can do, submit.c turns ops into requests, complete.c completions into events,
 * datagram.c is the same for recvmsg and sendmsg, pool.c holds the buffer rings, memory.c the pinned memory, zero_copy.c sends
 * from the caller's memory, sendfile.c files, engine.c is the vtable. For shared ports: shared.c the vtable, iothread.c the thread.
 */
#ifndef CPORT_URING_H
#define CPORT_URING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "mpsc.h"
#include "port.h"

/* A completion's user_data: an op's address, 16-aligned, and in its low bits what the request was. */
#define DATA_OP     0u /* the op's own transfer */
#define DATA_READY  1u /* a poll on behalf of the op */
#define DATA_CANCEL 2u /* the cancel of the op */
#define DATA_WAKE   3u /* no op: the eventfd of uring_wake */
#define DATA_TRIAL  4u /* no op: a trial of a feature during open */
#define DATA_TAGS   15u

/* An op's scratch. What it leaves alone says that a paused accept is not on the wheel. */
struct scratch {
    union {
        struct op *next;        /* in the backlog, or in the queue of cancels */
        struct post_node start; /* shared ports, before either: on its way to the I/O thread */
    };
    uint32_t state;          /* SCRATCH_... */
    uint8_t tag;             /* DATA_OP or DATA_READY: how the op's request was submitted */
    bool cancel_sent;        /* shared ports: `cancel` is in use; under the handle's lock */
    uint16_t pool_tail;      /* of its buffer ring when the request was submitted */
    struct mpsc_node cancel; /* on its way to the I/O thread, perhaps behind `start` */
} CPORT_MAY_ALIAS;
_Static_assert(sizeof(struct scratch) <= offsetof(struct wheel_node, slot), "so it is idle");

#define SCRATCH_BACKLOG       0x1u   /* waits for a place in the submission queue */
#define SCRATCH_CANCEL_QUEUED 0x2u   /* its cancel does */
#define SCRATCH_CANCEL_SENT   0x4u   /* the completion of its cancel is to come */
#define SCRATCH_ENDED         0x8u   /* only that is to come: op->result is set */
#define SCRATCH_DRY           0x10u  /* a pooled receive that found neither a buffer nor bytes */
#define SCRATCH_COPY          0x20u  /* a send whose memory the kernel did not want to lend */
#define SCRATCH_MANY          0x100u /* a receive of datagrams that the kernel keeps armed */
#define SCRATCH_PUT_OFF       0x200u /* a sendmsg that waits for the next poll: sends_go */
#define SCRATCH_EMPTY         0x400u /* an empty datagram wants a buffer */
#define SCRATCH_FULL          0x800u /* a send that waits for its Unix receiver */

/* Bit of cport_handle.engine_bits. */
#define SENDS_LISTED          0x1u /* in uring.sends */

static inline struct scratch *scratch_of(struct op *op)
{
    return (struct scratch *)(void *)op->engine;
}

/* A send from the caller's memory: the rest. */
struct kept {
    uint32_t
        requests; /* whose notification, that the kernel has let go of the memory, is to come */
    bool used;    /* there has been one */
    bool copied;
} CPORT_MAY_ALIAS;

static inline struct kept *kept_of(struct op *op)
{
    return (struct kept *)(void *)&op->engine[3];
}

struct scratch_queue {
    struct op *head;
    struct op *tail;
};

/* Pinned memory. */
struct region {
    uintptr_t base; /* 0: unused */
    size_t len;
};

struct uring {
    /* liburing's view of the shared memory. The tail of our own requests is ring.sq.sqe_tail. */
    struct io_uring ring;
    struct cport_port *port; /* constant after open, as are enter_fd, enter_flags and wake_fd */
    unsigned enter_fd;       /* the ring's descriptor, or its registered index */
    unsigned enter_flags;    /* for every io_uring_enter */
    unsigned room;           /* free places in the submission queue, as of the last enter */
    int wake_fd;             /* eventfd, written by ring_wake */
    bool woken;              /* a wake has been reaped since the last poll began */
    bool wake_unarmed;       /* the poll of wake_fd ended, and there was no place to arm it again */
    /* What found no place in the submission queue, oldest first. */
    struct scratch_queue backlog;
    struct scratch_queue cancels;
    struct buf_ring *buf_rings; /* of the pools that the kernel holds */
    unsigned regions_end;       /* no region at or behind this one is in use */
    struct region regions[CPORT_MEMORY_REGIONS_MAX];
    struct cport_handle *sends; /* SINGLE: with a sendmsg that is put off, linked by engine_next */
};

/* ring.c */
int ring_open(struct uring *u, char *reason, size_t reason_size);
void ring_close(struct uring *u);
/* Hands the submission queue to the kernel; with `flags` IORING_ENTER_GETEVENTS also runs completions, and waits for
 * min_complete of them for at most wait_ns (< 0: for ever). Returns >= 0, or -errno. */
int ring_enter(struct uring *u, unsigned min_complete, unsigned flags, int64_t wait_ns);
/* Arms the poll that ring_wake triggers. */
void ring_arm_wake(struct uring *u);
/* From any thread: what ring_enter waits for is there. */
void ring_wake(const struct uring *u);
/* Whether an enter that returned this failed for good: not for too many completions or too little memory at the moment, when
 * what was not taken is submitted again by the next. */
bool ring_has_failed(int result);

static inline unsigned sq_pending(const struct uring *u)
{
    return u->ring.sq.sqe_tail - IO_URING_READ_ONCE(*u->ring.sq.khead);
}

/* Completions that only an enter makes visible. */
static inline bool cq_needs_enter(const struct uring *u)
{
    return IO_URING_READ_ONCE(*u->ring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/* Whether there is room for a request; a full queue is submitted to make some. */
static inline bool sq_room(struct uring *u)
{
    return u->room || (ring_enter(u, 0, 0, 0) > 0 && u->room);
}

/* The next request, for which there is room. */
static inline struct io_uring_sqe *sq_place(struct uring *u)
{
    return &u->ring.sq.sqes[u->ring.sq.sqe_tail++ & u->ring.sq.ring_mask];
}

/* The next request, zeroed, or NULL. It must be filled before anything else is asked of the ring. */
static inline struct io_uring_sqe *sq_next(struct uring *u)
{
    if (!sq_room(u))
        return NULL;
    u->room--;
    struct io_uring_sqe *sqe = sq_place(u);
    memset(sqe, 0, sizeof(*sqe));
    return sqe;
}

static inline void sqe_poll(struct io_uring_sqe *sqe, int fd, uint32_t events)
{
    sqe->opcode = IORING_OP_POLL_ADD;
    sqe->fd = fd;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    events = events << 16 | events >> 16; /* the field is two 16-bit words, the low one first */
#endif
    sqe->poll32_events = events;
}

/* trial.c: sets port->caps. trial_accept arms the poll that ring_wake triggers, and returns an error if it cannot. */
int trial_accept(struct uring *u);
void trial_recvmsg(struct uring *u);
void trial_recv(struct uring *u);
void trial_zero_copy(struct uring *u);

/* Files by threads, if they are not to be left to the kernel. */
static inline bool is_job(const struct op *op)
{
    return op_is_file(op) && !(op->handle->port->caps & CPORT_CAP_FILES);
}

/* submit.c */
int uring_start(struct op *op);
int uring_cancel(struct op *op);
int uring_close_handle(struct cport_handle *h);
/* Queues the request for what the op still has to do, or the op in the backlog. */
void submit_op(struct uring *u, struct op *op);
void submit_cancel(struct uring *u, struct op *op);
/* Tries again what found no place. */
void submit_backlog(struct uring *u);
static inline bool submit_is_behind(const struct uring *u)
{
    return u->backlog.head || u->cancels.head || u->wake_unarmed;
}
void scratch_remove(struct scratch_queue *q, struct op *op);

void shutdown_now(struct op *op);
static inline bool is_unix_connect(const struct op *op)
{
    return op->kind == OP_CONNECT && op->connect.address->address.ss_family == AF_UNIX;
}
void connect_unix_now(struct op *op);
/* A poll on behalf of the op. */
void sqe_ready(struct io_uring_sqe *sqe, struct op *op, uint32_t events);

/* complete.c: turns completions into events while out has room. */
/* Something of the op that was outstanding is not any more: if that was all, and its end is known, it is final. */
void op_settle(struct op *op, struct harvest *out);
/* There is more to do for the op, unless somebody has cancelled it meanwhile. */
void op_again(struct uring *u, struct op *op, struct harvest *out);
void uring_reap(struct uring *u, struct harvest *out);
/* One of them. */
void uring_complete(struct uring *u, const struct io_uring_cqe *cqe, struct harvest *out);
/* The op has ended, but for a cancel that may still be on its way to it, and memory that the kernel may hold. */
void uring_op_end(struct uring *u, struct op *op, int64_t result, struct harvest *out);
/* Again after an error that means nothing; else the end. */
void op_fail(struct uring *u, struct op *op, int number, struct harvest *out);
/* A pooled receive found its pool dry, but that may have been before somebody returned a buffer. */
bool pool_was_refilled(struct op *op);

static inline struct op *op_of_data(uint64_t user_data)
{
    return (struct op *)(uintptr_t)(user_data & ~(uint64_t)DATA_TAGS);
}

/* A Unix datagram socket does not wait in the kernel, which would send the bytes again that it has counted as gone: it would
 * send none. */
static inline unsigned send_flags(const struct cport_handle *h)
{
    return h->traits & HANDLE_UNIX ? (unsigned)MSG_DONTWAIT : 0;
}

/* datagram.c */
void send_failed(struct uring *u, struct op *op, int number, struct harvest *out);
void sqe_msg(struct io_uring_sqe *sqe, struct op *op);
void sqe_recvmsg_pooled(struct io_uring_sqe *sqe, struct op *op);
void complete_recvmsg(struct uring *u, struct op *op, int res, struct harvest *out);
void complete_sendmsg(struct uring *u, struct op *op, int res, struct harvest *out);
void complete_recvmsg_pooled(
    struct uring *u, struct op *op, int res, uint32_t flags, struct harvest *out);
void complete_recvmsg_ready(struct uring *u, struct op *op, struct harvest *out);
/* SINGLE: sends that wait to go together. Start is that of one, go sends them all, forget is for a handle that goes away. */
int sends_start(struct op *op);
void sends_go(struct uring *u, struct harvest *out);
void sends_forget(struct uring *u, struct cport_handle *h);

/* engine.c */
int uring_attach(struct cport_handle *h);
/* shared.c: the engine of shared ports; sets port->backend to it. */
int shared_open(struct cport_port *port, char *reason, size_t reason_size);

/* sendfile.c */
int uring_sendfile_start(struct op *op);
/* The socket takes more. */
void uring_sendfile_ready(struct uring *u, struct op *op, struct harvest *out);

/* zero_copy.c */
static inline bool is_zero_copy(const struct op *op)
{
    return (op->flags & CPORT_ZERO_COPY) != 0;
}
void zero_copy_begin(struct op *op);
/* Makes the request for a plain send one without copying, unless this op has tried that in vain. */
void zero_copy_sqe(struct io_uring_sqe *sqe, struct op *op);
/* A completion of such a send. True: it has been dealt with; false: it is that of a plain one. */
bool zero_copy_took(struct uring *u, struct op *op, int res, uint32_t flags, struct harvest *out);
/* The op has ended, but the kernel holds its memory. */
void zero_copy_linger(struct op *op, struct harvest *out);
/* A close with CPORT_ABORT is not to wait for the peer: the kernel drops what it holds. */
void zero_copy_hurry(const struct op *op);

/* pool.c */
int uring_bufs_open(struct cport_bufs *pool);
void uring_bufs_close(struct cport_bufs *pool);
void uring_bufs_put(struct cport_bufs *pool, uint32_t id);
/* Moves when a buffer is put back. */
uint16_t uring_bufs_tail(const struct cport_bufs *pool);
/* Whether the kernel takes buffer rings: 0, or -errno. */
int buf_ring_probe(struct uring *u);
/* Gives the kernel what other threads have returned. */
void buf_rings_drain(struct uring *u);

/* memory.c. find: the region that holds these bytes, or -1. */
int memory_probe(struct uring *u);
int uring_memory_pin(struct cport_port *port, void *memory, size_t len);
int uring_memory_unpin(struct cport_port *port, void *memory);
static inline int uring_memory_find(const struct uring *u, uintptr_t base, size_t len)
{
    for (unsigned i = 0; i < u->regions_end; i++)
        if (base >= u->regions[i].base && base - u->regions[i].base < u->regions[i].len &&
            len <= u->regions[i].len - (base - u->regions[i].base))
            return (int)i;
    return -1;
}

/* Newer than the oldest liburing that this builds with. */
#ifndef IORING_SEND_ZC_REPORT_USAGE
#define IORING_SEND_ZC_REPORT_USAGE (1U << 3)
#endif
#ifndef IORING_NOTIF_USAGE_ZC_COPIED
#define IORING_NOTIF_USAGE_ZC_COPIED (1U << 31)
#endif
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#endif
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif

#endif
