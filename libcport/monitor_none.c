/*
 * monitor_none.c: monitor.h for systems whose kernel keeps the waiting threads and sees for itself when one blocks.
 */
#include "monitor.h"

bool monitor_can_watch(void)
{
    return false;
}

void monitor_add(struct cport_port *port)
{
    (void)port;
}

void monitor_drop(struct cport_port *port)
{
    (void)port;
}

void monitor_stir(struct cport_port *port)
{
    (void)port;
}

void monitor_describe(struct member *self)
{
    (void)self;
}

void monitor_forked(void) {}
