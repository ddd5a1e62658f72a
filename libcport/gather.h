/*
 * gather.h: events that a thread of an engine's own has found, on their way into the port's ready list.
 *
 * Ownership. The engine's. An op that has ended is its own place in a list. A multishot op is not, since it may have any number of
 * events at once: each of those rides in a parcel. There are so many parcels and no more; when all are on their way
 * the thread has to let its completions be until some have been opened.
 * Threading. The gathering thread's, but for `emptied` and `wanting`, which are under the port's lock, and `published`.
 *
 * What one thread finds joins the ready list in one piece, in the order in which it was found: one lock and at most one wake for
 * all of it. Until then nobody else may queue a later event of the same handle. Those of ops that the engine has come
 * through the gatherer and nobody else; the rest have no order to keep.
 */
#ifndef CPORT_GATHER_H
#define CPORT_GATHER_H

#include "port.h"

struct gather {
    struct cport_port *port; /* constant after open, as are the next two */
    void (*refilled)(struct gather *g);
    struct op *memory;           /* of the parcels */
    struct ready found;          /* not the port's yet */
    struct op *parcels;          /* empty, linked by `next` */
    struct op *emptied;          /* the same, handed back by waiting threads */
    bool wanting;                /* the thread has stopped, and waits for `refilled` */
    uintptr_t turn;              /* the number of what is in `found` */
    _Atomic uintptr_t published; /* the last number that has become the port's; any thread's */
};

/* CPORT_ENOMEM. `refilled` is called with the port's lock held, once after gather_want has returned true. */
int gather_open(struct gather *g, struct cport_port *port, void (*refilled)(struct gather *g));
void gather_close(struct gather *g);

/* Whether there is room for the event of a multishot op. */
bool gather_has_room(struct gather *g);
/* True: there is none, and `refilled` will tell. */
bool gather_want(struct gather *g);
/* Such an event. Needs room. */
void gather_more(struct gather *g, struct op *op, int64_t result, uint32_t flags, uint32_t aux);
/* What has been found is the port's now. False: nothing has. */
bool gather_publish(struct gather *g);

/* The event of a parcel that was ready goes into out. The port's lock is held. */
void parcel_deliver(struct op *parcel, struct harvest *out);
/* Nobody will ever get it: a socket in it is closed. */
void parcel_drop(struct op *parcel);

#endif
