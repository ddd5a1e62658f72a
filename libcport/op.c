/*
 * op.c: the calls that start operations: argument checks, capture, and on to handle.c.
 */
#include "op.h"

#include <string.h>

#include "datagram.h"
#include "port.h"
#include "resolve.h"

void cport_op_init(cport_op *op, void *user)
{
    *op = (cport_op){.user = user};
}

int64_t cport_op_result(const cport_op *op)
{
    return ((const struct op *)(const void *)op)->result;
}

size_t cport_op_transferred(const cport_op *op)
{
    return ((const struct op *)(const void *)op)->transferred;
}

/* What all submits check. Sets what is known of the op by then. */
static inline int op_begin(
    cport_handle *h, struct op *op, enum op_kind kind, uint32_t flags, uint32_t flags_known)
{
    if (!h || !op || (flags & ~flags_known))
        return CPORT_EINVAL;
    if (!port_is_mine(h->port))
        return CPORT_EWRONGTHREAD;
    if (op_state(op) != OP_FREE)
        return CPORT_EBUSY;
    op->kind = (uint8_t)kind;
    op->flags = flags;
    op->bits = 0;
    return 0;
}

int cport_accept(cport_handle *listener, cport_op *public_op, uint32_t flags)
{
    struct op *op = op_of(public_op);
    if ((flags & CPORT_MULTISHOT) && (flags & CPORT_INLINE_OK))
        return CPORT_EINVAL;
    int r = op_begin(listener, op, OP_ACCEPT, flags, CPORT_MULTISHOT | CPORT_INLINE_OK);
    if (r < 0)
        return r;
    op->accept.backoff_ns = 0;
    op->pause.slot = WHEEL_IDLE;
    return handle_submit(listener, &listener->rd, op);
}

int cport_connect(cport_handle *h, cport_op *public_op, const struct sockaddr *address,
    cport_socklen address_len, uint32_t flags)
{
    struct op *op = op_of(public_op);
    if (!address || address_len <= 0 || (size_t)address_len > sizeof(struct sockaddr_storage))
        return CPORT_EINVAL;
    int r = op_begin(h, op, OP_CONNECT, flags, CPORT_INLINE_OK);
    if (r < 0)
        return r;
    struct vec *vec = port_vec(h->port);
    if (!vec)
        return CPORT_ENOMEM;
    memcpy(&vec->address, address, (size_t)address_len);
    op->connect.address = vec;
    op->connect.len = address_len;
    op->engine[0] = 0;
    op->bits |= OP_CAPTURED;
    return handle_submit(h, &h->wr, op);
}

/* A transfer of one piece of memory. */
static int submit_plain(cport_handle *h, struct dir *d, struct op *op, void *data, size_t len)
{
    op->io.base = data;
    op->io.len = len;
    return handle_submit(h, d, op);
}

static int capture_pieces(
    const cport_handle *h, struct op *op, const cport_buf *bufs, unsigned count)
{
    struct vec *vec = port_vec(h->port);
    if (!vec)
        return CPORT_ENOMEM;
    if (count)
        memcpy(vec->bufs, bufs, count * sizeof(*bufs));
    vec->first = 0;
    vec->count = count;
    op->io.vec = vec;
    op->io.len = vec_total(bufs, count);
    op->bits |= OP_CAPTURED;
    return 0;
}

/* A transfer of several: the array is the caller's again when this returns. */
static int submit_pieces(
    cport_handle *h, struct dir *d, struct op *op, const cport_buf *bufs, unsigned count)
{
    int r = capture_pieces(h, op, bufs, count);
    return r < 0 ? r : handle_submit(h, d, op);
}

static bool pieces_ok(const cport_buf *bufs, unsigned count)
{
    if (!bufs || count == 0 || count > CPORT_BUFS_MAX)
        return false;
    size_t total = 0;
    for (unsigned i = 0; i < count; i++) {
        if ((!bufs[i].base && bufs[i].len) || bufs[i].len > SIZE_MAX / 2 - total)
            return false;
        total += bufs[i].len;
    }
    return true;
}

