/*
 * buffer: a run of bytes that grows at its end and is taken from its front, in memory of a pool that has a limit.
 *
 * An empty buffer holds no memory: an idle connection costs none, and the blocks that busy ones trade through the
 * pool's free list make the steady state free of allocations.
 *
 * Ownership: a buffer belongs to one connection, or to the caller of a parser; its memory to its pool.
 * Threading: a pool and its buffers belong to one thread.
 */
#ifndef CPORT_SERVER_BUFFER_H
#define CPORT_SERVER_BUFFER_H

#include "bytes.h"

#include <stdbool.h>

/*
 * Memory comes in two sizes, and in more where that is not enough. A thousand clients that each await one push of a hundred bytes
 * touch as many blocks: of the small ones they fit into a cache and its pages' addresses into theirs.
 */
#define BUFFER_SMALL_BYTES 2048u
#define BUFFER_BLOCK_BYTES 16384u
#define BUFFER_KEPT_SHARE  16u /* of the limit, this part of free blocks of each size at most */

struct buffer_block;

struct buffer_pool {
    size_t
        limit; /* bytes that all buffers of the pool may hold together; below `held`, nobody gets more */
    size_t held;
    struct buffer_shelf {
        struct buffer_block *free;
        unsigned count;
    } small, blocks;
};

struct buffer {
    struct buffer_pool *pool;
    uint8_t *memory; /* NULL when empty */
    size_t capacity;
    size_t start; /* first byte not yet taken */
    size_t end;   /* behind the last byte */
};

void buffer_pool_init(struct buffer_pool *pool, size_t limit);
void buffer_pool_drain(
    struct buffer_pool *pool); /* frees the blocks kept; all buffers are empty by then */

void buffer_init(struct buffer *buffer, struct buffer_pool *pool);
void buffer_clear(struct buffer *buffer); /* forgets the bytes and gives the memory back */

static inline size_t buffer_len(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
    /* Adding even 0 to NULL is undefined. */
    return (struct bytes){
        buffer->memory ? buffer->memory + buffer->start : buffer->memory, buffer_len(buffer)};
}

/* Where there is not room enough; for buffer_reserve alone. */
bool buffer_grow(struct buffer *buffer, size_t len);

/* Room for len bytes behind the end, moved to the front if that helps. False: the limit or the system refuses; the
 * buffer is as it was. */
static inline bool buffer_reserve(struct buffer *buffer, size_t len)
{
    return len <= buffer->capacity - buffer->end || buffer_grow(buffer, len);
}

bool buffer_append(
    struct buffer *buffer, const void *data, size_t len); /* false: as buffer_reserve */

/* Room that is there already, and bytes that were written into it. */
static inline size_t buffer_room(const struct buffer *buffer)
{
    return buffer->capacity - buffer->end;
}

void buffer_take(
    struct buffer *buffer, size_t len); /* drops bytes at the front; empty gives the memory back */
void buffer_truncate(struct buffer *buffer, size_t len); /* keeps the first len bytes */

#endif
