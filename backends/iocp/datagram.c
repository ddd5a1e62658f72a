/*
 * datagram.c: datagrams. A success always queues a packet: a datagram that does not fit succeeds in the kernel's eyes, and
 * fails in Winsock's, so that a caller who skips packets could not tell whether one is to come.
 */
#include "functions.h"

#include <string.h>

#include "datagram.h"

#define STATUS_CUT ((ULONG_PTR)0x80000005) /* STATUS_BUFFER_OVERFLOW */

/* True: the call has ended with an error and no packet will come. */
static bool ended_at_once(bool ok, const OVERLAPPED *overlapped, struct ending *ret_ending)
{
    int error = ok ? WSA_IO_PENDING : WSAGetLastError();
    if (error == WSA_IO_PENDING || (error == WSAEMSGSIZE && overlapped->Internal == STATUS_CUT))
        return false;
    *ret_ending = ending_of_error((uint32_t)error);
    return true;
}

/* What tells of an unreachable port, in its different words. */
static bool is_unreachable(int code)
{
    return code == CPORT_ECONNREFUSED || code == CPORT_ECONNRESET;
}

bool datagram_forgives(const struct op *op, const struct ending *e)
{
    return is_unreachable(e->code) && (op->handle->traits & HANDLE_QUIET) &&
           !(op->bits & OP_CANCELLED);
}

/* The same code as on every system. */
static void fail(struct op *op, struct ending e)
{
    if (is_unreachable(e.code))
        e.code = CPORT_ECONNREFUSED;
    op_fail(op, e);
}

/* ---- Plain receives and sends ---- */

static bool is_plain_send(const struct op *op)
{
    return op->kind == OP_SEND || op->kind == OP_SENDV;
}

/* The pieces of a plain transfer; there is one at least. */
static DWORD plain_pieces(const struct op *op, WSABUF *ret_bufs)
{
    if (op->kind == OP_RECV || op->kind == OP_SEND) {
        ret_bufs[0] = (WSABUF){(ULONG)op->io.len, op->io.base};
        return 1;
    }
    const struct vec *vec = op->io.vec;
    for (unsigned i = 0; i < vec->count; i++)
        ret_bufs[i] = (WSABUF){vec->bufs[i].len, vec->bufs[i].base};
    return vec->count;
}

static bool ask_plain(struct op *op, struct ending *ret_ending)
{
    WSABUF bufs[CPORT_BUFS_MAX];
    DWORD n = plain_pieces(op, bufs);
    OVERLAPPED *overlapped = overlapped_of(op);
    SOCKET s = (SOCKET)op->handle->fd;
    /* A receive of nothing only looks. */
    DWORD flags = !is_plain_send(op) && op->io.len == 0 ? MSG_PEEK : 0;
    *overlapped = (OVERLAPPED){0};
    int r = is_plain_send(op) ? WSASend(s, bufs, n, NULL, 0, overlapped, NULL)
                              : WSARecv(s, bufs, n, NULL, &flags, overlapped, NULL);
    return ended_at_once(r == 0, overlapped, ret_ending);
}

/* ---- recvmsg and sendmsg ---- */

static WSAMSG *header_of(struct op *op)
{
    _Static_assert(sizeof(WSAMSG) <= sizeof(op->io.vec->engine), "a header fits");
    return (WSAMSG *)(void *)op->io.vec->engine;
}

static void fill_header(struct op *op)
{
    const cport_msg *msg = op->io.msg;
    struct vec *vec = op->io.vec;
    bool is_send = op->kind == OP_SENDMSG;
    ULONG control_len = is_send ? msg->control_len : msg->control_room;
    _Static_assert(sizeof(cport_buf) == sizeof(WSABUF), "pieces are the system's own");
    if (vec->count == 0)
        vec->bufs[vec->count++] = (cport_buf){0, NULL};
    *header_of(op) = (WSAMSG){
        .name = msg->address,
        .lpBuffers = (WSABUF *)(void *)vec->bufs,
        .dwBufferCount = vec->count,
        .Control = {control_len, control_len ? msg->control : NULL},
    };
    if (msg->address)
        header_of(op)->namelen = is_send ? msg->address_len : msg->address_room;
}

