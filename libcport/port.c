/*
 * port.c: opening and closing ports, posting, waking, and the ready list.
 */
#include "port.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gather.h"
#include "options.h"
#include "resolve.h"

#define ENTRIES_DEFAULT   1024u
#define ENTRIES_MAX       32768u

#define HANDLES_PER_CHUNK 64u
#define VECS_PER_CHUNK    16u

static void *default_alloc(void *ctx, size_t size, size_t align)
{
    (void)ctx;
    return os_alloc(size, align);
}

static void default_free(void *ctx, void *memory, size_t size)
{
    (void)ctx;
    (void)size;
    os_free(memory);
}

void *port_alloc(const struct cport_port *port, size_t size, size_t align)
{
    return port->allocator.alloc(port->allocator.ctx, size, align);
}

void port_free(const struct cport_port *port, void *memory, size_t size)
{
    port->allocator.free(port->allocator.ctx, memory, size);
}

void port_log(const struct cport_port *port, const char *format, ...)
{
    if (!port->log)
        return;
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    port->log(port->log_ctx, line);
}

const char *cport_version(void)
{
#define TEXT_OF(x)             #x
#define DOTTED(x, y, z)        TEXT_OF(x) "." TEXT_OF(y) "." TEXT_OF(z)
#define DOTTED_VALUES(x, y, z) DOTTED(x, y, z)
    return DOTTED_VALUES(CPORT_VERSION_MAJOR, CPORT_VERSION_MINOR, CPORT_VERSION_PATCH);
}

static int options_check(const cport_port_options *given, cport_port_options *ret_opt)
{
    cport_port_options opt = {.size = sizeof(opt)};
    if (given) {
        int r = options_copy(given, offsetof(cport_port_options, file_threads), sizeof(opt), &opt);
        if (r < 0)
            return r;
    }
    if ((opt.flags & ~(CPORT_PORT_SINGLE | CPORT_PORT_UNWATCHED)) ||
        opt.flags == (CPORT_PORT_SINGLE | CPORT_PORT_UNWATCHED) ||
        opt.backend > CPORT_BACKEND_IOCP || opt.file_threads > OFFLOAD_THREADS_MOST)
        return CPORT_EINVAL;
    if (opt.allocator && (!opt.allocator->alloc || !opt.allocator->free))
        return CPORT_EINVAL;
    if (opt.entries == 0)
        opt.entries = ENTRIES_DEFAULT;
    if (opt.entries > ENTRIES_MAX)
        opt.entries = ENTRIES_MAX;
    if (opt.file_threads == 0)
        opt.file_threads = OFFLOAD_THREADS_DEFAULT;
    if (opt.concurrency == 0)
        opt.concurrency = os_processors();
    *ret_opt = opt;
    return 0;
}

/* Allocates the port and all that does not depend on the engine. */
static int port_new(const cport_port_options *opt, struct cport_port **ret_port)
{
    static const cport_allocator libc_allocator = {default_alloc, default_free, NULL};
    const cport_allocator *allocator = opt->allocator ? opt->allocator : &libc_allocator;
    struct cport_port *port =
        allocator->alloc(allocator->ctx, sizeof(*port), _Alignof(struct cport_port));
    if (!port)
        return CPORT_ENOMEM;
    memset(port, 0, offsetof(struct cport_port, wheel));
    memset((char *)port + offsetof(struct cport_port, unpolled), 0,
        sizeof(*port) - offsetof(struct cport_port, unpolled));
    port->allocator = *allocator;
    port->fdmap = port_alloc(port, sizeof(*port->fdmap), _Alignof(struct fdmap));
    if (!port->fdmap)
        goto fail_port;
    for (unsigned i = 0; i < FDMAP_CHUNKS; i++)
        atomic_init(&port->fdmap->chunks[i], NULL);

    port->flags = opt->flags;
    port->shared = !(opt->flags & CPORT_PORT_SINGLE);
    port->allow_caps = opt->allow_caps ? opt->allow_caps : ~(uint64_t)0;
    port->entries = opt->entries;
    crew_init(&port->crew, opt->concurrency, port->shared && !(opt->flags & CPORT_PORT_UNWATCHED));
    port->log = opt->log;
    port->log_ctx = opt->log_ctx;
    port->owner = os_thread_self();
    lock_init(&port->lock);
    offload_init(&port->offload, opt->file_threads);
    wheel_init(&port->wheel, (uint64_t)os_now_ns());
    slab_init(&port->handles, &port->allocator, sizeof(struct cport_handle), HANDLES_PER_CHUNK);
    slab_init(&port->vecs, &port->allocator, sizeof(struct vec), VECS_PER_CHUNK);
    *ret_port = port;
    return 0;

fail_port:
    port_free(port, port, sizeof(*port));
    return CPORT_ENOMEM;
}

static void port_delete(struct cport_port *port)
{
    slab_close(&port->vecs);
    slab_close(&port->handles);
    fdmap_free(port);
    lock_destroy(&port->lock);
    port_free(port, port, sizeof(*port));
}

