/*
 * server: the workers together: started, told to stop, counted.
 *
 * Two pools: one serves clients, with a port for each processor; the other, of one port that the system places as it likes, serves
 * who monitors, and ends last.
 *
 * Ownership: server_run's. Threading: constant while the pools run, but for what is marked.
 */
#ifndef CPORT_SERVER_SERVER_H
#define CPORT_SERVER_SERVER_H

#include "business.h"
#include "config.h"
#include "guard.h"
#include "shared.h"
#include "sockets.h"
#include "worker.h"

#include <stdatomic.h>

struct server {
    const struct config *config; /* constant after start, as all down to the counters */
    int argc;                    /* what the config was made of */
    char *const *argv;
    struct shared shared;
    struct mailbox *boxes; /* the workers', the last for admin */
    struct business *business;
    struct addresses *addresses;
    struct guard *guard;
    int64_t started_ns;
    struct worker *workers;
    unsigned worker_count; /* that serve clients */
    struct worker *admin;  /* one more, for who monitors; NULL: no such port */
    cport_workers *pool;
    cport_workers *admin_pool;
    struct sockets sockets;    /* those that have not been given to listeners */
    struct takeover *takeover; /* NULL: nobody takes over */
    atomic_uint listening;     /* listeners that are open */

    int64_t drain_timeout_ns; /* server_run's own thread */

    atomic_uint connections; /* any worker; clients alone */
    atomic_uint monitors;    /* on the admin port */
    unsigned turn;           /* the accepting worker: who gets the next connection */
    atomic_bool handed_over; /* any thread: another server accepts now */
    atomic_bool failed;      /* any thread */
};

static inline unsigned worker_count_all(const struct server *server)
{
    return server->worker_count + (server->admin ? 1 : 0);
}

/* relaxed: written before the pools are told to stop, and of interest only to who has been told */
static inline bool server_handed_over(struct server *server)
{
    return atomic_load_explicit(&server->handed_over, memory_order_relaxed);
}

/* Shares of the limits, which a reload may change. Connections are lowered to what the limit on open files leaves, and the log then
 * says so. */
uint32_t server_connections_max(const struct server *server, const struct config *config);
static inline size_t server_memory_share(const struct server *server, const struct config *config)
{
    return (size_t)config->memory / server->worker_count;
}
static inline size_t server_backlog_max(const struct server *server, const struct config *config)
{
    return server_memory_share(server, config) / 4;
}

static inline struct guard_rules server_guard_rules(const struct config *config)
{
    return (struct guard_rules){config->rate_limit, config->ban_after, config->ban_time_ns};
}

/* It can no longer do what it is there for: it drains, and ends with 1. From any thread. */
void server_fail(struct server *server);

/* Serves until it is told to stop, with the functions that Message clients may call (NULL: none). argv is what the config was made of, for
 * a reload of its limits (NULL: users alone are reloaded). Returns the exit status: 0
 * stopped as asked, 1 could not serve, 2 the users file or the root is wrong. */
int server_run(const struct config *config, const struct calls *calls, int argc, char *const *argv);

#endif