static bool ask_msg(struct op *op, struct ending *ret_ending)
{
    const struct functions *f = functions();
    OVERLAPPED *overlapped = overlapped_of(op);
    SOCKET s = (SOCKET)op->handle->fd;
    WSAMSG *hdr = header_of(op);
    int r;
    fill_header(op);
    *overlapped = (OVERLAPPED){0};
    if (op->kind == OP_RECVMSG)
        r = f->recv_msg(s, hdr, NULL, overlapped, NULL);
    else if (hdr->Control.len)
        r = f->send_msg(s, hdr, 0, NULL, overlapped, NULL);
    else if (!hdr->name)
        r = WSASend(s, hdr->lpBuffers, hdr->dwBufferCount, NULL, 0, overlapped, NULL);
    else
        r = WSASendTo(s, hdr->lpBuffers, hdr->dwBufferCount, NULL, 0, hdr->name, hdr->namelen,
            overlapped, NULL);
    return ended_at_once(r == 0, overlapped, ret_ending);
}

static void tell_msg(struct op *op)
{
    cport_msg *msg = op->io.msg;
    const WSAMSG *hdr = header_of(op);
    int room = msg->address ? msg->address_room : 0;
    msg->address_len = hdr->namelen < room ? hdr->namelen : room;
    msg->control_len = hdr->Control.len < msg->control_room ? hdr->Control.len : msg->control_room;
    msg->flags = os_msg_flags(hdr->dwFlags);
    if (op->result == CPORT_EMSGSIZE)
        msg->flags |= CPORT_MSG_TRUNCATED;
    else if (msg->flags & CPORT_MSG_TRUNCATED)
        op->result = CPORT_EMSGSIZE;
}

/* With both flags the same error is told, and the same status. */
static bool is_cut(const struct ending *e, DWORD flags)
{
    return e->code == CPORT_EMSGSIZE && (flags & (MSG_TRUNC | MSG_CTRUNC)) != MSG_CTRUNC;
}

/* ---- What they have in common ---- */

static bool ask(struct op *op, struct ending *ret_ending)
{
    return op->kind == OP_RECVMSG || op->kind == OP_SENDMSG ? ask_msg(op, ret_ending)
                                                            : ask_plain(op, ret_ending);
}

/* The kernel's word. True: the op has ended. */
static bool took(struct op *op, const struct ending *e)
{
    if (datagram_forgives(op, e))
        return false;
    bool is_receive = op->kind == OP_RECV || op->kind == OP_RECVV || op->kind == OP_RECVMSG;
    bool is_there = e->code == 0 || (is_receive && e->code == CPORT_EMSGSIZE);
    bool cut = is_there && is_cut(e, op->kind == OP_RECVMSG ? header_of(op)->dwFlags : 0);
    op->result = 0;
    if (!is_there) {
        fail(op, *e);
        return true;
    }
    if (is_receive && op->io.len == 0)
        return true; /* it has only looked */
    op->transferred = cut ? op->io.len : e->bytes;
    op->result = cut ? CPORT_EMSGSIZE : (int64_t)e->bytes;
    op->aux = cut ? e->raw : 0;
    if (op->kind == OP_RECVMSG)
        tell_msg(op);
    return true;
}

int datagram_start(struct op *op)
{
    struct ending e;
    do
        if (!ask(op, &e))
            return START_PENDING;
    while (!took(op, &e));
    return START_DONE;
}

void datagram_ended(struct op *op, struct harvest *out)
{
    struct ending e = ending_of_packet(overlapped_of(op));
    if (took(op, &e) || datagram_start(op) == START_DONE)
        handle_op_final(op, op->result, out);
}

/* ---- Into a pool: first a look, then a buffer (io.base, its id in aux) and a receive ---- */

/* Beside the header, where the pieces of others are. */
static WSABUF *piece_of(struct op *op)
{
    return (WSABUF *)(void *)op->io.vec->bufs;
}

