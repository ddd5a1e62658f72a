/*
 * handle.c: the life of operations on a handle: submit, order per direction, final, cancel, close.
 */
#include "handle.h"

#include <assert.h>
#include <string.h>

#include "gather.h"

static struct cport_handle *handle_alloc(struct cport_port *port)
{
    port_lock(port);
    struct cport_handle *h = slab_alloc(&port->handles);
    if (h) {
        port->handles_live++;
        if (!h->port) /* in its first life only: a late reader of the last one may be looking */
            h->port = port;
    }
    port_unlock(port);
    return h;
}

static void handle_drop(struct cport_port *port, struct cport_handle *h)
{
    h->generation++;
    h->state = HANDLE_FREE;
    port_lock(port);
    port->handles_live--;
    slab_free(&port->handles, h);
    port_unlock(port);
}

static void dir_append(struct dir *d, struct op *op)
{
    op->next = NULL;
    if (d->head)
        d->tail->next = op;
    else
        d->head = op;
    d->tail = op;
}

/* An empty direction's tail is stale: append looks at the head. */
static void dir_pop(struct dir *d)
{
    d->head = d->head->next;
}

/* Removes an op that is not the head. */
static void dir_remove(struct dir *d, struct op *op)
{
    struct op *before = d->head;
    while (before->next != op)
        before = before->next;
    before->next = op->next;
    if (d->tail == op)
        d->tail = before;
}

static void unordered_add(struct cport_handle *h, struct op *op)
{
    op->prev = NULL;
    op->next = h->unordered;
    if (op->next)
        op->next->prev = op;
    h->unordered = op;
}

static void unordered_remove(struct cport_handle *h, struct op *op)
{
    if (op->prev)
        op->prev->next = op->next;
    else
        h->unordered = op->next;
    if (op->next)
        op->next->prev = op->prev;
}

/* Gives back what the op captured or counted at its submit. */
static void give_back(struct cport_port *port, struct op *op)
{
    op->bits &= (uint16_t)~OP_CAPTURED;
    if (op->kind == OP_RECV_POOLED || op->kind == OP_RECVMSG_POOLED)
        atomic_fetch_sub_explicit(&op->io.pool->receives, 1, memory_order_relaxed);
    if (op->kind == OP_RECV_POOLED)
        return;
    /* release: pairs with the acquire of whoever closes the file. */
    if (op->kind == OP_SENDFILE)
        atomic_fetch_sub_explicit(&op->io.vec->passage.file->passages, 1, memory_order_release);
    port_vec_free(port, op->kind == OP_CONNECT ? op->connect.address : op->io.vec);
}

/* Whether sendfiles, perhaps of other ports, read the file. */
static bool is_read(const struct cport_handle *h)
{
    return atomic_load_explicit(
               &((struct cport_handle *)(uintptr_t)h)->passages, memory_order_acquire) != 0;
}

static inline void op_release(struct cport_port *port, struct op *op)
{
    if (op->bits & OP_CAPTURED)
        give_back(port, op);
}

/* Never past events that are ready already: an earlier one of this handle may be among them. */
static inline bool can_put(const struct cport_port *port, const struct harvest *out)
{
    return out && !harvest_full(out) && ready_empty(&port->ready);
}

static void emit_later(struct cport_port *port, uintptr_t key, struct op *op, struct harvest *out)
{
    op->key = key;
    op_set_state(op, OP_READY);
    if (out && out->gather)
        ready_push(&out->gather->found, op);
    else
        port_ready(port, op);
}

/* The op is in no queue any more: its event goes out, and with it the op. */
static inline void op_emit(
    struct cport_handle *h, struct op *op, int64_t result, struct harvest *out)
{
    op->result = result;
    if (!can_put(h->port, out)) {
        emit_later(h->port, h->key, op, out);
        return;
    }
    op_set_state(op, OP_FREE);
    harvest_put(out, op, h->key, result, op->event_flags, op->aux);
}

static int op_start(struct cport_port *port, struct op *op)
{
    op_set_state(op, OP_STARTED);
    if (op_is_multishot(op) && !port->shared)
        port->multishot_mark = port->ready.pushed;
    return port->backend->start(op);
}