static const struct backend *backend_named(const char *name)
{
    for (const struct backend *const *b = backend_candidates(); *b; b++)
        if (strcmp((*b)->name, name) == 0)
            return *b;
    return NULL;
}

static const struct backend *backend_numbered(uint32_t id)
{
    for (const struct backend *const *b = backend_candidates(); *b; b++)
        if ((*b)->id == id)
            return *b;
    return NULL;
}

static int open_explicit(struct cport_port *port, const struct backend *backend, const char *who)
{
    if (!backend) {
        port_log(port, "cport: the backend that %s asks for is not in this build", who);
        return CPORT_ENOTSUP;
    }
    char why[160] = "";
    port->backend = backend;
    int r = backend->open(port, why, sizeof(why));
    if (r < 0) {
        port_log(port, "cport: %s asks for %s, which cannot be opened: %s%s%s", who, backend->name,
            cport_strerror(r), why[0] ? ": " : "", why);
        return r;
    }
    snprintf(
        port->reason, sizeof(port->reason), "%s asked for it%s%s", who, why[0] ? "; " : "", why);
    return 0;
}

/* Takes the first engine that is available, and remembers why not those before it. */
static int open_auto(struct cport_port *port)
{
    char passed[112] = "";
    port->auto_choice = true;
    for (const struct backend *const *b = backend_candidates(); *b; b++) {
        char why[112] = "";
        port->backend = *b;
        int r = (*b)->open(port, why, sizeof(why));
        if (r == 0) {
            snprintf(port->reason, sizeof(port->reason), "first choice%s%s%s%.99s",
                passed[0] ? " after " : "", passed, why[0] ? "; " : "", why);
            port_log(port, "cport: %s: %s", (*b)->name, port->reason);
            return 0;
        }
        if (r != CPORT_ENOTSUP) {
            port_log(port, "cport: %s cannot be opened: %s", (*b)->name, cport_strerror(r));
            return r;
        }
        snprintf(passed, sizeof(passed), "%s: %.90s", (*b)->name, why);
    }
    port_log(port, "cport: no backend of this build is available here: %s", passed);
    return CPORT_ENOTSUP;
}

static int open_backend(struct cport_port *port, uint32_t id)
{
    if (id != CPORT_BACKEND_AUTO)
        return open_explicit(port, backend_numbered(id), "the caller");
    const char *name = os_env("CPORT_BACKEND");
    if (name && name[0] && strcmp(name, "auto") != 0)
        return open_explicit(port, backend_named(name), "CPORT_BACKEND in the environment");
    return open_auto(port);
}

int cport_port_open(const cport_port_options *given, cport_port **ret_port)
{
    if (!ret_port)
        return CPORT_EINVAL;
    cport_port_options opt;
    int r = options_check(given, &opt);
    if (r < 0)
        return r;
    struct cport_port *port;
    r = port_new(&opt, &port);
    if (r < 0)
        return r;
    r = open_backend(port, opt.backend);
    if (r < 0) {
        port_delete(port);
        return r;
    }
    if (port->crew.watched)
        port->caps |= CPORT_CAP_HANDOVER;
    *ret_port = port;
    return 0;
}

void op_drop(struct op *op)
{
    if (op->kind == OP_RESOLVE)
        resolve_drop(op);
    op_set_state(op, OP_FREE);
}

/* What is still queued or armed is dropped: the ops are the caller's again. */
static void drop_events(struct cport_port *port)
{
    port_take_left(port);
    for (struct op *op; (op = ready_pop(&port->ready)) != NULL;) {
        if (op->kind == OP_PARCEL)
            parcel_drop(op);
        else
            op_drop(op);
    }
    for (struct wheel_node *node = wheel_expire(&port->wheel, UINT64_MAX), *next; node;
         node = next) {
        next = node->next;
        op_set_state(timer_of_node(node), OP_FREE); /* paused accepts went with their handles */
    }
}

static void handle_await_unlock(void *object)
{
    struct cport_handle *h = object;
    lock_acquire(&h->lock);
    lock_release(&h->lock);
}

int cport_port_close(cport_port *port)
{
    if (!port)
        return CPORT_EINVAL;
    if (!port_is_mine(port))
        return CPORT_EWRONGTHREAD;
    port_lock(port);
    bool busy = port->handles_live || port->bufs_live;
    port_unlock(port);
    if (busy)
        return CPORT_EBUSY;
    if (port->backend->close_waiters)
        port->backend->close_waiters(port);
    else if (port->shared)
        crew_close(port);
    offload_close(port);
    /* Another thread may have left a packet and still be on its way to wake us for it. */
    while (!postbox_quiet(&port->posts))
        os_yield();
    if (port->backend->stop)
        port->backend->stop(port);
    /* Likewise a call that led to a handle's last event: it holds the handle's lock until it returns. */
    if (port->shared)
        slab_each(&port->handles, handle_await_unlock);
    drop_events(port);
    port->backend->close(port);
    port_delete(port);
    return 0;
}

