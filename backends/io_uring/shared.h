/*
 * shared.h: the io_uring engine of shared ports. A thread of its own, the I/O thread, has the ring.
 *
 * Ownership. One struct shared per port, from its open to its close; the I/O thread runs from open to stop.
 * Threading. The ring, what it knows of ops, and the gather are the I/O thread's. Others leave it ops to start, ops to
 * cancel, and errands. That takes a system call only when the thread sleeps, which the box of starts knows.
 *
 * Why ops cannot be lost between the two. Whoever starts, cancels or closes holds the handle's lock until the I/O thread has been
 * told; that thread takes the same lock to end an op. So no op is final, no handle gone and no port closed while another
 * thread is still telling.
 */
#ifndef CPORT_URING_SHARED_H
#define CPORT_URING_SHARED_H

#include "gather.h"
#include "uring.h"

/* Something that only the owner of a ring may do, and that the caller waits for. */
struct errand {
    int (*run)(const struct errand *errand); /* NULL: the thread shall end */
    struct cport_port *port;
    void *object; /* a pool, or memory */
    size_t len;
    int result;
};

struct shared {
    struct uring u; /* first: it is port->engine, too */
    struct gather gather;
    struct os_thread thread; /* constant after open */
    bool ending;

    /* Written by other threads. */
    _Alignas(64) struct postbox starts;
    struct mpsc cancels;
    _Atomic(struct errand *) errand;
    struct lock errands;   /* one at a time */
    _Atomic uint32_t done; /* errands so far, and the end of open; raised by the I/O thread */

    /* What the leader sleeps on. */
    _Alignas(64) _Atomic uint32_t kicked;
    _Atomic int failure; /* error code of the ring that no wait has returned yet */
};

static inline struct shared *shared_of(const struct cport_port *port)
{
    return port->engine;
}

/* iothread.c */
struct io_start {
    struct shared *s;
    char *reason;
    size_t reason_size;
    int result; /* of opening the ring */
};
void io_thread(void *io_start);

/* shared.c: makes the leader return from its poll. */
void leader_kick(struct shared *s);

#endif