/* Starts the head, and goes on to the next as long as heads end at once. */
static void dir_start(struct cport_handle *h, struct dir *d, struct harvest *out)
{
    struct op *op;
    while ((op = d->head) != NULL) {
        int64_t result = CPORT_ECANCELED;
        if (!(op->bits & OP_CANCELLED)) {
            int r = op_start(h->port, op);
            if (r == START_PENDING)
                return;
            result = r == START_DONE ? op->result : r;
        }
        dir_pop(d);
        op_release(h->port, op);
        h->pending--;
        op_emit(h, op, result, out);
    }
}

static void finish_closing(struct cport_handle *h, struct harvest *out)
{
    if (h->state != HANDLE_CLOSING || h->pending)
        return;
    h->state = HANDLE_CLOSED;
    fdmap_clear(h->port, h->fd, h);
    if (h->port->backend->close_handle(h) == START_DONE)
        handle_closed(h, out);
}

void handle_closed(struct cport_handle *h, struct harvest *out)
{
    struct cport_port *port = h->port;
    struct op *op = handle_close_op(h);
    uintptr_t key = h->key;

    /* Free before the event is out: whoever dequeues it may close the port. */
    handle_drop(port, h);
    op->result = 0;
    if (can_put(port, out)) {
        op_set_state(op, OP_FREE);
        harvest_put(out, op, key, 0, 0, 0);
    } else {
        emit_later(port, key, op, out);
    }
}

/* Anything but the common end. */
CPORT_COLD static void op_final_slowly(struct op *op, int64_t result, struct harvest *out)
{
    struct cport_handle *h = op->handle;
    struct dir *d = NULL;
    if (op_is_unordered(op) || (op->bits & OP_LINGERS)) {
        unordered_remove(h, op);
    } else {
        d = handle_dir(h, op);
        assert(d->head == op);
        dir_pop(d);
    }
    op_release(h->port, op);
    h->pending--;
    op_emit(h, op, result, out);
    if (d && d->head)
        dir_start(h, d, out);
    if (h->state == HANDLE_CLOSING)
        finish_closing(h, out);
}

void handle_op_final(struct op *op, int64_t result, struct harvest *out)
{
    struct cport_handle *h = op->handle;
    struct dir *d = h->rd.head == op ? &h->rd : &h->wr;
    /* The common end, 40 instructions less: the only one of its direction, with nothing to give back and room for its event. */
    if (out && d->head == op && !op->next && h->state == HANDLE_OPEN && !(op->bits & OP_CAPTURED) &&
        can_put(h->port, out)) {
        d->head = NULL;
        h->pending--;
        op->result = result;
        op_set_state(op, OP_FREE);
        harvest_put(out, op, h->key, result, op->event_flags, op->aux);
        return;
    }
    /* The same of one that is in no direction. */
    if (out && op_is_unordered(op) && handle_is_open(h) && !(op->bits & OP_CAPTURED) &&
        can_put(h->port, out)) {
        unordered_remove(h, op);
        h->pending--;
        op->result = result;
        op_set_state(op, OP_FREE);
        harvest_put(out, op, h->key, result, op->event_flags, op->aux);
        return;
    }
    op_final_slowly(op, result, out);
}

void handle_op_linger(struct op *op, struct harvest *out)
{
    struct cport_handle *h = op->handle;
    dir_pop(&h->wr);
    op->bits |= OP_LINGERS;
    unordered_add(h, op);
    if (h->wr.head)
        dir_start(h, &h->wr, out);
}

void handle_op_more(
    struct op *op, int64_t result, uint32_t flags, uint32_t aux, struct harvest *out)
{
    if (out->gather)
        gather_more(out->gather, op, result, flags | CPORT_MORE, aux);
    else
        harvest_put(out, op, op->handle->key, result, flags | CPORT_MORE, aux);
    op->event_flags = 0; /* a buffer, or an error, went with this event: not with the final one */
    op->aux = 0;
}

#define BACKOFF_MIN_NS INT64_C(10000000)
#define BACKOFF_MAX_NS INT64_C(1000000000)

