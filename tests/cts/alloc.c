/* The counting allocator: what each port of a case uses. Refuses on demand, poisons what it gives and takes back. */
#include "cts.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MAGIC 0x6374735f616c6c6fu

typedef struct block {
    void *base;
    size_t size;
    uint64_t magic;
} block;

static atomic_uint_fast64_t calls;
static atomic_int_fast64_t live;
static atomic_uint_fast64_t refuse_call; /* the number of the call to refuse, or 0 */
static atomic_bool refused;

static void *block_alloc(void *ctx, size_t size, size_t align)
{
    CHECK(ctx == (void *)&live);
    CHECK(align > 0 && (align & (align - 1)) == 0);
    uint64_t call = atomic_fetch_add(&calls, 1) + 1;
    if (call == atomic_load(&refuse_call)) {
        atomic_store(&refused, true);
        return NULL;
    }
    if (align < _Alignof(block))
        align = _Alignof(block);
    char *base = malloc(size + sizeof(block) + align);
    CHECK(base != NULL);
    uintptr_t at = ((uintptr_t)base + sizeof(block) + align - 1) & ~(uintptr_t)(align - 1);
    block *b = (block *)(at - sizeof(block));
    *b = (block){base, size, BLOCK_MAGIC};
    memset((void *)at, 0xA5, size);
    atomic_fetch_add(&live, 1);
    /* cppcheck-suppress memleak ; the header in front of it remembers the base */
    return (void *)at;
}

static void block_free(void *ctx, void *memory, size_t size)
{
    CHECK(ctx == (void *)&live);
    if (memory == NULL)
        return;
    block *b = (block *)((char *)memory - sizeof(block));
    CHECK(b->magic == BLOCK_MAGIC);
    CHECK_EQ(size, b->size);
    void *base = b->base;
    b->magic = 0;
    memset(memory, 0xDD, size);
    atomic_fetch_sub(&live, 1);
    free(base);
}

const cport_allocator *cts_allocator(void)
{
    static const cport_allocator counting = {block_alloc, block_free, &live};
    return &counting;
}

uint64_t cts_alloc_calls(void)
{
    return atomic_load(&calls);
}

int64_t cts_alloc_live(void)
{
    return atomic_load(&live);
}

void cts_alloc_fail_at(uint64_t n)
{
    atomic_store(&refused, false);
    atomic_store(&refuse_call, n == 0 ? 0 : atomic_load(&calls) + n);
}

bool cts_alloc_refused(void)
{
    return atomic_load(&refused);
}