/* A receive on a datagram socket takes one datagram, and has nothing to wait for then. */
static bool wants_all_of_a_datagram(const cport_handle *h, uint32_t flags)
{
    return (flags & CPORT_RECV_ALL) && h && (h->traits & HANDLE_DATAGRAM);
}

int cport_recv(cport_handle *h, cport_op *public_op, void *data, size_t len, uint32_t flags)
{
    struct op *op = op_of(public_op);
    if ((!data && len) || wants_all_of_a_datagram(h, flags))
        return CPORT_EINVAL;
    int r = op_begin(h, op, OP_RECV, flags, CPORT_RECV_ALL | CPORT_INLINE_OK);
    return r < 0 ? r : submit_plain(h, &h->rd, op, data, len);
}

int cport_recvv(
    cport_handle *h, cport_op *public_op, const cport_buf *bufs, unsigned count, uint32_t flags)
{
    struct op *op = op_of(public_op);
    if (!pieces_ok(bufs, count) || wants_all_of_a_datagram(h, flags))
        return CPORT_EINVAL;
    int r = op_begin(h, op, OP_RECVV, flags, CPORT_RECV_ALL | CPORT_INLINE_OK);
    return r < 0 ? r : submit_pieces(h, &h->rd, op, bufs, count);
}

static int submit_pooled(cport_handle *h, struct op *op, cport_bufs *pool, size_t len)
{
    atomic_fetch_add_explicit(&pool->receives, 1, memory_order_relaxed);
    op->bits |= OP_CAPTURED;
    op->io.pool = pool;
    op->io.base = NULL;
    op->io.len = len;
    return handle_submit(h, &h->rd, op);
}

int cport_recv_pooled(cport_handle *h, cport_op *public_op, cport_bufs *pool, uint32_t flags)
{
    struct op *op = op_of(public_op);
    if (!pool || (h && (pool->port != h->port || (h->traits & HANDLE_DATAGRAM))))
        return CPORT_EINVAL;
    int r = op_begin(h, op, OP_RECV_POOLED, flags, CPORT_MULTISHOT);
    if (r < 0)
        return r;
    return submit_pooled(h, op, pool, pool->size);
}

int cport_send(cport_handle *h, cport_op *public_op, const void *data, size_t len, uint32_t flags)
{
    struct op *op = op_of(public_op);
    if (!data && len)
        return CPORT_EINVAL;
    int r = op_begin(h, op, OP_SEND, flags, CPORT_INLINE_OK | CPORT_ZERO_COPY);
    return r < 0 ? r : submit_plain(h, &h->wr, op, (void *)(uintptr_t)data, len);
}

int cport_sendv(
    cport_handle *h, cport_op *public_op, const cport_buf *bufs, unsigned count, uint32_t flags)
{
    struct op *op = op_of(public_op);
    if (!pieces_ok(bufs, count))
        return CPORT_EINVAL;
    int r = op_begin(h, op, OP_SENDV, flags, CPORT_INLINE_OK | CPORT_ZERO_COPY);
    return r < 0 ? r : submit_pieces(h, &h->wr, op, bufs, count);
}

/* Whether all of it can be counted, and addressed by the kernels, which do so in signed 64 bits. */
static bool passage_ok(uint64_t offset, uint64_t len, const cport_headtail *ht)
{
    if (offset > INT64_MAX || len > INT64_MAX - offset || (!ht->head && ht->head_len) ||
        (!ht->tail && ht->tail_len))
        return false;
    uint64_t room = SIZE_MAX / 2;
    if (ht->head_len > room || ht->tail_len > room - ht->head_len)
        return false;
    return len <= room - ht->head_len - ht->tail_len;
}

/* The bytes from offset to the end. */
static int rest_of_file(const cport_handle *file, uint64_t offset, uint64_t *ret_len)
{
    uint64_t size;
    int r = os_file_size(file->fd, &size);
    if (r == 0)
        *ret_len = size > offset ? size - offset : 0;
    return r;
}

