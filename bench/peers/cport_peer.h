/* What the two servers written with this library share. Nothing here returns after a failure: the program ends. */
#ifndef BENCH_CPORT_PEER_H
#define BENCH_CPORT_PEER_H

#include "peer.h"

#include <cport/cport.h>
#include <stdbool.h>

/* What one wait takes has been received and not yet answered: with few events the bytes are still in the cache when they are
 * sent. 256 connections with 16 KiB each under epoll: 368 ns a message with 16, 372 with 32, 428 with 256. */
#define CPORT_PEER_BATCH 16

struct cport_peer {
    bool shared;
    unsigned threads;                 /* 1, unless shared */
    unsigned batch;                   /* events per wait */
    void (*opened)(cport_port *port); /* NULL: nothing to be done */
    void (*connection)(cport_port *port, cport_os_handle fd);
    void (*event)(const cport_event *event); /* its key is never 0 */
};

/* Listens and serves for ever. */
PEER_NORETURN void cport_peer_serve(const struct cport_peer *peer);

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
