#include "worker.h"

#include "conn.h"
#include "log.h"
#include "server.h"

#include <assert.h>
#include <stdlib.h>

#define EVENTS_MAX        64u

/* Receive buffers of all connections of a worker together: one is held only while its bytes are being parsed, or wait
 * in the queue of events. */
#define RECV_BUFFER_BYTES BUFFER_BLOCK_BYTES
#define RECV_BUFFERS      256u

/* Pushes handed out before the next sends. A worker that the system has kept waiting finds many of them, and a subscriber that
 * reads as fast as anybody could must not look slow because it had no chance to take the first before the last came. */
#define MAIL_BYTES_MAX    ((size_t)64 << 10)

static void on_quiet(struct worker *worker, const cport_event *event);
static void on_drain(struct worker *worker, const cport_event *event);
static void on_drain_timeout(struct worker *worker, const cport_event *event);
static void on_handoff(struct worker *worker, const cport_event *event);
static void on_mail(struct worker *worker, const cport_event *event);

static const struct route quiet_route = {on_quiet};
static const struct route drain_route = {on_drain};
static const struct route drain_timeout_route = {on_drain_timeout};
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
    conn_open(worker, (cport_os_handle)event->result, NULL);
}

void worker_accepted(struct worker *worker, cport_os_handle fd)
{
    struct server *server = worker->server;
    struct worker *target = worker;
    if (server->one_acceptor)
        target = &server->workers[server->turn++ % server->worker_count];
    if (target == worker) {
        conn_open(worker, fd, NULL);
        return;
    }

    struct handoff *handoff = malloc(sizeof(*handoff));
    if (!handoff) {
        counter_add(&worker->counters, COUNTER_refused_full, 1);
        (void)cport_socket_close(fd);
        return;
    }
    cport_op_init(&handoff->op, (void *)&handoff_route);
    int error = cport_post(target->port, &handoff->op, 0, (int64_t)fd);
    assert(error == 0);
    (void)error;
    counter_add(&worker->counters, COUNTER_handed_on, 1);
}

/* ---- Start ---- */

static int failed(struct worker *worker, const char *what, int error)
{
    worker->failed = what;
    return error;
}

static void log_port(void *ctx, const char *line)
{
    struct worker *worker = ctx;
    log_line(LOG_DEBUG, "port", "worker=%u %s", worker->index, line);
}

static int worker_open(struct worker *worker)
{
    const struct config *config = &worker->config;
    cport_port_options options = {.size = sizeof(options),
        .flags = CPORT_PORT_SINGLE,
        .backend = (uint32_t)config->backend,
        .log = log_port,
        .log_ctx = worker};
    int error = cport_port_open(&options, &worker->port);
    if (error < 0)
        return failed(worker, "open a port", error);
    worker->info.size = sizeof(worker->info);
    error = cport_port_get_info(worker->port, &worker->info);
    if (error < 0) {
        failed(worker, "ask the port", error);
        goto close_port;
    }
    error = cport_bufs_open(worker->port, RECV_BUFFER_BYTES, RECV_BUFFERS, &worker->bufs);
    if (error < 0) {
        failed(worker, "open a pool of receive buffers", error);
        goto close_port;
    }
    worker->now_ns = cport_now_ns(worker->port);
    worker->unix_offset_ns = sys_unix_ns() - worker->now_ns;
    mailbox_open(worker->mail, worker->port, (void *)&mail_route);
    return 0;

close_port:
    (void)cport_port_close(worker->port);
    return error;
}

static void worker_init(struct worker *worker)
{
    struct server *server = worker->server;
    worker->config = *server->config;
    cport_op_init(&worker->quiet_op, (void *)&quiet_route);
    cport_op_init(&worker->drain_op, (void *)&drain_route);
    cport_op_init(&worker->drain_timer, (void *)&drain_timeout_route);
    buffer_pool_init(&worker->buffers, worker->memory);
    worker->protos.worker = worker->index;
    worker->protos.frame_max = (uint32_t)worker->config.max_frame;
    worker->protos.counters = &worker->counters;
    worker->protos.shared = &server->shared;
    payload_reader_init(&worker->protos.payloads, (uint32_t)worker->config.max_frame);
}

