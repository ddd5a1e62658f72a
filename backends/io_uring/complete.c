/*
 * complete.c: from the kernel's completions to events.
 *
 * Each function below is given one completion and room for one event in out. A second event of the same completion (the end
 * after the last data) goes through handle_op_final, which finds a place for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "error.h"
#include "file_job.h"
#include "mmsg.h"
#include "uring.h"

/* The kernel, or another thread, has yet to tell of the op's cancel. */
static bool cancel_is_out(struct op *op)
{
    const struct scratch *scratch = scratch_of(op);
    return (scratch->state & SCRATCH_CANCEL_SENT) ||
           (op->handle->port->shared && scratch->cancel_sent);
}

/* The op has ended: whether its cancel has, too, if there was one, and the kernel has no memory of it. */
static bool all_settled(struct uring *u, struct op *op)
{
    struct scratch *scratch = scratch_of(op);
    if (scratch->state & SCRATCH_CANCEL_QUEUED) {
        scratch_remove(&u->cancels, op);
        scratch->state &= ~SCRATCH_CANCEL_QUEUED;
    }
    return !cancel_is_out(op) && !(op->bits & OP_KEPT);
}

/* Whether that is the end of the connection that a close with CPORT_ABORT has broken for the sake of lent memory: the op was
 * to be cancelled, and is. */
static bool is_of_abort(const struct op *op, int64_t result)
{
    const struct cport_handle *h = op->handle;
    const bool receives = op->kind >= OP_RECV && op->kind <= OP_RECV_POOLED;
    if (!(op->bits & OP_CANCELLED) || h->file || h->state != HANDLE_CLOSING ||
        !(handle_close_op(h)->flags & CPORT_ABORT))
        return false;
    return result < 0 || (result == 0 && receives && op->io.len);
}

static void op_end_slowly(struct uring *u, struct op *op, int64_t result, struct harvest *out)
{
    if (is_of_abort(op, result))
        result = CPORT_ECANCELED;
    if (all_settled(u, op)) {
        handle_op_final(op, result, out);
        return;
    }
    scratch_of(op)->state |= SCRATCH_ENDED;
    op->result = result;
    if (op->bits & OP_KEPT)
        zero_copy_linger(op, out);
}

/* The op has ended, but for a cancel that may still be on its way to it, and memory that the kernel may hold. */
static inline void op_end(struct uring *u, struct op *op, int64_t result, struct harvest *out)
{
    if (op->bits & (OP_CANCELLED | OP_KEPT))
        op_end_slowly(u, op, result, out);
    else
        handle_op_final(op, result, out);
}

void op_settle(struct op *op, struct harvest *out)
{
    if ((scratch_of(op)->state & SCRATCH_ENDED) && !cancel_is_out(op) && !(op->bits & OP_KEPT))
        handle_op_final(op, op->result, out);
}

void op_again(struct uring *u, struct op *op, struct harvest *out)
{
    if (op->bits & OP_CANCELLED)
        op_end(u, op, CPORT_ECANCELED, out);
    else
        submit_op(u, op);
}

/* Somebody who shares the socket has made it non-blocking: then the kernel does not wait, but says EAGAIN. */
static bool make_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0;
}

void op_fail(struct uring *u, struct op *op, int number, struct harvest *out)
{
    if (number == EINTR || (number == EAGAIN && make_blocking(op->handle->fd)) ||
        mmsg_forgives(op->handle, number)) {
        op_again(u, op, out);
        return;
    }
    op->aux = (uint32_t)number;
    op_end(u, op, error_from_errno(number), out);
}

