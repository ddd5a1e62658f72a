/*
 * What a load says over its connections: the seam between the loads (load.c, fanout.c, transfer.c) and the transports, which carry
 * bytes and know nothing of what they mean.
 *
 * Ownership: a talk is the first member of its load, which outlives every transport that carries it.
 * Returns: 0, or -1 after a message on standard error; after a failure the transport is closed.
 */
#ifndef BENCH_TALK_H
#define BENCH_TALK_H

#include <stddef.h>
#include <stdint.h>

struct talk;

struct talk_kind {
    /* What the connection has to send next; it stays valid until `sent`. 0: nothing. */
    size_t (*piece)(const struct talk *talk, unsigned connection, const unsigned char **ret_data);
    void (*sent)(struct talk *talk, unsigned connection, size_t bytes);
    /* The connection is asked for its next piece after each of these. */
    int (*received)(struct talk *talk, unsigned connection, const unsigned char *data, size_t bytes,
        int64_t now_ns);
};

struct talk {
    const struct talk_kind *kind;
    uint16_t port; /* on 127.0.0.1 */
    unsigned connections;
    size_t inbox_bytes; /* that can come at once; no need to receive more at a time */
};

#endif
