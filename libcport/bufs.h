/*
 * bufs.h: a pool of receive buffers.
 *
 * Ownership. The port's until cport_bufs_close. Each buffer is either in the pool or the caller's: `held` says which,
 * and is the only judge of a double return.
 *
 * Threading. `free_ids` belongs to the port's owner thread, or is under `lock` on shared ports. Returns from other threads of
 * a SINGLE port go through `remote`, which the owner empties.
 */
#ifndef CPORT_BUFS_H
#define CPORT_BUFS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "cport/cport.h"
#include "lock.h"

struct cport_bufs {
    struct cport_port *port; /* constant after open, as are the next four */
    uint32_t size;
    uint32_t count;
    uint32_t stride; /* size, rounded up to the alignment of buffers */
    uint8_t *memory;
    struct lock lock;
    _Atomic uint32_t receives; /* accepted receives on this pool that are not final */
    uint32_t free_count;
    uint32_t *free_ids; /* the pool, newest first; empty where the kernel holds it (buffer rings) */
    _Atomic uint8_t *held;   /* 1: the caller's */
    _Atomic uint32_t remote; /* id + 1 of the last returned by another thread; 0 none */
    uint32_t *remote_next;
    void *engine; /* engine's: a buffer ring */
    uint16_t engine_id;
};

/* Takes a buffer for the engine to receive into; false: dry. Not for pools that the kernel holds. */
bool bufs_take(struct cport_bufs *pool, uint32_t *ret_id);
/* Puts back a buffer that was taken and not given to the caller. */
void bufs_untake(struct cport_bufs *pool, uint32_t id);
/* The buffer goes to the caller with this event. */
void bufs_give(struct cport_bufs *pool, uint32_t id);
/* Owner thread: hands to `put` what other threads have returned. */
void bufs_drain_remote(struct cport_bufs *pool, void (*put)(struct cport_bufs *, uint32_t id));

static inline void *bufs_at(const struct cport_bufs *pool, uint32_t id)
{
    return pool->memory + (size_t)id * pool->stride;
}

static inline bool bufs_has_remote(struct cport_bufs *pool)
{
    return atomic_load_explicit(&pool->remote, memory_order_relaxed) != 0;
}

#endif
