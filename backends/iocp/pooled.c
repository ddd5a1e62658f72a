/*
 * pooled.c: receives into a pool's buffers.
 *
 * First a receive of nothing, which ends when there is something: an idle connection has no buffer. Then a buffer is taken
 * from the pool (io.base, its id in aux) and received into.
 */
#include "iocp.h"

static bool ask(struct op *op, struct ending *ret_ending)
{
    WSABUF buf = {op->io.base ? (ULONG)op->io.len : 0, op->io.base};
    OVERLAPPED *overlapped = overlapped_of(op);
    DWORD flags = 0;
    *overlapped = (OVERLAPPED){0};
    int r = WSARecv((SOCKET)op->handle->fd, &buf, 1, NULL, &flags, overlapped, NULL);
    return ending_of_call(op->handle, r == 0, overlapped, ret_ending);
}

enum verdict {
    VERDICT_ASK,   /* the next call */
    VERDICT_EVENT, /* a buffer for the caller, and the op stays armed */
    VERDICT_END,
};

/* Nothing was received: the end of the stream, or an error. */
static enum verdict end(struct op *op, struct ending e)
{
    bool shut = (op->handle->engine_bits & HANDLE_RECV_SHUT) && !(op->bits & OP_CANCELLED);
    op->result = 0;
    op->aux = 0;
    if (e.code == 0)
        e = ending_of_stream(op->handle);
    if (e.code == CPORT_ECONNRESET)
        op->handle->engine_bits |= HANDLE_RESET;
    if (e.code < 0 && !shut)
        op_fail(op, e);
    return VERDICT_END;
}

static enum verdict readable(struct op *op, const struct ending *e)
{
    if (e->code < 0)
        return end(op, *e);
    if (op->bits & OP_CANCELLED) {
        op->result = CPORT_ECANCELED;
        return VERDICT_END;
    }
    uint32_t id;
    if (!bufs_take(op->io.pool, &id)) {
        /* The end of the stream needs no buffer. */
        u_long there = 1;
        ioctlsocket((SOCKET)op->handle->fd, FIONREAD, &there);
        if (there == 0)
            return end(op, *e);
        op->result = CPORT_ENOBUFS;
        return VERDICT_END;
    }
    op->io.base = bufs_at(op->io.pool, id);
    op->aux = id;
    return VERDICT_ASK;
}

static enum verdict received(struct op *op, const struct ending *e)
{
    uint32_t id = op->aux;
    op->io.base = NULL;
    if (e->code < 0 || e->bytes == 0) {
        bufs_untake(op->io.pool, id);
        return end(op, *e);
    }
    bufs_give(op->io.pool, id);
    op->transferred = e->bytes;
    op->result = (int64_t)e->bytes;
    if (op_is_multishot(op))
        return VERDICT_EVENT;
    op->event_flags = CPORT_BUFFER;
    return VERDICT_END;
}

static enum verdict took(struct op *op, const struct ending *e)
{
    return op->io.base ? received(op, e) : readable(op, e);
}

/* Waits for something to be there. What is there already is taken in the next wait, if the op may have several events. */
static int wait_readable(struct op *op)
{
    struct ending e;
    op->aux = 0;
    if (!ask(op, &e))
        return START_PENDING;
    if (op_is_multishot(op) && e.code == 0) {
        if (queue_repeat(op, overlapped_of(op)))
            return START_PENDING;
        op->result = CPORT_ENOBUFS;
        return START_DONE;
    }
    while (took(op, &e) == VERDICT_ASK)
        if (!ask(op, &e))
            return START_PENDING;
    return START_DONE;
}

int pooled_start(struct op *op)
{
    unsigned bits = op->handle->engine_bits;
    if (bits & (HANDLE_RESET | HANDLE_RECV_SHUT)) {
        if (bits & HANDLE_RESET)
            op_fail(op, ending_of_error(WSAECONNRESET));
        return START_DONE;
    }
    return wait_readable(op);
}

void pooled_ended(struct op *op, struct harvest *out)
{
    struct ending e = ending_of_packet(overlapped_of(op));
    enum verdict verdict;
    while ((verdict = took(op, &e)) == VERDICT_ASK)
        if (!ask(op, &e))
            return;
    if (verdict == VERDICT_EVENT) {
        handle_op_more(op, op->result, CPORT_BUFFER, op->aux, out);
        if (op->bits & OP_CANCELLED) {
            op->result = CPORT_ECANCELED;
            op->aux = 0;
        } else if (wait_readable(op) == START_PENDING) {
            return;
        }
    }
    handle_op_final(op, op->result, out);
}
