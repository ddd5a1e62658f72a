/*
 * timer.c: timers as operations: the wheel's nodes live in the ops.
 */
#include "gather.h"

static struct op *op_of_node(struct wheel_node *node)
{
    return CPORT_CONTAINER_OF(node, struct op, node);
}

void port_arm(struct cport_port *port, struct wheel_node *node, int64_t deadline_ns)
{
    uint64_t deadline = deadline_ns > 0 ? (uint64_t)deadline_ns : 0;
    uint64_t before = port->shared ? wheel_next_ns(&port->wheel) : 0;
    wheel_add(&port->wheel, node, deadline);
    /* A SINGLE port's owner is the caller: its next wait looks at the wheel anyway. */
    if (port->shared && deadline < before)
        port_kick_locked(port);
}

struct op *port_expire(struct cport_port *port, int64_t now_ns)
{
    struct op *accepts = NULL;
    struct wheel_node *node = wheel_expire(&port->wheel, (uint64_t)now_ns);
    while (node) {
        struct wheel_node *next = node->next;
        struct op *op = op_of_node(node);
        if (op->kind == OP_ACCEPT) {
            op_set_state(op, OP_RESUMED);
            /* The op is the head of its direction and its `next` taken: chain by the scratch that the wheel has let go of. */
            op->engine[0] = (uintptr_t)accepts;
            accepts = op;
        } else {
            op_set_state(op, OP_READY);
            port_ready_locked(port, op);
        }
        node = next;
    }
    return accepts;
}

void port_resume(struct op *accepts)
{
    while (accepts) {
        struct op *next = (struct op *)(uintptr_t)accepts->engine[0];
        accepts->node.slot = WHEEL_IDLE;
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
    op->port = port;
    op->flags = 0;
    op->bits = 0;
    op->result = 0;
    op->key = 0;
    op->event_flags = 0;
    op->aux = 0;
    op->transferred = 0;
    op->timer.period_ns = period_ns;
    op->node.slot = WHEEL_IDLE;
    port_lock(port);
    op_set_state(op, OP_ARMED);
    port_arm(port, &op->node, deadline_ns);
    port_unlock(port);
    return 0;
}

int cport_timer_rearm(cport_op *public_op, int64_t deadline_ns)
{
    struct op *op = op_of(public_op);
    if (!op)
        return CPORT_EINVAL;
    if (op->kind != OP_TIMER || op_state(op) == OP_FREE)
        return CPORT_ENOENT;
    struct cport_port *port = op->port;
    if (!port_is_mine(port))
        return CPORT_EWRONGTHREAD;
    int r = CPORT_ENOENT;
    port_lock(port);
    if (op_state(op) == OP_ARMED) {
        wheel_remove(&port->wheel, &op->node);
        port_arm(port, &op->node, deadline_ns);
        r = 0;
    }
    port_unlock(port);
    return r;
}

int timer_cancel(struct op *op)
{
    struct cport_port *port = op->port;
    int r = 0;
    port_lock(port);
    if (op_state(op) == OP_ARMED) {
        wheel_remove(&port->wheel, &op->node);
        op->result = CPORT_ECANCELED;
        op->timer.period_ns = 0;
        op_set_state(op, OP_READY);
        port_ready_locked(port, op);
    } else if (op_state(op) == OP_READY && op->timer.period_ns) {
        /* The event that is queued becomes the last. */
        op->result = CPORT_ECANCELED;
        op->timer.period_ns = 0;
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
    int64_t due = (int64_t)op->node.deadline_ns;
    int64_t late = port->backend->now_ns() - due;
    int64_t missed = late > 0 ? late / period : 0;
    op_set_state(op, OP_ARMED);
    port_arm(port, &op->node, beat_after(due, missed + 1, period));
    return missed;
}

void port_deliver(struct cport_port *port, struct op *op, struct harvest *out)
{
    if (op->kind == OP_TIMER && op->timer.period_ns) {
        int64_t missed = timer_next_period(port, op);
        harvest_put(out, op, 0, missed, CPORT_MORE, 0);
        return;
    }
    if (op->kind == OP_PARCEL) {
        parcel_deliver(op, out);
        return;
    }
    if (op->kind == OP_POST)
        port_count(port, &port->stats.posts); /* here, since posts come from any thread */
    op_set_state(op, OP_FREE);
    harvest_put(out, op, op->key, op->result, op->event_flags, op->aux);
}
