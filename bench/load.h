/*
 * Messages and their answers, and when to measure: all of the load but the input and output. An echo is its own answer; a
 * dialogue has heads around its messages.
 *
 * Ownership: a load and its streams live from load_open to load_free; options and result are the caller's.
 * Threading: one thread.
 * Returns: 0, or -1 after a message on standard error.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "client.h"
#include "talk.h"

/* Most of a stream that is sent or compared in one piece. */
#define LOAD_PIECE_BYTES (128 * 1024)

/* One connection's messages. */
struct stream {
    size_t hello_bytes;   /* of a dialogue's, still to be sent */
    size_t partial_bytes; /* of the message being received */
    size_t unsent_bytes;  /* promised, not yet taken by the socket */
    uint32_t send_phase;  /* place in the pattern */
    uint32_t receive_phase;
    uint64_t messages_left; /* that may still be started */
    int64_t *started_ns;    /* ring of the outstanding messages, oldest at head */
    unsigned head;
    unsigned outstanding;
    struct splitter *splitter; /* of a dialogue */
};

struct load {
    struct talk talk;
    const struct client_options *options;
    struct client_result *result;
    struct stream *streams; /* one for each of options->connections */
    unsigned char *pattern;
    size_t period; /* of the pattern */
    size_t request_bytes;
    int64_t *stamps;
    struct splitter *splitters;
    uint64_t outstanding; /* messages, over all streams */
    int64_t open_at_ns;
    int64_t opened_ns;
    bool is_measuring;
    bool is_draining; /* no new messages */
};

int load_open(
    const struct client_options *options, struct client_result *result, struct load *ret_load);
void load_free(struct load *load);

/* Around the transport's turns: load_advance after each of them, load_finish when nothing is outstanding any more. */
int load_start(struct load *load);
int load_advance(struct load *load, int64_t now_ns);
int load_finish(struct load *load);

/* Starts as many messages as the stream may have outstanding. */
void stream_start_messages(struct load *load, struct stream *s, int64_t now_ns);

#endif