void handle_accept_starved(struct op *op, int error, uint32_t raw, struct harvest *out)
{
    struct cport_port *port = op->handle->port;
    if (!op_is_multishot(op) || (op->bits & OP_CANCELLED)) {
        op->aux = raw;
        handle_op_final(op, error, out);
        return;
    }
    bool told = (op->bits & OP_EPISODE) != 0;
    int64_t pause = told ? op->accept.backoff_ns * 2 : BACKOFF_MIN_NS;
    op->accept.backoff_ns = pause < BACKOFF_MAX_NS ? pause : BACKOFF_MAX_NS;
    op->bits |= OP_EPISODE;
    op_set_state(op, OP_PAUSED);
    port_lock(port);
    port_arm(port, &op->pause, port->backend->now_ns() + op->accept.backoff_ns);
    port_unlock(port);
    port_count(port, &port->stats.accept_pauses);
    if (!told)
        handle_op_more(op, error, 0, raw, out);
}

void handle_accept_resume(struct op *op)
{
    struct cport_handle *h = op->handle;
    handle_lock(h);
    /* It is still the head: only this function ends an op in this state. */
    dir_start(h, &h->rd, NULL);
    finish_closing(h, NULL);
    handle_unlock(h);
}

/* A submit that will have no event through the engine: refused, or done already. */
static int submit_ended(struct cport_handle *h, struct op *op, int r)
{
    op_release(h->port, op);
    if (r == START_DONE && !(op->flags & CPORT_INLINE_OK)) {
        op_emit(h, op, op->result, NULL);
        return 0;
    }
    op_set_state(op, OP_FREE);
    if (r == START_DONE)
        port_count(h->port, &h->port->stats.inline_done);
    return r;
}

static void op_reset(struct cport_handle *h, struct op *op)
{
    op->handle = h;
    op->event_flags = op->flags & CPORT_ZERO_COPY; /* CPORT_COPIED, until the engine knows better */
    op->aux = 0;
    op->transferred = 0;
}
_Static_assert(CPORT_ZERO_COPY == CPORT_COPIED, "the wish and its refusal are the same bit");

/* Why the handle does not take an operation of this kind. */
static int refusal(const struct cport_handle *h)
{
    return handle_is_open(h) ? CPORT_EINVAL : CPORT_ECANCELED;
}

CPORT_COLD static int submit_locked(struct cport_handle *h, struct dir *d, struct op *op)
{
    int r = START_PENDING;
    handle_lock(h);
    if (h->state != HANDLE_OPEN)
        r = refusal(h);
    else if (d->head)
        op_set_state(op, OP_QUEUED);
    else
        r = op_start(h->port, op);
    if (r == START_PENDING) {
        dir_append(d, op);
        h->pending++;
    } else {
        r = submit_ended(h, op, r);
    }
    handle_unlock(h);
    return r;
}

int handle_submit(struct cport_handle *h, struct dir *d, struct op *op)
{
    op_reset(h, op);
    if (h->port->shared || h->state != HANDLE_OPEN || d->head)
        return submit_locked(h, d, op);
    int r = op_start(h->port, op);
    if (r != START_PENDING)
        return submit_ended(h, op, r);
    op->next = NULL;
    d->head = d->tail = op;
    h->pending++;
    return 0;
}

int handle_submit_unordered(struct cport_handle *h, struct op *op)
{
    op_reset(h, op);
    handle_lock(h);
    bool takes = handle_is_open(h) && (h->state == HANDLE_FILE) == op_is_file(op);
    int r = takes ? op_start(h->port, op) : refusal(h);
    if (r == START_PENDING) {
        unordered_add(h, op);
        h->pending++;
    } else {
        r = submit_ended(h, op, r);
    }
    handle_unlock(h);
    return r;
}

/* Takes a paused accept off the wheel. False: the wheel has let go of it already, and its resume will see OP_CANCELLED. */
static bool unpause(struct cport_handle *h, struct op *op)
{
    bool was_armed;
    port_lock(h->port);
    was_armed = wheel_armed(&op->pause);
    if (was_armed)
        wheel_remove(&h->port->wheel, &op->pause);
    port_unlock(h->port);
    return was_armed;
}

/* Asks the engine to end an op that it has, or ends it here where it holds none. */
static void cancel_started(struct cport_handle *h, struct op *op, struct harvest *out)
{
    if (op->bits & OP_LINGERS) {
        h->port->backend->cancel(op);
        return;
    }
    if (op->bits & OP_CANCELLED)
        return;
    op->bits |= OP_CANCELLED;
    if (op_state(op) == OP_STARTED) {
        if (h->port->backend->cancel(op) == CANCEL_DONE)
            handle_op_final(op, CPORT_ECANCELED, out);
    } else if (unpause(h, op)) {
        handle_op_final(op, CPORT_ECANCELED, out);
    }
}

