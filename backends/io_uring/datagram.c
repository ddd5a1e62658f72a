/*
 * datagram.c: datagrams through the ring.
 *
 * Receives are requests like any other. Sends of one socket wait for the next poll: a single one goes through the ring, in the
 * system call that is made anyway; several go by one of their own, since the ring would take them one after the other.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "error.h"
#include "mmsg.h"
#include "uring.h"

_Static_assert(
    offsetof(struct datagram_head, address) == sizeof(struct io_uring_recvmsg_out) &&
        offsetof(struct datagram_head, data_len) ==
            offsetof(struct io_uring_recvmsg_out, payloadlen) &&
        offsetof(struct datagram_head, os_flags) == offsetof(struct io_uring_recvmsg_out, flags),
    "the kernel writes the head");

static struct msghdr *header_of(struct op *op)
{
    _Static_assert(sizeof(struct msghdr) <= sizeof(op->io.vec->engine), "a header fits");
    return (struct msghdr *)(void *)op->io.vec->engine;
}

/* ---- Requests ---- */

void sqe_msg(struct io_uring_sqe *sqe, struct op *op)
{
    mmsg_header(op, header_of(op));
    sqe->opcode = op->kind == OP_SENDMSG ? IORING_OP_SENDMSG : IORING_OP_RECVMSG;
    sqe->addr = (uintptr_t)header_of(op);
    sqe->len = 1;
    if (op->kind == OP_SENDMSG)
        sqe->msg_flags = MSG_NOSIGNAL | send_flags(op->handle);
}

/* One request for one datagram: the kernel puts its bytes at the beginning of the buffer, and the rest beside it. */
struct beside {
    struct iovec piece;
    uint8_t address[HEAD_ADDRESS_ROOM];
    _Alignas(8) uint8_t control[HEAD_CONTROL_ROOM];
};

static struct beside *beside_of(struct op *op)
{
    _Static_assert(sizeof(struct beside) <= sizeof(op->io.vec->bufs), "it fits beside");
    return (struct beside *)(void *)op->io.vec->bufs;
}

static void prepare_one(struct io_uring_sqe *sqe, struct op *op)
{
    struct beside *beside = beside_of(op);
    beside->piece = (struct iovec){NULL, op->io.len};
    *header_of(op) = (struct msghdr){
        .msg_name = beside->address,
        .msg_namelen = HEAD_ADDRESS_ROOM,
        .msg_iov = &beside->piece,
        .msg_iovlen = 1,
        .msg_control = beside->control,
        .msg_controllen = HEAD_CONTROL_ROOM,
    };
    if (scratch_of(op)->state & SCRATCH_DRY)
        sqe->ioprio = IORING_RECVSEND_POLL_FIRST;
}

/* Armed for many: each buffer gets all of it, head first. */
static void prepare_many(struct io_uring_sqe *sqe, struct op *op)
{
    *header_of(op) = (struct msghdr){
        .msg_namelen = HEAD_ADDRESS_ROOM,
        .msg_controllen = HEAD_CONTROL_ROOM,
    };
    sqe->ioprio = IORING_RECV_MULTISHOT;
    sqe->msg_flags = MSG_TRUNC;
    scratch_of(op)->state |= SCRATCH_MANY;
}

/* The kernel has found an empty datagram, and leaves no buffer for that. One is had by reading something else into it: the
 * counter that wakes the port, of which nobody wants to know the value. */
static void prepare_empty(struct io_uring_sqe *sqe, const struct uring *u)
{
    ring_wake(u); /* so that there is something to read */
    sqe->opcode = IORING_OP_READ;
    sqe->fd = u->wake_fd;
    sqe->len = sizeof(uint64_t);
}

