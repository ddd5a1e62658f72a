/*
 * canary.c: see canary.h.
 */
#include "canary.h"

#include "monitor.h"
#include "os_threads.h"
#include "port.h"

void canary_arm(struct canary *c)
{
    /* acq_rel: pairs with the exchange in run. Either the canary has yet to look, and will see this thread active, or it rests,
     * and is woken. */
    if (atomic_exchange_explicit(&c->armed, CANARY_ARMED, memory_order_acq_rel) == CANARY_RESTS)
        os_futex_wake(&c->armed);
}

static void run(void *arg)
{
    struct cport_port *port = arg;
    struct canary *c = &port->crew.canary;
    for (;;) {
        os_futex_wait(&c->armed, CANARY_RESTS, -1);
        /* Only now, when nothing else wants the processor, is the next line reached. */
        uint32_t armed = CANARY_ARMED;
        if (atomic_compare_exchange_strong_explicit(
                &c->armed, &armed, CANARY_RESTS, memory_order_acq_rel, memory_order_acquire)) {
            if (crew_active(&port->crew))
                monitor_alert(port);
        } else if (armed == CANARY_ENDS) {
            return;
        }
    }
}

static void end(struct canary *c)
{
    atomic_store_explicit(&c->armed, CANARY_ENDS, memory_order_release);
    os_futex_wake(&c->armed);
    /* Where its own processor is busy it would be long in coming. */
    os_thread_unbind(&c->thread);
    os_thread_join(&c->thread);
}

int canary_start(struct cport_port *port)
{
    struct canary *c = &port->crew.canary;
    atomic_store_explicit(&c->armed, CANARY_RESTS, memory_order_relaxed);
    /* Bound as the thread that starts it. */
    int r = os_thread_start(&c->thread, "cport/canary", run, port);
    if (r < 0)
        return r;
    r = os_thread_set_idle(&c->thread);
    if (r < 0)
        end(c);
    return r;
}

void canary_stop(struct canary *c)
{
    if (c->lives)
        end(c);
    c->lives = c->on = false;
}
