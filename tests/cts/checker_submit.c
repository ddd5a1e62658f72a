/* The checked twins of the calls that start, cancel and close operations. */
#include "checker_records.h"

#define SUBMIT(op, plan, call)                                                                     \
    do {                                                                                           \
        submit_token token = checker_submit_begins(op, &(plan));                                   \
        return checker_submit_ends(token, call);                                                   \
    } while (0)

static size_t bytes_of(const cport_buf *bufs, unsigned count)
{
    size_t bytes = 0;
    for (unsigned i = 0; bufs != NULL && i < count && i < CPORT_BUFS_MAX; i++)
        bytes += bufs[i].len;
    return bytes;
}

int cts_attach_try(
    cport_port *port, cport_os_handle fd, uintptr_t key, uint32_t flags, cport_handle **ret_h)
{
    cport_handle *const untouched = (cport_handle *)(uintptr_t)0x5A5A;
    cport_handle *h = untouched;
    int ret = cport_attach(port, fd, key, flags, ret_h != NULL ? &h : NULL);
    CHECK(ret <= 0);
    if (ret < 0) {
        CHECK(h == untouched);
        return ret;
    }
    CHECK(h != untouched && h != NULL);
    checker_handle_opened(h, port, key);
    *ret_h = h;
    return 0;
}

int cts_post(cport_port *port, cport_op *op, uintptr_t key, int64_t result)
{
    submit_plan plan = {.kind = KIND_POST, .port = port, .key = key, .posted = result};
    SUBMIT(op, plan, cport_post(port, op, key, result));
}

/* Marks the handle as ending before the call: its event may come, and its address return, before the call does. */
static handle_record *ending_begins(const cport_handle *h, bool *ret_before)
{
    cts_lock(&checker_lock);
    handle_record *rec = checker_handle(h);
    *ret_before = rec != NULL && rec->closing;
    if (rec != NULL)
        rec->closing = true;
    cts_unlock(&checker_lock);
    return rec;
}

int cts_detach(cport_handle *h, cport_os_handle *ret_fd)
{
    const cport_os_handle untouched = (cport_os_handle)-7;
    cport_os_handle fd = untouched;
    bool closing;
    handle_record *rec = ending_begins(h, &closing);
    int ret = cport_detach(h, ret_fd != NULL ? &fd : NULL);
    CHECK(ret <= 0);
    if (ret < 0) {
        CHECK(fd == untouched);
        if (rec != NULL)
            rec->closing = closing;
        return ret;
    }
    checker_handle_detached(rec);
    CHECK(ret_fd != NULL);
    *ret_fd = fd;
    return 0;
}

int cts_close(cport_handle *h, cport_op *op, uint32_t flags)
{
    submit_plan plan = {.kind = KIND_CLOSE, .handle = h};
    bool closing;
    handle_record *rec = ending_begins(h, &closing);
    submit_token token = checker_submit_begins(op, &plan);
    int ret = cport_close(h, op, flags);
    if (ret != 0 && !closing && rec != NULL)
        rec->closing = false;
    return checker_submit_ends(token, ret);
}

int cts_accept(cport_handle *listener, cport_op *op, uint32_t flags)
{
    submit_plan plan = {
        .kind = KIND_ACCEPT, .handle = listener, .may_repeat = (flags & CPORT_MULTISHOT) != 0};
    SUBMIT(op, plan, cport_accept(listener, op, flags));
}

int cts_connect(cport_handle *h, cport_op *op, const struct sockaddr *address,
    cport_socklen address_len, uint32_t flags)
{
    submit_plan plan = {.kind = KIND_CONNECT, .handle = h};
    SUBMIT(op, plan, cport_connect(h, op, address, address_len, flags));
}

int cts_recv(cport_handle *h, cport_op *op, void *data, size_t len, uint32_t flags)
{
    submit_plan plan = {.kind = KIND_RECV, .handle = h, .len = len};
    SUBMIT(op, plan, cport_recv(h, op, data, len, flags));
}

int cts_recvv(cport_handle *h, cport_op *op, const cport_buf *bufs, unsigned count, uint32_t flags)
{
    submit_plan plan = {.kind = KIND_RECV, .handle = h, .len = bytes_of(bufs, count)};
    SUBMIT(op, plan, cport_recvv(h, op, bufs, count, flags));
}

int cts_recv_pooled(cport_handle *h, cport_op *op, cport_bufs *pool, uint32_t flags)
{
    pool_record *p = checker_pool(pool);
    submit_plan plan = {.kind = KIND_RECV_POOLED,
        .handle = h,
        .pool = pool,
        .len = p != NULL ? p->size : 0,
        .may_repeat = (flags & CPORT_MULTISHOT) != 0};
    SUBMIT(op, plan, cport_recv_pooled(h, op, pool, flags));
}

int cts_send(cport_handle *h, cport_op *op, const void *data, size_t len, uint32_t flags)
{
    submit_plan plan = {
        .kind = KIND_SEND, .handle = h, .len = len, .zero_copy = (flags & CPORT_ZERO_COPY) != 0};
    SUBMIT(op, plan, cport_send(h, op, data, len, flags));
}

int cts_sendv(cport_handle *h, cport_op *op, const cport_buf *bufs, unsigned count, uint32_t flags)
{
    submit_plan plan = {.kind = KIND_SEND,
        .handle = h,
        .len = bytes_of(bufs, count),
        .zero_copy = (flags & CPORT_ZERO_COPY) != 0};
    SUBMIT(op, plan, cport_sendv(h, op, bufs, count, flags));
}

/* What a sendfile to the end will send of the file. */
static uint64_t rest_of_file(const cport_handle *file, uint64_t offset)
{
    uint64_t size = 0;
    if (file != NULL)
        (void)cport_file_size(cport_handle_fd(file), &size);
    return size > offset ? size - offset : 0;
}

