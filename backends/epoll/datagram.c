/*
 * datagram.c: attempts at datagrams, several at a time where that is possible, without waiting.
 */
#include <errno.h>
#include <sys/socket.h>

#include "epoll.h"
#include "mmsg.h"

static int try_some(struct op *op, unsigned most)
{
    int n = mmsg_move(op, most);
    if (n > 0)
        return START_DONE;
    if (n != -EAGAIN)
        return failed(op, -n);
    if (op->kind != OP_SENDMSG)
        return wait_readable(op);
    if (!mmsg_waits_in_vain(op))
        return wait_writable(op);
    op->aux = EAGAIN;
    return done(op, CPORT_ENOBUFS);
}

/* A thread's own port sends in its next wait, all that has gathered by then. */
static bool is_put_off(const struct op *op)
{
    return op->kind == OP_SENDMSG && !op->handle->port->shared && !(op->flags & CPORT_INLINE_OK);
}

int epoll_start_msg(struct op *op)
{
    struct cport_handle *h = op->handle;
    if (op->bits & OP_AHEAD) {
        op->bits &= (uint16_t)~OP_AHEAD;
        return START_DONE;
    }
    if (!(h->engine_bits & (op->kind == OP_SENDMSG ? WR_READY : RD_READY)))
        return START_PENDING;
    if (is_put_off(op)) {
        epoll_list(h);
        return START_PENDING;
    }
    return try_some(op, 1);
}

int epoll_try_msg(struct op *op)
{
    return try_some(op, mmsg_together(op->handle->port));
}

static ssize_t recv_pieces(struct op *op)
{
    struct vec *vec = op->io.vec;
    struct msghdr msg = {
        .msg_iov = (struct iovec *)(void *)&vec->bufs[vec->first], .msg_iovlen = vec->count};
    return recvmsg(op->handle->fd, &msg, MSG_DONTWAIT | MSG_TRUNC);
}

int epoll_try_recv_datagram(struct op *op)
{
    const struct cport_handle *h = op->handle;
    for (;;) {
        ssize_t n = op->kind == OP_RECV
                        ? recv(h->fd, op->io.base, op->io.len, MSG_DONTWAIT | MSG_TRUNC)
                        : recv_pieces(op);
        if (n >= 0) {
            mmsg_took(op, (size_t)n);
            return START_DONE;
        }
        if (errno == EAGAIN)
            return wait_readable(op);
        if (errno != EINTR && !mmsg_forgives(h, errno))
            return failed(op, errno);
    }
}

/* The pool is dry: that ends the receive, but only if there is something to receive. */
static int try_dry(struct op *op)
{
    char byte;
    ssize_t n;
    do
        n = recv(op->handle->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    while (n < 0 && (errno == EINTR || mmsg_forgives(op->handle, errno)));
    if (n < 0)
        return errno == EAGAIN ? wait_readable(op) : failed(op, errno);
    return done(op, CPORT_ENOBUFS);
}

int epoll_try_recvmsg_pooled(struct op *op)
{
    struct cport_bufs *pool = op->io.pool;
    uint32_t id;
    if (op_is_multishot(op))
        return TRY_GATHER;
    if (!bufs_take(pool, &id))
        return try_dry(op);
    int n = mmsg_recv_pooled(op->handle, pool, &id, 1);
    if (n < 0) {
        bufs_untake(pool, id);
        return n == -EAGAIN ? wait_readable(op) : failed(op, -n);
    }
    bufs_give(pool, id);
    const struct datagram_head *head = datagram_head_at(pool, id);
    op->transferred = datagram_len(pool, head);
    op->event_flags = CPORT_BUFFER;
    op->aux = id;
    return done(op, datagram_result(pool, head));
}

/* How many to ask for: twice what there was the last time. A buffer that is asked for in vain costs little, but not nothing. */
static unsigned most_now(const struct op *op, const struct harvest *out)
{
    unsigned most = mmsg_together(op->handle->port), room = out->max - out->n;
    unsigned likely = (unsigned)op->engine[0] * 2;
    if (likely < 2)
        likely = 2;
    most = most < room ? most : room;
    return most < likely ? most : likely;
}

int epoll_gather_datagrams(struct op *op, struct harvest *out)
{
    struct cport_bufs *pool = op->io.pool;
    struct cport_handle *h = op->handle;
    uint32_t ids[MMSG_MOST];
    const unsigned most = most_now(op, out);
    unsigned n = 0;
    while (n < most && bufs_take(pool, &ids[n]))
        n++;
    if (n == 0)
        return try_dry(op);
    int r = mmsg_recv_pooled(h, pool, ids, n);
    const unsigned got = r > 0 ? (unsigned)r : 0;
    for (unsigned i = n; i > got; i--)
        bufs_untake(pool, ids[i - 1]);
    if (r < 0)
        return r == -EAGAIN ? wait_readable(op) : failed(op, -r);
    for (unsigned i = 0; i < got; i++) {
        bufs_give(pool, ids[i]);
        handle_op_more(
            op, datagram_result(pool, datagram_head_at(pool, ids[i])), CPORT_BUFFER, ids[i], out);
    }
    op->engine[0] = got;
    /* Fewer than asked for: the kernel found no more, or an error, which it keeps to itself until it is asked again. */
    if (got < n && (h->traits & (HANDLE_QUIET | HANDLE_UNIX)))
        return wait_readable(op);
    return START_PENDING;
}
