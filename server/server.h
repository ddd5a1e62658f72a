/*
 * server: the workers together: started, told to stop, counted.
 */
#ifndef CPORT_SERVER_SERVER_H
#define CPORT_SERVER_SERVER_H

#include "config.h"
#include "worker.h"

#include <stdatomic.h>

struct server {
    const struct config *config; /* constant after start, as all down to the counters */
    struct worker *workers;
    unsigned worker_count;
    bool one_acceptor;
    uint32_t connections_max;

    atomic_uint connections; /* any worker */
    unsigned turn;           /* the accepting worker: who gets the next connection */
};

/* Serves until it is told to stop. Returns the exit status. */
int server_run(const struct config *config);

#endif
