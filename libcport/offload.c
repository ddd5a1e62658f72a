/*
 * offload.c: the threads of a port.
 */
#include "offload.h"

#include <assert.h>

#include "gather.h"
#include "port.h"

static struct job *job_of(struct op *op)
{
    return (struct job *)(void *)op->engine;
}

static struct op *op_of_job(struct job *job)
{
    return CPORT_CONTAINER_OF(job, struct op, engine);
}

void offload_init(struct offload *pool, unsigned threads_most)
{
    *pool = (struct offload){.most = threads_most};
    lock_init(&pool->lock);
    list_init(&pool->waiting);
}

void offload_end(struct op *op, struct harvest *out)
{
    job_of(op)->kind->end(op, out);
}

void offload_end_of_handle(struct op *op, struct harvest *out)
{
    struct cport_handle *h = op->handle;
    handle_lock(h);
    handle_op_final(op, op->result, out);
    handle_unlock(h);
}

/* Takes out all that wait, or have ended: a chain through link.next, NULL at its end. */
static struct list *take_waiting(struct offload *pool)
{
    if (list_empty(&pool->waiting))
        return NULL;
    struct list *chain = pool->waiting.next;
    pool->waiting.prev->next = NULL;
    list_init(&pool->waiting);
    return chain;
}

static struct list *take_ended(struct offload *pool)
{
    struct list *chain = NULL;
    for (struct job *job = pool->ended, *older; job; job = older) {
        older = (struct job *)(void *)job->link.next;
        job->link.next = chain;
        chain = &job->link;
    }
    pool->ended = NULL;
    return chain;
}

static struct op *first_of(struct list *chain)
{
    return op_of_job(CPORT_CONTAINER_OF(chain, struct job, link));
}

static struct op *next_in(struct list **chain)
{
    struct op *op = first_of(*chain);
    *chain = (*chain)->next;
    return op;
}

void offload_answer(struct cport_port *port)
{
    struct offload *pool = &port->offload;
    lock_acquire(&pool->lock);
    struct list *chain = take_ended(pool);
    lock_release(&pool->lock);
    while (chain)
        offload_end(next_in(&chain), NULL);
}

static bool is_on_handle(struct list *chain)
{
    return job_of(first_of(chain))->kind->end == offload_end_of_handle;
}

/* Those of one handle that follow each other. Their events are the port's before the handle's
 * lock is let go: no later event of the handle, a close's above all, gets before them. */
static struct list *end_together(struct cport_port *port, struct list *chain)
{
    struct cport_handle *h = first_of(chain)->handle;
    struct gather gather = {.port = port};
    struct harvest out = {.gather = &gather};
    handle_lock(h);
    do {
        struct op *op = next_in(&chain);
        handle_op_final(op, op->result, &out);
    } while (chain && is_on_handle(chain) && first_of(chain)->handle == h);
    gather_publish(&gather);
    handle_unlock(h);
    return chain;
}

/* Shared ports. One thread ends what has run, for itself and for those that come meanwhile: the
 * more there is, the fewer locks and wakes for each. */
static void answer_shared(struct cport_port *port)
{
    struct offload *pool = &port->offload;
    lock_acquire(&pool->lock);
    bool mine = !pool->answering;
    pool->answering = true;
    while (mine && pool->ended) {
        struct list *chain = take_ended(pool);
        lock_release(&pool->lock);
        while (chain) {
            if (is_on_handle(chain))
                chain = end_together(port, chain);
            else
                offload_end(next_in(&chain), NULL);
        }
        lock_acquire(&pool->lock);
    }
    if (mine)
        pool->answering = false;
    lock_release(&pool->lock);
}

/* The job has run: on to a thread that may touch the port. The op may be gone when this returns. */
static void hand_over(struct cport_port *port, struct op *op)
{
    struct offload *pool = &port->offload;
    if (port->backend->job_ended) {
        port->backend->job_ended(port, op);
        return;
    }
    struct job *job = job_of(op);
    lock_acquire(&pool->lock);
    bool first = !pool->ended;
    job->link.next = first ? NULL : &pool->ended->link;
    pool->ended = job;
    lock_release(&pool->lock);
    if (port->shared)
        answer_shared(port);
    else if (first) /* the owner takes the bell out of the box before it looks at what has ended */
        port_leave(port, &pool->bell);
}

