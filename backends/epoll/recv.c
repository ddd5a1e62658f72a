/*
 * recv.c: one attempt at a receive, without waiting.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "epoll.h"

/* A short read on a stream has emptied it: the next attempt would only say EAGAIN, unless it is the end that is left. */
static inline void read_short(struct cport_handle *h)
{
    if ((h->traits & HANDLE_STREAM) && !(h->engine_bits & RD_HUP))
        clear_bits(h, RD_READY);
}

/* len 0: is there something to read, or an error to be had? Asked so that neither is taken. */
static int try_readable(struct op *op)
{
    struct pollfd p = {.fd = op->handle->fd, .events = POLLIN | POLLRDHUP};
    int n;
    do
        n = poll(&p, 1, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return failed(op, errno);
    return n == 0 ? wait_readable(op) : done(op, 0);
}

static ssize_t recv_pieces(struct op *op)
{
    struct vec *vec = op->io.vec;
    struct msghdr msg = {
        .msg_iov = (struct iovec *)(void *)&vec->bufs[vec->first], .msg_iovlen = vec->count};
    ssize_t n = recvmsg(op->handle->fd, &msg, MSG_DONTWAIT);
    if (n > 0)
        vec_advance(vec, (size_t)n);
    return n;
}

int epoll_try_recv(struct op *op)
{
    if (op->io.len == 0)
        return try_readable(op);
    if (op->handle->traits & HANDLE_DATAGRAM)
        return epoll_try_recv_datagram(op);
    for (;;) {
        size_t left = op->io.len - op->transferred;
        char *to = (char *)op->io.base + op->transferred;
        ssize_t n =
            op->kind == OP_RECV ? recv(op->handle->fd, to, left, MSG_DONTWAIT) : recv_pieces(op);
        if (n < 0) {
            if (errno == EAGAIN)
                return wait_readable(op);
            if (errno == EINTR)
                continue;
            return failed(op, errno);
        }
        op->transferred += (size_t)n;
        if ((size_t)n == left || n == 0)
            return done(op, (int64_t)op->transferred);
        read_short(op->handle);
        if (!(op->flags & CPORT_RECV_ALL))
            return done(op, (int64_t)op->transferred);
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

int epoll_try_recv_pooled(struct op *op)
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
