/*
 * pool.c: buffer rings: pools out of which the kernel itself picks.
 *
 * Ownership. The ring of a pool lives as long as the pool. Every buffer that is neither the caller's nor a completion's on its
 * way lies in it.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bits.h"
#include "error.h"
#include "uring.h"

struct buf_ring {
    struct buf_ring *next;   /* of the engine's */
    struct cport_bufs *pool; /* constant after open, as are the next two */
    struct io_uring_buf_ring *shared;
    uint16_t mask;
    uint16_t tail; /* as last told to the kernel */
};

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t shared_bytes(uint32_t entries)
{
    return entries * sizeof(struct io_uring_buf);
}

/* The lowest group number that no open pool has. */
static int group_unused(const struct uring *u, uint16_t *ret_group)
{
    for (uint32_t group = 0; group <= UINT16_MAX; group++) {
        const struct buf_ring *ring = u->buf_rings;
        while (ring && ring->pool->engine_id != group)
            ring = ring->next;
        if (!ring) {
            *ret_group = (uint16_t)group;
            return 0;
        }
    }
    return CPORT_ENOTSUP;
}

static int group_register(struct uring *u, void *shared, uint32_t entries, uint16_t group)
{
    struct io_uring_buf_reg reg = {
        .ring_addr = (uintptr_t)shared,
        .ring_entries = entries,
        .bgid = group,
    };
    memset(shared, 0, shared_bytes(entries));
    return io_uring_register_buf_ring(&u->ring, &reg, 0);
}

int buf_ring_probe(struct uring *u)
{
    void *shared = port_alloc(u->port, page_size(), page_size());
    if (!shared)
        return -ENOMEM;
    int r = group_register(u, shared, 1, 0);
    if (r == 0)
        r = io_uring_unregister_buf_ring(&u->ring, 0);
    port_free(u->port, shared, page_size());
    return r;
}

void uring_bufs_put(struct cport_bufs *pool, uint32_t id)
{
    struct buf_ring *ring = pool->engine;
    struct io_uring_buf *buf = &ring->shared->bufs[ring->tail++ & ring->mask];
    buf->addr = (uintptr_t)bufs_at(pool, id);
    buf->len = pool->size;
    buf->bid = (uint16_t)id;
    /* release: the kernel reads the entry behind the tail. */
    io_uring_smp_store_release(&ring->shared->tail, ring->tail);
}

uint16_t uring_bufs_tail(const struct cport_bufs *pool)
{
    const struct buf_ring *ring = pool->engine;
    return io_uring_smp_load_acquire(&ring->shared->tail);
}

void buf_rings_drain(struct uring *u)
{
    for (struct buf_ring *ring = u->buf_rings; ring; ring = ring->next)
        if (bufs_has_remote(ring->pool))
            bufs_drain_remote(ring->pool, uring_bufs_put);
}

/* The smallest power of two that is not below count. */
static uint32_t entries_for(uint32_t count)
{
    return count < 2 ? 1 : UINT32_C(2) << bits_highest(count - 1);
}

int uring_bufs_open(struct cport_bufs *pool)
{
    struct cport_port *port = pool->port;
    struct uring *u = port->engine;
    const uint32_t entries = entries_for(pool->count);
    if (!(port->caps & CPORT_CAP_BUFFER_RINGS) || group_unused(u, &pool->engine_id) < 0)
        return CPORT_ENOTSUP;

    int r = CPORT_ENOMEM;
    struct buf_ring *ring = port_alloc(port, sizeof(*ring), _Alignof(struct buf_ring));
    if (!ring)
        return r;
    *ring = (struct buf_ring){.pool = pool, .mask = (uint16_t)(entries - 1)};
    ring->shared = port_alloc(port, shared_bytes(entries), page_size());
    if (!ring->shared)
        goto fail_ring;
    r = group_register(u, ring->shared, entries, pool->engine_id);
    if (r < 0) {
        r = error_from_errno(-r);
        goto fail_shared;
    }
    ring->next = u->buf_rings;
    u->buf_rings = ring;
    pool->engine = ring;
    for (uint32_t id = 0; id < pool->count; id++)
        uring_bufs_put(pool, id);
    return 0;

fail_shared:
    port_free(port, ring->shared, shared_bytes(entries));
fail_ring:
    port_free(port, ring, sizeof(*ring));
    return r;
}

void uring_bufs_close(struct cport_bufs *pool)
{
    struct cport_port *port = pool->port;
    struct uring *u = port->engine;
    struct buf_ring *ring = pool->engine;
    if (!ring)
        return;
    struct buf_ring **link = &u->buf_rings;
    while (*link != ring)
        link = &(*link)->next;
    *link = ring->next;
    (void)io_uring_unregister_buf_ring(&u->ring, pool->engine_id);
    port_free(port, ring->shared, shared_bytes((uint32_t)ring->mask + 1));
    port_free(port, ring, sizeof(*ring));
    pool->engine = NULL;
}