int cport_wait(cport_port *port, cport_event *ev, unsigned max, int64_t timeout_ns)
{
    if (!port || !ev || max == 0)
        return CPORT_EINVAL;
    if (!port_is_mine(port))
        return CPORT_EWRONGTHREAD;
    if (port->backend->wait)
        return port->backend->wait(port, ev, max, timeout_ns);
    if (port->shared)
        return port_wait_shared(port, ev, max, timeout_ns);
    crew_leave();
    return port_wait_single(port, ev, max, timeout_ns);
}

/* The owner sleeps, and this thread has undertaken to wake it. */
static void wake_owner(struct cport_port *port)
{
    atomic_fetch_add_explicit((_Atomic uint64_t *)&port->stats.wakeups, 1, memory_order_relaxed);
    port->backend->wake(port);
    postbox_woken(&port->posts);
}

void port_take_packets(struct cport_port *port)
{
    struct ready found = {.pushed = 0};
    bool rung = false;
    for (struct post_node *node = postbox_take_newest(&port->posts), *next; node; node = next) {
        next = node->next;
        if (node == &port->offload.bell) {
            rung = true;
            continue;
        }
        struct op *op = CPORT_CONTAINER_OF(node, struct op, link);
        if (!found.tail)
            found.tail = op;
        op->next = atomic_load_explicit(&found.head, memory_order_relaxed);
        atomic_store_explicit(&found.head, op, memory_order_relaxed);
        found.pushed++;
    }
    ready_append(&port->ready, &found);
    if (rung)
        offload_answer(port);
}

void port_leave(struct cport_port *port, struct post_node *node)
{
    if (postbox_push(&port->posts, node))
        wake_owner(port);
}

int cport_post(cport_port *port, cport_op *public_op, uintptr_t key, int64_t result)
{
    struct op *op = op_of(public_op);
    if (!port || !op)
        return CPORT_EINVAL;
    if (op_state(op) != OP_FREE)
        return CPORT_EBUSY;
    op->kind = OP_POST;
    op->flags = 0;
    op->bits = 0;
    op->result = result;
    op->key = key;
    op_set_state(op, OP_READY);
    if (port->backend->ready)
        port_ready(port, op);
    else if (port->shared)
        crew_post(port, op);
    else if (os_thread_self() == port->owner)
        ready_push(&port->ready, op);
    else
        port_leave(port, &op->link);
    return 0;
}

int cport_wake(cport_port *port)
{
    if (!port)
        return CPORT_EINVAL;
    if (port->backend->wake_waiter) {
        port->backend->wake_waiter(port);
        return 0;
    }
    if (port->shared) {
        port_lock(port);
        atomic_store_explicit(&port->wake_asked, 1, memory_order_relaxed);
        crew_wake(port);
        port_unlock(port);
        return 0;
    }
    atomic_store_explicit(&port->wake_asked, 1, memory_order_seq_cst);
    if (os_thread_self() != port->owner && postbox_knock(&port->posts))
        wake_owner(port);
    return 0;
}

int cport_flush(cport_port *port)
{
    if (!port)
        return CPORT_EINVAL;
    if (!port_is_mine(port))
        return CPORT_EWRONGTHREAD;
    if (port->backend->flush)
        port->backend->flush(port);
    return 0;
}

int64_t cport_now_ns(const cport_port *port)
{
    return port->backend->now_ns();
}

void port_ready_locked(struct cport_port *port, struct op *op)
{
    if (port->backend->ready) {
        port->backend->ready(port, op);
        return;
    }
    if (port->shared)
        port_take_left(port); /* they were earlier */
    ready_push(&port->ready, op);
    if (port->shared)
        crew_more_work(port);
}

void port_ready(struct cport_port *port, struct op *op)
{
    port_lock(port);
    port_ready_locked(port, op);
    port_unlock(port);
}

bool port_has_ready(struct cport_port *port, const struct cport_handle *h)
{
    bool found = false;
    port_lock(port);
    struct op *op = atomic_load_explicit(&port->ready.head, memory_order_relaxed);
    for (; op && !found; op = op->next)
        found = op_has_handle(op) && op->handle == h;
    port_unlock(port);
    return found;
}

void port_take_events(struct cport_port *port, struct harvest *out)
{
    struct op *op;
    uint64_t posts = 0;
    while (!harvest_full(out) && (op = ready_pop(&port->ready)) != NULL) {
        if (op->kind == OP_POST) {
            post_deliver(op, out);
            posts++;
        } else {
            port_deliver(port, op, out);
        }
    }
    if (posts)
        port_count_locked(&port->stats.posts, posts);
}

void port_kick_locked(struct cport_port *port)
{
    if (port->backend->wait)
        port->backend->wake(port);
    else if (port->shared)
        crew_kick(port);
}

struct vec *port_vec(struct cport_port *port)
{
    port_lock(port);
    struct vec *vec = slab_alloc(&port->vecs);
    port_unlock(port);
    return vec;
}

void port_vec_free(struct cport_port *port, struct vec *vec)
{
    port_lock(port);
    slab_free(&port->vecs, vec);
    port_unlock(port);
}
