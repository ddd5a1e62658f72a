/*
 * pool.h: a pool's ports and threads, and how they end.
 *
 * Ownership. The pool is one allocation, its sites and threads another each; a worker lies on its own thread's stack, which
 * that thread was the first to touch.
 *
 * Threading. Inside the meeting unless said otherwise. A thread may hold the meeting and call into a port, never the reverse.
 *
 * How a pool ends. cport_workers_stop writes its orders into the pool and rings each site: a packet that some thread of the
 * site dequeues, obeys and answers. In turn: drain (the hook is called, handles end), thin (threads but the first leave, so
 * that from here on each port has one), rounds until one is quiet (no port has a handle or is held, and none has handed out an event
 * since it answered the round before: so no handler can have posted anything that is still under way), leave. Ports are closed
 * when every thread has left its loop.
 */
#ifndef CPORT_WORKERS_POOL_H
#define CPORT_WORKERS_POOL_H

#include <stdatomic.h>

#include "machine.h"
#include "os_thread.h"
#include "plan.h"

#include "cport/workers.h"

#define EVENTS_MAX 256u

/* Handles that are closed for their owners at a time. */
#define CLOSERS    8u

enum pool_step {
    STEP_OPEN,    /* each first thread opens its port */
    STEP_ABANDON, /* a port could not be opened */
    STEP_RUN,     /* start hooks, then events */
    STEP_DRAIN,
    STEP_THIN,
    STEP_LEAVE,
};

enum pool_cut {
    CUT_NOTHING,
    CUT_PENDING, /* what is pending is cancelled */
    CUT_HANDLES, /* handles that are still there are closed */
};

struct orders {
    enum pool_step step;
    enum pool_cut cut;
    unsigned round;
};

/* A port and its threads. */
struct site {
    struct cport_workers *pool; /* constant, as are the next three */
    unsigned index;
    struct place place;
    struct thread *threads;
    cport_port *port; /* constant from the end of STEP_OPEN */
    char reason[216]; /* constant from the end of the start, as is the next */
    unsigned bound;

    /* The first thread's, and whoever has the bell's. */
    unsigned siblings; /* threads but the first that have not been joined */
    bool drain_told;
    bool expire_told;

    unsigned reported; /* siblings whose start hooks have returned */
    bool running;      /* its first thread hands out events */
    bool rung;         /* the bell is on its way, or somebody obeys */
    struct orders obeyed;
    bool busy;                /* when last looked at: it has handles, or is held */
    _Atomic uint32_t holds;   /* packets to come from outside; its threads' */
    _Atomic uint64_t handled; /* events handed out while stopping, since the last answer */
    cport_op bell;
    cport_op alarm; /* of the first site: the deadline, as the ports' clock has it */
    cport_op closers[CLOSERS];
    bool closing[CLOSERS];
};

struct cport_workers {
    cport_workers_options opt; /* constant after open, as are all down to the meeting */
    cport_port_options port_opt;
    cport_allocator allocator;
    char name[THREAD_NAME_BYTES];
    unsigned count;
    unsigned threads_per_port;
    struct site *sites;
    size_t sites_bytes;
    struct machine *machine; /* until the pool is open */
    _Atomic bool stopping;   /* written once, before the first bell */

    struct meeting meeting;
    struct orders orders;
    unsigned arrived; /* first threads that have come to the end of the present step */
    unsigned left;    /* first threads that have left their loops */
    uint64_t round_events;
    int64_t deadline_ns; /* of the stop; constant from the first bell on */
    int error;           /* the first of a thread's */
};

/* A thread, on its own stack. */
struct worker {
    cport_worker seen; /* what hooks see */
    struct site *site;
    bool leaving;
};

/* worker.c: the body of a site's first thread. */
void site_main(void *site);
/* The worker that the calling thread is, or NULL. */
const struct worker *worker_self(void);

/* drain.c: tells the sites to come to an end, and awaits it: 0 or CPORT_ETIMEDOUT; then to leave. Enter and leave the meeting. */
int pool_drain(struct cport_workers *pool, int64_t deadline_ns);
void pool_dismiss(struct cport_workers *pool);
/* The same seen from a worker: a batch of events while the pool is stopping. */
void worker_batch_stopping(struct worker *me, cport_event *events, unsigned count);

#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
void pool_log(const struct cport_workers *pool, const char *format, ...);

#endif
