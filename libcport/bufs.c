/*
 * bufs.c: pools of receive buffers.
 */
#include "bufs.h"

#include "port.h"

#define BUFFER_ALIGN 64u
#define MEMORY_ALIGN 4096u
#define SIZE_MOST    (1u << 20)
#define COUNT_MOST   32768u

static void pool_lock(struct cport_bufs *pool)
{
    if (pool->port->shared)
        lock_acquire(&pool->lock);
}

static void pool_unlock(struct cport_bufs *pool)
{
    if (pool->port->shared)
        lock_release(&pool->lock);
}

static void free_memory(struct cport_bufs *pool)
{
    struct cport_port *port = pool->port;
    if (pool->memory)
        port_free(port, pool->memory, (size_t)pool->count * pool->stride);
    if (pool->free_ids)
        port_free(port, pool->free_ids, pool->count * sizeof(*pool->free_ids));
    if (pool->remote_next)
        port_free(port, pool->remote_next, pool->count * sizeof(*pool->remote_next));
    if (pool->held)
        port_free(port, (void *)(uintptr_t)pool->held, pool->count);
    port_free(port, pool, sizeof(*pool));
}

static struct cport_bufs *alloc_memory(struct cport_port *port, uint32_t size, uint32_t count)
{
    struct cport_bufs *pool = port_alloc(port, sizeof(*pool), _Alignof(struct cport_bufs));
    if (!pool)
        return NULL;
    *pool = (struct cport_bufs){.port = port, .size = size, .count = count};
    pool->stride = (size + BUFFER_ALIGN - 1) & ~(BUFFER_ALIGN - 1);
    lock_init(&pool->lock);
    pool->memory = port_alloc(port, (size_t)count * pool->stride, MEMORY_ALIGN);
    pool->free_ids = port_alloc(port, count * sizeof(*pool->free_ids), _Alignof(uint32_t));
    pool->remote_next = port_alloc(port, count * sizeof(*pool->remote_next), _Alignof(uint32_t));
    pool->held = port_alloc(port, count, 1);
    if (!pool->memory || !pool->free_ids || !pool->remote_next || !pool->held) {
        free_memory(pool);
        return NULL;
    }
    for (uint32_t id = 0; id < count; id++)
        atomic_init(&pool->held[id], 0);
    return pool;
}

int cport_bufs_open(cport_port *port, uint32_t size, uint32_t count, cport_bufs **ret_pool)
{
    if (!port || !ret_pool || size == 0 || size > SIZE_MOST || count == 0 || count > COUNT_MOST)
        return CPORT_EINVAL;
    if (!port_is_mine(port))
        return CPORT_EWRONGTHREAD;
    struct cport_bufs *pool = alloc_memory(port, size, count);
    if (!pool)
        return CPORT_ENOMEM;
    int r = port->backend->bufs_open ? port->backend->bufs_open(pool) : CPORT_ENOTSUP;
    if (r == CPORT_ENOTSUP) {
        for (uint32_t id = 0; id < count; id++)
            pool->free_ids[id] = count - 1 - id;
        pool->free_count = count;
    } else if (r < 0) {
        free_memory(pool);
        return r;
    }
    port_lock(port);
    port->bufs_live++;
    port_unlock(port);
    *ret_pool = pool;
    return 0;
}

int cport_bufs_close(cport_bufs *pool)
{
    if (!pool)
        return CPORT_EINVAL;
    struct cport_port *port = pool->port;
    if (!port_is_mine(port))
        return CPORT_EWRONGTHREAD;
    if (atomic_load_explicit(&pool->receives, memory_order_relaxed))
        return CPORT_EBUSY;
    if (pool->engine)
        port->backend->bufs_close(pool);
    port_lock(port);
    port->bufs_live--;
    port_unlock(port);
    lock_destroy(&pool->lock);
    free_memory(pool);
    return 0;
}

void *cport_bufs_data(const cport_bufs *pool, uint32_t id)
{
    return pool && id < pool->count ? bufs_at(pool, id) : NULL;
}

static void put_free(struct cport_bufs *pool, uint32_t id)
{
    pool->free_ids[pool->free_count++] = id;
}

void bufs_drain_remote(struct cport_bufs *pool, void (*put)(struct cport_bufs *, uint32_t id))
{
    /* acquire: pairs with the release in return_remote. */
    uint32_t next = atomic_exchange_explicit(&pool->remote, 0, memory_order_acquire);
    while (next) {
        uint32_t id = next - 1;
        next = pool->remote_next[id]; /* before put: another thread may return it again at once */
        put(pool, id);
    }
}

static void return_remote(struct cport_bufs *pool, uint32_t id)
{
    uint32_t head = atomic_load_explicit(&pool->remote, memory_order_relaxed);
    do
        pool->remote_next[id] = head;
    while (!atomic_compare_exchange_weak_explicit(
        &pool->remote, &head, id + 1, memory_order_release, memory_order_relaxed));
}

/* The buffer is the caller's no more; false: it was not. */
static bool take_back(struct cport_bufs *pool, uint32_t id, bool owner)
{
    /* acq_rel: the caller is done with the contents before the pool has it. */
    if (!owner)
        return atomic_exchange_explicit(&pool->held[id], 0, memory_order_acq_rel);
    /* The owner of a SINGLE port saves the locked instruction: it made the buffer the caller's itself, and who returns one
     * twice from two threads at once has no promise. */
    bool held = atomic_load_explicit(&pool->held[id], memory_order_relaxed);
    atomic_store_explicit(&pool->held[id], 0, memory_order_relaxed);
    return held;
}

int cport_bufs_return(cport_bufs *pool, uint32_t id)
{
    if (!pool || id >= pool->count)
        return CPORT_EINVAL;
    struct cport_port *port = pool->port;
    bool owner = !port->shared && port_is_mine(port);
    if (!take_back(pool, id, owner))
        return CPORT_EINVAL;
    if (!owner && !port->shared)
        return_remote(pool, id);
    else if (pool->engine)
        port->backend->bufs_put(pool, id);
    else
        bufs_untake(pool, id);
    return 0;
}

bool bufs_take(struct cport_bufs *pool, uint32_t *ret_id)
{
    if (bufs_has_remote(pool))
        bufs_drain_remote(pool, put_free);
    pool_lock(pool);
    bool any = pool->free_count > 0;
    if (any)
        *ret_id = pool->free_ids[--pool->free_count];
    pool_unlock(pool);
    return any;
}

void bufs_untake(struct cport_bufs *pool, uint32_t id)
{
    pool_lock(pool);
    put_free(pool, id);
    pool_unlock(pool);
}

void bufs_give(struct cport_bufs *pool, uint32_t id)
{
    atomic_store_explicit(&pool->held[id], 1, memory_order_release);
}
