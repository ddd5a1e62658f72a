/*
 * wait.c: cport_wait. Concurrency and the order of waiters are the kernel's.
 */
#include "error.h"
#include "iocp.h"

/* Packets taken by one call to the kernel. */
#define BATCH      64u
#define NS_PER_MS  INT64_C(1000000)
#define MS_LONGEST INT64_C(0x7FFFFFFF)

/* One call of cport_wait. */
struct stay {
    struct harvest out;
    int64_t timeout_ns;
    int64_t deadline_ns; /* for timeouts > 0 */
    bool asleep;         /* counted as a sleeper */
    bool woken;
    bool stopped;
};

/* Until there is nothing in the ready list: what the kernel had no memory for goes to it now, in order. */
static void repost_ready(struct cport_port *port)
{
    struct op *op;
    while ((op = atomic_load_explicit(&port->ready.head, memory_order_relaxed)) != NULL) {
        struct op *next = op->next; /* once posted it may be gone */
        if (!queue_ready(port, op))
            return;
        atomic_store_explicit(&port->ready.head, next, memory_order_relaxed);
        port->ready.popped++;
    }
}

static struct op *expire_timers(struct cport_port *port)
{
    if (wheel_count(&port->wheel) == 0)
        return NULL;
    int64_t now = os_now_ns();
    return wheel_next_ns(&port->wheel) <= (uint64_t)now ? port_expire(port, now) : NULL;
}

static int64_t time_left(const struct stay *stay)
{
    if (stay->timeout_ns <= 0)
        return stay->timeout_ns;
    int64_t now = os_now_ns();
    return stay->deadline_ns > now ? stay->deadline_ns - now : 0;
}

/* Does what is due, and says how long the kernel may wait. */
static int64_t prepare(struct cport_port *port, struct stay *stay)
{
    port_lock(port);
    struct op *accepts = expire_timers(port);
    port_take_left(port);
    if (!ready_empty(&port->ready))
        repost_ready(port);
    int64_t left = time_left(stay);
    if (!ready_empty(&port->ready))
        left = 0;
    if (left != 0) {
        left = clock_sleep(port, stay, left);
        stay->asleep = true;
    }
    port_unlock(port);
    port_resume(accepts);
    return left;
}

static void rest(struct cport_port *port, struct stay *stay)
{
    if (!stay->asleep)
        return;
    stay->asleep = false;
    clock_woken(port, stay);
}

static void handle_ended(struct cport_handle *h, OVERLAPPED *overlapped, struct harvest *out)
{
    handle_lock(h);
    if (!accept_took(h, overlapped, out)) {
        struct op *op = CPORT_CONTAINER_OF(overlapped, struct op, engine);
        switch (op->kind) {
        case OP_ACCEPT:
            accept_ended(op, out);
            break;
        case OP_CONNECT:
            connect_ended(op, out);
            break;
        case OP_RECV_POOLED:
            pooled_ended(op, out);
            break;
        case OP_POLL:
            poll_ended(op, out);
            break;
        case OP_READ:
        case OP_READV:
        case OP_WRITE:
        case OP_WRITEV:
            file_ended(op, out);
            break;
        case OP_SENDFILE:
            transmit_ended(op, out);
            break;
        case OP_RECVMSG_POOLED:
            datagram_pooled_ended(op, out);
            break;
        default:
            if (h->traits & HANDLE_DATAGRAM)
                datagram_ended(op, out);
            else
                transfer_ended(op, out);
        }
    }
    handle_unlock(h);
}

static void ready_take(struct cport_port *port, struct op *op, struct harvest *out)
{
    ready_taken(op);
    port_lock(port);
    port_deliver(port, op, out);
    port_unlock(port);
}

static void packet_take(struct cport_port *port, struct stay *stay, const OVERLAPPED_ENTRY *packet)
{
    switch (packet->lpCompletionKey) {
    case KEY_READY:
        ready_take(port, CPORT_CONTAINER_OF(packet->lpOverlapped, struct op, engine), &stay->out);
        break;
    case KEY_JOB:
        offload_end(CPORT_CONTAINER_OF(packet->lpOverlapped, struct op, engine), &stay->out);
        break;
    case KEY_WAKE:
        atomic_store_explicit(&port->wake_asked, 0, memory_order_relaxed);
        stay->woken = true;
        break;
    case KEY_KICK:
    case KEY_ALARM:
        port_lock(port);
        clock_rang(port, packet->lpCompletionKey);
        port_unlock(port);
        break;
    case KEY_STOP:
        stay->stopped = true;
        break;
    case KEY_PROBE: {
        const struct op *op = CPORT_CONTAINER_OF(packet->lpOverlapped, struct op, engine);
        handle_ended(op->handle, packet->lpOverlapped, &stay->out);
        break;
    }
    default:
        handle_ended(
            (struct cport_handle *)packet->lpCompletionKey, packet->lpOverlapped, &stay->out);
    }
}

