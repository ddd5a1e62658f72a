/*
 * port.h: a port: the ready list, the clock and wheel, the waiting threads, and the engine under it.
 *
 * Ownership. One allocation; the engine's own state hangs off `engine`.
 * Threading. SINGLE ports: the owner thread, but for `posts`, `asleep` and `wake_asked`. Shared ports: all under `lock` unless
 * said otherwise.
 */
#ifndef CPORT_PORT_H
#define CPORT_PORT_H

#include "backend.h"
#include "bufs.h"
#include "handle.h"
#include "list.h"
#include "mpsc.h"
#include "os.h"
#include "slab.h"
#include "vec.h"

/* Events on their way into a caller's array. */
struct harvest {
    cport_event *ev;
    unsigned n;
    unsigned max;
};

static inline bool harvest_full(const struct harvest *out)
{
    return out->n == out->max;
}

static inline void harvest_put(
    struct harvest *out, struct op *op, uintptr_t key, int64_t result, uint32_t flags, uint32_t aux)
{
    out->ev[out->n++] = (cport_event){(cport_op *)(void *)op, key, result, flags, aux};
}

/* Ops with an event to be dequeued, oldest first. */
struct ready {
    struct op *head;
    struct op *tail;
};

/* The table from descriptors to handles: descriptor events and second attaches are looked up here. Chunked, so that readers
 * need no lock while it grows. */
#define FDMAP_CHUNK  1024u
#define FDMAP_CHUNKS 1024u
struct fdmap {
    _Atomic(struct fdmap_chunk *) chunks[FDMAP_CHUNKS];
};

struct waiter; /* a thread in cport_wait on a shared port: wait_shared.c */

/* Everything about several threads on one port. */
struct crew {
    uint32_t concurrency;
    uint32_t active;        /* threads between a wait that returned events and their next */
    uint32_t inside;        /* threads inside cport_wait */
    struct waiter *newest;  /* parked threads, newest first */
    struct waiter *leader;  /* the thread that polls the engine, if any */
    bool leader_polls;      /* it is, or is about to be, inside the engine */
    bool closing;
};

struct cport_port {
    const struct backend *backend; /* constant after open, as are the next six */
    void *engine;
    bool shared;
    bool auto_choice;
    uint64_t allow_caps;
    uint64_t caps; /* in use: the engine's open sets it */
    uint32_t entries;

    struct ready ready;
    struct wheel wheel;
    uint64_t wheel_next_ns;

    struct lock lock;
    struct crew crew;

    struct slab handles;
    struct slab vecs;
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

    /* Written by other threads of a SINGLE port: a cache line of its own. */
    _Alignas(64) struct mpsc posts;
    _Atomic int asleep;     /* the owner is, or is about to be, inside the engine's wait */
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

/* Counters are read from any thread; only shared ports have several writers. */
static inline void port_count(const struct cport_port *port, uint64_t *counter)
{
    _Atomic uint64_t *c = (_Atomic uint64_t *)counter;
    if (port->shared)
        atomic_fetch_add_explicit(c, 1, memory_order_relaxed);
    else
        atomic_store_explicit(
            c, atomic_load_explicit(c, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* Queues the event of op: result, key, event_flags and aux are set. Takes the port's lock and may wake a waiter. */
void port_ready(struct cport_port *port, struct op *op);
/* Moves events from the ready list into out; the port's lock is held. */
void port_take_ready(struct cport_port *port, struct harvest *out);
/* Tells the engine's waiting thread that there is something new for it (its own lists, an earlier timer). */
void port_kick(struct cport_port *port);

/* Timers: the port's lock is held. Expire queues what is due at now_ns and returns paused accepts, chained by next. */
void port_arm(struct cport_port *port, struct wheel_node *node, int64_t deadline_ns);
void port_disarm(struct cport_port *port, struct wheel_node *node);
struct op *port_expire(struct cport_port *port, int64_t now_ns);
/* How long the engine may wait before a timer is due: at most limit_ns (< 0: for ever). */
int64_t port_until_timer(struct cport_port *port, int64_t limit_ns);

int port_wait_single(struct cport_port *port, cport_event *ev, unsigned max, int64_t timeout_ns);
int port_wait_shared(struct cport_port *port, cport_event *ev, unsigned max, int64_t timeout_ns);
void port_wake_shared(struct cport_port *port);
int port_close_shared(struct cport_port *port);

struct vec *port_vec(struct cport_port *port);
void port_vec_free(struct cport_port *port, struct vec *vec);

/* The handle attached under fd, or NULL; set returns CPORT_EALREADY or CPORT_ENOMEM. */
struct cport_handle *fdmap_get(const struct cport_port *port, cport_os_handle fd);
int fdmap_set(struct cport_port *port, cport_os_handle fd, struct cport_handle *h);
void fdmap_clear(struct cport_port *port, cport_os_handle fd);
void fdmap_free(struct cport_port *port);

void *port_alloc(const struct cport_port *port, size_t size, size_t align);
void port_free(const struct cport_port *port, void *memory, size_t size);

#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
void port_log(const struct cport_port *port, const char *format, ...);

#endif
