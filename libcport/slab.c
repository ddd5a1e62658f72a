#include "slab.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { CHUNK_ALIGN = 64 };

/* Lies in a chunk's first cache line; the objects begin with the second. */
struct slab_chunk {
    struct slab_chunk *next;
};

struct slab_free {
    struct slab_free *next;
};

_Static_assert(sizeof(struct slab_chunk) <= CHUNK_ALIGN, "a chunk's objects start on a cache line");
_Static_assert(sizeof(struct slab_free) <= SLAB_ALIGN, "every object can hold the link");

static size_t chunk_bytes(const struct slab *slab)
{
    return CHUNK_ALIGN + slab->object_bytes * slab->chunk_objects;
}

void slab_init(
    struct slab *slab, const cport_allocator *allocator, size_t object_bytes, size_t chunk_objects)
{
    assert(object_bytes > 0 && chunk_objects > 0);
    assert(object_bytes < SIZE_MAX / 2 / chunk_objects - SLAB_ALIGN);
    *slab = (struct slab){
        .allocator = *allocator,
        .object_bytes = (object_bytes + SLAB_ALIGN - 1) / SLAB_ALIGN * SLAB_ALIGN,
        .chunk_objects = chunk_objects,
    };
}

void slab_close(struct slab *slab)
{
    for (struct slab_chunk *chunk = slab->chunks, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        slab->allocator.free(slab->allocator.ctx, chunk, chunk_bytes(slab));
    }
    slab->free = NULL;
    slab->fresh = NULL;
    slab->fresh_count = 0;
    slab->chunks = NULL;
    slab->chunk_count = 0;
    slab->live = 0;
}

static bool slab_grow(struct slab *slab)
{
    struct slab_chunk *chunk =
        slab->allocator.alloc(slab->allocator.ctx, chunk_bytes(slab), CHUNK_ALIGN);
    if (chunk == NULL)
        return false;
    chunk->next = slab->chunks;
    slab->chunks = chunk;
    slab->chunk_count++;
    slab->fresh = (unsigned char *)chunk + CHUNK_ALIGN;
    slab->fresh_count = slab->chunk_objects;
    return true;
}

void *slab_alloc(struct slab *slab)
{
    void *object = slab->free;
    if (object != NULL) {
        slab->free = slab->free->next;
    } else {
        if (slab->fresh_count == 0 && !slab_grow(slab))
            return NULL;
        object = slab->fresh;
        slab->fresh += slab->object_bytes;
        slab->fresh_count--;
        /* Here and not in slab_grow: what is never handed out never becomes resident. */
        memset(object, 0, slab->object_bytes);
    }
    slab->live++;
    return object;
}

void slab_free(struct slab *slab, void *object)
{
    assert(slab->live > 0);
    struct slab_free *freed = object;
    freed->next = slab->free;
    slab->free = freed;
    slab->live--;
}

void slab_each(const struct slab *slab, void (*visit)(void *object))
{
    /* Only the newest chunk, the first one, has objects that were never handed out: its last ones. */
    size_t count = slab->chunk_objects - slab->fresh_count;
    for (struct slab_chunk *chunk = slab->chunks; chunk != NULL; chunk = chunk->next) {
        unsigned char *object = (unsigned char *)chunk + CHUNK_ALIGN;
        for (size_t i = 0; i < count; i++)
            visit(object + i * slab->object_bytes);
        count = slab->chunk_objects;
    }
}

void *slab_at(const struct slab *slab, size_t index)
{
    size_t older = index / slab->chunk_objects; /* chunks before its own */
    if (index >= slab->chunk_count * slab->chunk_objects - slab->fresh_count)
        return NULL;
    struct slab_chunk *chunk = slab->chunks;
    for (size_t i = slab->chunk_count - 1; i > older; i--)
        chunk = chunk->next;
    return (unsigned char *)chunk + CHUNK_ALIGN + index % slab->chunk_objects * slab->object_bytes;
}
