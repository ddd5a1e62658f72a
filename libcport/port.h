/*
 * port.h: a port: the ready list, the clock and wheel, the waiting threads, and the engine under it.
 *
 * Ownership. One allocation; the engine's own state hangs off `engine`.
 * Threading. SINGLE ports: the owner thread, but for `posts` and `wake_asked`. Shared ports: all under `lock` unless said otherwise;
 * pushes into `posts` need none.
 */
#ifndef CPORT_PORT_H
#define CPORT_PORT_H

#include <assert.h>

#include "backend.h"
#include "bufs.h"
#include "crew.h"
#include "handle.h"
#include "offload.h"
#include "os.h"
#include "postbox.h"
#include "slab.h"
#include "vec.h"

struct gather; /* gather.h */

/* Events on their way into a caller's array. Without an array (max 0) what ends is queued, and nothing else gets room. */
struct harvest {
    cport_event *ev;
    unsigned n;
    unsigned max;
    struct gather *gather; /* in its place, for a thread of an engine's own: then max is 0 */
};

static inline bool harvest_full(const struct harvest *out)
{
    return out->n == out->max;
}

static inline void harvest_put(
    struct harvest *out, struct op *op, uintptr_t key, int64_t result, uint32_t flags, uint32_t aux)
{
    assert(out && !harvest_full(out));
    out->ev[out->n++] = (cport_event){(cport_op *)(void *)op, key, result, flags, aux};
}

/* Ops with an event to be dequeued, oldest first. The head is atomic for ready_empty alone. */
struct ready {
    _Atomic(struct op *) head;
    struct op *tail;
    uint32_t pushed; /* count, and wrap round */
    uint32_t popped;
};

/* Without the port's lock: an event that happened before the call (under a common lock) is seen. */
static inline bool ready_empty(const struct ready *ready)
{
    return atomic_load_explicit(&((struct ready *)(uintptr_t)ready)->head, memory_order_relaxed) ==
           NULL;
}

static inline void ready_push(struct ready *ready, struct op *op)
{
    op->next = NULL;
    if (ready_empty(ready))
        atomic_store_explicit(&ready->head, op, memory_order_relaxed);
    else
        ready->tail->next = op;
    ready->tail = op;
    ready->pushed++;
}

static inline struct op *ready_pop(struct ready *ready)
{
    struct op *op = atomic_load_explicit(&ready->head, memory_order_relaxed);
    if (op) {
        atomic_store_explicit(&ready->head, op->next, memory_order_relaxed);
        ready->popped++;
    }
    return op;
}

/* All of `more`, which is empty afterwards. */
static inline void ready_append(struct ready *ready, struct ready *more)
{
    struct op *first = atomic_load_explicit(&more->head, memory_order_relaxed);
    if (!first)
        return;
    if (ready_empty(ready))
        atomic_store_explicit(&ready->head, first, memory_order_relaxed);
    else
        ready->tail->next = first;
    ready->tail = more->tail;
    ready->pushed += more->pushed;
    more->pushed = 0;
    atomic_store_explicit(&more->head, NULL, memory_order_relaxed);
}

/* The table from descriptors to handles: descriptor events and second attaches are looked up here. Chunked, so that readers
 * need no lock while it grows. */
#define FDMAP_CHUNK  1024u
#define FDMAP_CHUNKS 1024u
struct fdmap_chunk {
    _Atomic(struct cport_handle *) handles[FDMAP_CHUNK];
};
struct fdmap {
    _Atomic(struct fdmap_chunk *) chunks[FDMAP_CHUNKS];
};

struct cport_port {
    const struct backend *backend; /* constant after open, as are the next six */
    void *engine;
    bool shared;
    bool auto_choice;
    uint64_t allow_caps;
    uint64_t caps; /* what the engine makes use of or does itself: its open sets it */
    uint32_t entries;

    struct ready ready;
    struct wheel wheel;
    unsigned unpolled;       /* SINGLE: waits in a row that the ready list filled alone */
    uint32_t multishot_mark; /* SINGLE: ready.pushed when a multishot op was last started */

    struct lock lock;
    struct crew crew;

    struct slab handles;
    struct slab vecs;
    struct offload offload;
    uint32_t handles_live;
    uint32_t bufs_live;
    struct fdmap *fdmap;

    cport_allocator allocator; /* constant after open, as are the rest */
    void (*log)(void *ctx, const char *line);
    void *log_ctx;
    os_thread_id owner;
    uint32_t flags;
    char reason[232];
    cport_port_stats stats;

    /* Written by other threads: a cache line of its own. */
    _Alignas(64) struct postbox posts;
    _Atomic int wake_asked; /* shared ports use it too */
};

static inline bool port_is_mine(const struct cport_port *port)
{
    return port->shared || os_thread_self() == port->owner;
}

static inline void port_lock(struct cport_port *port)
{
    if (port->shared)
        lock_acquire(&port->lock);
}

static inline void port_unlock(struct cport_port *port)
{
    if (port->shared)
        lock_release(&port->lock);
}