/* Takes what is queued, up to the room there is; waits for the first packet. Each packet has room for one event at least: what
 * more it makes goes where the packets behind it leave room, or is queued. */
static int dequeue(struct cport_port *port, struct stay *stay, int64_t wait_ns)
{
    OVERLAPPED_ENTRY packets[BATCH];
    struct harvest *out = &stay->out;
    unsigned max = out->max;
    /* Rounded up: the kernel counts in milliseconds and nothing may be early. */
    int64_t ms = wait_ns / NS_PER_MS + (wait_ns % NS_PER_MS != 0);
    DWORD limit = wait_ns < 0 ? INFINITE : (DWORD)(ms < MS_LONGEST ? ms : MS_LONGEST);
    ULONG n;
    do {
        ULONG room = max - out->n < BATCH ? (ULONG)(max - out->n) : BATCH;
        port_count(port, &port->stats.system_waits);
        if (!GetQueuedCompletionStatusEx(iocp_of(port)->queue, packets, room, &n, limit, FALSE)) {
            DWORD error = GetLastError();
            return error == WAIT_TIMEOUT ? 0 : error_from_win32(error);
        }
        for (ULONG i = 0; i < n; i++) {
            out->max = max - (unsigned)(n - 1 - i);
            packet_take(port, stay, &packets[i]);
        }
        limit = 0;
        n = n == room ? n : 0; /* fewer: it was all there is */
    } while (n && !harvest_full(out));
    return 0;
}

/* True: the stay is over, with *ret_result. */
static bool stay_once(struct cport_port *port, struct stay *stay, int *ret_result)
{
    int r = dequeue(port, stay, prepare(port, stay));
    if (stay->out.n == 0 && !ready_empty(&port->ready)) {
        /* Only where the kernel has nothing and no memory either: its packets are older. */
        port_lock(port);
        port_take_ready(port, &stay->out);
        port_unlock(port);
    }
    if (stay->out.n)
        *ret_result = (int)stay->out.n;
    else if (r < 0)
        *ret_result = r;
    else if (stay->stopped)
        *ret_result = CPORT_EABANDONED;
    else if (stay->woken || time_left(stay) == 0)
        *ret_result = 0;
    else
        return false;
    return true;
}

static bool enter(struct cport_port *port)
{
    port_lock(port);
    bool closing = port->crew.closing;
    if (!closing)
        port->crew.inside++;
    port_unlock(port);
    return !closing;
}

static void leave(struct cport_port *port, struct stay *stay)
{
    struct crew *crew = &port->crew;
    port_lock(port);
    rest(port, stay);
    if (port->shared)
        clock_arrange(port);
    crew->inside--;
    if (crew->closing && crew->inside) {
        queue_post_surely(port, KEY_STOP);
    } else if (crew->closing) {
        /* release: pairs with the futex of iocp_close_waiters */
        atomic_fetch_add_explicit(&crew->left, 1, memory_order_release);
        os_futex_wake(&crew->left);
    }
    port_unlock(port);
}

int iocp_wait(struct cport_port *port, cport_event *ev, unsigned max, int64_t timeout_ns)
{
    struct stay stay = {.out = {.ev = ev, .max = max}, .timeout_ns = timeout_ns};
    if (timeout_ns > 0) {
        int64_t now = os_now_ns();
        stay.deadline_ns = timeout_ns < INT64_MAX - now ? now + timeout_ns : INT64_MAX;
    }
    if (!enter(port))
        return CPORT_EABANDONED;
    int r;
    while (!stay_once(port, &stay, &r)) {
        port_lock(port);
        rest(port, &stay);
        port_unlock(port);
    }
    leave(port, &stay);
    if (r > 0)
        port_count_n(port, &port->stats.events, (uint64_t)r);
    return r;
}