int cport_sendfile(cport_handle *h, cport_op *public_op, cport_handle *file, uint64_t offset,
    uint64_t len, const cport_headtail *headtail, uint32_t flags)
{
    struct op *op = op_of(public_op);
    const cport_headtail ht = headtail ? *headtail : (cport_headtail){0};
    if (!file || file->state != HANDLE_FILE || (h && (h->traits & HANDLE_DATAGRAM)))
        return CPORT_EINVAL;
    int r = op_begin(h, op, OP_SENDFILE, flags, CPORT_INLINE_OK);
    if (r == 0 && len == 0 && offset <= INT64_MAX)
        r = rest_of_file(file, offset, &len);
    if (r == 0 && !passage_ok(offset, len, &ht))
        r = CPORT_EINVAL;
    if (r < 0)
        return r;
    struct vec *vec = port_vec(h->port);
    if (!vec)
        return CPORT_ENOMEM;
    vec->passage = (struct passage){.head = ht.head,
        .head_left = ht.head_len,
        .file = file,
        .offset = offset,
        .left = len,
        .tail = ht.tail,
        .tail_left = ht.tail_len};
    atomic_fetch_add_explicit(&file->passages, 1, memory_order_relaxed);
    op->io.vec = vec;
    op->io.len = ht.head_len + (size_t)len + ht.tail_len;
    op->bits |= OP_CAPTURED;
    return handle_submit(h, &h->wr, op);
}

/* ---- Datagrams ---- */

static bool control_ok(const cport_msg *msg, uint32_t len)
{
    return len == 0 || (msg->control && (uintptr_t)msg->control % _Alignof(uint64_t) == 0);
}

static int submit_msg(cport_handle *h, struct dir *d, struct op *op, const cport_msg *msg)
{
    op->io.msg = (cport_msg *)(uintptr_t)msg;
    return submit_pieces(h, d, op, msg->bufs, msg->bufs_count);
}

int cport_recvmsg(cport_handle *h, cport_op *public_op, cport_msg *msg, uint32_t flags)
{
    struct op *op = op_of(public_op);
    if (!msg || !pieces_ok(msg->bufs, msg->bufs_count) || !control_ok(msg, msg->control_room) ||
        (msg->address_room && !msg->address) || (h && !(h->traits & HANDLE_DATAGRAM)))
        return CPORT_EINVAL;
    int r = op_begin(h, op, OP_RECVMSG, flags, CPORT_INLINE_OK);
    return r < 0 ? r : submit_msg(h, &h->rd, op, msg);
}

int cport_sendmsg(cport_handle *h, cport_op *public_op, const cport_msg *msg, uint32_t flags)
{
    struct op *op = op_of(public_op);
    if (!msg || (msg->bufs_count && !pieces_ok(msg->bufs, msg->bufs_count)) ||
        !control_ok(msg, msg->control_len) || (h && !(h->traits & HANDLE_DATAGRAM)))
        return CPORT_EINVAL;
    if (msg->address &&
        (msg->address_len <= 0 || (size_t)msg->address_len > sizeof(struct sockaddr_storage)))
        return CPORT_EINVAL;
    int r = op_begin(h, op, OP_SENDMSG, flags, CPORT_INLINE_OK);
    if (r < 0)
        return r;
    /* A system that does not know of it may send all as one. */
    if (msg->control_len && !(h->port->caps & CPORT_CAP_UDP_GSO) && os_msg_is_segmented(msg))
        return CPORT_ENOTSUP;
    return submit_msg(h, &h->wr, op, msg);
}

int cport_recvmsg_pooled(cport_handle *h, cport_op *public_op, cport_bufs *pool, uint32_t flags)
{
    struct op *op = op_of(public_op);
    if (!pool || pool->size <= CPORT_MSG_HEAD ||
        (h && (pool->port != h->port || !(h->traits & HANDLE_DATAGRAM))))
        return CPORT_EINVAL;
    int r = op_begin(h, op, OP_RECVMSG_POOLED, flags, CPORT_MULTISHOT);
    if (r < 0)
        return r;
    op->io.vec = port_vec(h->port);
    if (!op->io.vec)
        return CPORT_ENOMEM;
    op->engine[0] = 0;
    return submit_pooled(h, op, pool, datagram_room(pool));
}