static bool ask_pooled(struct op *op, struct ending *ret_ending)
{
    OVERLAPPED *overlapped = overlapped_of(op);
    SOCKET s = (SOCKET)op->handle->fd;
    *overlapped = (OVERLAPPED){0};
    int r;
    if (!op->io.base) {
        WSABUF nothing = {0, NULL};
        DWORD flags = MSG_PEEK;
        r = WSARecv(s, &nothing, 1, NULL, &flags, overlapped, NULL);
    } else {
        struct datagram_head *head = op->io.base;
        *piece_of(op) = (WSABUF){(ULONG)op->io.len, (char *)op->io.base + CPORT_MSG_HEAD};
        *header_of(op) = (WSAMSG){
            .name = (struct sockaddr *)(void *)head->address,
            .namelen = HEAD_ADDRESS_ROOM,
            .lpBuffers = piece_of(op),
            .dwBufferCount = 1,
            .Control = {HEAD_CONTROL_ROOM, (char *)head->control},
        };
        r = functions()->recv_msg(s, header_of(op), NULL, overlapped, NULL);
    }
    return ended_at_once(r == 0, overlapped, ret_ending);
}

enum verdict {
    VERDICT_ASK,   /* the next call */
    VERDICT_EVENT, /* a buffer for the caller, and the op stays armed */
    VERDICT_END,
};

static enum verdict looked(struct op *op, const struct ending *e)
{
    if (e->code < 0 && e->code != CPORT_EMSGSIZE) {
        fail(op, *e);
        return VERDICT_END;
    }
    uint32_t id;
    if ((op->bits & OP_CANCELLED) || !bufs_take(op->io.pool, &id)) {
        op->result = op->bits & OP_CANCELLED ? CPORT_ECANCELED : CPORT_ENOBUFS;
        return VERDICT_END;
    }
    op->io.base = bufs_at(op->io.pool, id);
    op->aux = id;
    return VERDICT_ASK;
}

static enum verdict received(struct op *op, const struct ending *e)
{
    struct cport_bufs *pool = op->io.pool;
    struct datagram_head *head = op->io.base;
    const WSAMSG *hdr = header_of(op);
    const uint32_t id = op->aux;
    op->io.base = NULL;
    if (e->code < 0 && e->code != CPORT_EMSGSIZE) {
        bufs_untake(pool, id);
        fail(op, *e);
        return VERDICT_END;
    }
    head->address_len = (uint32_t)hdr->namelen;
    head->control_len = hdr->Control.len;
    bool cut = is_cut(e, hdr->dwFlags);
    head->data_len = cut ? (uint32_t)op->io.len : (uint32_t)e->bytes;
    head->os_flags = hdr->dwFlags | (cut ? (DWORD)MSG_TRUNC : 0);
    bufs_give(pool, id);
    op->transferred = datagram_len(pool, head);
    op->result = datagram_result(pool, head);
    if (op_is_multishot(op))
        return VERDICT_EVENT;
    op->event_flags = CPORT_BUFFER;
    return VERDICT_END;
}

static enum verdict took_pooled(struct op *op, const struct ending *e)
{
    if (datagram_forgives(op, e))
        return VERDICT_ASK;
    return op->io.base ? received(op, e) : looked(op, e);
}

/* A packet is always to come, unless the socket has failed. */
static int look(struct op *op)
{
    struct ending e;
    op->aux = 0;
    while (ask_pooled(op, &e))
        if (took_pooled(op, &e) != VERDICT_ASK)
            return START_DONE;
    return START_PENDING;
}

int datagram_pooled_start(struct op *op)
{
    return look(op);
}

void datagram_pooled_ended(struct op *op, struct harvest *out)
{
    struct ending e = ending_of_packet(overlapped_of(op));
    enum verdict verdict;
    while ((verdict = took_pooled(op, &e)) == VERDICT_ASK)
        if (!ask_pooled(op, &e))
            return;
    if (verdict == VERDICT_EVENT) {
        handle_op_more(op, op->result, CPORT_BUFFER, op->aux, out);
        if (op->bits & OP_CANCELLED)
            op->result = CPORT_ECANCELED;
        else if (look(op) == START_PENDING)
            return;
    }
    handle_op_final(op, op->result, out);
}
