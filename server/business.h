/*
 * business: a few threads for what may block: password hashes, files, functions that the embedding program registered. A worker
 * hands a task over and gets its op back as an event of its own port once it is done, so that no connection's handler ever
 * waits.
 *
 * Two lanes. A slow task is one that may take long (a hash, a registered function); slow tasks leave one thread free for the
 * others, so that a file is not read later because many log in.
 *
 * The queue has no limit of its own: a connection has at most one task.
 *
 * Ownership: a task is the caller's, and the pool's from business_start until its event. Threading: business_submit from any
 * thread; open and close from the one that owns the pool.
 */
#ifndef CPORT_SERVER_BUSINESS_H
#define CPORT_SERVER_BUSINESS_H

#include <cport/cport.h>

#include <stdbool.h>

struct task {
    void (*run)(struct task *task); /* on a thread of the pool */
    bool slow;
    cport_port *port; /* where op is posted when it is done */
    cport_op op;
    struct task *next; /* the pool's */
};

struct business;

struct business *business_open(
    unsigned threads); /* at least 2 are started. NULL: no memory, no threads */
void business_submit(struct business *business, struct task *task);
void business_close(struct business *business); /* runs what is queued first */

#endif