int cport_shutdown(cport_handle *h, cport_op *public_op, int how)
{
    struct op *op = op_of(public_op);
    if (how < CPORT_SHUT_RECV || how > CPORT_SHUT_BOTH)
        return CPORT_EINVAL;
    int r = op_begin(h, op, OP_SHUTDOWN, 0, 0);
    if (r < 0)
        return r;
    op->how = how;
    return handle_submit(h, &h->wr, op);
}

int cport_poll(cport_handle *h, cport_op *public_op, uint32_t mask)
{
    struct op *op = op_of(public_op);
    const uint32_t known = CPORT_POLL_IN | CPORT_POLL_OUT | CPORT_POLL_ERR | CPORT_POLL_HUP;
    if (mask == 0 || (mask & ~known))
        return CPORT_EINVAL;
    int r = op_begin(h, op, OP_POLL, 0, 0);
    if (r < 0)
        return r;
    op->poll_mask = mask;
    return handle_submit_unordered(h, op);
}

/* The kernels count in signed 64 bits. */
static bool range_ok(size_t len, uint64_t offset)
{
    return offset <= INT64_MAX && len <= INT64_MAX - offset;
}

static int submit_file(cport_handle *h, enum op_kind kind, struct op *op, void *data, size_t len,
    uint64_t offset, uint32_t flags)
{
    if ((!data && len) || !range_ok(len, offset))
        return CPORT_EINVAL;
    int r = op_begin(h, op, kind, flags, CPORT_INLINE_OK);
    if (r < 0)
        return r;
    op->io.base = data;
    op->io.len = len;
    op->io.offset = offset;
    return handle_submit_unordered(h, op);
}

static int submit_file_pieces(cport_handle *h, enum op_kind kind, struct op *op,
    const cport_buf *bufs, unsigned count, uint64_t offset, uint32_t flags)
{
    if (!pieces_ok(bufs, count) || !range_ok(vec_total(bufs, count), offset))
        return CPORT_EINVAL;
    int r = op_begin(h, op, kind, flags, CPORT_INLINE_OK);
    if (r == 0)
        r = capture_pieces(h, op, bufs, count);
    if (r < 0)
        return r;
    op->io.offset = offset;
    return handle_submit_unordered(h, op);
}

int cport_read(
    cport_handle *h, cport_op *op, void *data, size_t len, uint64_t offset, uint32_t flags)
{
    return submit_file(h, OP_READ, op_of(op), data, len, offset, flags);
}

int cport_readv(cport_handle *h, cport_op *op, const cport_buf *bufs, unsigned count,
    uint64_t offset, uint32_t flags)
{
    return submit_file_pieces(h, OP_READV, op_of(op), bufs, count, offset, flags);
}

int cport_write(
    cport_handle *h, cport_op *op, const void *data, size_t len, uint64_t offset, uint32_t flags)
{
    return submit_file(h, OP_WRITE, op_of(op), (void *)(uintptr_t)data, len, offset, flags);
}

int cport_writev(cport_handle *h, cport_op *op, const cport_buf *bufs, unsigned count,
    uint64_t offset, uint32_t flags)
{
    return submit_file_pieces(h, OP_WRITEV, op_of(op), bufs, count, offset, flags);
}

int cport_sync(cport_handle *h, cport_op *public_op, uint32_t flags)
{
    struct op *op = op_of(public_op);
    int r = op_begin(h, op, OP_SYNC, flags, CPORT_DATA_ONLY);
    return r < 0 ? r : handle_submit_unordered(h, op);
}

int cport_cancel(cport_op *public_op)
{
    struct op *op = op_of(public_op);
    if (!op)
        return CPORT_EINVAL;
    uint8_t state = op_state(op);
    if (state == OP_FREE || state == OP_CLOSING || op->kind == OP_POST)
        return CPORT_ENOENT;
    bool handle = op_has_handle(op);
    if (!port_is_mine(handle ? op->handle->port : op->port))
        return CPORT_EWRONGTHREAD;
    if (handle)
        return handle_cancel(op);
    return op->kind == OP_TIMER ? timer_cancel(op) : resolve_cancel(op);
}
