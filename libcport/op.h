/*
 * op.h: one operation as the library sees it, laid over the caller's cport_op.
 *
 * Ownership. The caller's memory; the engine's from an accepted submit until its final event is put into a caller's
 * array. An op is in one queue at most: its direction's, its port's ready list, the postbox, the timing wheel.
 *
 * Threading. Under its handle's lock while QUEUED, STARTED or PAUSED; under its port's while ARMED or READY. SINGLE
 * ports have one thread and take no lock. `state` is read without a lock by cport_cancel, hence relaxed atomic.
 */
#ifndef CPORT_OP_H
#define CPORT_OP_H

#include <stdatomic.h>
#include <stdbool.h>

#include "cport/cport.h"
#include "postbox.h"
#include "wheel.h"

/* The caller's object has the type cport_op; the overlay may alias it. (MSVC never assumes otherwise.) */
#ifdef __GNUC__
#define CPORT_MAY_ALIAS __attribute__((__may_alias__))
#else
#define CPORT_MAY_ALIAS
#endif

/* The uncommon end of a hot function: kept out of line, so that the common one need not save its registers. */
#ifdef __GNUC__
#define CPORT_COLD __attribute__((__cold__, __noinline__))
#else
#define CPORT_COLD
#endif

enum op_kind {
    OP_NONE,
    OP_ACCEPT, /* from here to OP_RECV_POOLED: the receiving direction; others: the sending one */
    OP_RECV,
    OP_RECVV,
    OP_RECVMSG,
    OP_RECVMSG_POOLED,
    OP_RECV_POOLED,
    OP_CONNECT,
    OP_SEND,
    OP_SENDV,
    OP_SENDFILE,
    OP_SENDMSG,
    OP_SHUTDOWN,
    OP_POLL, /* from here to OP_SYNC: in no direction, any number at once */
    OP_READ, /* from here to OP_SYNC: on a file */
    OP_READV,
    OP_WRITE,
    OP_WRITEV,
    OP_SYNC,
    OP_CLOSE,
    OP_POST,
    OP_TIMER,
    OP_PARCEL, /* no op of a caller's, but an event of one: gather.h */
    OP_RESOLVE,
};

enum op_state {
    OP_FREE,    /* the caller's */
    OP_QUEUED,  /* behind others in its direction */
    OP_STARTED, /* with the engine: the head of its direction, or one that is in none */
    OP_PAUSED,  /* an accept waiting on the wheel for descriptors to come back */
    OP_RESUMED, /* the same, between the wheel and its next start */
    OP_ARMED,   /* a timer on the wheel */
    OP_READY,   /* its event is in the ready list, or in the queue of posts */
    OP_CLOSING, /* a close that waits for the handle's other operations */
};

#define OP_CANCELLED 0x1u /* somebody asked for an early end */
#define OP_EPISODE   0x2u /* accept: its want of descriptors has been told; until the next success */
#define OP_KEPT      0x8u  /* engine's: the kernel has not let go of all its memory */
#define OP_LINGERS   0x10u /* has left its direction, and is kept: see handle_op_linger */
#define OP_AHEAD     0x20u /* has gone with the op before it: its result is set */
#define OP_PERIODIC  0x40u /* a timer: arms itself again when its event is dequeued */
#define OP_CAPTURED                                                                                \
    0x4u /* io.vec, or a use of io.pool, is this op's and to be given back when it is final */

struct lookup;
struct vec; /* captured pieces of a vectored operation: vec.h */

/* All that a timer or a post touches lies in the first 40 bytes: where there are many, each costs one line of the cache, and a post
 * takes one from the poster's processor to the owner's. */
struct op {
    void *user; /* caller */
    union {
        struct {
            union {
                struct op *next; /* in whatever queue it is */
                struct post_node link;
            };
            int64_t result;
            union {
                uintptr_t key;   /* of the event in the ready list */
                struct op *prev; /* among the handle's operations without order */
            };
            uint32_t flags; /* the caller's, as submitted */
            uint8_t kind;
            _Atomic uint8_t state;
            uint16_t bits;
        };
        struct wheel_node node; /* of a timer while it is ARMED */
    };
    union {
        struct cport_handle *handle; /* constant from submit to final */
        struct cport_port *port;     /* timers and lookups */
    };
    uint32_t
        event_flags; /* of the event in the ready list, as is the next; not of timers and posts */
    uint32_t aux;
    size_t transferred;
    /* 64 bytes that belong to the kind: the first half to engines or the wheel, the second half to the core. */
    union {
        uint64_t engine[4];      /* engine's scratch; OVERLAPPED on Windows */
        struct wheel_node pause; /* of an accept that is PAUSED */
    };
    union {
        struct {
            union {
                void *base;
                cport_msg *msg; /* of one that is sent, only read */
            };
            size_t len;
            struct vec *vec;
            union {
                struct cport_bufs *pool;
                uint64_t offset; /* of a file, where the operation began */
            };
        } io;
        struct {
            int64_t period_ns;
            int64_t due_ns; /* when the event that is queued was due */
        } timer;            /* of a periodic one */
        struct {
            int64_t backoff_ns; /* the next pause; 0 after a success */
        } accept;
        struct {
            struct vec *address; /* struct sockaddr and its length, captured */
            cport_socklen len;
        } connect;
        struct {
            struct lookup *lookup;         /* while STARTED */
            struct cport_addresses *found; /* until the caller takes it */
        } resolve;
        uint32_t poll_mask;
        uint64_t poll_info
            [4]; /* engine's from a poll's start on: what the kernel is asked, and answers */
        int how;
    };
} CPORT_MAY_ALIAS;

_Static_assert(sizeof(struct op) == sizeof(cport_op), "the overlay fits the public op");
_Static_assert(
    offsetof(struct op, user) == offsetof(cport_op, user), "the caller's word is where it says");
_Static_assert(offsetof(struct op, kind) >= offsetof(struct op, node.reserved),
    "what an armed timer is stays beside its node");
_Static_assert(
    offsetof(struct op, engine) == 64, "engines find their scratch on a cache line of its own");

static inline struct op *op_of(cport_op *op)
{
    return (struct op *)(void *)op;
}

static inline uint8_t op_state(const struct op *op)
{
    return atomic_load_explicit(&op->state, memory_order_relaxed);
}

static inline void op_set_state(struct op *op, enum op_state state)
{
    atomic_store_explicit(&op->state, (uint8_t)state, memory_order_relaxed);
}

static inline bool op_is_unordered(const struct op *op)
{
    return op->kind >= OP_POLL && op->kind <= OP_SYNC;
}

static inline bool op_is_file(const struct op *op)
{
    return op->kind >= OP_READ && op->kind <= OP_SYNC;
}

/* Whether op->handle is what that union holds. */
static inline bool op_has_handle(const struct op *op)
{
    return op->kind != OP_POST && op->kind != OP_TIMER && op->kind != OP_RESOLVE;
}

static inline bool op_is_multishot(const struct op *op)
{
    return (op->flags & CPORT_MULTISHOT) != 0;
}

#endif
