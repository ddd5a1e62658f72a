/*
 * shared.c: the io_uring engine of shared ports as the core sees it: everything is told to the I/O thread.
 */
#include "shared.h"

#include "file_job.h"

#include <stdio.h>
#include <string.h>

/* The I/O thread sleeps, and this one has undertaken to wake it. */
static void io_wake(struct shared *s)
{
    port_count(s->u.port, &s->u.port->stats.wakeups);
    ring_wake(&s->u);
    postbox_woken(&s->starts);
}

static void io_refilled(struct gather *g)
{
    ring_wake(g->port->engine);
}

static void await_done(struct shared *s, uint32_t before)
{
    while (atomic_load_explicit(&s->done, memory_order_acquire) == before)
        os_futex_wait(&s->done, before, -1);
}

static int io_errand(
    struct cport_port *port, int (*run)(const struct errand *errand), void *object, size_t len)
{
    struct shared *s = shared_of(port);
    struct errand errand = {run, port, object, len, 0};
    lock_acquire(&s->errands);
    uint32_t before = atomic_load_explicit(&s->done, memory_order_relaxed);
    atomic_store_explicit(&s->errand, &errand, memory_order_seq_cst);
    if (postbox_knock(&s->starts))
        io_wake(s);
    await_done(s, before);
    lock_release(&s->errands);
    return errand.result;
}

static void io_stop(struct cport_port *port)
{
    (void)io_errand(port, NULL, NULL, 0);
    os_thread_join(&shared_of(port)->thread);
}

static void engine_close(struct cport_port *port)
{
    struct shared *s = shared_of(port);
    gather_close(&s->gather);
    port_free(port, s, sizeof(*s));
}

/* Nothing is pending; but something may have been found and not be the port's yet. */
static int detach(struct cport_handle *h)
{
    struct gather *g = &shared_of(h->port)->gather;
    uintptr_t published = atomic_load_explicit(&g->published, memory_order_relaxed);
    return (uintptr_t)h->engine > published || port_has_ready(h->port, h) ? CPORT_EBUSY : 0;
}

/* op is written completely before the I/O thread gets it. The handle's lock is held, here and below. */
static void tell_start(struct op *op)
{
    struct shared *s = shared_of(op->handle->port);
    struct scratch *scratch = scratch_of(op);
    scratch->state = 0;
    scratch->cancel_sent = false;
    if (postbox_push(&s->starts, &scratch->start))
        io_wake(s);
}

static int start(struct op *op)
{
    if (is_job(op))
        return offload_run(op->handle->port, op, &file_job);
    if (is_unix_connect(op)) {
        connect_unix_now(op);
        return START_DONE;
    }
    if (is_zero_copy(op))
        zero_copy_begin(op);
    tell_start(op);
    return START_PENDING;
}

static int cancel(struct op *op)
{
    struct shared *s = shared_of(op->handle->port);
    struct scratch *scratch = scratch_of(op);
    if (is_job(op))
        return offload_cancel(op->handle->port, op) ? CANCEL_DONE : CANCEL_LATER;
    if (scratch->cancel_sent) /* it lingers, and is told again that its handle closes */
        return CANCEL_LATER;
    scratch->cancel_sent = true;
    mpsc_push(&s->cancels, &scratch->cancel);
    if (postbox_knock(&s->starts))
        io_wake(s);
    return CANCEL_LATER;
}

static int close_handle(struct cport_handle *h)
{
    if ((handle_close_op(h)->flags & CPORT_ABORT) && !h->file)
        (void)os_socket_set_abort(h->fd);
    tell_start(handle_close_op(h));
    return START_PENDING;
}

/* The leader's. Events come from the I/O thread by themselves. */
static int poll_engine(struct cport_port *port, struct harvest *out, int64_t wait_ns)
{
    (void)out;
    struct shared *s = shared_of(port);
    if (wait_ns != 0 && !atomic_load_explicit(&s->kicked, memory_order_relaxed))
        os_futex_wait(&s->kicked, 0, wait_ns);
    atomic_store_explicit(&s->kicked, 0, memory_order_relaxed);
    if (atomic_load_explicit(&s->failure, memory_order_relaxed))
        return atomic_exchange_explicit(&s->failure, 0, memory_order_relaxed);
    return 0;
}

