/*
 * offload.h: a port's own threads, for what no kernel call does without blocking: files beside
 * epoll, name lookups.
 *
 * Ownership. One pool in every port. Its threads start when there is work and stay until the port
 * closes. A job lies in its op's engine scratch and is the pool's from offload_run until `end` is
 * called, or offload_cancel returns true.
 *
 * Threading. offload_run and offload_cancel from any thread that may use the port, locks held or
 * not. `run` is called by a thread of the pool, without a lock. `end` is called where the port may
 * be used: in the wait of a SINGLE port's owner, or by whichever thread on a shared one; without a
 * lock, either.
 *
 * Ends come in batches. SINGLE ports: the first to end after the owner has looked leaves one
 * packet, the bell, in the port's postbox, and the others join it. So an owner that is busy is
 * never woken, and one that sleeps is woken once. Shared ports: while one thread of the pool ends
 * what has run, the others leave theirs to it.
 */
#ifndef CPORT_OFFLOAD_H
#define CPORT_OFFLOAD_H

#include "list.h"
#include "lock.h"
#include "op.h"
#include "os.h"

struct harvest;

/* What jobs of one kind do. */
struct job_kind {
    /* Blocks as long as it takes. Sets op->result, ->transferred and ->aux, and touches nothing
     * else that a cancel may. */
    void (*run)(struct op *op);
    /* Makes the op final: handle_op_final under its handle's lock, or port_ready for an op
     * without a handle. out may be NULL; otherwise it has room for one event. */
    void (*end)(struct op *op, struct harvest *out);
};

struct job {
    struct list link; /* among those that wait; `next` alone among those that have ended */
    const struct job_kind *kind;
    uint64_t begun; /* not among those that wait any more */
} CPORT_MAY_ALIAS;
_Static_assert(sizeof(struct job) <= sizeof(((struct op *)0)->engine), "a job fits the scratch");

struct offload {
    unsigned most; /* threads; constant after open */
    struct lock lock;
    struct list waiting; /* jobs that nobody has begun, oldest first; under lock with the next */
    struct job *ended;   /* seven; newest first */
    bool answering;      /* shared ports: a thread is at work on those */
    unsigned started;    /* threads */
    unsigned idle;       /* of them: asleep, or about to be */
    unsigned called;     /* of the idle ones: woken, and not up yet */
    bool stopping;
    struct os_thread *threads; /* `most` of them, from the first job on */
    _Atomic uint32_t word;     /* what idle threads sleep on: raised for each call */
    struct post_node bell;     /* in the port's postbox from the first end to the owner's look */
};

#define OFFLOAD_THREADS_DEFAULT 4u
#define OFFLOAD_THREADS_MOST    1024u

void offload_init(struct offload *pool, unsigned threads_most);
/* The port has no handles, and nobody waits at it: jobs that nobody has begun end with
 * CPORT_ECANCELED; waits for the others. */
void offload_close(struct cport_port *port);

/* Hands op to the pool. 0; CPORT_ENOMEM: there is no thread, and none can be had. */
int offload_run(struct cport_port *port, struct op *op, const struct job_kind *kind);
/* True: nobody had begun the job, and nobody will; its end will not be called. */
bool offload_cancel(struct cport_port *port, struct op *op);

/* Owner of a SINGLE port, having found the bell: calls the ends. */
void offload_answer(struct cport_port *port);
/* The `end` of an op that has a handle: it is final with op->result. */
void offload_end_of_handle(struct op *op, struct harvest *out);
/* Calls the op's end: for engines whose kernel hands ended jobs on (backend->job_ended). */
void offload_end(struct op *op, struct harvest *out);

#endif
