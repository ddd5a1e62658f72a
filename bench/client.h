/*
 * The load: a closed loop of messages and their answers over TCP on the loopback interface, in the calling thread.
 *
 * Ownership: options and result are the caller's; nothing outlives the call.
 * Threading: one thread; pin it first.
 *
 * Each connection keeps `depth` messages outstanding: an answered message is at once followed by the next. A message's
 * latency runs from the moment it is handed to the socket to the moment its last byte has been read back, so in a closed loop a
 * slow server slows the asking too: the quantiles compare servers under one load, they do not predict an open one.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "dialogue.h"
#include "hist.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct transport;

struct client_options {
    const struct transport *transport;
    const struct dialogue *dialogue; /* NULL: an echo of message_bytes */
    uint16_t port;
    unsigned connections;
    unsigned depth;
    size_t message_bytes;
    int64_t warmup_ns;
    int64_t measure_ns;
    /* Not 0: each connection exchanges that many messages, all of them measured, and the times above do not matter. */
    uint64_t messages_per_connection;
    bool verify; /* compare the bytes as well as counting them */
    /* Called when the measured window opens and when it closes, to sample the server's clocks. */
    int (*on_window)(void *context, bool is_open);
    void *context;
};

struct client_result {
    uint64_t messages; /* completed within the window */
    int64_t elapsed_ns;
    int64_t cpu_ns; /* of this process, within the window */
    struct hist latency_ns;
};

/* What carries the load, by name: "epoll", a hand-written loop, on Linux; "cport", this library, everywhere. NULL: the
 * one that is preferred here. Returns NULL for a name that is not known here. */
const struct transport *client_transport(const char *name);
/* The same for the report, with what it runs on. */
void client_describe(const struct transport *transport, char *ret_text, size_t size);

/* Returns 0 when every message sent was answered; -1, after a message on standard error, otherwise. Blocks. */
int client_run(const struct client_options *options, struct client_result *ret_result);

#endif
