/*
 * monitor_none.c: monitor.h for systems whose kernel keeps the waiting threads and sees for itself when one blocks.
 */
#include "monitor.h"

#include "cport/cport.h"

int monitor_open(void)
{
    return CPORT_ENOTSUP;
}

void monitor_close(void) {}

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
