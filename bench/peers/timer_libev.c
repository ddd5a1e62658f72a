/* libev: ev_timer_start and _stop; ev_timer_again moves one that is armed. */
#include <ev.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "peer.h"

static struct ev_loop *loop;
static ev_timer *timers;

static void on_timer(struct ev_loop *l, ev_timer *timer, int what)
{
    (void)l;
    (void)timer;
    (void)what;
}

static void timers_open(unsigned count, const char **ret_engine, const char **ret_remark)
{
    static char version[32];
    loop = ev_default_loop(0);
    if (loop == NULL)
        peer_die("ev_default_loop", 0);
    timers = peer_allocate(count * sizeof *timers);
    for (unsigned i = 0; i < count; i++)
        ev_init(&timers[i], on_timer);
    snprintf(version, sizeof version, "libev %d.%d", ev_version_major(), ev_version_minor());
    *ret_engine = "its own loop";
    *ret_remark = version;
}

static inline void timer_arm(unsigned i, int64_t delay_ns)
{
    ev_timer_set(&timers[i], (double)delay_ns * 1e-9, 0.);
    ev_timer_start(loop, &timers[i]);
}

static inline void timer_cancel(unsigned i)
{
    ev_timer_stop(loop, &timers[i]);
}

static inline void timer_rearm(unsigned i, int64_t delay_ns)
{
    timers[i].repeat = (double)delay_ns * 1e-9;
    ev_timer_again(loop, &timers[i]);
}

static void timers_settle(void) {}

static void timers_close(void)
{
    free(timers);
}

#include "timer_bench.h"
