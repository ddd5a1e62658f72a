/*
 * canary.h: a thread of the library's own that runs only when its processor has nothing else to do.
 *
 * Where all threads of a port are bound to one processor, that processor falling idle while one of them is in a handler means
 * that the handler blocks: nothing tells it sooner. The canary takes no lock and touches nothing but its own words and the count
 * of active threads, since it may be kept from running at any point, for as long as other work has the processor; it calls the monitor.
 *
 * Ownership. Part of its port. Threading. `lives` and `on` are under the port's lock.
 */
#ifndef CPORT_CANARY_H
#define CPORT_CANARY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "os.h"

struct cport_port;

struct canary {
    bool lives; /* its thread has been started */
    bool on;    /* handlers have blocked lately: it is worth its system calls */
    struct os_thread thread;
    _Atomic uint32_t armed; /* CANARY_… */
};

enum { CANARY_RESTS, CANARY_ARMED, CANARY_ENDS };

/* A thread of the port becomes active, and the canary is on. At most one system call per run of the canary. */
void canary_arm(struct canary *c);

/* Called on the processor in question. 0, or an error code: without it the monitor carries on alone. The caller then sets `lives`. */
int canary_start(struct cport_port *port);
/* Blocks until its thread has ended. Nobody arms it any more. */
void canary_stop(struct canary *c);

#endif
