/*
 * What `cport-bench framed` says to a server: a request with a body, again and again, which the server gives back in its answer.
 *
 * Ownership: a dialogue owns its request, from dialogue_open to dialogue_close.
 * Returns: 0, or -1 after a message on standard error.
 */
#ifndef BENCH_DIALOGUE_H
#define BENCH_DIALOGUE_H

#include "wire.h"

struct dialogue {
    wire_parse *parse;
    const unsigned char *hello; /* constant: what a connection says first, without an answer */
    size_t hello_bytes;
    unsigned char *request;
    size_t request_bytes;
    size_t body_at; /* in the request; the answer has the same */
    size_t body_bytes;
};

struct peer;

/* bytes: of what follows the length, in the frames that have one; of the body elsewhere. */
int dialogue_open(const struct peer *peer, unsigned bytes, struct dialogue *ret_dialogue);
void dialogue_close(struct dialogue *d);

#endif