int cts_sendfile(cport_handle *socket, cport_op *op, cport_handle *file, uint64_t offset,
    uint64_t len, const cport_headtail *headtail, uint32_t flags)
{
    submit_plan plan = {.kind = KIND_SEND, .handle = socket};
    plan.len = (size_t)(len != 0 ? len : rest_of_file(file, offset));
    if (headtail != NULL)
        plan.len += headtail->head_len + headtail->tail_len;
    SUBMIT(op, plan, cport_sendfile(socket, op, file, offset, len, headtail, flags));
}

int cts_recvmsg(cport_handle *h, cport_op *op, cport_msg *msg, uint32_t flags)
{
    submit_plan plan = {.kind = KIND_RECVMSG,
        .handle = h,
        .len = msg != NULL ? bytes_of(msg->bufs, msg->bufs_count) : 0};
    SUBMIT(op, plan, cport_recvmsg(h, op, msg, flags));
}

int cts_recvmsg_pooled(cport_handle *h, cport_op *op, cport_bufs *pool, uint32_t flags)
{
    pool_record *p = checker_pool(pool);
    submit_plan plan = {.kind = KIND_RECVMSG_POOLED,
        .handle = h,
        .pool = pool,
        .len = p != NULL && p->size > CPORT_MSG_HEAD ? p->size - CPORT_MSG_HEAD : 0,
        .may_repeat = (flags & CPORT_MULTISHOT) != 0};
    SUBMIT(op, plan, cport_recvmsg_pooled(h, op, pool, flags));
}

int cts_sendmsg(cport_handle *h, cport_op *op, const cport_msg *msg, uint32_t flags)
{
    submit_plan plan = {.kind = KIND_SENDMSG,
        .handle = h,
        .len = msg != NULL ? bytes_of(msg->bufs, msg->bufs_count) : 0};
    SUBMIT(op, plan, cport_sendmsg(h, op, msg, flags));
}

int cts_shutdown(cport_handle *h, cport_op *op, int how)
{
    submit_plan plan = {.kind = KIND_SHUTDOWN, .handle = h};
    SUBMIT(op, plan, cport_shutdown(h, op, how));
}

int cts_poll(cport_handle *h, cport_op *op, uint32_t mask)
{
    submit_plan plan = {.kind = KIND_POLL, .handle = h};
    SUBMIT(op, plan, cport_poll(h, op, mask));
}

int cts_read(cport_handle *h, cport_op *op, void *data, size_t len, uint64_t offset, uint32_t flags)
{
    submit_plan plan = {.kind = KIND_READ, .handle = h, .len = len};
    SUBMIT(op, plan, cport_read(h, op, data, len, offset, flags));
}

int cts_readv(cport_handle *h, cport_op *op, const cport_buf *bufs, unsigned count, uint64_t offset,
    uint32_t flags)
{
    submit_plan plan = {.kind = KIND_READ, .handle = h, .len = bytes_of(bufs, count)};
    SUBMIT(op, plan, cport_readv(h, op, bufs, count, offset, flags));
}

int cts_write(
    cport_handle *h, cport_op *op, const void *data, size_t len, uint64_t offset, uint32_t flags)
{
    submit_plan plan = {.kind = KIND_WRITE, .handle = h, .len = len};
    SUBMIT(op, plan, cport_write(h, op, data, len, offset, flags));
}

int cts_writev(cport_handle *h, cport_op *op, const cport_buf *bufs, unsigned count,
    uint64_t offset, uint32_t flags)
{
    submit_plan plan = {.kind = KIND_WRITE, .handle = h, .len = bytes_of(bufs, count)};
    SUBMIT(op, plan, cport_writev(h, op, bufs, count, offset, flags));
}

int cts_sync(cport_handle *h, cport_op *op, uint32_t flags)
{
    submit_plan plan = {.kind = KIND_SYNC, .handle = h};
    SUBMIT(op, plan, cport_sync(h, op, flags));
}

int cts_timer(cport_port *port, cport_op *op, int64_t deadline_ns, int64_t period_ns)
{
    submit_plan plan = {.kind = KIND_TIMER, .port = port, .may_repeat = period_ns > 0};
    SUBMIT(op, plan, cport_timer(port, op, deadline_ns, period_ns));
}

int cts_resolve(cport_port *port, cport_op *op, const char *host, uint16_t tcp_port, uint32_t flags)
{
    submit_plan plan = {.kind = KIND_RESOLVE, .port = port};
    SUBMIT(op, plan, cport_resolve(port, op, host, tcp_port, flags));
}

int cts_cancel(cport_op *op)
{
    cts_lock(&checker_lock);
    op_record *rec = checker_op(op);
    bool before = rec != NULL && rec->cancelled;
    bool in_flight = rec != NULL && rec->state != OP_IDLE;
    uint64_t submit = rec != NULL ? rec->submit : 0;
    if (rec != NULL)
        rec->cancelled = true; /* before the call: the event may be dequeued before it returns */
    cts_unlock(&checker_lock);
    int ret = cport_cancel(op);
    if (ret != 0 && ret != CPORT_ENOENT && ret != CPORT_EWRONGTHREAD && ret != CPORT_EINVAL)
        cts_fail("contract", 0, "cport_cancel returned %d", ret);
    if (ret == 0 && !in_flight)
        cts_fail("contract", 0, "cport_cancel returned 0 for an op that is not in flight");
    cts_lock(&checker_lock);
    if (ret != 0 && rec != NULL && rec->submit == submit)
        rec->cancelled = before;
    cts_unlock(&checker_lock);
    return ret;
}

int cts_cancel_all(cport_handle *h)
{
    checker_handle_cancelled(h);
    return cport_cancel_all(h);
}
