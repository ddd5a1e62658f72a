/*
 * engine.c: the epoll engine: edges in, attempts at operations, events out.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "epoll.h"
#include "error.h"
#include "file_job.h"
#include "mmsg.h"

#define NS_PER_MS   INT64_C(1000000)
#define NS_PER_S    INT64_C(1000000000)
#define EDGE_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

/* The kernel tells readiness, and that is all. */
#define EMULATED    (CPORT_CAP_SPECULATIVE | CPORT_CAP_SHARED | CPORT_CAP_FILES)

static struct epoll_engine *engine_of(const struct cport_port *port)
{
    return port->engine;
}

static int engine_open(struct cport_port *port, char *reason, size_t reason_size)
{
    (void)reason;
    (void)reason_size;
    struct epoll_engine *e = port_alloc(port, sizeof(*e), _Alignof(struct epoll_engine));
    if (!e)
        return CPORT_ENOMEM;
    memset(e, 0, sizeof(*e));
    int r;
    e->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (e->epfd < 0) {
        r = error_from_errno(errno);
        goto fail_memory;
    }
    e->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (e->wake_fd < 0) {
        r = error_from_errno(errno);
        goto fail_epfd;
    }
    /* Edge-triggered and never read: each write is an edge. No handle has this descriptor, so its edges find none. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = (uint32_t)e->wake_fd};
    if (epoll_ctl(e->epfd, EPOLL_CTL_ADD, e->wake_fd, &event) < 0) {
        r = error_from_errno(errno);
        goto fail_wake_fd;
    }
    lock_init(&e->lock);
    port->engine = e;
    port->caps = (EMULATED & (port->shared ? ~(uint64_t)0 : ~CPORT_CAP_SHARED)) |
                 (port->allow_caps & (CPORT_CAP_DETACH | mmsg_caps()));
    return 0;

fail_wake_fd:
    close(e->wake_fd);
fail_epfd:
    close(e->epfd);
fail_memory:
    port_free(port, e, sizeof(*e));
    return r;
}

static void engine_close(struct cport_port *port)
{
    struct epoll_engine *e = engine_of(port);
    close(e->wake_fd);
    close(e->epfd);
    port_free(port, e, sizeof(*e));
}

static void wake(struct cport_port *port)
{
    uint64_t one = 1;
    /* A full counter (EAGAIN) has an edge pending anyway. */
    ssize_t n = write(engine_of(port)->wake_fd, &one, sizeof(one));
    (void)n;
}

static uint64_t datum_of(const struct cport_handle *h)
{
    return (uint64_t)h->generation << 32 | (uint32_t)h->fd;
}

/* The kernel tells of room in a datagram socket with each datagram that has gone, unlike in a stream, where it does so only after
 * somebody has found none: so it is asked for that only then. cport-bench udp, there and back: 1.33 times the bare loop with it. */
static void watch(struct cport_handle *h, bool out)
{
    struct epoll_event event = {
        .events = out ? EDGE_EVENTS : EDGE_EVENTS & ~(uint32_t)EPOLLOUT, .data.u64 = datum_of(h)};
    h->engine_bits = (uint8_t)((h->engine_bits & ~WATCHES_OUT) | (out ? WATCHES_OUT : 0));
    epoll_ctl(engine_of(h->port)->epfd, EPOLL_CTL_MOD, h->fd, &event);
}

void epoll_watch_out(struct cport_handle *h)
{
    if (!(h->engine_bits & WATCHES_OUT))
        watch(h, true);
}

/* A handle that only lends its readiness is asked for all of it. */
static bool watches_in_only(const struct cport_handle *h)
{
    return (h->traits & HANDLE_DATAGRAM) && h->state != HANDLE_BORROWED;
}

static int attach(struct cport_handle *h)
{
    struct epoll_event event = {.events = EDGE_EVENTS, .data.u64 = datum_of(h)};
    h->engine_bits = WR_READY | WATCHES_OUT;
    if (watches_in_only(h)) {
        event.events &= ~(uint32_t)EPOLLOUT;
        h->engine_bits = WR_READY;
    }
    if (epoll_ctl(engine_of(h->port)->epfd, EPOLL_CTL_ADD, h->fd, &event) == 0)
        return 0;
    switch (errno) {
    case EPERM: /* always ready, as files are; but so are directories */
        return file_attach(h);
    case EBADF:
        return CPORT_EINVAL;
    case EEXIST:
        return CPORT_EALREADY;
    default:
        return error_from_errno(errno);
    }
}

