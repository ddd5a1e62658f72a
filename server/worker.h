/*
 * worker: one thread of a pool, its SINGLE port, and the connections that live on it for good.
 *
 * Ownership: the server owns the workers, a pool their threads and ports; a worker owns its listener, its connections and their
 * memory. Threading: everything in a worker belongs to its thread, but for what is marked.
 */
#ifndef CPORT_SERVER_WORKER_H
#define CPORT_SERVER_WORKER_H

#include "buffer.h"
#include "config.h"
#include "listener.h"
#include "mail.h"
#include "os.h"
#include "proto.h"

#include <cport/workers.h>
#include <stdatomic.h>

struct conn;
struct server;
struct worker;

/* Where an op's events go: every op of the server has one of these as its user. */
struct route {
    void (*event)(struct worker *worker, const cport_event *event);
};

struct worker {
    struct server *server; /* constant after start, as all down to the mail */
    unsigned index;
    const struct proto *proto; /* of all its connections; NULL: their first byte chooses */
    size_t memory;             /* that the buffers of its connections may hold together, at first */
    atomic_uint *slots;        /* the connections that count as its own do */
    cport_worker *self;
    cport_port *port;
    cport_port_info info;

    const char *failed; /* NULL, or what failed at the start */
    struct parcel listen_order;
    struct parcel quiet_order;

    struct mailbox *mail;     /* any thread puts into it; the server's */
    struct counters counters; /* read by any thread */

    struct config config; /* the server's */
    uint32_t slots_max;   /* how many connections there may be */
    cport_bufs *bufs;
    struct buffer_pool buffers;
    struct proto_context protos;
    struct listener *listeners; /* the server adds them before the start, and frees them */
    int64_t now_ns;             /* when the events being handled were dequeued */
    int64_t unix_offset_ns;     /* from the port's clock to nanoseconds since 1970 */
    struct conn *conns;
    struct conn *dirty; /* see conn_flush */
    bool draining;
    bool expired; /* the time to drain is over */
};

/* Fills in the hooks of a pool. Its ctx is the worker of its first port; the others follow. */
void worker_hooks(cport_workers_options *options);

/* From any thread, each once: it begins to accept, and does so no more. */
void worker_listen(struct worker *worker);
void worker_quiet(struct worker *worker);

/* Takes a new connection, or hands it to the worker whose turn it is. */
void worker_accepted(struct worker *worker, cport_os_handle fd);

#endif