void sqe_recvmsg_pooled(struct io_uring_sqe *sqe, struct op *op)
{
    const struct cport_bufs *pool = op->io.pool;
    struct scratch *scratch = scratch_of(op);
    scratch->state &= ~SCRATCH_MANY;
    if (!pool->engine) {
        sqe_ready(sqe, op, POLLIN);
        return;
    }
    sqe->flags = IOSQE_BUFFER_SELECT;
    sqe->buf_group = pool->engine_id;
    scratch->pool_tail = uring_bufs_tail(pool);
    if (scratch->state & SCRATCH_EMPTY) {
        prepare_empty(sqe, pool->port->engine);
        return;
    }
    if (op_is_multishot(op) && !(scratch->state & SCRATCH_DRY) &&
        (pool->port->caps & CPORT_CAP_MULTISHOT_MSG))
        prepare_many(sqe, op);
    else
        prepare_one(sqe, op);
    scratch->state &= ~SCRATCH_DRY;
    sqe->opcode = IORING_OP_RECVMSG;
    sqe->addr = (uintptr_t)header_of(op);
    sqe->len = 1;
}

/* ---- Completions ---- */

void complete_recvmsg(struct uring *u, struct op *op, int res, struct harvest *out)
{
    if (res < 0) {
        op_fail(u, op, -res, out);
        return;
    }
    mmsg_received(op, header_of(op), (size_t)res);
    uring_op_end(u, op, op->result, out);
}

void send_failed(struct uring *u, struct op *op, int number, struct harvest *out)
{
    if (number != EAGAIN || !(op->handle->traits & HANDLE_UNIX)) {
        op_fail(u, op, number, out);
    } else if (mmsg_waits_in_vain(op)) {
        op->aux = EAGAIN;
        uring_op_end(u, op, CPORT_ENOBUFS, out);
    } else {
        scratch_of(op)->state |= SCRATCH_FULL;
        op_again(u, op, out);
    }
}

void complete_sendmsg(struct uring *u, struct op *op, int res, struct harvest *out)
{
    if (res < 0) {
        send_failed(u, op, -res, out);
    } else {
        op->transferred = (size_t)res;
        uring_op_end(u, op, res, out);
    }
}

/* Moves what prepare_one has asked for to where it belongs. */
static void bring_together(struct op *op, uint32_t id, uint32_t bytes)
{
    const struct cport_bufs *pool = op->io.pool;
    const struct beside *beside = beside_of(op);
    struct datagram_head *head = datagram_head_at(pool, id);
    memmove(datagram_data_at(pool, id), head, bytes);
    mmsg_head(head, header_of(op), bytes);
    memcpy(head->address, beside->address, HEAD_ADDRESS_ROOM);
    memcpy(head->control, beside->control, HEAD_CONTROL_ROOM);
}

/* A datagram is in buffer id. */
static void filled(struct uring *u, struct op *op, uint32_t id, bool armed, struct harvest *out)
{
    struct cport_bufs *pool = op->io.pool;
    const struct datagram_head *head = datagram_head_at(pool, id);
    int64_t result = datagram_result(pool, head);
    bufs_give(pool, id);
    op->transferred = datagram_len(pool, head);
    if (!op_is_multishot(op)) {
        op->event_flags = CPORT_BUFFER;
        op->aux = id;
        uring_op_end(u, op, result, out);
        return;
    }
    handle_op_more(op, result, CPORT_BUFFER, id, out);
    if (!armed)
        op_again(u, op, out);
}

/* The pool is dry. That ends the receive, but only if there is something to receive. */
static void dry(struct uring *u, struct op *op, struct harvest *out)
{
    char byte;
    ssize_t n = recv(op->handle->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR || mmsg_forgives(op->handle, errno))) {
        scratch_of(op)->state |= SCRATCH_DRY;
        op_again(u, op, out);
    } else {
        op_fail(u, op, n < 0 ? errno : ENOBUFS, out);
    }
}

