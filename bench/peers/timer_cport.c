/* This library's timers. A cancelled one has its event, which is dequeued. */
#include "cport_peer.h"

#include <stdlib.h>

static cport_port *port;
static cport_op *ops;
static int64_t now_ns; /* deadlines are absolute; a loop that arms many asks the clock once */

static void timers_open(unsigned count, const char **ret_engine, const char **ret_remark)
{
    static cport_port_info info = {.size = sizeof info};
    cport_port_options options = {
        .size = sizeof options, .flags = CPORT_PORT_SINGLE, .backend = PEER_BACKEND};
    cport_peer_check("port", cport_port_open(&options, &port));
    cport_peer_check("info", cport_port_get_info(port, &info));
    ops = peer_allocate(count * sizeof *ops);
    now_ns = cport_now_ns(port);
    *ret_engine = info.backend_name;
    *ret_remark = info.reason;
}

static inline void timer_arm(unsigned i, int64_t delay_ns)
{
    cport_peer_check("timer", cport_timer(port, &ops[i], now_ns + delay_ns, 0));
}

static inline void timer_cancel(unsigned i)
{
    cport_peer_check("cancel", cport_cancel(&ops[i]));
}

static inline void timer_rearm(unsigned i, int64_t delay_ns)
{
    cport_peer_check("rearm", cport_timer_rearm(&ops[i], now_ns + delay_ns));
}

static void timers_settle(void)
{
    cport_event events[64];
    while (cport_peer_check("wait", cport_wait(port, events, 64, 0)) == 64)
        continue;
}

static void timers_close(void)
{
    cport_port_close(port);
    free(ops);
}

#include "timer_bench.h"
