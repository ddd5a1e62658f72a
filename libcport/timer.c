/*
 * timer.c: timers as operations: the wheel's nodes live in the ops.
 */
#include "gather.h"

/* An op is 16-aligned: the address of a node tells which of its two it is. */
_Static_assert(offsetof(struct op, node) % 16 != 0 && offsetof(struct op, pause) % 16 == 0,
    "timers' nodes and accepts' are told apart");

struct op *timer_of_node(struct wheel_node *node)
{
    return (uintptr_t)node % 16 ? CPORT_CONTAINER_OF(node, struct op, node) : NULL;
}

static uint64_t wheel_time(int64_t deadline_ns)
{
    return deadline_ns > 0 ? (uint64_t)deadline_ns : 0;
}

/* Whoever waits has looked at the wheel when its next time was `before`. A SINGLE port's owner is the caller: its next wait looks
 * anyway. */
static void set_waiter(struct cport_port *port, uint64_t deadline, uint64_t before)
{
    if (deadline < before)
        port_kick_locked(port);
}

void port_arm(struct cport_port *port, struct wheel_node *node, int64_t deadline_ns)
{
    uint64_t deadline = wheel_time(deadline_ns);
    uint64_t before = port->shared ? wheel_next_ns(&port->wheel) : 0;
    wheel_add(&port->wheel, node, deadline);
    set_waiter(port, deadline, before);
}

/* The wheel has let go of it: its place is the event's. */
static void timer_ready(struct cport_port *port, struct op *op, int64_t result)
{
    op->result = result;
    op_set_state(op, OP_READY);
    port_ready_locked(port, op);
}

struct op *port_expire(struct cport_port *port, int64_t now_ns)
{
    struct op *accepts = NULL;
    struct wheel_node *node = wheel_expire(&port->wheel, (uint64_t)now_ns);
    while (node) {
        struct wheel_node *next = node->next;
        struct op *op = timer_of_node(node);
        if (op) {
            if (op->bits & OP_PERIODIC)
                op->timer.due_ns = (int64_t)node->deadline_ns;
            timer_ready(port, op, 0);
        } else {
            op = CPORT_CONTAINER_OF(node, struct op, pause);
            op_set_state(op, OP_RESUMED);
            /* The op is the head of its direction and its `next` taken: chain by the scratch that the wheel has let go of. */
            op->engine[0] = (uintptr_t)accepts;
            accepts = op;
        }
        node = next;
    }
    return accepts;
}

void port_resume(struct op *accepts)
{
    while (accepts) {
        struct op *next = (struct op *)(uintptr_t)accepts->engine[0];
        accepts->pause.slot = WHEEL_IDLE;
        handle_accept_resume(accepts);
        accepts = next;
    }
}

int64_t port_until_timer(struct cport_port *port, int64_t now_ns, int64_t limit_ns)
{
    uint64_t next = wheel_next_ns(&port->wheel);
    if (next > INT64_MAX)
        return limit_ns;
    int64_t left = (int64_t)next > now_ns ? (int64_t)next - now_ns : 0;
    return limit_ns < 0 || left < limit_ns ? left : limit_ns;
}

int cport_timer(cport_port *port, cport_op *public_op, int64_t deadline_ns, int64_t period_ns)
{
    struct op *op = op_of(public_op);
    if (!port || !op || period_ns < 0)
        return CPORT_EINVAL;
    if (!port_is_mine(port))
        return CPORT_EWRONGTHREAD;
    if (op_state(op) != OP_FREE)
        return CPORT_EBUSY;
    op->kind = OP_TIMER;
    op->bits = period_ns ? OP_PERIODIC : 0;
    op->port = port;
    op->node.slot = WHEEL_IDLE;
    if (period_ns)
        op->timer.period_ns = period_ns;
    port_lock(port);
    op_set_state(op, OP_ARMED);
    port_arm(port, &op->node, deadline_ns);
    port_unlock(port);
    return 0;
}

CPORT_COLD static int rearm_locked(struct op *op, int64_t deadline_ns)
{
    struct cport_port *port = op->port;
    int r = CPORT_ENOENT;
    port_lock(port);
    if (op_state(op) == OP_ARMED) {
        uint64_t deadline = wheel_time(deadline_ns);
        uint64_t before = wheel_next_ns(&port->wheel);
        wheel_move(&port->wheel, &op->node, deadline);
        set_waiter(port, deadline, before);
        r = 0;
    }
    port_unlock(port);
    return r;
}

int cport_timer_rearm(cport_op *public_op, int64_t deadline_ns)
{
    struct op *op = op_of(public_op);
    if (!op)
        return CPORT_EINVAL;
    if (op->kind != OP_TIMER || op_state(op) == OP_FREE)
        return CPORT_ENOENT;
    struct cport_port *port = op->port;
    if (port->shared)
        return rearm_locked(op, deadline_ns);
    if (!port_is_mine(port))
        return CPORT_EWRONGTHREAD;
    if (op_state(op) != OP_ARMED)
        return CPORT_ENOENT;
    wheel_move(&port->wheel, &op->node, wheel_time(deadline_ns));
    return 0;
}

int timer_cancel(struct op *op)
{
    struct cport_port *port = op->port;
    int r = 0;
    port_lock(port);
    if (op_state(op) == OP_ARMED) {
        wheel_remove(&port->wheel, &op->node);
        op->bits = 0;
        timer_ready(port, op, CPORT_ECANCELED);
    } else if (op_state(op) == OP_READY && (op->bits & OP_PERIODIC)) {
        /* The event that is queued becomes the last. */
        op->result = CPORT_ECANCELED;
        op->bits = 0;
    } else {
        r = CPORT_ENOENT;
    }
    port_unlock(port);
    return r;
}

/* A beat beyond the end of time does not come. */
static int64_t beat_after(int64_t due, int64_t periods, int64_t period)
{
    return periods <= (INT64_MAX - due) / period ? due + periods * period : INT64_MAX;
}

/* A periodic timer's event is being dequeued: count what was missed, arm the next. */
static int64_t timer_next_period(struct cport_port *port, struct op *op)
{
    int64_t period = op->timer.period_ns;
    int64_t due = op->timer.due_ns;
    int64_t late = port->backend->now_ns() - due;
    int64_t missed = late > 0 ? late / period : 0;
    op->node.slot = WHEEL_IDLE;
    op_set_state(op, OP_ARMED);
    port_arm(port, &op->node, beat_after(due, missed + 1, period));
    return missed;
}

void port_deliver(struct cport_port *port, struct op *op, struct harvest *out)
{
    if (op->kind == OP_TIMER && (op->bits & OP_PERIODIC)) {
        int64_t missed = timer_next_period(port, op);
        harvest_put(out, op, 0, missed, CPORT_MORE, 0);
        return;
    }
    if (op->kind == OP_PARCEL) {
        parcel_deliver(op, out);
        return;
    }
    if (op->kind == OP_POST) {
        port_count_locked(&port->stats.posts, 1); /* here, since posts come from any thread */
        post_deliver(op, out);
        return;
    }
    op_set_state(op, OP_FREE);
    if (op->kind == OP_TIMER)
        harvest_put(out, op, 0, op->result, 0, 0);
    else
        harvest_put(out, op, op->key, op->result, op->event_flags, op->aux);
}
