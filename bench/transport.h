/*
 * What carries a load's streams over connections: the seam between client.c and its implementations.
 *
 * Ownership: what open makes ends with close, which also closes the connections. The load outlives it.
 * Returns: 0, or -1 after a message on standard error; after a failure nothing but close is called.
 */
#ifndef BENCH_TRANSPORT_H
#define BENCH_TRANSPORT_H

#include "load.h"

struct transport {
    const char *name;
    /* What it would run on here, or "" when that cannot be told; NULL when the name says all. */
    const char *(*engine)(void);
    /* Connects all, so that they are there before the first message. */
    int (*open)(struct load *load, void **ret_client);
    /* Sends what the stream has promised, or as much as goes out at once; turn sees to the rest. */
    int (*flush)(void *client, unsigned connection);
    /* Waits for something to happen and deals with it, at most LOAD_SILENCE_MAX_MS. */
    int (*turn)(void *client, int64_t *ret_now_ns);
    void (*close)(void *client);
};

extern const struct transport transport_cport, transport_epoll;

#endif
