/*
 * What carries a talk over TCP connections on the loopback interface: a hand-written loop, or this library.
 *
 * Ownership: what open makes ends with close, which also closes the connections. The talk outlives it.
 * Returns: 0, or -1 after a message on standard error; after a failure nothing but close is called.
 */
#ifndef BENCH_TRANSPORT_H
#define BENCH_TRANSPORT_H

#include "talk.h"

#define TRANSPORT_SILENCE_MAX_MS 30000

struct transport {
    const char *name;
    /* What it would run on here, or "" when that cannot be told; NULL when the name says all. */
    const char *(*engine)(void);
    /* Connects all, so that they are there before the first message. */
    int (*open)(struct talk *talk, void **ret_client);
    /* Sends what the connection has to send, or as much as goes out at once; turn sees to the rest. */
    int (*flush)(void *client, unsigned connection);
    /* Waits for something to happen and deals with it, at most TRANSPORT_SILENCE_MAX_MS. */
    int (*turn)(void *client, int64_t *ret_now_ns);
    void (*close)(void *client);
};

extern const struct transport transport_cport, transport_epoll;

#endif
