/*
 * vec.h: what an operation must keep beyond its own 128 bytes: the pieces of a vectored transfer, an address, or a file
 * on its way.
 *
 * Ownership. Taken from the port's slab when an op is accepted, given back when it is final.
 * Threading. The slab is under the port's lock; the contents belong to the op.
 */
#ifndef CPORT_VEC_H
#define CPORT_VEC_H

#include "cport/cport.h"

/* What is still to be sent, in this order. */
struct passage {
    const char *head;
    size_t head_left;
    struct cport_handle *file; /* counted in its `passages` */
    uint64_t offset;
    uint64_t left;
    const char *tail;
    size_t tail_left;
};

struct vec {
    unsigned count; /* pieces not yet transferred, from `first` on */
    unsigned first;
    union {
        cport_buf bufs[CPORT_BUFS_MAX];
        struct sockaddr_storage address;
        struct passage passage;
    };
    uint64_t engine[8]; /* engine's: a struct msghdr */
};

/* Steps over n bytes that have been transferred; the rest starts at bufs[first]. */
void vec_advance(struct vec *vec, size_t n);
size_t vec_total(const cport_buf *bufs, unsigned count);

#endif
