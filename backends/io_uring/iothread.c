/*
 * iothread.c: the thread that has the ring of a shared port.
 *
 * A turn: take what others have left, enter the kernel (asleep if there is nothing else to do), turn completions into events,
 * hand those to the port.
 */
#include <poll.h>
#include <unistd.h>

#include "error.h"
#include "shared.h"

/* How long to leave a ring alone that fails for good. No such failure is known; a loop at full speed would make it worse. */
#define FAILURE_PAUSE_MS 100

static struct op *op_of_scratch(struct scratch *scratch)
{
    return CPORT_CONTAINER_OF((uint64_t *)(void *)scratch, struct op, engine[0]);
}

/* Events of a handle are found with its lock held, and the handle knows in which turn that was last. */
static struct cport_handle *io_lock(struct shared *s, const struct op *op)
{
    struct cport_handle *h = op->handle;
    lock_acquire(&h->lock);
    h->engine = (void *)s->gather.turn;
    return h;
}

static void io_start(struct shared *s, struct op *op, struct harvest *out)
{
    if (op->kind != OP_SHUTDOWN) {
        submit_op(&s->u, op);
        return;
    }
    /* Here and not in its submit, so that its event is behind that of the send before it. */
    struct cport_handle *h = io_lock(s, op);
    shutdown_now(op);
    uring_op_end(&s->u, op, op->result, out);
    lock_release(&h->lock);
}

static void io_cancel(struct shared *s, struct op *op, struct harvest *out)
{
    struct uring *u = &s->u;
    struct cport_handle *h = io_lock(s, op);
    struct scratch *scratch = scratch_of(op);
    scratch->cancel_sent = false;
    if (op->bits & OP_LINGERS)
        zero_copy_hurry(op);
    if (scratch->state & SCRATCH_ENDED) {
        op_settle(op, out);
    } else if (scratch->state & SCRATCH_BACKLOG) {
        scratch_remove(&u->backlog, op);
        handle_op_final(op, CPORT_ECANCELED, out);
    } else {
        submit_cancel(u, op);
    }
    lock_release(&h->lock);
}

static void io_errand(struct shared *s)
{
    struct errand *errand = atomic_exchange_explicit(&s->errand, NULL, memory_order_acquire);
    if (!errand)
        return;
    if (errand->run)
        errand->result = errand->run(errand);
    else
        s->ending = true;
    /* release: the errand is its sender's again. */
    atomic_fetch_add_explicit(&s->done, 1, memory_order_release);
    os_futex_wake(&s->done);
}

/* The cancels are taken first: so an op that one of them names has been started by then. */
static void io_take(struct shared *s, struct harvest *out)
{
    struct mpsc_node *cancel = mpsc_empty(&s->cancels) ? NULL : mpsc_take_all(&s->cancels);
    for (struct post_node *node = postbox_take(&s->starts), *next; node; node = next) {
        next = node->next;
        io_start(s, op_of_scratch(CPORT_CONTAINER_OF(node, struct scratch, start)), out);
    }
    for (struct mpsc_node *next; cancel; cancel = next) {
        next = mpsc_next(cancel);
        io_cancel(s, op_of_scratch(CPORT_CONTAINER_OF(cancel, struct scratch, cancel)), out);
    }
    if (atomic_load_explicit(&s->errand, memory_order_relaxed))
        io_errand(s);
    if (submit_is_behind(&s->u))
        submit_backlog(&s->u);
}

/* From a true answer on, whoever leaves something wakes. */
static bool io_may_sleep(struct shared *s)
{
    if (!postbox_sleep(&s->starts))
        return false;
    if (mpsc_empty_ordered(&s->cancels) && !atomic_load_explicit(&s->errand, memory_order_seq_cst))
        return true;
    postbox_awake(&s->starts);
    return false;
}

