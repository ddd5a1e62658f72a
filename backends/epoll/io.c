/*
 * io.c: one attempt at an operation, without waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "epoll.h"
#include "error.h"

static void clear_bits(struct cport_handle *h, unsigned bits)
{
    h->engine_bits &= (uint8_t)~bits;
}

static void set_bits(struct cport_handle *h, unsigned bits)
{
    h->engine_bits |= (uint8_t)bits;
}

static int done(struct op *op, int64_t result)
{
    op->result = result;
    return START_DONE;
}

static int failed(struct op *op, int error)
{
    op->aux = (uint32_t)error;
    return done(op, error_from_errno(error));
}

/* There is nothing to read: wait for the next edge. */
static int wait_readable(struct op *op)
{
    clear_bits(op->handle, RD_READY | RD_HUP);
    return START_PENDING;
}

static int wait_writable(struct op *op)
{
    clear_bits(op->handle, WR_READY);
    return START_PENDING;
}

static bool is_stream(struct cport_handle *h)
{
    if (!(h->engine_bits & TYPE_KNOWN)) {
        int type = 0;
        socklen_t len = sizeof(type);
        getsockopt(h->fd, SOL_SOCKET, SO_TYPE, &type, &len);
        set_bits(h, type == SOCK_STREAM ? TYPE_KNOWN | STREAM : TYPE_KNOWN);
    }
    return (h->engine_bits & STREAM) != 0;
}

/* A short read on a stream has emptied it: the next attempt would only say EAGAIN, unless it is the end that is left. */
static void read_short(struct cport_handle *h)
{
    if (!(h->engine_bits & RD_HUP) && is_stream(h))
        clear_bits(h, RD_READY);
}

/* accept and connect heed the descriptor's mode, unlike send and recv, which take MSG_DONTWAIT. */
static int set_nonblocking(struct cport_handle *h)
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