static void complete_accept(
    struct uring *u, struct op *op, int res, uint32_t flags, struct harvest *out)
{
    if (res >= 0 && !op_is_multishot(op)) {
        op_end(u, op, res, out);
        return;
    }
    if (res >= 0) {
        op->bits &= (uint16_t)~OP_EPISODE;
        handle_op_more(op, res, 0, 0, out);
        if (!(flags & IORING_CQE_F_MORE))
            op_again(u, op, out);
        return;
    }
    switch (-res) {
    case ECONNABORTED:
    case EPROTO:
        port_count(u->port, &u->port->stats.accept_aborted);
        if (!(flags & IORING_CQE_F_MORE))
            op_again(u, op, out);
        break;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        if (op_is_multishot(op) && !(op->bits & OP_CANCELLED)) {
            handle_accept_starved(op, error_from_errno(-res), (uint32_t)-res, out);
            break;
        }
        /* fall through */
    default:
        op_fail(u, op, -res, out);
    }
}

static void complete_recv(struct uring *u, struct op *op, int res, struct harvest *out)
{
    if (res < 0) {
        op_fail(u, op, -res, out);
        return;
    }
    if (op->handle->traits & HANDLE_DATAGRAM) {
        mmsg_took(op, (size_t)res);
        op_end(u, op, op->result, out);
        return;
    }
    op->transferred += (size_t)res;
    if (res == 0 || !(op->flags & CPORT_RECV_ALL) || op->transferred == op->io.len) {
        op_end(u, op, (int64_t)op->transferred, out);
        return;
    }
    if (op->kind == OP_RECVV)
        vec_advance(op->io.vec, (size_t)res);
    op_again(u, op, out);
}

static void complete_send(struct uring *u, struct op *op, int res, struct harvest *out)
{
    if (res < 0) {
        send_failed(u, op, -res, out);
        return;
    }
    op->transferred += (size_t)res;
    if (op->transferred == op->io.len) {
        op_end(u, op, (int64_t)op->transferred, out);
        return;
    }
    if (op->kind == OP_SENDV)
        vec_advance(op->io.vec, (size_t)res);
    op_again(u, op, out);
}

static void complete_file(struct uring *u, struct op *op, int res, struct harvest *out)
{
    if (res == -EINTR || res == -EAGAIN) {
        op_again(u, op, out);
        return;
    }
    if (res < 0)
        file_failed(op, -res);
    else if (op->kind == OP_SYNC)
        op->result = 0;
    else if (!file_took(op, (size_t)res)) {
        op_again(u, op, out);
        return;
    }
    op_end(u, op, op->result, out);
}

/* Bytes have arrived in buffer id. */
static inline void pooled_bytes(
    struct uring *u, struct op *op, int64_t bytes, uint32_t id, bool armed, struct harvest *out)
{
    bufs_give(op->io.pool, id);
    op->transferred = (size_t)bytes;
    if (!op_is_multishot(op)) {
        op->event_flags = CPORT_BUFFER;
        op->aux = id;
        op_end(u, op, bytes, out);
        return;
    }
    handle_op_more(op, bytes, CPORT_BUFFER, id, out);
    /* A kernel's multishot also stops when its completion queue is full: nothing the caller should see. */
    if (!armed)
        op_again(u, op, out);
}

/* The pool is dry. That ends the receive, but only if there is something to receive. */
static void pooled_dry(struct uring *u, struct op *op, struct harvest *out)
{
    char byte;
    ssize_t n = recv(op->handle->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0) {
        op_end(u, op, 0, out);
    } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        scratch_of(op)->state |= SCRATCH_DRY;
        op_again(u, op, out);
    } else {
        op_fail(u, op, n < 0 ? errno : ENOBUFS, out);
    }
}

bool pool_was_refilled(struct op *op)
{
    struct cport_bufs *pool = op->io.pool;
    if (bufs_has_remote(pool))
        bufs_drain_remote(pool, uring_bufs_put);
    return uring_bufs_tail(pool) != scratch_of(op)->pool_tail;
}