/* ---- Stop ---- */

static void on_quiet(struct worker *worker, const cport_event *event)
{
    (void)event;
    listener_close(&worker->listener);
}

static void on_drain(struct worker *worker, const cport_event *event)
{
    (void)event;
    worker->draining = true;
    for (struct conn *conn = worker->conns, *next; conn; conn = next) {
        next = conn_next(conn);
        conn_drain(conn);
    }
    /* Who monitors is owed no time once the clients have gone. */
    int64_t patience_ns = worker->listener.proto ? 0 : worker->config.drain_timeout_ns;
    (void)cport_timer(worker->port, &worker->drain_timer, worker->now_ns + patience_ns, 0);
}

static void on_drain_timeout(struct worker *worker, const cport_event *event)
{
    (void)event;
    if (worker->conns)
        log_line(LOG_WARN, "drain_timeout", "worker=%u", worker->index);
    for (struct conn *conn = worker->conns, *next; conn; conn = next) {
        next = conn_next(conn);
        conn_expire(conn);
    }
}

/* ---- Mail ---- */

static void on_mail(struct worker *worker, const cport_event *event)
{
    (void)event;
    mail_read(worker->mail, worker, MAIL_BYTES_MAX);
    conn_flush(worker);
}

/* ---- The thread ---- */

static void worker_loop(struct worker *worker)
{
    cport_event events[EVENTS_MAX];
    while (!worker->draining || worker->conns || worker->listener.handle) {
        int count = cport_wait(worker->port, events, EVENTS_MAX, -1);
        if (count < 0) {
            log_line(LOG_ERROR, "wait_failed", "error=%s", cport_error_name(count));
            abort();
        }
        worker->now_ns = cport_now_ns(worker->port);
        for (int i = 0; i < count; i++) {
            const struct route *route = events[i].op->user;
            route->event(worker, &events[i]);
        }
    }
}

static int worker_listen(struct worker *worker)
{
    worker->listener.closed = worker->quiet;
    if (worker->listener_fd == CPORT_OS_HANDLE_INVALID)
        return 0;
    int error = listener_open(worker, &worker->listener, worker->listener_fd);
    worker->listener_fd = CPORT_OS_HANDLE_INVALID;
    return error < 0 ? failed(worker, "start to accept", error) : 0;
}

static void worker_main(void *arg)
{
    struct worker *worker = arg;
    if (worker->processor >= 0 && !sys_thread_bind((unsigned)worker->processor))
        log_line(LOG_WARN, "not_bound", "worker=%u processor=%d", worker->index, worker->processor);
    worker_init(worker);
    worker->error = worker_open(worker);
    if (worker->error == 0)
        worker->error = worker_listen(worker);
    bool has_port = worker->bufs != NULL;
    sys_gate_open(worker->started);
    if (!has_port)
        return;

    worker_loop(worker);
    mailbox_close(worker->mail);
    payload_reader_clear(&worker->protos.payloads);
    buffer_pool_drain(&worker->buffers);
    (void)cport_bufs_close(worker->bufs);
    int error = cport_port_close(worker->port);
    assert(error == 0);
    (void)error;
}

bool worker_start(struct worker *worker)
{
    worker->started = sys_gate_new();
    worker->quiet = sys_gate_new();
    return worker->started && worker->quiet &&
           sys_thread_start(worker_main, worker, &worker->thread);
}

void worker_join(struct worker *worker)
{
    if (worker->thread)
        sys_thread_join(worker->thread);
    sys_gate_free(worker->started);
    sys_gate_free(worker->quiet);
    if (worker->listener_fd != CPORT_OS_HANDLE_INVALID)
        (void)cport_socket_close(worker->listener_fd);
}

void worker_quiet(struct worker *worker)
{
    (void)cport_post(worker->port, &worker->quiet_op, 0, 0);
}

void worker_drain(struct worker *worker)
{
    (void)cport_post(worker->port, &worker->drain_op, 0, 0);
}
