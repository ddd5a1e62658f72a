/* What the two servers written with this library share. Nothing here returns after a failure: the program ends. */
#ifndef BENCH_CPORT_PEER_H
#define BENCH_CPORT_PEER_H

#include "peer.h"

#include <cport/cport.h>

#include <stdbool.h>

/* Listens and serves for ever, on a SINGLE port or on a shared one that one thread waits on. opened may be NULL; an event's key is
 * never 0 when event is called. */
PEER_NORETURN void cport_peer_serve(bool shared, void (*opened)(cport_port *port),
    void (*connection)(cport_port *port, cport_os_handle fd),
    void (*event)(const cport_event *event));

PEER_NORETURN void cport_peer_fail(const char *what, int error);

static inline int cport_peer_check(const char *what, int result)
{
    if (result < 0)
        cport_peer_fail(what, result);
    return result;
}

/* After a connection's close event: frees it and counts it out. */
void cport_peer_closed(void *connection);

/*
 * The pooled variant: one receive stays armed per connection and takes a buffer from a common pool only when bytes are
 * there, so that a connection without traffic holds no buffer.
 */
void cport_pooled_open(cport_port *port);
void cport_pooled_connection(cport_port *port, cport_os_handle fd);
void cport_pooled_event(const cport_event *event);

#endif
