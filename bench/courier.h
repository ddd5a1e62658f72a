/*
 * How `cport-bench download` and `upload` ask a server for a file, or bring it one.
 *
 * Ownership: constants; texts are written to the caller's memory.
 */
#ifndef BENCH_COURIER_H
#define BENCH_COURIER_H

#include "wire.h"

#define COURIER_TEXT_MAX 256

/* The name of the file that is downloaded. */
#define COURIER_FILE     "file"

/* Writes at most COURIER_TEXT_MAX bytes. number: of the file that is uploaded, which is called "up-N". */
typedef size_t courier_text(char *ret_text, unsigned number, uint64_t bytes);

struct courier {
    wire_parse *parse;
    courier_text *join; /* a connection's first words; NULL: none */
    unsigned join_replies;
    courier_text *before; /* the bytes come, or go */
    courier_text *packet; /* before each part of them that goes; NULL: they go in one piece */
    uint64_t packet_bytes;
    courier_text *after; /* they have gone; NULL: nothing */
    unsigned replies;    /* to all this, but for what is downloaded */
};

struct peer;

const struct courier *courier_of(const struct peer *peer, bool is_upload);

#endif