static void listed_lock(struct cport_port *port)
{
    if (port->shared)
        lock_acquire(&engine_of(port)->lock);
}

static void listed_unlock(struct cport_port *port)
{
    if (port->shared)
        lock_release(&engine_of(port)->lock);
}

void epoll_list(struct cport_handle *h)
{
    struct epoll_engine *e = engine_of(h->port);
    if (h->engine_bits & LISTED)
        return;
    h->engine_bits |= LISTED;
    h->engine_next = NULL;
    listed_lock(h->port);
    if (e->listed_tail)
        e->listed_tail->engine_next = h;
    else
        e->listed = h;
    e->listed_tail = h;
    listed_unlock(h->port);
}

static struct cport_handle *listed_first(struct cport_port *port)
{
    listed_lock(port);
    struct cport_handle *h = engine_of(port)->listed;
    listed_unlock(port);
    return h;
}

/* Takes h out, if it is listed. The handle's lock is held. */
static void listed_remove(struct cport_handle *h)
{
    struct epoll_engine *e = engine_of(h->port);
    if (!(h->engine_bits & LISTED))
        return;
    h->engine_bits &= (uint8_t)~LISTED;
    listed_lock(h->port);
    struct cport_handle **link = &e->listed, *before = NULL;
    while (*link != h) {
        before = *link;
        link = &before->engine_next;
    }
    *link = h->engine_next;
    if (e->listed_tail == h)
        e->listed_tail = before;
    listed_unlock(h->port);
}

/* Goes on in poll: the events of a multishot op need room in a harvest, and a long file is sent turn by turn. */
static int start_listed(struct cport_handle *h)
{
    epoll_list(h);
    port_lock(h->port);
    port_kick_locked(h->port);
    port_unlock(h->port);
    return START_PENDING;
}

static int start_sendfile(struct op *op)
{
    int r = epoll_try_sendfile(op);
    return r == TRY_LATER ? start_listed(op->handle) : r;
}

/* How an operation is attempted, the first time and later, and the readiness without which that is in vain. */
static const struct kind {
    int (*start)(struct op *op);
    int (*attempt)(struct op *op);
    uint8_t needs;
} kinds[] = {
    [OP_ACCEPT] = {epoll_try_accept, epoll_try_accept, RD_READY},
    [OP_RECV] = {epoll_try_recv, epoll_try_recv, RD_READY},
    [OP_RECVV] = {epoll_try_recv, epoll_try_recv, RD_READY},
    [OP_RECVMSG] = {epoll_start_msg, epoll_try_msg, 0},
    [OP_RECVMSG_POOLED] = {epoll_try_recvmsg_pooled, epoll_try_recvmsg_pooled, RD_READY},
    [OP_RECV_POOLED] = {epoll_try_recv_pooled, epoll_try_recv_pooled, RD_READY},
    [OP_CONNECT] = {epoll_try_connect, epoll_try_connect, 0},
    [OP_SEND] = {epoll_try_send, epoll_try_send, WR_READY},
    [OP_SENDV] = {epoll_try_send, epoll_try_send, WR_READY},
    [OP_SENDMSG] = {epoll_start_msg, epoll_try_msg, 0},
    [OP_SENDFILE] = {start_sendfile, epoll_try_sendfile, WR_READY},
    [OP_SHUTDOWN] = {epoll_try_shutdown, epoll_try_shutdown, 0},
    [OP_POLL] = {epoll_try_poll, epoll_try_poll, 0},
    [OP_READ] = {epoll_start_read, epoll_start_read, 0},
    [OP_READV] = {epoll_start_read, epoll_start_read, 0},
    [OP_WRITE] = {epoll_start_file, epoll_start_file, 0},
    [OP_WRITEV] = {epoll_start_file, epoll_start_file, 0},
    [OP_SYNC] = {epoll_start_file, epoll_start_file, 0},
};

