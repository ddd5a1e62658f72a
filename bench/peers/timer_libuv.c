/* libuv: uv_timer_start arms, and moves a timer that is armed. Its delays are in milliseconds. */
#include <stdint.h>
#include <stdlib.h>
#include <uv.h>

#include "peer.h"

static uv_timer_t *timers;
static unsigned timer_count;

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
}

static void timers_open(unsigned count, const char **ret_engine, const char **ret_remark)
{
    timers = peer_allocate(count * sizeof *timers);
    timer_count = count;
    for (unsigned i = 0; i < count; i++)
        uv_timer_init(uv_default_loop(), &timers[i]);
    *ret_engine = "its own loop";
    *ret_remark = uv_version_string();
}

static inline void timer_arm(unsigned i, int64_t delay_ns)
{
    uv_timer_start(&timers[i], on_timer, (uint64_t)delay_ns / 1000000, 0);
}

static inline void timer_cancel(unsigned i)
{
    uv_timer_stop(&timers[i]);
}

static inline void timer_rearm(unsigned i, int64_t delay_ns)
{
    timer_arm(i, delay_ns);
}

static void timers_settle(void) {}

static void timers_close(void)
{
    for (unsigned i = 0; i < timer_count; i++)
        uv_close((uv_handle_t *)&timers[i], NULL);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    free(timers);
}

#include "timer_bench.h"
