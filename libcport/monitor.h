/*
 * monitor.h: the thread that sees handlers block where the kernel tells nobody: one for the process, while it has ports to
 * watch.
 *
 * Ownership. A port is in its list from monitor_add to monitor_drop.
 * Threading. As said at each call. The monitor's lock is taken before a port's, and never with `members_lock`.
 */
#ifndef CPORT_MONITOR_H
#define CPORT_MONITOR_H

#include <stdbool.h>

struct cport_port;
struct member;

/* Whether there can be one here. */
bool monitor_can_watch(void);

/* The port has several threads: watch them, by a canary too if they are all bound to one processor. The first port starts the
 * thread: a process of one thread stays one. By a thread that is about to wait on the port; no lock is held. Without effect where
 * there are no resources for it: a later thread tries again. */
void monitor_add(struct cport_port *port);
/* No thread waits on the port any more; the last port ends the thread. No lock is held. Blocks while the monitor is looking. */
void monitor_drop(struct cport_port *port);

/* A thread has become active, and the port has been put aside (`watch.awake`) or has its canary on: the first time one system
 * call. The port's lock is held. */
void monitor_stir(struct cport_port *port);
/* The processor of the port's threads is idle although one of them is active. From the canary. */
void monitor_alert(struct cport_port *port);

/* How the calling thread is to be found. */
void monitor_describe(struct member *self);

/* In the child of a fork there is no monitor, and no port but those it will open. */
void monitor_forked(void);

#endif
