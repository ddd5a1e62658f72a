#include "worker.h"

#include "conn.h"
#include "log.h"
#include "server.h"

#include <assert.h>
#include <stdlib.h>

/* Receive buffers of all connections of a worker together: one is held only while its bytes are being parsed, or wait
 * in the queue of events. */
#define RECV_BUFFER_BYTES BUFFER_BLOCK_BYTES
#define RECV_BUFFERS      256u

/* Pushes handed out before the next sends. A worker that the system has kept waiting finds many of them, and a subscriber that
 * reads as fast as anybody could must not look slow because it had no chance to take the first before the last came. */
#define MAIL_BYTES_MAX    ((size_t)64 << 10)

static void on_handoff(struct worker *worker, const cport_event *event);
static void on_mail(struct worker *worker, const cport_event *event);

static const struct route handoff_route = {on_handoff};
static const struct route mail_route = {on_mail};

/* ---- New connections ---- */

/* A connection on its way to another worker; the socket travels as the event's result. */
struct handoff {
    cport_op op;
};

static void on_handoff(struct worker *worker, const cport_event *event)
{
    free(CPORT_CONTAINER_OF(event->op, struct handoff, op));
    conn_open(worker, (cport_os_handle)event->result);
}

void worker_accepted(struct worker *worker, cport_os_handle fd)
{
    struct server *server = worker->server;
    struct worker *target = worker;
    if (server->sockets.one_acceptor && !worker->proto)
        target = &server->workers[server->turn++ % server->worker_count];
    if (target == worker) {
        conn_open(worker, fd);
        return;
    }

    struct handoff *handoff = malloc(sizeof(*handoff));
    if (!handoff) {
        counter_add(&worker->counters, COUNTER_refused_full, 1);
        (void)cport_socket_close(fd);
        return;
    }
    cport_op_init(&handoff->op, (void *)&handoff_route);
    cport_port *port = cport_workers_port(worker->self->pool, target->index);
    int error = cport_post(port, &handoff->op, 0, (int64_t)fd);
    assert(error == 0);
    (void)error;
    counter_add(&worker->counters, COUNTER_handed_on, 1);
}

/* ---- Listening ---- */

static void listen_open(struct parcel *parcel, void *at_work)
{
    struct worker *worker = CPORT_CONTAINER_OF(parcel, struct worker, listen_order);
    if (!at_work || worker->draining)
        return;
    int error = 0;
    for (struct listener *one = worker->listeners; one && error == 0; one = one->next)
        error = listener_open(worker, one);
    if (error == 0)
        return;
    log_line(LOG_ERROR, "accept_failed", "error=%s", cport_error_name(error));
    server_fail(worker->server);
}

void worker_listen(struct worker *worker)
{
    worker->listen_order = (struct parcel){.open = listen_open};
    mail_put(worker->mail, &worker->listen_order);
}

static void listeners_close(struct worker *worker)
{
    for (struct listener *one = worker->listeners; one; one = one->next)
        listener_close(one);
}

static void quiet_open(struct parcel *parcel, void *at_work)
{
    if (at_work)
        listeners_close(CPORT_CONTAINER_OF(parcel, struct worker, quiet_order));
}

void worker_quiet(struct worker *worker)
{
    worker->quiet_order = (struct parcel){.open = quiet_open};
    mail_put(worker->mail, &worker->quiet_order);
}

/* ---- Mail ---- */

static void on_mail(struct worker *worker, const cport_event *event)
{
    (void)event;
    mail_read(worker->mail, worker, MAIL_BYTES_MAX);
    conn_flush(worker);
}

/* ---- The pool's hooks ---- */

static void worker_init(struct worker *worker, cport_worker *self)
{
    struct server *server = worker->server;
    worker->self = self;
    worker->port = self->port;
    worker->info.size = sizeof(worker->info);
    (void)cport_port_get_info(worker->port, &worker->info);
    worker->now_ns = cport_now_ns(worker->port);
    worker->unix_offset_ns = sys_unix_ns() - worker->now_ns;
    worker->config = *server->config;
    buffer_pool_init(&worker->buffers, worker->memory);
    worker->protos.worker = worker->index;
    worker->protos.frame_max = (uint32_t)worker->config.max_frame;
    worker->protos.counters = &worker->counters;
    worker->protos.shared = &server->shared;
    payload_reader_init(&worker->protos.payloads, (uint32_t)worker->config.max_frame);
}

static int start(cport_worker *me)
{
    struct worker *worker = (struct worker *)me->ctx + me->index;
    me->user = worker;
    worker_init(worker, me);
    int error = cport_bufs_open(worker->port, RECV_BUFFER_BYTES, RECV_BUFFERS, &worker->bufs);
    if (error < 0)
        worker->failed = "open a pool of receive buffers";
    else
        mailbox_open(worker->mail, worker->port, (void *)&mail_route);
    return error;
}

static void handle(cport_worker *me, const cport_event *events, unsigned count)
{
    struct worker *worker = me->user;
    worker->now_ns = cport_now_ns(worker->port);
    for (unsigned i = 0; i < count; i++) {
        const struct route *route = events[i].op->user;
        route->event(worker, &events[i]);
    }
}

/* What other workers still hand over is drained as it comes. */
static void drain(cport_worker *me)
{
    struct worker *worker = me->user;
    worker->now_ns = cport_now_ns(worker->port);
    worker->draining = true;
    listeners_close(worker);
    for (struct conn *conn = worker->conns, *next; conn; conn = next) {
        next = conn_next(conn);
        conn_drain(conn);
    }
}

static void expire(cport_worker *me)
{
    struct worker *worker = me->user;
    worker->now_ns = cport_now_ns(worker->port);
    worker->expired = true;
    if (worker->conns && !worker->proto)
        log_line(LOG_WARN, "drain_timeout", "worker=%u", worker->index);
    for (struct conn *conn = worker->conns, *next; conn; conn = next) {
        next = conn_next(conn);
        conn_expire(conn);
    }
}

static void stop(cport_worker *me)
{
    struct worker *worker = me->user;
    mailbox_close(worker->mail);
    payload_reader_clear(&worker->protos.payloads);
    buffer_pool_drain(&worker->buffers);
    (void)cport_bufs_close(worker->bufs);
}

/* A server that has lost a part of its clients is better begun anew than left to seem whole. */
static void fail(cport_worker *me, int error)
{
    const struct worker *worker = me->user;
    log_line(
        LOG_ERROR, "wait_failed", "worker=%u error=%s", worker->index, cport_error_name(error));
    server_fail(worker->server);
}

void worker_hooks(cport_workers_options *options)
{
    options->start = start;
    options->handle = handle;
    options->drain = drain;
    options->expire = expire;
    options->stop = stop;
    options->fail = fail;
}
