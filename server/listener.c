#include "listener.h"

#include "log.h"
#include "server.h"

static void on_accept(struct worker *worker, const cport_event *event);
static void on_closed(struct worker *worker, const cport_event *event);

static const struct route accept_route = {on_accept};
static const struct route close_route = {on_closed};

static void on_accept(struct worker *worker, const cport_event *event)
{
    if (event->result >= 0) {
        counter_add(&worker->counters, COUNTER_accepted, 1);
        worker_accepted(worker, (cport_os_handle)event->result);
        return;
    }
    if (event->flags & CPORT_MORE) {
        /* A want of descriptors or memory: the accept goes on by itself. */
        log_line(LOG_WARN, "accept_paused", "error=%s", cport_error_name((int)event->result));
        return;
    }
    if (event->result == CPORT_ECANCELED)
        return;
    /* A server that no longer accepts is of no use, and hiding that would be worse than ending. */
    log_line(LOG_ERROR, "accept_failed", "error=%s system=%u", cport_error_name((int)event->result),
        (unsigned)event->aux);
    server_fail(worker->server);
}

static void on_closed(struct worker *worker, const cport_event *event)
{
    struct server *server = worker->server;
    struct listener *listener = CPORT_CONTAINER_OF(event->op, struct listener, close_op);
    listener->handle = NULL;
    if (atomic_fetch_sub_explicit(&server->listening, 1, memory_order_relaxed) == 1)
        takeover_let_go(server->takeover);
}

int listener_open(struct worker *worker, struct listener *listener)
{
    cport_os_handle fd = listener->fd;
    listener->fd = CPORT_OS_HANDLE_INVALID;
    cport_op_init(&listener->accept_op, (void *)&accept_route);
    cport_op_init(&listener->close_op, (void *)&close_route);

    int error = cport_attach(worker->port, fd, 0, 0, &listener->handle);
    if (error < 0) {
        listener->handle = NULL;
        cport_socket_close(fd);
        return error;
    }
    /* relaxed, as below: none is closed before all have been told to open */
    atomic_fetch_add_explicit(&worker->server->listening, 1, memory_order_relaxed);
    return cport_accept(listener->handle, &listener->accept_op, CPORT_MULTISHOT);
}

void listener_close(struct listener *listener)
{
    if (listener->handle)
        (void)cport_close(listener->handle, &listener->close_op, 0);
}
