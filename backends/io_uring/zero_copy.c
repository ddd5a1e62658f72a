/*
 * zero_copy.c: sends from the caller's memory.
 *
 * The kernel completes such a request twice: when it has taken the bytes, and when it has let go of the memory, which is when
 * the peer has acknowledged them, or it has copied them after all. The op is final after the second. After the first it makes
 * room in its direction (handle_op_linger): to wait for a round trip between any two sends would cost more than the copies.
 */
#include <errno.h>
#include <sys/socket.h>

#include "uring.h"

_Static_assert(sizeof(struct scratch) <= 24 && sizeof(struct kept) <= 8, "both fit the scratch");

void zero_copy_begin(struct op *op)
{
    *kept_of(op) = (struct kept){0};
}

static bool lends(const struct op *op, const struct scratch *scratch)
{
    return (op->handle->port->caps & CPORT_CAP_ZERO_COPY) && !(scratch->state & SCRATCH_COPY);
}

void zero_copy_sqe(struct io_uring_sqe *sqe, struct op *op)
{
    if (!lends(op, scratch_of(op)))
        return;
    sqe->opcode = op->kind == OP_SEND ? IORING_OP_SEND_ZC : IORING_OP_SENDMSG_ZC;
    sqe->ioprio = IORING_SEND_ZC_REPORT_USAGE;
}

/* Not this kind of socket; or as much memory is lent already as the process may lock. */
static bool wants_copy(int res)
{
    return res == -EOPNOTSUPP || res == -ENOMEM || res == -ENOBUFS;
}

static void let_go(struct op *op, struct kept *kept, unsigned usage)
{
    if (usage & IORING_NOTIF_USAGE_ZC_COPIED)
        kept->copied = true;
    if (--kept->requests == 0)
        op->bits &= (uint16_t)~OP_KEPT;
}

bool zero_copy_took(struct uring *u, struct op *op, int res, uint32_t flags, struct harvest *out)
{
    struct kept *kept = kept_of(op);
    struct scratch *scratch = scratch_of(op);
    const bool notification = (flags & IORING_CQE_F_NOTIF) != 0;
    const bool refused = !notification && wants_copy(res) && lends(op, scratch);
    if (notification) {
        let_go(op, kept, (unsigned)res);
    } else if (flags & IORING_CQE_F_MORE) {
        kept->requests++;
        kept->used = true;
        op->bits |= OP_KEPT;
    }
    kept->copied |= refused;
    op->event_flags = kept->used && !kept->copied ? 0 : CPORT_COPIED;
    if (notification)
        op_settle(op, out);
    if (refused) {
        scratch->state |= SCRATCH_COPY;
        op_again(u, op, out);
    }
    return notification || refused;
}

void zero_copy_linger(struct op *op, struct harvest *out)
{
    handle_op_linger(op, out);
    zero_copy_hurry(op);
}

void zero_copy_hurry(const struct op *op)
{
    const struct cport_handle *h = op->handle;
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    if (h->state == HANDLE_CLOSING && (handle_close_op(h)->flags & CPORT_ABORT))
        (void)connect(h->fd, &none, sizeof(none)); /* a reset, and its queue is empty */
}
