/*
 * handle.h: a socket or a file attached to a port, and the operations it has.
 *
 * Ownership. From the port's slab, whose memory stays until the port is closed: a stale pointer finds a struct whose
 * generation has moved on, never foreign memory.
 *
 * Threading. All under `lock`, which SINGLE ports skip. A handle's lock is taken before its port's, never after.
 *
 * One operation per direction is with the engine at a time; the others wait here. That is what keeps receives in
 * order and sends whole on every system (the kernel promises neither for several at once). Operations on files and polls have no
 * direction: each says where it reads or writes, and all of them are with the engine at once.
 */
#ifndef CPORT_HANDLE_H
#define CPORT_HANDLE_H

#include <assert.h>

#include "lock.h"
#include "op.h"

enum handle_state {
    HANDLE_FREE,
    HANDLE_CLOSING, /* refuses new operations; waits for the old ones to become final */
    HANDLE_CLOSED,  /* the engine closes the descriptor; only the close event is to come */
    HANDLE_BORROWED, /* open, but somebody else's descriptor: takes polls alone. From here on: open */
    HANDLE_FILE,     /* a file: takes file operations alone */
    HANDLE_OPEN,     /* a socket: takes all others */
};

/* What the descriptor is, in cport_handle.traits. */
#define HANDLE_SOCKET   0x01u
#define HANDLE_STREAM   0x02u
#define HANDLE_DATAGRAM 0x04u
#define HANDLE_UNIX     0x08u /* told of datagram sockets only */
#define HANDLE_QUIET                                                                               \
    0x10u /* an IP datagram socket that does not tell of unreachable ports: CPORT_ATTACH_UNREACHABLE */

/* A queue of ops; the head is with the engine (OP_STARTED or OP_PAUSED), the rest OP_QUEUED. */
struct dir {
    struct op *head;
    struct op *tail;
};

/* There may be a million of them. What operations and events on sockets touch comes first: 64 bytes where descriptors are
 * numbers. */
struct cport_handle {
    uintptr_t key;           /* constant while attached; the slab's link while free */
    struct cport_port *port; /* constant while attached, and readable afterwards */
    cport_os_handle fd;      /* constant while attached, as is `given` */
    uint32_t generation;     /* kept, and raised, from one life to the next */
    struct dir rd;           /* accept, recv */
    struct dir wr;           /* connect, send, shutdown; see handle_close_op */
    uint32_t pending;        /* accepted operations that are not final, without the close */
    uint8_t state;
    uint8_t engine_bits; /* engine's */
    uint8_t traits;      /* HANDLE_…; constant while attached */
    bool file : 1;       /* set by backend->attach, as is the next */
    bool direct : 1;     /* a file whose transfers go past the system's cache */

    struct op *unordered; /* polls, file operations, sends that linger; all OP_STARTED */
    union {
        void *engine;                     /* engine's, as it likes */
        struct cport_handle *engine_next; /* in a list of its */
    };
    struct lock lock;          /* kept from one life to the next: a late reader may still hold it */
    cport_os_handle given;     /* the caller's name for fd: another one if that is borrowed */
    _Atomic uint32_t passages; /* a file's: sendfiles of any port that read it */
    _Atomic uint32_t
        queued; /* engine's: events in the kernel's own queue; kept across lives, since they outlive the handle */
};
_Static_assert(
    sizeof(void *) != 8 || sizeof(cport_os_handle) != 4 || sizeof(struct cport_handle) == 96,
    "cport-bench idle pays 96 bytes for each connection's");

struct harvest;

/* What backend->start and ->close_handle answer (or an error code: refused). */
#define START_PENDING 0
#define START_DONE    1

/* Engines call these, with the handle's lock held on shared ports. */

/* The op has ended with `result`, and op->transferred and ->aux are set: unlink it, give back what it captured, put its
 * event into `out` where there is room and into the ready list otherwise, then start the next of its direction or go on with
 * the handle's closing. `out` may be NULL. */
void handle_op_final(struct op *op, int64_t result, struct harvest *out);

/* The head of the sending direction has come to its end, but the kernel still holds its memory: the next may start, and
 * handle_op_final comes when it is free. From here on `cancel` may be asked any number of times, and ends nothing. */
void handle_op_linger(struct op *op, struct harvest *out);

/* One event of a multishot op that stays armed. Needs room: the caller checks harvest_full first. */
void handle_op_more(
    struct op *op, int64_t result, uint32_t flags, uint32_t aux, struct harvest *out);

/* A multishot accept met a want of descriptors or memory: tell it once per episode, pause on the wheel. Needs room. The core
 * calls backend->start again when the pause is over. A one-shot accept just ends with the error. */
void handle_accept_starved(struct op *op, int error, uint32_t raw, struct harvest *out);

/* The descriptor is closed: the close op's event, then the handle is free. */
void handle_closed(struct cport_handle *h, struct harvest *out);

/* For the core's own files. Submit takes an op whose kind, flags and arguments are set, and its direction. */
int handle_submit(struct cport_handle *h, struct dir *d, struct op *op);
/* The same for one that is in no direction. */
int handle_submit_unordered(struct cport_handle *h, struct op *op);
int handle_cancel(struct op *op);
/* The pause of an accept is over (state OP_RESUMED): start it again. */
void handle_accept_resume(struct op *op);

static inline bool handle_is_open(const struct cport_handle *h)
{
    return h->state >= HANDLE_BORROWED;
}

/* The close of a handle that is closing or closed. It takes no more operations, so it needs no end of a queue to append them to. */
static inline struct op *handle_close_op(const struct cport_handle *h)
{
    assert(h->state == HANDLE_CLOSING || h->state == HANDLE_CLOSED);
    return h->wr.tail;
}

static inline void handle_set_close_op(struct cport_handle *h, struct op *op)
{
    h->wr.tail = op;
}

static inline struct dir *handle_dir(struct cport_handle *h, const struct op *op)
{
    return op->kind <= OP_RECV_POOLED ? &h->rd : &h->wr;
}

#endif
