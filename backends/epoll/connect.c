/*
 * connect.c: one attempt at an accept, a connect or a poll, without waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "epoll.h"

int epoll_set_nonblocking(struct cport_handle *h)
{
    if (h->engine_bits & NONBLOCKING)
        return 0;
    int flags = fcntl(h->fd, F_GETFL);
    if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(h->fd, F_SETFL, flags | O_NONBLOCK) < 0))
        return errno;
    set_bits(h, NONBLOCKING);
    return 0;
}

static int accept_error(struct op *op, int error)
{
    bool starved = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
    if (!starved || !op_is_multishot(op))
        return failed(op, error);
    op->aux = (uint32_t)error;
    op->result = error_from_errno(error);
    return TRY_STARVED;
}

int epoll_try_accept(struct op *op)
{
    struct cport_handle *h = op->handle;
    int error = epoll_set_nonblocking(h);
    if (error)
        return failed(op, error);
    for (;;) {
        int fd = accept4(h->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            op->bits &= (uint16_t)~OP_EPISODE;
            op->result = fd;
            return op_is_multishot(op) ? TRY_MORE : START_DONE;
        }
        error = errno;
        if (error == EAGAIN)
            return wait_readable(op);
        if (error == ECONNABORTED || error == EPROTO)
            port_count(h->port, &h->port->stats.accept_aborted);
        else if (error != EINTR)
            return accept_error(op, error);
    }
}

/* A connect in progress looks unconnected, and has no error yet; only a peer's name proves that it is through. */
static int try_connected(struct op *op)
{
    int fd = op->handle->fd, error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    if (error)
        return failed(op, error);
    struct sockaddr_storage peer;
    len = sizeof(peer);
    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
        return errno == ENOTCONN ? wait_writable(op) : failed(op, errno);
    return done(op, 0);
}

#define CONNECT_STARTED 1u

int epoll_try_connect(struct op *op)
{
    struct cport_handle *h = op->handle;
    if (op->engine[0] == CONNECT_STARTED)
        return try_connected(op);
    int error = epoll_set_nonblocking(h);
    if (error)
        return failed(op, error);
    /* What the unconnected socket has told so far (EPOLLHUP) is no news of the connection. */
    clear_bits(h, RD_READY | RD_HUP);
    const struct sockaddr *address = (const struct sockaddr *)&op->connect.address->address;
    if (connect(h->fd, address, op->connect.len) == 0)
        return done(op, 0);
    if (errno == EAGAIN && address->sa_family == AF_UNIX) {
        /* The listener's queue is full, and nobody would tell when it is not. */
        op->aux = EAGAIN;
        return done(op, CPORT_ECONNREFUSED);
    }
    if (errno != EINPROGRESS && errno != EINTR)
        return failed(op, errno);
    op->engine[0] = CONNECT_STARTED;
    return wait_writable(op);
}

int epoll_try_poll(struct op *op)
{
    uint32_t mask = op->poll_mask;
    struct pollfd p = {.fd = op->handle->fd};
    p.events = (short)((mask & CPORT_POLL_IN ? POLLIN | POLLRDHUP : 0) |
                       (mask & CPORT_POLL_OUT ? POLLOUT : 0));
    int n;
    do
        n = poll(&p, 1, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return failed(op, errno);
    int64_t got = 0;
    if (p.revents & (POLLIN | POLLRDHUP))
        got |= mask & CPORT_POLL_IN;
    if (p.revents & POLLOUT)
        got |= mask & CPORT_POLL_OUT;
    if (p.revents & POLLERR)
        got |= CPORT_POLL_ERR;
    if (p.revents & POLLHUP)
        got |= CPORT_POLL_HUP;
    if (got)
        return done(op, got);
    if (mask & CPORT_POLL_OUT)
        epoll_watch_out(op->handle);
    return START_PENDING;
}
