/*
 * What servers say, taken apart as it comes: a parser for each language finds the head of the first item in a run of bytes, and a
 * splitter deals with runs that begin and end anywhere. No input, no output.
 *
 * Ownership: everything is the caller's; a parser keeps nothing.
 * Threading: one thread at a time.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer heads are taken for broken. nats-server introduces itself with some 400 bytes. */
#define WIRE_HEAD_MAX 2048

enum wire_kind {
    WIRE_REPLY, /* to a request */
    WIRE_PUSH,  /* something published */
    WIRE_PING,  /* wants an answer */
    WIRE_NOTE   /* said unasked: passed over */
};

/* An item is a head, which tells all this, then a body, then a tail that closes it. */
struct wire_item {
    enum wire_kind kind;
    size_t head_bytes;
    uint64_t body_bytes;
    size_t tail_bytes;
};

enum wire_result {
    WIRE_OK,
    WIRE_PARTIAL, /* the head is not there whole */
    WIRE_BROKEN   /* not this language, or it says that something went wrong */
};

typedef enum wire_result wire_parse(
    const unsigned char *data, size_t bytes, struct wire_item *ret_item);

wire_parse wire_message; /* cport-server's Message protocol; pushes: their data is the body */
wire_parse wire_command; /* its command family; the data is the body, a code other than 0 broken */
wire_parse wire_redis;
wire_parse wire_nats;
wire_parse wire_mqtt;
wire_parse wire_http; /* responses with a Content-Length; a status other than 2xx is broken */

struct splitter {
    bool in_item;
    struct wire_item item; /* body_bytes and tail_bytes: what is still to come */
    size_t held;           /* of a head that is not whole yet */
    unsigned char head[WIRE_HEAD_MAX];
};

struct wire_sink {
    /* Both return 0, or -1 to give up. body NULL: nobody looks at it. */
    int (*body)(void *context, const unsigned char *data, size_t bytes);
    int (*item)(void *context, enum wire_kind kind); /* it has come to its end */
    void *context;
};

/* Returns 0, or -1 when the run is broken or the sink gave up; a broken one is told on standard error. */
int splitter_feed(struct splitter *s, wire_parse *parse, const unsigned char *data, size_t bytes,
    const struct wire_sink *sink);

/* Little-endian, as cport-server's frames are. */
static inline uint32_t wire_load_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void wire_store_u32(unsigned char *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(value >> 8 * i);
}

#endif