static int start(struct op *op)
{
    struct cport_handle *h = op->handle;
    const struct kind *kind = &kinds[op->kind];
    if ((h->engine_bits & kind->needs) != kind->needs)
        return START_PENDING;
    return op_is_multishot(op) ? start_listed(h) : kind->start(op);
}

static int cancel(struct op *op)
{
    if (op_is_file(op) && !offload_cancel(op->handle->port, op))
        return CANCEL_LATER;
    return CANCEL_DONE;
}

/* Readiness is told anew by the next epoll set that the descriptor joins: what is unread, the end and errors among it. */
static int detach(struct cport_handle *h)
{
    listed_remove(h);
    epoll_ctl(engine_of(h->port)->epfd, EPOLL_CTL_DEL, h->fd, NULL);
    return 0;
}

static int close_handle(struct cport_handle *h)
{
    if (h->file) {
        cport_file_close(h->fd);
        return START_DONE;
    }
    /* Before close: a duplicate of the descriptor elsewhere would keep its registration alive for ever. */
    detach(h);
    if (handle_close_op(h)->flags & CPORT_ABORT)
        os_socket_set_abort(h->fd);
    cport_socket_close(h->fd);
    return START_DONE;
}

/* What a multishot op gets goes into the harvest at once. While this thread polls, others may have started, and ended, an older
 * receive of the same handle, whose event is still in the ready list. */
static bool must_stay_behind(const struct op *op)
{
    const struct cport_port *port = op->handle->port;
    return op_is_multishot(op) && port->shared && !ready_empty(&port->ready);
}

/* On a shared port what ends can do without a place in the harvest: it is queued, for whichever thread comes first. */
static bool no_room_for(const struct op *op, const struct harvest *out)
{
    return harvest_full(out) && (!op->handle->port->shared || op_is_multishot(op));
}

static bool can_progress(const struct cport_handle *h, const struct op *head, unsigned ready_bit)
{
    return head && (h->engine_bits & ready_bit) && op_state(head) == OP_STARTED;
}

/* Goes on with both directions as far as readiness and room allow. An attempt that finds nothing clears its readiness, and a
 * handle that comes to its end on the way has no heads any more: so the loop ends. */
static void progress(struct cport_handle *h, struct harvest *out)
{
    for (;;) {
        struct op *op = h->rd.head;
        if (!can_progress(h, op, RD_READY)) {
            op = h->wr.head;
            if (!can_progress(h, op, WR_READY))
                return;
        }
        if (no_room_for(op, out) || must_stay_behind(op)) {
            epoll_list(h);
            return;
        }
        int r = kinds[op->kind].attempt(op);
        if (r == START_DONE || (r == TRY_GATHER && epoll_gather_datagrams(op, out) == START_DONE))
            handle_op_final(op, op->result, out);
        else if (r == TRY_MORE)
            handle_op_more(op, op->result, op->event_flags, op->aux, out);
        else if (r == TRY_STARVED)
            handle_accept_starved(op, (int)op->result, op->aux, out);
        else if (r == TRY_LATER) {
            epoll_list(h);
            return;
        }
    }
}

static void progress_polls(struct cport_handle *h, struct harvest *out)
{
    for (struct op *op = h->unordered, *next; op; op = next) {
        next = op->next;
        if (no_room_for(op, out)) {
            epoll_list(h);
            return;
        }
        if (epoll_try_poll(op) == START_DONE)
            handle_op_final(op, op->result, out);
    }
}

/* Handles that an earlier poll, or a submit, left to be gone on with. One comes back to the list when out is full, or the ready
 * list must be emptied first. */
static void progress_listed(struct cport_port *port, struct harvest *out)
{
    bool stuck = false;
    struct cport_handle *h;
    while (!stuck && !(out->max && harvest_full(out)) && (h = listed_first(port)) != NULL) {
        handle_lock(h);
        if (h->engine_bits & LISTED) {
            listed_remove(h);
            progress(h, out);
            progress_polls(h, out);
            stuck = (h->engine_bits & LISTED) != 0;
        }
        handle_unlock(h);
    }
}

