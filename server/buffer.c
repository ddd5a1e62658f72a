#include "buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct buffer_block {
    struct buffer_block *next;
};

void buffer_pool_init(struct buffer_pool *pool, size_t limit)
{
    *pool = (struct buffer_pool){.limit = limit};
}

static void shelf_drain(struct buffer_shelf *shelf)
{
    while (shelf->free) {
        struct buffer_block *block = shelf->free;
        shelf->free = block->next;
        free(block);
    }
    shelf->count = 0;
}

void buffer_pool_drain(struct buffer_pool *pool)
{
    assert(pool->held == 0);
    shelf_drain(&pool->small);
    shelf_drain(&pool->blocks);
}

/* NULL: memory of that size is not kept. */
static struct buffer_shelf *shelf_of(struct buffer_pool *pool, size_t size)
{
    if (size == BUFFER_SMALL_BYTES)
        return &pool->small;
    return size == BUFFER_BLOCK_BYTES ? &pool->blocks : NULL;
}

static uint8_t *memory_get(struct buffer_pool *pool, size_t size)
{
    if (pool->held > pool->limit || size > pool->limit - pool->held)
        return NULL;
    uint8_t *memory = NULL;
    struct buffer_shelf *shelf = shelf_of(pool, size);
    if (shelf && shelf->free) {
        memory = (uint8_t *)shelf->free;
        shelf->free = shelf->free->next;
        shelf->count--;
    } else {
        memory = malloc(size);
    }
    if (memory)
        pool->held += size;
    return memory;
}

static void memory_put(struct buffer_pool *pool, uint8_t *memory, size_t size)
{
    if (!memory)
        return;
    pool->held -= size;
    struct buffer_shelf *shelf = shelf_of(pool, size);
    if (!shelf || shelf->count >= pool->limit / BUFFER_KEPT_SHARE / size) {
        free(memory);
        return;
    }
    struct buffer_block *block = (void *)memory; /* malloc aligned it */
    block->next = shelf->free;
    shelf->free = block;
    shelf->count++;
}

void buffer_init(struct buffer *buffer, struct buffer_pool *pool)
{
    *buffer = (struct buffer){.pool = pool};
}

void buffer_clear(struct buffer *buffer)
{
    memory_put(buffer->pool, buffer->memory, buffer->capacity);
    buffer_init(buffer, buffer->pool);
}

/* Doubling keeps the cost of growing linear; the first sizes are those that the pool keeps. */
static size_t capacity_for(size_t current, size_t needed)
{
    size_t doubled = current * 2;
    if (needed <= BUFFER_SMALL_BYTES)
        return BUFFER_SMALL_BYTES;
    if (needed < doubled)
        needed = doubled;
    return needed < BUFFER_BLOCK_BYTES ? BUFFER_BLOCK_BYTES : needed;
}

bool buffer_grow(struct buffer *buffer, size_t len)
{
    size_t held = buffer_len(buffer);
    if (len > SIZE_MAX / 4 - held)
        return false;
    if (held + len <= buffer->capacity) {
        memmove(buffer->memory, buffer->memory + buffer->start, held);
        buffer->start = 0;
        buffer->end = held;
        return true;
    }

    size_t capacity = capacity_for(buffer->capacity, held + len);
    uint8_t *memory = memory_get(buffer->pool, capacity);
    if (!memory)
        return false;
    if (held > 0)
        memcpy(memory, buffer->memory + buffer->start, held);
    memory_put(buffer->pool, buffer->memory, buffer->capacity);
    buffer->memory = memory;
    buffer->capacity = capacity;
    buffer->start = 0;
    buffer->end = held;
    return true;
}

bool buffer_append(struct buffer *buffer, const void *data, size_t len)
{
    if (len == 0)
        return true;
    if (!buffer_reserve(buffer, len))
        return false;
    memcpy(buffer->memory + buffer->end, data, len);
    buffer->end += len;
    return true;
}

void buffer_take(struct buffer *buffer, size_t len)
{
    assert(len <= buffer_len(buffer));
    buffer->start += len;
    if (buffer->start == buffer->end)
        buffer_clear(buffer);
}

void buffer_truncate(struct buffer *buffer, size_t len)
{
    assert(len <= buffer_len(buffer));
    buffer->end = buffer->start + len;
    if (len == 0)
        buffer_clear(buffer);
}
