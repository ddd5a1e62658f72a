/* libevent: a timer event for each; evtimer_add arms, and moves one that is armed. */
#include <event2/event.h>
#include <stdint.h>
#include <stdlib.h>

#include "peer.h"

static struct event_base *base;
static struct event **timers;
static unsigned timer_count;

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
}

static void timers_open(unsigned count, const char **ret_engine, const char **ret_remark)
{
    base = event_base_new();
    if (base == NULL)
        peer_die("event_base_new", 0);
    timers = peer_allocate(count * sizeof(struct event *));
    timer_count = count;
    for (unsigned i = 0; i < count; i++) {
        timers[i] = evtimer_new(base, on_timer, NULL);
        if (timers[i] == NULL)
            peer_die("evtimer_new", 0);
    }
    *ret_engine = event_base_get_method(base);
    *ret_remark = event_get_version();
}

static inline void timer_arm(unsigned i, int64_t delay_ns)
{
    struct timeval delay = {.tv_sec = (time_t)(delay_ns / 1000000000),
        .tv_usec = (suseconds_t)(delay_ns % 1000000000 / 1000)};
    evtimer_add(timers[i], &delay);
}

static inline void timer_cancel(unsigned i)
{
    evtimer_del(timers[i]);
}

static inline void timer_rearm(unsigned i, int64_t delay_ns)
{
    timer_arm(i, delay_ns);
}

static void timers_settle(void) {}

static void timers_close(void)
{
    for (unsigned i = 0; i < timer_count; i++)
        event_free(timers[i]);
    free(timers);
    event_base_free(base);
}

#include "timer_bench.h"
