/*
 * queue.c: packets that we post ourselves.
 */
#include "functions.h"

bool queue_post(struct cport_port *port, ULONG_PTR key, OVERLAPPED *overlapped)
{
    return functions()->post_packet(iocp_of(port)->queue, 0, key, overlapped);
}

/* It fails for want of non-paged memory alone, which is not for long, or nothing else works either. */
static void queue_post_patiently(struct cport_port *port, ULONG_PTR key, OVERLAPPED *overlapped)
{
    while (!queue_post(port, key, overlapped))
        Sleep(1);
}

void queue_post_surely(struct cport_port *port, ULONG_PTR key)
{
    queue_post_patiently(port, key, NULL);
}

void queue_post_job(struct cport_port *port, struct op *op)
{
    queue_post_patiently(port, KEY_JOB, overlapped_of(op));
}

static struct cport_handle *handle_of(const struct op *op)
{
    return op_has_handle(op) ? op->handle : NULL;
}

bool queue_ready(struct cport_port *port, struct op *op)
{
    struct cport_handle *h = handle_of(op);
    if (h)
        atomic_fetch_add_explicit(&h->queued, 1, memory_order_relaxed);
    bool ok = queue_post(port, KEY_READY, overlapped_of(op)); /* if so, the op is gone */
    if (h && !ok)
        atomic_fetch_sub_explicit(&h->queued, 1, memory_order_relaxed);
    return ok;
}

void ready_taken(struct op *op)
{
    struct cport_handle *h = handle_of(op);
    if (h)
        atomic_fetch_sub_explicit(&h->queued, 1, memory_order_relaxed);
}

bool queue_repeat(struct op *op, OVERLAPPED *overlapped)
{
    overlapped->Internal = 0;
    overlapped->InternalHigh = 0;
    return queue_post(op->handle->port, (ULONG_PTR)op->handle, overlapped);
}