static inline void handle_lock(struct cport_handle *h)
{
    if (h->port->shared)
        lock_acquire(&h->lock);
}

static inline void handle_unlock(struct cport_handle *h)
{
    if (h->port->shared)
        lock_release(&h->lock);
}

/* A counter that is written by the owner, or under the port's lock, alone. Any thread may read it. */
static inline void port_count_locked(uint64_t *counter, uint64_t n)
{
    _Atomic uint64_t *c = (_Atomic uint64_t *)counter;
    atomic_store_explicit(
        c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

/* One that is written without the lock: only shared ports have several writers. */
static inline void port_count_n(const struct cport_port *port, uint64_t *counter, uint64_t n)
{
    if (port->shared)
        atomic_fetch_add_explicit((_Atomic uint64_t *)counter, n, memory_order_relaxed);
    else
        port_count_locked(counter, n);
}

static inline void port_count(const struct cport_port *port, uint64_t *counter)
{
    port_count_n(port, counter, 1);
}

/* Queues the event of op: result, key, event_flags and aux are set. Takes the port's lock and may wake a waiter.
 * The locked form is for callers that hold that lock already. */
void port_ready(struct cport_port *port, struct op *op);
void port_ready_locked(struct cport_port *port, struct op *op);
/* From any thread: leaves a packet for the owner of a SINGLE port, who is woken if need be. */
void port_leave(struct cport_port *port, struct post_node *node);
/* What others have left goes into the ready list. By the owner, or with the port's lock held. */
void port_take_packets(struct cport_port *port);
static inline void port_take_left(struct cport_port *port)
{
    if (postbox_has_packets(&port->posts))
        port_take_packets(port);
}
/* Whether an event of h waits in the ready list. */
bool port_has_ready(struct cport_port *port, const struct cport_handle *h);
/* Moves events from the ready list into out; the port's lock is held. */
void port_take_events(struct cport_port *port, struct harvest *out);
static inline void port_take_ready(struct cport_port *port, struct harvest *out)
{
    if (!ready_empty(&port->ready))
        port_take_events(port, out);
}
/* The event of an op that was ready goes into out: the op is free again, or a periodic timer is armed anew. The port's lock is
 * held. */
void port_deliver(struct cport_port *port, struct op *op, struct harvest *out);
/* The same of a post, which the caller counts. */
static inline void post_deliver(struct op *op, struct harvest *out)
{
    op_set_state(op, OP_FREE);
    harvest_put(out, op, op->key, op->result, 0, 0);
}
/* Nobody will have the event of an op that was ready. */
void op_drop(struct op *op);
/* The waiting thread shall look again: there is an earlier timer, or engine work that needs no event. The port's lock is
 * held. */
void port_kick_locked(struct cport_port *port);

/* Timers; the port's lock is held. Expire queues what is due at now_ns and returns paused accepts, chained by next, for
 * port_resume once the lock has been released. */
void port_arm(struct cport_port *port, struct wheel_node *node, int64_t deadline_ns);
struct op *port_expire(struct cport_port *port, int64_t now_ns);
struct op *timer_of_node(struct wheel_node *node); /* NULL: it is not a timer's */
void port_resume(struct op *accepts);
/* How long the engine may wait until a timer is due, at most limit_ns (< 0: for ever). */
int64_t port_until_timer(struct cport_port *port, int64_t now_ns, int64_t limit_ns);
int timer_cancel(struct op *op);

int port_wait_single(struct cport_port *port, cport_event *ev, unsigned max, int64_t timeout_ns);

struct vec *port_vec(struct cport_port *port);
void port_vec_free(struct cport_port *port, struct vec *vec);

/* The place of fd, or NULL where there is no chunk for it yet. */
static inline _Atomic(struct cport_handle *) *fdmap_slot(
    const struct cport_port *port, cport_os_handle fd)
{
    size_t index = os_fd_index(fd);
    if (index / FDMAP_CHUNK >= FDMAP_CHUNKS)
        return NULL;
    /* acquire: pairs with the release in slot_make. */
    struct fdmap_chunk *chunk =
        atomic_load_explicit(&port->fdmap->chunks[index / FDMAP_CHUNK], memory_order_acquire);
    return chunk ? &chunk->handles[index % FDMAP_CHUNK] : NULL;
}

/* The handle attached under fd, or NULL; set returns CPORT_EALREADY or CPORT_ENOMEM. */
static inline struct cport_handle *fdmap_get(const struct cport_port *port, cport_os_handle fd)
{
    _Atomic(struct cport_handle *) *slot = fdmap_slot(port, fd);
    return slot ? atomic_load_explicit(slot, memory_order_acquire) : NULL;
}
int fdmap_set(struct cport_port *port, cport_os_handle fd, struct cport_handle *h);
/* Clears it if it is h's. */
void fdmap_clear(struct cport_port *port, cport_os_handle fd, struct cport_handle *h);
void fdmap_free(struct cport_port *port);

void *port_alloc(const struct cport_port *port, size_t size, size_t align);
void port_free(const struct cport_port *port, void *memory, size_t size);

#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
void port_log(const struct cport_port *port, const char *format, ...);

#endif
