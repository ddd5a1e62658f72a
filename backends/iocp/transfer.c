/*
 * transfer.c: receives and sends.
 *
 * The kernel may move less than was asked for: a send, and a receive that wants all, ask again for the rest. The handle's
 * direction is theirs until then, so nothing gets between.
 */
#include "iocp.h"

/* Most bytes of one call: the kernel locks their pages into memory, and refuses what it cannot lock, for as long as the peer
 * lets the call wait. */
#define BYTES_MOST ((size_t)1 << 24)

static bool is_send(const struct op *op)
{
    return op->kind == OP_SEND || op->kind == OP_SENDV;
}

/* What is left of the op's memory, for one call. */
static DWORD pieces_left(struct op *op, WSABUF *ret_bufs)
{
    if (op->kind == OP_RECV || op->kind == OP_SEND) {
        size_t left = op->io.len - op->transferred;
        ret_bufs[0].buf = (char *)op->io.base + op->transferred;
        ret_bufs[0].len = (ULONG)(left < BYTES_MOST ? left : BYTES_MOST);
        return 1;
    }
    const struct vec *vec = op->io.vec;
    size_t room = BYTES_MOST;
    DWORD n = 0;
    while (n < vec->count && room) {
        const cport_buf *buf = &vec->bufs[vec->first + n];
        ret_bufs[n].buf = buf->base;
        ret_bufs[n].len = buf->len < room ? buf->len : (ULONG)room;
        room -= ret_bufs[n].len;
        n++;
    }
    if (n == 0)
        ret_bufs[n++] = (WSABUF){0, NULL};
    return n;
}

/* True: the call has ended at once. */
static bool ask(struct op *op, struct ending *ret_ending)
{
    WSABUF bufs[CPORT_BUFS_MAX];
    DWORD n = pieces_left(op, bufs);
    OVERLAPPED *overlapped = overlapped_of(op);
    SOCKET s = (SOCKET)op->handle->fd;
    DWORD flags = 0;
    *overlapped = (OVERLAPPED){0};
    int r = is_send(op) ? WSASend(s, bufs, n, NULL, 0, overlapped, NULL)
                        : WSARecv(s, bufs, n, NULL, &flags, overlapped, NULL);
    return ending_of_call(op->handle, r == 0, overlapped, ret_ending);
}

static void advance(struct op *op, size_t bytes)
{
    size_t left = op->io.len - op->transferred;
    size_t n = bytes < left ? bytes : left;
    op->transferred += n;
    if (op->kind == OP_RECVV || op->kind == OP_SENDV)
        vec_advance(op->io.vec, n);
}

/* The kernel's word on a receive. True: the op has ended. */
static bool recv_took(struct op *op, const struct ending *e)
{
    struct cport_handle *h = op->handle;
    if (e->code == CPORT_ECONNRESET)
        h->engine_bits |= HANDLE_RESET;
    bool cancelled = (op->bits & OP_CANCELLED) != 0;
    bool shut = !cancelled && (h->engine_bits & HANDLE_RECV_SHUT);
    bool all = (op->flags & CPORT_RECV_ALL) && op->transferred < op->io.len;
    op->result = (int64_t)op->transferred;
    if (e->code < 0 && !shut) {
        /* A receive of nothing tells that there is something to be had, and a reset is: the next receive's. */
        if (op->io.len || e->code != CPORT_ECONNRESET)
            op_fail(op, *e);
    } else if (all && e->bytes && !shut) {
        if (!cancelled)
            return false;
        op->result = CPORT_ECANCELED;
    }
    return true;
}

/* The same on a send. */
static bool send_took(struct op *op, const struct ending *e)
{
    op->result = (int64_t)op->transferred;
    if (e->code < 0) {
        send_fail(op, *e);
    } else if (op->transferred < op->io.len) {
        /* Even if nothing went out: Wine ends a send that waits for room with success, and what it has sent by then, as soon as
         * it sees that the peer has ended its side. */
        if (!(op->bits & OP_CANCELLED))
            return false;
        op->result = CPORT_ECANCELED;
    }
    return true;
}

static bool took(struct op *op, struct ending e)
{
    advance(op, e.bytes);
    if (is_send(op))
        return send_took(op, &e);
    if (e.code == 0 && e.bytes == 0 && op->io.len)
        e = ending_of_stream(op->handle);
    return recv_took(op, &e);
}

static int run(struct op *op)
{
    struct ending e;
    do {
        if (!ask(op, &e))
            return START_PENDING;
    } while (!took(op, e));
    return START_DONE;
}

int transfer_start(struct op *op)
{
    unsigned bits = op->handle->engine_bits;
    if (!is_send(op) && (bits & (HANDLE_RESET | HANDLE_RECV_SHUT))) {
        /* The kernel may have told of the reset once and for all, and takes no receive after a shutdown. */
        if ((bits & HANDLE_RESET) && op->io.len)
            op_fail(op, ending_of_error(WSAECONNRESET));
        return START_DONE;
    }
    return run(op);
}

void transfer_ended(struct op *op, struct harvest *out)
{
    if (took(op, ending_of_packet(overlapped_of(op))) || run(op) == START_DONE)
        handle_op_final(op, op->result, out);
}