/* That was the edge that somebody wanted: unless there is more to send, it is not asked for any more. */
CPORT_COLD static void room_told(struct cport_handle *h)
{
    if (watches_in_only(h) && (h->engine_bits & WATCHES_OUT) && handle_is_open(h) && !h->wr.head &&
        !h->unordered)
        watch(h, false);
}

static void take_edge(struct cport_port *port, const struct epoll_event *event, struct harvest *out)
{
    struct cport_handle *h = fdmap_get(port, (int)(uint32_t)event->data.u64);
    if (!h)
        return;
    handle_lock(h);
    /* The descriptor may have a new life by now, or the handle may have one under another descriptor. */
    if (handle_is_open(h) && datum_of(h) == event->data.u64) {
        unsigned bits = 0;
        if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            bits |= RD_READY;
        if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            bits |= RD_HUP;
        if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
            bits |= WR_READY;
        h->engine_bits |= (uint8_t)bits;
        progress(h, out);
        if (h->unordered)
            progress_polls(h, out);
        if (bits & WR_READY)
            room_told(h);
    }
    handle_unlock(h);
}

static int wait_events(struct epoll_engine *e, int max, int64_t wait_ns)
{
    if (wait_ns > 0 && !e->no_pwait2) {
        struct timespec ts = {(time_t)(wait_ns / NS_PER_S), (long)(wait_ns % NS_PER_S)};
        int n = epoll_pwait2(e->epfd, e->events, max, &ts, NULL);
        if (n >= 0 || errno != ENOSYS)
            return n;
        e->no_pwait2 = true;
    }
    int timeout_ms = wait_ns < 0 ? -1 : 0;
    if (wait_ns > 0) {
        /* Rounded up: a timer must not be woken for before it is due. */
        int64_t ms = wait_ns / NS_PER_MS + (wait_ns % NS_PER_MS != 0);
        timeout_ms = ms > INT32_MAX ? INT32_MAX : (int)ms;
    }
    return epoll_wait(e->epfd, e->events, max, timeout_ms);
}

/* No more edges than there is room for: what an edge brings beyond that would have to be listed, and the kernel keeps its own
 * list for nothing. 32 connections, batches of 16: 570 instructions an echo instead of 583. On a shared port some more do no
 * harm: what they end is queued, and spares the next waits a system call each. */
static int edges_wanted(const struct cport_port *port, const struct harvest *out)
{
    unsigned room = out->max - out->n;
    if (port->shared && room < EDGES_LEAST)
        return EDGES_LEAST;
    return room < EVENTS_PER_POLL ? (int)room : EVENTS_PER_POLL;
}

static int poll_engine(struct cport_port *port, struct harvest *out, int64_t wait_ns)
{
    struct epoll_engine *e = engine_of(port);
    if (listed_first(port))
        progress_listed(port, out);
    if (out->max && harvest_full(out))
        return 0;
    if (out->n || listed_first(port))
        wait_ns = 0;
    port_count(port, &port->stats.system_waits);
    int n = wait_events(e, edges_wanted(port, out), wait_ns);
    if (n < 0)
        return errno == EINTR ? 0 : error_from_errno(errno);
    for (int i = 0; i < n; i++)
        take_edge(port, &e->events[i], out);
    return 0;
}

/* All but datagrams that were to go together has been tried at its submit. */
static void flush(struct cport_port *port)
{
    for (struct cport_handle *h = listed_first(port); h && !port->shared; h = h->engine_next) {
        struct op *op;
        while (can_progress(h, op = h->wr.head, WR_READY) && op->kind == OP_SENDMSG &&
               epoll_try_msg(op) == START_DONE)
            handle_op_final(op, op->result, NULL);
    }
}

const struct backend backend_epoll = {
    .name = "epoll",
    .id = CPORT_BACKEND_EPOLL,
    .emulated = EMULATED | CPORT_CAP_HANDOVER, /* the monitor sees to that */
    .open = engine_open,
    .close = engine_close,
    .attach = attach,
    .detach = detach,
    .start = start,
    .cancel = cancel,
    .close_handle = close_handle,
    .poll = poll_engine,
    .flush = flush,
    .wake = wake,
    .now_ns = os_now_ns,
};
