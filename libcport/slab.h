/*
 * slab.h: objects of one size, from chunks that grow on demand and are given back all at once.
 *
 * Ownership: the slab owns its chunks, the caller the objects from slab_alloc to slab_free. No
 * memory goes back to the allocator before slab_close, so a pointer to a freed object still points
 * into an object of this kind: who keeps a generation in it can tell that it is stale. A fresh
 * object is zeroed; a recycled one keeps what it held but for its first pointer, which is the
 * slab's while it is free. The last one freed is the first one reused: its memory is the warmest.
 *
 * Threading: none of its own; the caller's lock, or thread, guards every call.
 */
#ifndef CPORT_SLAB_H
#define CPORT_SLAB_H

#include <cport/cport.h>

#include <stddef.h>

struct slab_chunk;
struct slab_free;

struct slab {
    cport_allocator allocator; /* constant after slab_init */
    size_t object_bytes;       /* constant after slab_init: rounded up to SLAB_ALIGN */
    size_t chunk_objects;      /* constant after slab_init */
    struct slab_free *free;    /* freed objects, the last one first */
    unsigned char *fresh;      /* the newest chunk's objects that were never handed out */
    size_t fresh_count;        /* of them */
    struct slab_chunk *chunks; /* the newest first */
    size_t chunk_count;
    size_t live; /* objects that are the caller's */
};

/* Objects are aligned to this, and to a cache line if their size is a multiple of one. */
#define SLAB_ALIGN 16

/* slab_init: an empty slab; allocates nothing. The allocator is copied. Its ctx must outlive the
 * slab. */
void slab_init(
    struct slab *slab, const cport_allocator *allocator, size_t object_bytes, size_t chunk_objects);

/* slab_close: gives all memory back, whether objects are live or not. The slab is then as after
 * slab_init. */
void slab_close(struct slab *slab);

/* slab_alloc: an object, or NULL if there is none left and the allocator refuses a chunk. */
void *slab_alloc(struct slab *slab);
void slab_free(struct slab *slab, void *object);

/* slab_at: the object that was the index-th to be handed out for the first time, whether it is live or free; NULL beyond them. */
void *slab_at(const struct slab *slab, size_t index);

/* slab_each: calls visit for every object that was ever handed out, whether it is live or free. */
void slab_each(const struct slab *slab, void (*visit)(void *object));

/* slab_live: objects allocated and not freed. 0 before slab_close, or something has leaked. */
static inline size_t slab_live(const struct slab *slab)
{
    return slab->live;
}

#endif
