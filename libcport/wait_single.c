/*
 * wait_single.c: cport_wait on a SINGLE port: one thread, no lock.
 */
#include "port.h"

/* A handler that keeps posting to itself would keep the engine unpolled for ever: after this many waits in a row that the
 * ready list filled alone, one place of the next batch is the engine's. */
#define UNPOLLED_MAX 16u

static bool take_wake(struct cport_port *port)
{
    return atomic_load_explicit(&port->wake_asked, memory_order_relaxed) &&
           atomic_exchange_explicit(&port->wake_asked, 0, memory_order_acquire);
}

/* Puts what is ready without the engine into the ready list. */
static void gather(struct cport_port *port)
{
    port_take_left(port);
    if (wheel_count(&port->wheel)) {
        int64_t now = port->backend->now_ns();
        if (wheel_next_ns(&port->wheel) <= (uint64_t)now)
            port_resume(port_expire(port, now));
    }
}

/* Polls the engine; sleeps in it for at most wait_ns unless there is a packet or a wake. */
static int poll_engine(struct cport_port *port, struct harvest *out, int64_t wait_ns)
{
    if (wait_ns == 0)
        return port->backend->poll(port, out, 0);
    if (!postbox_sleep(&port->posts))
        return port->backend->poll(port, out, 0);
    if (atomic_load_explicit(&port->wake_asked, memory_order_seq_cst))
        wait_ns = 0;
    int r = port->backend->poll(port, out, wait_ns);
    postbox_awake(&port->posts);
    return r;
}

/* What a multishot op gets goes straight into the batch, past the ready list. Events of its own handle that are older than
 * the op itself must have left by then; others it may pass. */
static bool multishots_may_pass(const struct cport_port *port)
{
    return (int32_t)(port->ready.popped - port->multishot_mark) >= 0;
}

/* Fills the batch from the ready list. True: the batch is full and the engine's turn is not due yet. */
static bool fill_from_ready(struct cport_port *port, struct harvest *out)
{
    bool engine_turn = port->unpolled >= UNPOLLED_MAX && multishots_may_pass(port);
    unsigned max = out->max;
    out->max = engine_turn ? max - 1 : max;
    port_take_ready(port, out);
    out->max = max;
    bool full = harvest_full(out);
    port->unpolled = full ? port->unpolled + 1 : 0;
    return full;
}

static int64_t time_left(struct cport_port *port, int64_t deadline_ns, int64_t timeout_ns)
{
    if (timeout_ns <= 0 && wheel_count(&port->wheel) == 0)
        return timeout_ns;
    int64_t now = port->backend->now_ns();
    int64_t left = timeout_ns;
    if (timeout_ns > 0)
        left = deadline_ns > now ? deadline_ns - now : 0;
    return port_until_timer(port, now, left);
}

static int64_t deadline_of(const struct cport_port *port, int64_t timeout_ns)
{
    if (timeout_ns <= 0)
        return 0;
    int64_t now = port->backend->now_ns();
    return timeout_ns < INT64_MAX - now ? now + timeout_ns : INT64_MAX;
}

int port_wait_single(struct cport_port *port, cport_event *ev, unsigned max, int64_t timeout_ns)
{
    struct harvest out = {.ev = ev, .max = max};
    int64_t deadline = deadline_of(port, timeout_ns);
    for (;;) {
        gather(port);
        if (fill_from_ready(port, &out)) {
            port->backend->flush(port);
            break;
        }
        bool wait = out.n == 0 && ready_empty(&port->ready);
        int64_t wait_ns = wait ? time_left(port, deadline, timeout_ns) : 0;
        int r = poll_engine(port, &out, wait_ns);
        port_take_ready(port, &out);
        if (r < 0 && out.n == 0)
            return r;
        if (out.n)
            break;
        if (take_wake(port))
            return 0;
        if (timeout_ns == 0 || (timeout_ns > 0 && port->backend->now_ns() >= deadline))
            return 0;
    }
    take_wake(port);
    port_count_n(port, &port->stats.events, out.n);
    return (int)out.n;
}
