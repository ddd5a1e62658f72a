/*
 * info.c: what a port tells of itself.
 */
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "port.h"

/* What the library does where the kernel does not. */
#define CAPS_ALWAYS                                                                                \
    (CPORT_CAP_MULTISHOT_ACCEPT | CPORT_CAP_MULTISHOT_RECV | CPORT_CAP_BUFFER_RINGS |              \
        CPORT_CAP_FILES | CPORT_CAP_SENDFILE)

int cport_port_get_info(cport_port *port, cport_port_info *ret_info)
{
    if (!port || !ret_info)
        return CPORT_EINVAL;
    if (!port_is_mine(port))
        return CPORT_EWRONGTHREAD;
    cport_port_info info = {
        .size = sizeof(info),
        .backend = port->backend->id,
        .flags = port->flags,
        .concurrency = port->shared ? port->crew.concurrency : 1,
        .caps = port->caps | CAPS_ALWAYS,
        .native = port->caps & ~port->backend->emulated,
    };
    port_lock(port);
    info.handles = port->handles_live;
    port_unlock(port);
    snprintf(info.backend_name, sizeof(info.backend_name), "%s", port->backend->name);
    snprintf(info.reason, sizeof(info.reason), "%s", port->reason);
    return options_copy_out(&info, offsetof(cport_port_info, reserved), sizeof(info), ret_info);
}

int cport_port_get_stats(cport_port *port, cport_port_stats *ret_stats)
{
    if (!port || !ret_stats)
        return CPORT_EINVAL;
    if (!port_is_mine(port))
        return CPORT_EWRONGTHREAD;
    cport_port_stats stats;
    _Static_assert(sizeof(stats) % sizeof(uint64_t) == 0, "counters fill the struct");
    /* Counter by counter: other threads of a shared port go on counting. */
    const uint64_t *from = (const uint64_t *)(const void *)&port->stats;
    uint64_t *to = (uint64_t *)(void *)&stats;
    for (size_t i = 0; i < sizeof(stats) / sizeof(*to); i++)
        to[i] = atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)&from[i], memory_order_relaxed);
    return options_copy_out(&stats, offsetof(cport_port_stats, reserved), sizeof(stats), ret_stats);
}