static void complete_pooled(
    struct uring *u, struct op *op, int res, uint32_t flags, struct harvest *out)
{
    struct cport_bufs *pool = op->io.pool;
    uint32_t id = flags >> IORING_CQE_BUFFER_SHIFT;
    if (res > 0) {
        pooled_bytes(u, op, res, id, flags & IORING_CQE_F_MORE, out);
        return;
    }
    if (flags & IORING_CQE_F_BUFFER)
        pool->port->backend->bufs_put(pool, id);
    if (res == 0) {
        op_end(u, op, 0, out);
    } else if (res == -ENOBUFS && pool_was_refilled(op)) {
        op_again(u, op, out);
    } else if (res == -ENOBUFS) {
        pooled_dry(u, op, out);
    } else {
        op_fail(u, op, -res, out);
    }
}

/* The core holds the pool, and there is something to read. */
static void complete_pooled_ready(struct uring *u, struct op *op, struct harvest *out)
{
    struct cport_bufs *pool = op->io.pool;
    uint32_t id;
    if (!bufs_take(pool, &id)) {
        pooled_dry(u, op, out);
        return;
    }
    ssize_t n = recv(op->handle->fd, bufs_at(pool, id), pool->size, MSG_DONTWAIT);
    int number = errno;
    if (n > 0) {
        pooled_bytes(u, op, n, id, false, out);
        return;
    }
    bufs_untake(pool, id);
    if (n == 0)
        op_end(u, op, 0, out);
    else if (number == EAGAIN)
        op_again(u, op, out);
    else
        op_fail(u, op, number, out);
}

/* What of the kernel's events the mask asks for, and what is always told. */
static int64_t mask_of(unsigned events, uint32_t asked)
{
    uint32_t mask = 0;
    if (events & (POLLIN | POLLRDHUP))
        mask |= CPORT_POLL_IN & asked;
    if (events & POLLOUT)
        mask |= CPORT_POLL_OUT & asked;
    if (events & POLLERR)
        mask |= CPORT_POLL_ERR;
    if (events & POLLHUP)
        mask |= CPORT_POLL_HUP;
    return mask;
}

static void complete_ready(struct uring *u, struct op *op, int res, struct harvest *out)
{
    if (res < 0)
        op_fail(u, op, -res, out);
    else if (op->kind == OP_RECV_POOLED)
        complete_pooled_ready(u, op, out);
    else if (op->kind == OP_SENDFILE)
        uring_sendfile_ready(u, op, out);
    else if (op->kind == OP_RECVMSG_POOLED)
        complete_recvmsg_ready(u, op, out);
    else if (op->kind == OP_SEND || op->kind == OP_SENDV || op->kind == OP_SENDMSG)
        op_again(u, op, out);
    else
        op_end(u, op, op->kind == OP_POLL ? mask_of((unsigned)res, op->poll_mask) : 0, out);
}

static void complete_op(
    struct uring *u, struct op *op, int res, uint32_t flags, struct harvest *out)
{
    switch ((enum op_kind)op->kind) {
    case OP_RECV:
    case OP_RECVV:
        complete_recv(u, op, res, out);
        break;
    case OP_SEND:
    case OP_SENDV:
        if (!is_zero_copy(op) || !zero_copy_took(u, op, res, flags, out))
            complete_send(u, op, res, out);
        break;
    case OP_RECVMSG:
        complete_recvmsg(u, op, res, out);
        break;
    case OP_SENDMSG:
        complete_sendmsg(u, op, res, out);
        break;
    case OP_RECVMSG_POOLED:
        complete_recvmsg_pooled(u, op, res, flags, out);
        break;
    case OP_RECV_POOLED:
        complete_pooled(u, op, res, flags, out);
        break;
    case OP_ACCEPT:
        complete_accept(u, op, res, flags, out);
        break;
    case OP_READ:
    case OP_READV:
    case OP_WRITE:
    case OP_WRITEV:
    case OP_SYNC:
        complete_file(u, op, res, out);
        break;
    case OP_CONNECT:
        if (res < 0)
            op_fail(u, op, -res, out);
        else
            op_end(u, op, 0, out);
        break;
    case OP_CLOSE:
        handle_closed(op->handle, out); /* whatever the result: the descriptor is gone */
        break;
    case OP_NONE:
    case OP_SENDFILE:
    case OP_SHUTDOWN:
    case OP_POLL:
    case OP_TIMER:
    case OP_POST:
    case OP_PARCEL:
    case OP_RESOLVE:
        break;
    }
}