static void cancel_dir(struct cport_handle *h, struct dir *d)
{
    if (!d->head)
        return;
    /* The followers end in order when the head has ended. */
    for (struct op *op = d->head->next; op; op = op->next)
        op->bits |= OP_CANCELLED;
    cancel_started(h, d->head, NULL);
}

static void cancel_pending(struct cport_handle *h)
{
    h->pending++; /* keeps a closing handle from finishing under our feet */
    cancel_dir(h, &h->rd);
    cancel_dir(h, &h->wr);
    for (struct op *op = h->unordered, *next; op; op = next) {
        next = op->next;
        cancel_started(h, op, NULL);
    }
    h->pending--;
    finish_closing(h, NULL);
}

int handle_cancel(struct op *op)
{
    struct cport_handle *h = op->handle;
    int r = 0;
    handle_lock(h);
    switch (op_state(op)) {
    case OP_QUEUED:
        dir_remove(handle_dir(h, op), op);
        op_release(h->port, op);
        h->pending--;
        op_emit(h, op, CPORT_ECANCELED, NULL);
        break;
    case OP_STARTED:
    case OP_PAUSED:
    case OP_RESUMED:
        cancel_started(h, op, NULL);
        break;
    default:
        r = CPORT_ENOENT;
    }
    handle_unlock(h);
    return r;
}

int cport_cancel_all(cport_handle *h)
{
    if (!h)
        return CPORT_EINVAL;
    if (!port_is_mine(h->port))
        return CPORT_EWRONGTHREAD;
    handle_lock(h);
    if (handle_is_open(h))
        cancel_pending(h);
    handle_unlock(h);
    return 0;
}

int cport_close(cport_handle *h, cport_op *public_op, uint32_t flags)
{
    if (!h || !public_op || (flags & ~CPORT_ABORT))
        return CPORT_EINVAL;
    if (!port_is_mine(h->port))
        return CPORT_EWRONGTHREAD;
    struct op *op = op_of(public_op);
    if (op_state(op) != OP_FREE)
        return CPORT_EBUSY;

    handle_lock(h);
    int r = 0;
    if (!handle_is_open(h)) /* or free already, its close event in the ready list */
        r = CPORT_EALREADY;
    else if (h->state == HANDLE_BORROWED && flags)
        r = CPORT_EINVAL; /* the connection is not ours to reset */
    else if (is_read(h))
        r = CPORT_EBUSY;
    if (r < 0) {
        handle_unlock(h);
        return r;
    }
    op->kind = OP_CLOSE;
    op->handle = h;
    op->flags = flags;
    op->bits = 0;
    op->result = 0;
    op->event_flags = 0;
    op->aux = 0;
    op->transferred = 0;
    op_set_state(op, OP_CLOSING);
    handle_set_close_op(h, op);
    h->state = HANDLE_CLOSING;
    cancel_pending(h);
    handle_unlock(h);
    return 0;
}

/* The descriptor that the engine gets, and its place in the table. One that somebody else may close, and its number be
 * given to another, at any time has no place there: where a loan has no descriptor of its own, it has none. */
static int take_descriptor(struct cport_handle *h, bool borrowed)
{
    h->fd = h->given;
    int r = borrowed ? os_borrow(h->given, &h->fd) : 0;
    if (r < 0 || (borrowed && h->fd == h->given))
        return r;
    r = fdmap_set(h->port, h->fd, h);
    if (r < 0 && borrowed)
        os_give_back(h->given, h->fd);
    return r;
}

static uint8_t traits_of(cport_os_handle fd, uint32_t flags)
{
    struct os_socket_kind kind = os_socket_kind(fd);
    unsigned traits = kind.type ? HANDLE_SOCKET : 0;
    if (kind.type == SOCK_STREAM)
        traits |= HANDLE_STREAM;
    if (kind.type != SOCK_DGRAM)
        return (uint8_t)traits;
    traits |= HANDLE_DATAGRAM;
    if (kind.is_unix)
        traits |= HANDLE_UNIX;
    else if (!(flags & CPORT_ATTACH_UNREACHABLE))
        traits |= HANDLE_QUIET;
    return (uint8_t)traits;
}

