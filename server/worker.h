/*
 * worker: one thread, one SINGLE port, and the connections that live on it for good.
 *
 * Ownership: the server owns the workers; a worker owns its port, its listener, its connections and their memory.
 * Threading: everything in a worker belongs to its thread, but for what is marked.
 */
#ifndef CPORT_SERVER_WORKER_H
#define CPORT_SERVER_WORKER_H

#include "buffer.h"
#include "config.h"
#include "listener.h"
#include "mail.h"
#include "os.h"
#include "proto.h"

#include <cport/cport.h>
#include <stdatomic.h>

struct conn;
struct server;
struct worker;

/* Where an op's events go: every op of the server has one of these as its user. */
struct route {
    void (*event)(struct worker *worker, const cport_event *event);
};

struct worker {
    struct server *server; /* constant after start, as all down to the gates */
    unsigned index;
    int processor;               /* < 0: not bound */
    cport_os_handle listener_fd; /* CPORT_OS_HANDLE_INVALID: none */
    size_t memory;               /* that the buffers of its connections may hold together */
    atomic_uint *slots;          /* the connections that count as its own do */
    uint32_t slots_max;          /* and how many there may be */
    struct sys_thread *thread;
    struct sys_gate *started;
    struct sys_gate *quiet; /* opened when the worker accepts no more */

    int error; /* of the start: 0 or a CPORT_E… and what failed; read after `started` */
    const char *failed;
    cport_port_info info;
    cport_port *port; /* any thread may post to it until the worker is told to drain */
    cport_op quiet_op;
    cport_op drain_op;

    struct mailbox *mail;     /* any thread puts into it; the server's */
    struct counters counters; /* read by any thread */

    struct config config; /* the server's */
    cport_bufs *bufs;
    struct buffer_pool buffers;
    struct proto_context protos;
    struct listener listener; /* whose protocol is constant after start, too */
    int64_t now_ns;           /* when the events being handled were dequeued */
    int64_t unix_offset_ns;   /* from the port's clock to nanoseconds since 1970 */
    struct conn *conns;
    struct conn *dirty; /* see conn_flush */
    bool draining;
    cport_op drain_timer;
};

bool worker_start(struct worker *worker); /* from the server's thread; then wait for `started` */
void worker_join(struct worker *worker);

/* From the server's thread, each at most once, in this order. */
void worker_quiet(struct worker *worker); /* stop accepting; then wait for `quiet` */
void worker_drain(struct worker *worker); /* let the connections end, then the thread */

/* Takes a new connection, or hands it to the worker whose turn it is. */
void worker_accepted(struct worker *worker, cport_os_handle fd);

#endif
