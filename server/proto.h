/*
 * proto: what a protocol is to a connection: a name, the byte that chooses it, and a function from bytes to bytes.
 *
 * A protocol never sees a socket. It is shown the bytes at hand, takes at most one frame from their front and appends
 * its answer to a buffer, so a test or a fuzzer drives it exactly as a connection does. A new protocol is a file
 * proto_<name>.c and a line in proto.c.
 *
 * Ownership: borrows all it is given. Threading: a context belongs to one worker.
 */
#ifndef CPORT_SERVER_PROTO_H
#define CPORT_SERVER_PROTO_H

#include "buffer.h"
#include "payload.h"

enum proto_step {
    PROTO_NEXT,      /* *ret_count bytes were consumed and answered */
    PROTO_PARTIAL,   /* the frame is incomplete: it needs *ret_count bytes in all */
    PROTO_CLOSE,     /* broken: the answer is the last; what follows cannot be read */
    PROTO_NO_MEMORY, /* the answer does not fit in memory; nothing was appended */
};

/* What all connections of a worker share. */
struct proto_context {
    uint32_t frame_max; /* Message: the most that a frame's length may say */
    struct payload_reader payloads;
};

struct proto {
    const char *name;
    uint8_t preface;
    enum proto_step (*step)(
        struct proto_context *context, struct bytes run, struct buffer *out, size_t *ret_count);
    /* Appends what the protocol says before the server closes of its own accord. NULL: nothing. */
    bool (*goodbye)(struct buffer *out, enum message_status why);
};

extern const struct proto proto_throughput;
extern const struct proto proto_message;

const struct proto *proto_by_preface(uint8_t first_byte); /* NULL: none */

#endif
