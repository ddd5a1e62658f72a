/*
 * handover.c: a handler that blocks leaves its slot to another thread: because it says so, or because the monitor has seen it.
 *
 * However often and by whomever a thread is found blocked, its slot is given up once and taken back once: `blocked` tells, under
 * the port's lock.
 */
#include "port.h"

void crew_block(struct cport_port *port, struct member *m)
{
    m->blocked = true;
    port->crew.blocked++;
    crew_add_active(&port->crew, -1);
    /* Somebody must lead even when nothing is ready: at concurrency 1 nobody polls during a handler. */
    crew_offer_slot(port);
}

void crew_unblock(struct cport_port *port, struct member *m)
{
    m->blocked = false;
    port->crew.blocked--;
    crew_add_active(&port->crew, 1);
}

void cport_blocking_begin(void)
{
    struct member *me = crew_self();
    lock_acquire(&me->lock);
    struct cport_port *port = atomic_load_explicit(&me->port, memory_order_relaxed);
    if (port) {
        port_lock(port);
        if (me->active && me->nested++ == 0 && !me->blocked) {
            port_count(port, &port->stats.handovers);
            crew_block(port, me);
        }
        port_unlock(port);
    }
    lock_release(&me->lock);
}

void cport_blocking_end(void)
{
    struct member *me = crew_self();
    lock_acquire(&me->lock);
    struct cport_port *port = atomic_load_explicit(&me->port, memory_order_relaxed);
    if (port) {
        port_lock(port);
        if (me->nested && --me->nested == 0)
            crew_unblock(port, me);
        port_unlock(port);
    }
    lock_release(&me->lock);
}