/* Called and returns with the lock held. */
static void sleep_idle(struct offload *pool)
{
    uint32_t word = atomic_load_explicit(&pool->word, memory_order_relaxed);
    pool->idle++;
    lock_release(&pool->lock);
    os_futex_wait(&pool->word, word, -1);
    lock_acquire(&pool->lock);
    pool->idle--;
    /* One that woke by itself stands in for the one that was called, who will find nothing to
     * do. */
    if (pool->called)
        pool->called--;
}

static void run_jobs(void *arg)
{
    struct cport_port *port = arg;
    struct offload *pool = &port->offload;
    lock_acquire(&pool->lock);
    while (!pool->stopping) {
        struct list *link = list_pop_front(&pool->waiting);
        if (!link) {
            sleep_idle(pool);
            continue;
        }
        struct job *job = CPORT_CONTAINER_OF(link, struct job, link);
        job->begun = true;
        lock_release(&pool->lock);
        job->kind->run(op_of_job(job));
        hand_over(port, op_of_job(job));
        lock_acquire(&pool->lock);
    }
    lock_release(&pool->lock);
}

/* The lock is held. */
static int start_thread(struct cport_port *port)
{
    struct offload *pool = &port->offload;
    if (!pool->threads)
        pool->threads =
            port_alloc(port, pool->most * sizeof(*pool->threads), _Alignof(struct os_thread));
    if (!pool->threads)
        return CPORT_ENOMEM;
    int r = os_thread_start(&pool->threads[pool->started], "cport/file", run_jobs, port);
    if (r == 0)
        pool->started++;
    return r;
}

int offload_run(struct cport_port *port, struct op *op, const struct job_kind *kind)
{
    struct offload *pool = &port->offload;
    struct job *job = job_of(op);
    int r = 0;
    bool call = false;
    lock_acquire(&pool->lock);
    assert(!pool->stopping);
    if (pool->idle > pool->called) {
        pool->called++;
        /* relaxed: the lock orders it before the sleeper's next look. */
        atomic_fetch_add_explicit(&pool->word, 1, memory_order_relaxed);
        call = true;
    } else if (pool->started < pool->most) {
        r = start_thread(port);
    }
    /* With fewer threads than wanted it takes longer, that is all. */
    if (pool->started) {
        *job = (struct job){.kind = kind};
        list_push_back(&pool->waiting, &job->link);
        r = 0;
    }
    lock_release(&pool->lock);
    if (call)
        os_futex_wake(&pool->word);
    return r;
}

bool offload_cancel(struct cport_port *port, struct op *op)
{
    struct offload *pool = &port->offload;
    struct job *job = job_of(op);
    lock_acquire(&pool->lock);
    bool waiting = !job->begun;
    if (waiting)
        list_remove(&job->link);
    lock_release(&pool->lock);
    return waiting;
}

void offload_close(struct cport_port *port)
{
    struct offload *pool = &port->offload;
    lock_acquire(&pool->lock);
    pool->stopping = true;
    struct list *chain = take_waiting(pool);
    atomic_fetch_add_explicit(&pool->word, 1, memory_order_relaxed);
    lock_release(&pool->lock);
    for (unsigned i = 0; i < pool->started; i++)
        os_futex_wake(&pool->word);
    while (chain) {
        struct op *op = next_in(&chain);
        op->result = CPORT_ECANCELED;
        offload_end(op, NULL);
    }
    for (unsigned i = 0; i < pool->started; i++)
        os_thread_join(&pool->threads[i]);
    offload_answer(port);
    if (pool->threads)
        port_free(port, pool->threads, pool->most * sizeof(*pool->threads));
    lock_destroy(&pool->lock);
}
