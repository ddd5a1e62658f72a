/*
 * send.c: one attempt at a send or a shutdown, without waiting.
 */
#include <errno.h>
#include <sys/socket.h>

#include "epoll.h"
#include "mmsg.h"
#include "sendfile.h"

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

int epoll_try_send(struct op *op)
{
    for (;;) {
        ssize_t n = send_some(op);
        if (n >= 0) {
            op->transferred += (size_t)n;
            if (op->transferred == op->io.len)
                return done(op, (int64_t)op->transferred);
        } else if (errno == EAGAIN) {
            return wait_writable(op);
        } else if (errno != EINTR && !mmsg_forgives(op->handle, errno)) {
            return failed(op, errno);
        }
    }
}

int epoll_try_sendfile(struct op *op)
{
    int error = epoll_set_nonblocking(op->handle);
    if (error)
        return failed(op, error);
    int r = sendfile_turn(op);
    if (r == TURN_OVER)
        return TRY_LATER;
    return r == START_PENDING ? wait_writable(op) : r;
}

int epoll_try_shutdown(struct op *op)
{
    static const int how[] = {
        [CPORT_SHUT_RECV] = SHUT_RD, [CPORT_SHUT_SEND] = SHUT_WR, [CPORT_SHUT_BOTH] = SHUT_RDWR};
    return shutdown(op->handle->fd, how[op->how]) < 0 ? failed(op, errno) : done(op, 0);
}
