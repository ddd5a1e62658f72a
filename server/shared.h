/*
 * shared: what the workers of a server have in common, as far as protocols need it. Everything in it may be used from any
 * worker's thread.
 *
 * Ownership: the server's. Threading: constant once the workers run, but for what is said.
 */
#ifndef CPORT_SERVER_SHARED_H
#define CPORT_SERVER_SHARED_H

#include "calls.h"
#include "clients.h"
#include "counters.h"
#include "hub.h"

/* What Stats tells: the counters of all workers, and what is so now. */
struct stats {
    uint64_t counter[COUNTER_COUNT];
    uint64_t connections;
    uint64_t workers;
    uint64_t uptime_s;
};

struct shared {
    struct sys_lock *users_lock;
    struct users *users; /* under the lock: see shared_users */
    struct clients *clients;
    struct hub *hub;
    const struct calls *calls;
    struct files *files; /* NULL: no folder is offered */
    struct uploads *uploads;
    struct mailbox *boxes; /* one for each worker */
    unsigned workers;
    atomic_bool stopping; /* any thread */

    bool message_anonymous;
    bool remote_stream_anonymous;

    void (*stats)(void *ctx, struct stats *ret_stats); /* any thread */
    void *stats_ctx;
    void (*kick)(void *conn); /* on the worker of the connection: an administrator ends it */
    void (*drop)(void *conn); /* the same, without a word */
};

struct users *shared_users(struct shared *shared); /* a hold; NULL: there are none */
void shared_users_replace(struct shared *shared, struct users *users); /* takes the hold given */

/* Names and values of what Stats tells, in order. False: visit returned false. */
typedef bool stats_visit(void *ctx, const char *name, uint64_t value);
bool stats_each(const struct stats *stats, stats_visit *visit, void *ctx);

/* Has end called for a connection, on its worker, if it is still there. False: no memory. */
bool shared_end(struct shared *shared, unsigned worker, uint64_t number, void (*end)(void *conn));

/* Ends the connections with that remote address. False: there is none. */
bool shared_kick(struct shared *shared, struct bytes remote);

#endif
