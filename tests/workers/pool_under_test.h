/*
 * A pool to be tested: what its hooks record, an echo server and its clients, an allocator that counts and refuses, and the
 * little that differs between systems.
 *
 * Ownership: what a start returns ends with its stop. Threading: hooks record into atomics; everything else is the test's main
 * thread.
 */
#ifndef POOL_UNDER_TEST_H
#define POOL_UNDER_TEST_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "cport/workers.h"

#define PATIENCE_NS (INT64_C(60) * 1000000000)
#define MS          INT64_C(1000000)

/* ---- The allocator ---- */

const cport_allocator *counting_allocator(void);
int64_t allocations_live(void);
void allocation_fails(uint64_t n); /* the n-th from here on; 0: none */
bool allocation_failed(void);

/* ---- Waiting ---- */

int64_t now_ns(void);
/* Until *value is at least so much; the test fails when it takes too long. */
void until(atomic_uint *value, unsigned least);

/* ---- An echo server on a pool: one listener, on port 0 ---- */

struct echo {
    cport_workers *pool;
    uint16_t tcp_port; /* 0: any; then the one it got */
    bool keep;         /* the drain hook lets the connections be */
    bool stubborn;     /* handlers never close, and go on receiving whatever happens */
    atomic_uint accepted;
    atomic_uint echoed;
    atomic_uint closed;
    atomic_uint cancelled;
    /* the listener's worker's */
    cport_handle *listener;
    cport_op accept_op;
    cport_op close_op;
    _Atomic(struct echo_conn *) conns;
};

/* Fills in the hooks of opt, opens the pool, and returns what cport_workers_open does. */
int echo_open(struct echo *e, cport_workers_options *opt);
void echo_end(struct echo *e); /* from the listener's worker: closes all connections */

/* A client on a port of the calling thread. */
struct client {
    cport_port *port;
    cport_handle *handle;
};
void client_connect(struct client *c, uint16_t tcp_port);
void client_talk(struct client *c, char byte); /* sends it, and receives it back */
bool client_sees_end(struct client *c);        /* the stream ends, in order or by a reset */
void client_close(struct client *c);

/* ---- The system ---- */

void os_pause(void);
void os_env_set(const char *name, const char *value); /* NULL: not at all */
unsigned os_descriptors(void); /* open now; 0 where the system does not tell */
/* Of the calling thread; "" where the system does not tell. */
void os_name(char *text, size_t size);
void os_affinity(char *text, size_t size); /* as a list: "0-3" */

#endif