static void io_failed(struct shared *s, int number)
{
    int error = error_from_errno(number);
    port_log(s->u.port, "cport: io_uring_enter: error %d, %s", number, cport_strerror(error));
    atomic_store_explicit(&s->failure, error, memory_order_relaxed);
    leader_kick(s);
    poll(NULL, 0, FAILURE_PAUSE_MS);
}

static void io_enter(struct shared *s)
{
    struct uring *u = &s->u;
    bool asleep = !submit_is_behind(u) && io_may_sleep(s);
    if (!asleep && !sq_pending(u) && !cq_needs_enter(u))
        return;
    int r = ring_enter(u, asleep, IORING_ENTER_GETEVENTS, -1);
    if (asleep)
        postbox_awake(&s->starts);
    port_count(u->port, &u->port->stats.system_waits);
    if (ring_has_failed(r))
        io_failed(s, -r);
}

/* There are completions and no parcels for them: sleeps until somebody has opened one, or has something to do. The ring
 * would not let it sleep. */
static void io_rest(struct shared *s)
{
    struct uring *u = &s->u;
    if (sq_pending(u))
        (void)ring_enter(u, 0, 0, 0);
    uint64_t wakes;
    ssize_t n = read(u->wake_fd, &wakes, sizeof(wakes)); /* old ones */
    (void)n;
    if (!gather_want(&s->gather) || !io_may_sleep(s))
        return;
    struct pollfd wake = {.fd = u->wake_fd, .events = POLLIN};
    poll(&wake, 1, -1);
    postbox_awake(&s->starts);
}

static void io_complete(struct shared *s, const struct io_uring_cqe *cqe, struct harvest *out)
{
    const struct op *op = op_of_data(cqe->user_data);
    if (!op) {
        uring_complete(&s->u, cqe, out);
        return;
    }
    struct cport_handle *h = io_lock(s, op);
    uring_complete(&s->u, cqe, out);
    /* Whoever finds an accept paused may end it, and its end goes straight to the port. */
    if (op->kind == OP_ACCEPT && op_state(op) != OP_STARTED)
        gather_publish(&s->gather);
    lock_release(&h->lock);
}

/* False: some are left for want of parcels. */
static bool io_reap(struct shared *s, struct harvest *out)
{
    const struct io_uring_cq *cq = &s->u.ring.cq;
    unsigned head = *cq->khead;
    /* acquire: the completions lie before the tail that the kernel wrote. */
    const unsigned tail = io_uring_smp_load_acquire(cq->ktail);
    while (head != tail && gather_has_room(&s->gather))
        io_complete(s, &cq->cqes[head++ & cq->ring_mask], out);
    /* release: they have been read; the kernel may reuse their places. */
    io_uring_smp_store_release(cq->khead, head);
    return head == tail;
}

static void io_turns(struct shared *s)
{
    struct harvest out = {.gather = &s->gather};
    bool room = true;
    for (;;) {
        io_take(s, &out);
        gather_publish(&s->gather);
        if (s->ending)
            return;
        if (room)
            io_enter(s);
        else
            io_rest(s);
        room = io_reap(s, &out);
        /* On one core the thread that has been woken cannot answer before this one rests, and would have to wake it for the first of
         * its answers. Echo of 64 bytes over 8 connections, times a single port's CPU: 1.7; 2.1 without. */
        if (gather_publish(&s->gather))
            os_yield();
    }
}

void io_thread(void *arg)
{
    struct io_start *start = arg;
    struct shared *s = start->s;
    bool opened;
    start->result = ring_open(&s->u, start->reason, start->reason_size);
    opened = start->result == 0;
    /* release: `start`, and what open has found out, are the opener's. */
    atomic_fetch_add_explicit(&s->done, 1, memory_order_release);
    os_futex_wake(&s->done);
    if (!opened)
        return;
    io_turns(s);
    /* Somebody may still be on the way to wake this thread for what it has taken. */
    while (!postbox_quiet(&s->starts))
        os_yield();
    ring_close(&s->u);
}
