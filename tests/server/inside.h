/*
 * inside: a server in the test's own process, again and again: what it holds is then what the process holds.
 *
 * Ownership: inside_stop ends what inside_start began. Threading: one thread, and one server at a time.
 */
#ifndef CPORT_TESTS_SERVER_INSIDE_H
#define CPORT_TESTS_SERVER_INSIDE_H

#include "calls.h"
#include "config.h"
#include "os.h"

#include <stdatomic.h>

struct inside {
    struct config config;
    const struct calls *calls;
    struct sys_thread *thread;
    atomic_bool ended;
    int status; /* once it has ended */
    uint16_t tcp_port;
};

/* Before any thread. False: it cannot be. */
bool inside_prepare(void);

/* Serves with the options given, ended by NULL, besides --listen; returns when it can be connected to. tcp_port 0: a free one. */
void inside_start(struct inside *inside, uint16_t tcp_port, const struct calls *calls,
    const char *const *options);

void inside_ask_to_stop(struct inside *inside);
int inside_stop(struct inside *inside); /* asks if nobody has; the exit status */
int inside_join(struct inside *inside); /* the same, when it has been asked */

#endif