void leader_kick(struct shared *s)
{
    /* Once is enough: the leader looks at everything when it comes back. */
    if (atomic_exchange_explicit(&s->kicked, 1, memory_order_relaxed) == 0)
        os_futex_wake(&s->kicked);
}

static void wake(struct cport_port *port)
{
    leader_kick(shared_of(port));
}

static int bufs_open_there(const struct errand *errand)
{
    return uring_bufs_open(errand->object);
}

static int bufs_open(struct cport_bufs *pool)
{
    return io_errand(pool->port, bufs_open_there, pool, 0);
}

static int bufs_close_there(const struct errand *errand)
{
    uring_bufs_close(errand->object);
    return 0;
}

static void bufs_close(struct cport_bufs *pool)
{
    (void)io_errand(pool->port, bufs_close_there, pool, 0);
}

static int memory_pin_there(const struct errand *errand)
{
    return uring_memory_pin(errand->port, errand->object, errand->len);
}

static int memory_pin(struct cport_port *port, void *memory, size_t len)
{
    return io_errand(port, memory_pin_there, memory, len);
}

static int memory_unpin_there(const struct errand *errand)
{
    return uring_memory_unpin(errand->port, errand->object);
}

static int memory_unpin(struct cport_port *port, void *memory)
{
    return io_errand(port, memory_unpin_there, memory, 0);
}

/* The ring of buffers is memory that the kernel reads: any thread may add to it, one at a time. */
static void bufs_put(struct cport_bufs *pool, uint32_t id)
{
    lock_acquire(&pool->lock);
    uring_bufs_put(pool, id);
    lock_release(&pool->lock);
}

static const struct backend backend_shared = {
    .name = "io_uring",
    .id = CPORT_BACKEND_IO_URING,
    .emulated = CPORT_CAP_SHARED | CPORT_CAP_HANDOVER,
    .open = shared_open,
    .stop = io_stop,
    .close = engine_close,
    .attach = uring_attach,
    .detach = detach,
    .start = start,
    .cancel = cancel,
    .close_handle = close_handle,
    .poll = poll_engine,
    .wake = wake,
    .now_ns = os_now_ns,
    .bufs_open = bufs_open,
    .bufs_close = bufs_close,
    .bufs_put = bufs_put,
    .memory_pin = memory_pin,
    .memory_unpin = memory_unpin,
};

static int thread_open(struct shared *s, char *reason, size_t reason_size)
{
    struct io_start arg = {s, reason, reason_size, 0};
    int r = os_thread_start(&s->thread, "cport/ring", io_thread, &arg);
    if (r < 0)
        return r;
    await_done(s, 0);
    if (arg.result < 0)
        os_thread_join(&s->thread);
    return arg.result;
}

int shared_open(struct cport_port *port, char *reason, size_t reason_size)
{
    if (port->auto_choice) {
        snprintf(reason, reason_size, "on a shared port it needs a thread of its own");
        return CPORT_ENOTSUP;
    }
    struct shared *s = port_alloc(port, sizeof(*s), _Alignof(struct shared));
    if (!s)
        return CPORT_ENOMEM;
    memset(s, 0, sizeof(*s));
    s->u.port = port;
    int r = gather_open(&s->gather, port, io_refilled);
    if (r < 0)
        goto fail_memory;
    port->engine = s;
    port->caps = CPORT_CAP_SHARED | (port->allow_caps & CPORT_CAP_DETACH);
    r = thread_open(s, reason, reason_size);
    if (r < 0)
        goto fail_gather;
    port->backend = &backend_shared;
    return 0;

fail_gather:
    gather_close(&s->gather);
fail_memory:
    port_free(port, s, sizeof(*s));
    return r;
}