void complete_recvmsg_pooled(
    struct uring *u, struct op *op, int res, uint32_t flags, struct harvest *out)
{
    struct cport_bufs *pool = op->io.pool;
    struct scratch *scratch = scratch_of(op);
    const uint32_t id = flags >> IORING_CQE_BUFFER_SHIFT;
    const bool is_empty = scratch->state & SCRATCH_EMPTY;
    if (res >= 0 && (flags & IORING_CQE_F_BUFFER)) {
        scratch->state &= ~SCRATCH_EMPTY;
        if (!(scratch->state & SCRATCH_MANY))
            bring_together(op, id, is_empty ? 0 : (uint32_t)res);
        filled(u, op, id, flags & IORING_CQE_F_MORE, out);
        return;
    }
    if (res == 0 && !is_empty) {
        scratch->state |= SCRATCH_EMPTY;
        submit_op(u, op); /* in spite of a cancel: the datagram is here */
        return;
    }
    if (flags & IORING_CQE_F_BUFFER)
        pool->port->backend->bufs_put(pool, id);
    if (res == -ENOBUFS && pool_was_refilled(op)) {
        op_again(u, op, out);
    } else if (res == -ENOBUFS && !is_empty) {
        dry(u, op, out);
    } else {
        op_fail(u, op, -res, out);
    }
}

void complete_recvmsg_ready(struct uring *u, struct op *op, struct harvest *out)
{
    struct cport_bufs *pool = op->io.pool;
    uint32_t id;
    if (!bufs_take(pool, &id)) {
        dry(u, op, out);
        return;
    }
    int n = mmsg_recv_pooled(op->handle, pool, &id, 1);
    if (n > 0) {
        filled(u, op, id, false, out);
        return;
    }
    bufs_untake(pool, id);
    if (n == -EAGAIN)
        op_again(u, op, out);
    else
        op_fail(u, op, -n, out);
}

/* ---- Sends that wait to go together ---- */

int sends_start(struct op *op)
{
    struct cport_handle *h = op->handle;
    struct uring *u = h->port->engine;
    if (op->bits & OP_AHEAD) {
        op->bits &= (uint16_t)~OP_AHEAD;
        return START_DONE;
    }
    scratch_of(op)->state |= SCRATCH_PUT_OFF;
    if (!(h->engine_bits & SENDS_LISTED)) {
        h->engine_bits |= SENDS_LISTED;
        h->engine_next = u->sends;
        u->sends = h;
    }
    return START_PENDING;
}

void sends_forget(struct uring *u, struct cport_handle *h)
{
    if (!(h->engine_bits & SENDS_LISTED))
        return;
    h->engine_bits &= (uint8_t)~SENDS_LISTED;
    struct cport_handle **link = &u->sends;
    while (*link != h)
        link = &(*link)->engine_next;
    *link = h->engine_next;
}

static bool is_put_off(struct op *op)
{
    return op && op->kind == OP_SENDMSG && op_state(op) == OP_STARTED &&
           (scratch_of(op)->state & SCRATCH_PUT_OFF);
}

static bool has_company(const struct op *op)
{
    return op->next && op->next->kind == OP_SENDMSG && !(op->next->bits & OP_CANCELLED);
}

/* The head goes to the ring, with those behind it waiting, or they all go at once; and so on. */
static void sends_of(struct uring *u, struct cport_handle *h, struct harvest *out)
{
    const unsigned most = mmsg_together(u->port);
    struct op *op;
    while (is_put_off(op = h->wr.head)) {
        scratch_of(op)->state &= ~SCRATCH_PUT_OFF;
        int n = most > 1 && has_company(op) ? mmsg_move(op, most) : -EAGAIN;
        if (n == -EAGAIN) {
            submit_op(u, op);
        } else if (n < 0) {
            op->aux = (uint32_t)-n;
            handle_op_final(op, error_from_errno(-n), out);
        } else {
            handle_op_final(op, op->result, out);
        }
    }
}

void sends_go(struct uring *u, struct harvest *out)
{
    struct cport_handle *h;
    while ((h = u->sends) != NULL) {
        u->sends = h->engine_next;
        h->engine_bits &= (uint8_t)~SENDS_LISTED;
        sends_of(u, h, out);
    }
}
