/*
 * What there is to send and to expect, and when to measure: all of the load but the input and output.
 *
 * Ownership: a load and its streams live from load_open to load_free; options and result are the caller's.
 * Threading: one thread.
 * Returns: 0, or -1 after a message on standard error.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "client.h"

#define LOAD_SILENCE_MAX_MS 30000
/* Most of a stream that is sent or compared in one piece. */
#define LOAD_PIECE_BYTES    (128 * 1024)

/* One connection's messages. */
struct stream {
    size_t partial_bytes; /* of the message being received */
    size_t unsent_bytes;  /* promised, not yet taken by the socket */
    uint32_t send_phase;  /* place in the pattern */
    uint32_t receive_phase;
    uint64_t messages_left; /* that may still be started */
    int64_t *started_ns;    /* ring of the outstanding messages, oldest at head */
    unsigned head;
    unsigned outstanding;
};

struct load {
    const struct client_options *options;
    struct client_result *result;
    struct stream *streams; /* one for each of options->connections */
    unsigned char *pattern;
    int64_t *stamps;
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
/* The next bytes to send, at most LOAD_PIECE_BYTES; they stay valid. 0: nothing to send. */
size_t stream_piece(
    const struct load *load, const struct stream *s, const unsigned char **ret_data);
void stream_sent(struct stream *s, size_t bytes);
/* Counts, and compares if asked to, what has come back, and starts the messages that follow. */
int stream_received(
    struct load *load, struct stream *s, const unsigned char *data, size_t bytes, int64_t now_ns);

#endif
