/*
 * mail: what threads tell a worker, in the order in which they told it. A box is posted to its worker's port once for all that
 * has come in since the worker last looked: one post per core and batch, not one per parcel.
 *
 * Ownership: a parcel is the box's from mail_put until its open, which frees it or what it is a part of. Threading: mail_put
 * from any thread; the rest from the worker's.
 */
#ifndef CPORT_SERVER_MAIL_H
#define CPORT_SERVER_MAIL_H

#include <cport/cport.h>

#include <stdatomic.h>
#include <stdbool.h>

struct parcel {
    struct parcel *next; /* the box's */
    size_t bytes;        /* what it holds in memory until it is opened */
    /* On the worker's thread; worker is NULL when the box was closed before anybody looked. */
    void (*open)(struct parcel *parcel, void *worker);
};

struct mailbox {
    struct sys_lock *lock;
    struct parcel *first;
    struct parcel **last;
    bool posted;
    bool closed;
    atomic_size_t bytes; /* waiting */
    cport_port *port;
    cport_op op;
};

bool mailbox_init(struct mailbox *box); /* False: no memory. Before any other thread knows it */
void mailbox_free(struct mailbox *box); /* closes it, if nobody has */

/* From here on op's events go to the port, as user. Parcels that were put before wait for this. */
void mailbox_open(struct mailbox *box, cport_port *port, void *user);

/* The worker looks no more: parcels are opened at once, by whoever brings them, with no worker. */
void mailbox_close(struct mailbox *box);

void mail_put(struct mailbox *box, struct parcel *parcel);
/* At the event of op: opens the parcels at the front, in all bytes_max at most, but one in any case. For what is left the op has
 * another event. */
void mail_read(struct mailbox *box, void *worker, size_t bytes_max);

static inline size_t mail_waiting(struct mailbox *box)
{
    return atomic_load_explicit(&box->bytes, memory_order_relaxed);
}

#endif