static int try_accept(struct op *op)
{
    struct cport_handle *h = op->handle;
    int error = set_nonblocking(h);
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

static int try_connect(struct op *op)
{
    struct cport_handle *h = op->handle;
    if (op->engine[0] == CONNECT_STARTED)
        return try_connected(op);
    int error = set_nonblocking(h);
    if (error)
        return failed(op, error);
    /* What the unconnected socket has told so far (EPOLLHUP) is no news of the connection. */
    clear_bits(h, RD_READY | RD_HUP);
    const struct sockaddr *address = (const struct sockaddr *)&op->connect.address->address;
    if (connect(h->fd, address, op->connect.len) == 0)
        return done(op, 0);
    if (errno != EINPROGRESS && errno != EINTR)
        return failed(op, errno);
    op->engine[0] = CONNECT_STARTED;
    return wait_writable(op);
}

/* len 0: is there something to read? */
static int try_readable(struct op *op)
{
    char byte;
    for (;;) {
        ssize_t n = recv(op->handle->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n >= 0)
            return done(op, 0);
        if (errno == EAGAIN)
            return wait_readable(op);
        if (errno != EINTR)
            return failed(op, errno);
    }
}

static ssize_t recv_some(struct op *op, size_t *ret_wanted)
{
    int fd = op->handle->fd;
    if (op->kind == OP_RECV) {
        *ret_wanted = op->io.len - op->transferred;
        return recv(fd, (char *)op->io.base + op->transferred, *ret_wanted, MSG_DONTWAIT);
    }
    struct vec *vec = op->io.vec;
    struct msghdr msg = {
        .msg_iov = (struct iovec *)(void *)&vec->bufs[vec->first], .msg_iovlen = vec->count};
    *ret_wanted = op->io.len - op->transferred;
    return recvmsg(fd, &msg, MSG_DONTWAIT);
}

static int try_recv(struct op *op)
{
    if (op->io.len == 0)
        return try_readable(op);
    for (;;) {
        size_t wanted;
        ssize_t n = recv_some(op, &wanted);
        if (n < 0) {
            if (errno == EAGAIN)
                return wait_readable(op);
            if (errno == EINTR)
                continue;
            return failed(op, errno);
        }
        op->transferred += (size_t)n;
        if ((size_t)n < wanted)
            read_short(op->handle);
        bool all = op->transferred == op->io.len;
        if (n == 0 || all || !(op->flags & CPORT_RECV_ALL))
            return done(op, (int64_t)op->transferred);
        if (op->kind == OP_RECVV)
            vec_advance(op->io.vec, (size_t)n);
        if (!(op->handle->engine_bits & RD_READY))
            return START_PENDING;
    }
}

/* The pool is dry: that ends the receive, but only if there is something to receive. */
static int try_dry(struct op *op)
{
    char byte;
    ssize_t n = recv(op->handle->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0)
        return done(op, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return wait_readable(op);
    return n < 0 ? failed(op, errno) : done(op, CPORT_ENOBUFS);
}

static int try_recv_pooled(struct op *op)
{
    struct cport_bufs *pool = op->io.pool;
    struct cport_handle *h = op->handle;
    uint32_t id;
    if (!bufs_take(pool, &id))
        return try_dry(op);
    ssize_t n;
    do
        n = recv(h->fd, bufs_at(pool, id), pool->size, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n <= 0) {
        int error = errno;
        bufs_untake(pool, id);
        if (n == 0)
            return done(op, 0);
        return error == EAGAIN ? wait_readable(op) : failed(op, error);
    }
    if ((size_t)n < pool->size)
        read_short(h);
    bufs_give(pool, id);
    op->transferred = (size_t)n;
    op->result = n;
    op->event_flags = CPORT_BUFFER;
    op->aux = id;
    return op_is_multishot(op) ? TRY_MORE : START_DONE;
}

static ssize_t send_some(struct op *op)
{
    int fd = op->handle->fd;
    if (op->kind == OP_SEND)
        return send(fd, (const char *)op->io.base + op->transferred, op->io.len - op->transferred,
            MSG_DONTWAIT | MSG_NOSIGNAL);
    struct vec *vec = op->io.vec;
    struct msghdr msg = {
        .msg_iov = (struct iovec *)(void *)&vec->bufs[vec->first], .msg_iovlen = vec->count};
    ssize_t n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        vec_advance(vec, (size_t)n);
    return n;
}

static int try_send(struct op *op)
{
    for (;;) {
        ssize_t n = send_some(op);
        if (n >= 0) {
            op->transferred += (size_t)n;
            if (op->transferred == op->io.len)
                return done(op, (int64_t)op->transferred);
        } else if (errno == EAGAIN) {
            return wait_writable(op);
        } else if (errno != EINTR) {
            return failed(op, errno);
        }
    }
}

static int try_shutdown(struct op *op)
{
    static const int how[] = {
        [CPORT_SHUT_RECV] = SHUT_RD, [CPORT_SHUT_SEND] = SHUT_WR, [CPORT_SHUT_BOTH] = SHUT_RDWR};
    return shutdown(op->handle->fd, how[op->how]) < 0 ? failed(op, errno) : done(op, 0);
}

static int try_poll(struct op *op)
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
    return got ? done(op, got) : START_PENDING;
}

int epoll_try(struct op *op)
{
    switch (op->kind) {
    case OP_ACCEPT:
        return try_accept(op);
    case OP_CONNECT:
        return try_connect(op);
    case OP_RECV:
    case OP_RECVV:
        return try_recv(op);
    case OP_RECV_POOLED:
        return try_recv_pooled(op);
    case OP_SEND:
    case OP_SENDV:
        return try_send(op);
    case OP_SHUTDOWN:
        return try_shutdown(op);
    case OP_POLL:
        return try_poll(op);
    default:
        return done(op, CPORT_EINVAL);
    }
}
