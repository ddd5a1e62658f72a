/*
 * crew.h: the threads of a shared port, and the slots that they run in.
 *
 * Ownership. A member is its thread's, for the thread's life; it is listed with the port of its last wait.
 *
 * Threading. All of it under the port's lock unless said otherwise. Membership changes under `members_lock` (wait_shared.c),
 * which is taken before a member's, and that before a port's.
 *
 * A slot belongs to an active thread from its wait's return to its next wait. Each time is numbered: whoever has seen a thread
 * without the lock (the monitor) names the dispatch it saw, and finds nobody when that is over.
 */
#ifndef CPORT_CREW_H
#define CPORT_CREW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "canary.h"
#include "lock.h"

struct cport_port;
struct op;

/* What the monitor saw of a thread. */
struct look {
    uint64_t dispatch;
    int64_t at_ns;
    int64_t cpu_ns;
};

/* A thread, as the port of its last wait knows it. */
struct member {
    _Atomic(struct cport_port *) port; /* set by its thread, cleared by the port's close */
    struct lock lock;                  /* holds the port open for a call that did not name it */
    struct member *next;               /* in crew.members */
    struct member *older;              /* in the stack of parked threads */
    _Atomic uint32_t word;             /* raised to wake it */
    bool parked;
    bool active;
    bool
        blocked; /* active, but its slot is free: it has said, or the monitor has seen, that it blocks */
    unsigned nested; /* open calls of blocking_begin */
    uint64_t dispatch;
    struct look look;

    bool hooked;      /* its thread's alone, as are the next two: its exit will be seen */
    unsigned taken;   /* events of the last wait */
    int64_t since_ns; /* when it returned; 0: nobody asks */

    uint32_t thread; /* monitor_describe's, constant while listed: the system's number of it */
    int cpu;         /* and the one processor that it is bound to, or -1 */
};

/* Everything about several threads on one port. */
struct crew {
    uint32_t concurrency;    /* constant after open, as is the next */
    bool watched;            /* to be, by the monitor, once there are several threads */
    _Atomic uint32_t active; /* slots in use; read without the lock by the canary */
    uint32_t blocked;        /* active members whose slots are free */
    uint32_t inside;         /* threads inside cport_wait */
    uint32_t waking;         /* threads taken from the stack that have yet to look */
    struct member *newest;   /* parked threads, newest first */
    struct member *leader;   /* the thread that polls the engine, if any */
    bool called;             /* it has been woken, and not come back yet */
    struct member *holder;   /* a thread with harvested events that waits for a slot */
    struct member *members;  /* threads whose last wait was here */
    uint64_t dispatches;     /* the number of the last */
    int64_t event_ns;        /* how long handlers take, about */
    bool closing;
    _Atomic uint32_t left; /* raised when a closing port's last waiter leaves */

    struct {
        struct cport_port *next; /* the monitor's list, under its lock, as is the next */
        bool due;                /* the last tick asked for another */
        bool on;                 /* the port is in it */
        _Atomic bool
            awake; /* no need to stir the monitor: it ticks for this port, or there is none */
        _Atomic bool alert; /* the canary's call */
        uint64_t mark;      /* dispatches at the last tick */
        unsigned quiet;     /* ticks without a dispatch */
        unsigned fast;      /* quick ticks still to come */
        unsigned calm;      /* ticks since a hand-over */
        unsigned skip; /* members looked at by the last tick, when there are too many for one */
    } watch;
    struct canary canary;
};

static inline uint32_t crew_active(const struct crew *crew)
{
    return atomic_load_explicit(&((struct crew *)(uintptr_t)crew)->active, memory_order_relaxed);
}

static inline void crew_add_active(struct crew *crew, int by)
{
    /* relaxed: the lock orders it, and the canary has an exchange of its own */
    atomic_store_explicit(&crew->active, crew_active(crew) + (uint32_t)by, memory_order_relaxed);
}

/* wait_shared.c. The port's lock is held, except in wait, close and leave. Close waits until every waiter has left; leave: the
 * calling thread's next wait is on a port that has no crew. */
int port_wait_shared(struct cport_port *port, cport_event *ev, unsigned max, int64_t timeout_ns);
void crew_init(struct crew *crew, uint32_t concurrency, bool watch); /* of zeroed memory */
void crew_more_work(struct cport_port *port);
void crew_post(struct cport_port *port, struct op *op); /* without the lock */
void crew_kick(struct cport_port *port);
void crew_wake(struct cport_port *port);
void crew_offer_slot(struct cport_port *port);
void crew_close(struct cport_port *port);
void crew_leave(void);
/* Polls the engine in the place of threads that are all blocked: what ends is queued. */
void crew_pump(struct cport_port *port);

/* handover.c. The port's lock is held: the member's slot is free, or in use again. */
void crew_block(struct cport_port *port, struct member *m);
void crew_unblock(struct cport_port *port, struct member *m);

/* The calling thread as a member. Its port may be closed by others at any time, unless the member is locked. */
struct member *crew_self(void);

#endif