/* A request that is on its way back to its socket is out of the cancel's sight for a moment: ENOENT, and yet it would wait
 * for ever. So the cancel is repeated until the op has ended. What a disk is at work on cannot be seen either, but ends. */
static void complete_cancel(struct uring *u, struct op *op, int res, struct harvest *out)
{
    struct scratch *scratch = scratch_of(op);
    scratch->state &= ~SCRATCH_CANCEL_SENT;
    if (scratch->state & SCRATCH_ENDED)
        op_settle(op, out);
    else if (res == -ENOENT && !op_is_file(op))
        submit_cancel(u, op);
}

/* A transfer of one piece that has moved all that it was to move, with nobody asking for its end: the common completion. */
static inline bool is_whole(const struct op *op, int res)
{
    if (res <= 0 || (op->bits & (OP_CANCELLED | OP_KEPT)) ||
        (op->flags & (CPORT_ZERO_COPY | CPORT_RECV_ALL)))
        return false;
    /* More than there was room for: a datagram. */
    return (op->kind == OP_RECV && (size_t)res <= op->io.len) ||
           (op->kind == OP_SEND && op->transferred + (size_t)res == op->io.len);
}

CPORT_COLD static void complete_slowly(
    struct uring *u, const struct io_uring_cqe *cqe, struct harvest *out)
{
    struct op *op = op_of_data(cqe->user_data);
    switch (cqe->user_data & DATA_TAGS) {
    case DATA_OP:
        complete_op(u, op, cqe->res, cqe->flags, out);
        break;
    case DATA_READY:
        complete_ready(u, op, cqe->res, out);
        break;
    case DATA_CANCEL:
        complete_cancel(u, op, cqe->res, out);
        break;
    case DATA_WAKE:
        u->woken = true;
        if (!(cqe->flags & IORING_CQE_F_MORE))
            ring_arm_wake(u);
        break;
    }
}

static inline void complete(struct uring *u, const struct io_uring_cqe *cqe, struct harvest *out)
{
    struct op *op = op_of_data(cqe->user_data);
    const bool own = (cqe->user_data & DATA_TAGS) == DATA_OP;
    if (own && is_whole(op, cqe->res)) {
        op->transferred += (size_t)cqe->res;
        handle_op_final(op, (int64_t)op->transferred, out);
    } else if (own && op->kind == OP_RECV_POOLED) {
        complete_pooled(u, op, cqe->res, cqe->flags, out);
    } else if (own && op_is_file(op)) {
        complete_file(u, op, cqe->res, out);
    } else {
        complete_slowly(u, cqe, out);
    }
}

void uring_complete(struct uring *u, const struct io_uring_cqe *cqe, struct harvest *out)
{
    complete(u, cqe, out);
}

void uring_op_end(struct uring *u, struct op *op, int64_t result, struct harvest *out)
{
    op_end(u, op, result, out);
}

void uring_reap(struct uring *u, struct harvest *out)
{
    struct io_uring_cq *cq = &u->ring.cq;
    unsigned head = *cq->khead;
    /* acquire: the completions lie before the tail that the kernel wrote. */
    const unsigned tail = io_uring_smp_load_acquire(cq->ktail);
    if (head == tail)
        return;
    while (head != tail && !harvest_full(out))
        complete(u, &cq->cqes[head++ & cq->ring_mask], out);
    /* release: they have been read; the kernel may reuse their places. */
    io_uring_smp_store_release(cq->khead, head);
}
