/*
 * The servers under test and one of them running as a child process.
 *
 * Ownership: a server is the caller's value from server_start to server_wait or server_kill.
 * Returns: 0, or -1 after a message on standard error.
 */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include "os.h"

struct peer {
    const char *name;
    const char *program;  /* in peers/ beside this program, or a service's: see service.h */
    const char *argument; /* NULL: none */
    bool is_default;      /* takes part when no --peer is given */
    bool has_handlers;    /* takes part in blocked: a second argument chooses its handlers */
};

struct server {
    struct sys_process process;
    bool is_service;
    char folder[256]; /* a service's own, removed when it has ended; "": none */
    uint16_t port;
    char engine[32];
    char remark[256];
};

/* Every peer there is; ends with a nameless one. Which of them were built is seen at run time. */
extern const struct peer peer_table[];
const struct peer *peer_find(const struct peer *table, const char *name);
bool peer_is_built(const struct peer *peer);
/* Whether this system lets it run: some forbid io_uring. The server itself says why not. */
bool peer_can_start(const struct peer *peer);

/* Returns once it listens. prefix: a command to run it under, ending with NULL, or NULL for none; no service is. handlers: what the
 * peers of one benchmark are told, see peers/handlers.h, or the files that they serve; NULL: nothing. */
int server_start(const struct peer *peer, const char *const *prefix, const char *handlers, int core,
    struct server *ret_server);
/* After the last connection has closed: the server ends by itself, a service is asked to, and a fault of its own shows here. */
int server_wait(struct server *s);
void server_kill(struct server *s);

#endif