/* Flags and descriptor fit each other, and a socket of ours tells of unreachable ports if asked to. */
static int prepare_traits(cport_os_handle fd, uint32_t flags, uint8_t *ret_traits)
{
    const uint8_t traits = traits_of(fd, flags);
    const bool is_udp = (traits & (HANDLE_DATAGRAM | HANDLE_UNIX)) == HANDLE_DATAGRAM;
    const bool told = (flags & CPORT_ATTACH_UNREACHABLE) != 0;
    if (told && (!is_udp || (flags & CPORT_ATTACH_BORROWED)))
        return CPORT_EINVAL;
    *ret_traits = traits;
    return is_udp && !(flags & CPORT_ATTACH_BORROWED) ? os_socket_set_unreachable(fd, told) : 0;
}

int cport_attach(
    cport_port *port, cport_os_handle fd, uintptr_t key, uint32_t flags, cport_handle **ret_h)
{
    const uint32_t known = CPORT_ATTACH_BORROWED | CPORT_ATTACH_UNREACHABLE;
    if (!port || !ret_h || (flags & ~known) || fd == CPORT_OS_HANDLE_INVALID)
        return CPORT_EINVAL;
    const bool borrowed = (flags & CPORT_ATTACH_BORROWED) != 0;
    if (!port_is_mine(port))
        return CPORT_EWRONGTHREAD;
    uint8_t traits = 0;
    int r = prepare_traits(fd, flags, &traits);
    if (r < 0)
        return r;
    struct cport_handle *h = handle_alloc(port);
    if (!h)
        return CPORT_ENOMEM;

    handle_lock(h); /* a late reader of the handle's last life may be looking at it */
    h->key = key;
    h->given = fd;
    h->rd = h->wr = (struct dir){NULL, NULL};
    h->unordered = NULL;
    h->file = h->direct = false;
    h->pending = 0;
    h->engine_bits = 0;
    h->traits = traits;
    h->engine = NULL;
    r = take_descriptor(h, borrowed);
    if (r < 0)
        goto fail_handle;
    h->state = borrowed ? HANDLE_BORROWED : HANDLE_OPEN;
    r = port->backend->attach(h);
    if (r < 0)
        goto fail_descriptor;
    if (h->file)
        h->state = HANDLE_FILE;
    handle_unlock(h);
    *ret_h = h;
    return 0;

fail_descriptor:
    fdmap_clear(port, h->fd, h);
    os_give_back(h->given, h->fd);
fail_handle:
    handle_drop(port, h);
    handle_unlock(h);
    return r;
}

int cport_detach(cport_handle *h, cport_os_handle *ret_fd)
{
    if (!h || !ret_fd)
        return CPORT_EINVAL;
    struct cport_port *port = h->port;
    if (!port_is_mine(port))
        return CPORT_EWRONGTHREAD;
    if (!(port->caps & CPORT_CAP_DETACH))
        return CPORT_ENOTSUP;
    handle_lock(h);
    int r = 0;
    if (!handle_is_open(h))
        r = CPORT_EALREADY;
    else if (h->state == HANDLE_BORROWED)
        r = CPORT_EINVAL;
    else if (h->pending || is_read(h) || port_has_ready(port, h))
        r = CPORT_EBUSY;
    else
        r = port->backend->detach(h);
    if (r == 0) {
        *ret_fd = h->fd;
        fdmap_clear(port, h->fd, h);
        handle_drop(port, h);
    }
    handle_unlock(h);
    return r;
}

cport_handle *cport_port_next_handle(cport_port *port, size_t *cursor)
{
    if (!port || !cursor || !port_is_mine(port))
        return NULL;
    for (;;) {
        port_lock(port);
        struct cport_handle *h = slab_at(&port->handles, *cursor);
        port_unlock(port);
        if (!h)
            return NULL;
        ++*cursor;
        handle_lock(h); /* its memory stays: it may be gone, or live again, but never be foreign */
        bool attached = h->state != HANDLE_FREE;
        handle_unlock(h);
        if (attached)
            return h;
    }
}

cport_os_handle cport_handle_fd(const cport_handle *h)
{
    return h->given;
}

uintptr_t cport_handle_key(const cport_handle *h)
{
    return h->key;
}

cport_port *cport_handle_port(const cport_handle *h)
{
    return h->port;
}
