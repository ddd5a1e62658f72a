/*
 * worker.c: the threads of a pool, from their binding to the closing of their port.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pool.h"

static _Thread_local const struct worker *self;

const struct worker *worker_self(void)
{
    return self;
}

int cport_workers_here(void)
{
    return self ? (int)self->seen.index : -1;
}

/* ---- The beginning ---- */

static void explain_unbound(const struct cport_workers *pool, char *text, size_t size)
{
    if (pool->opt.flags & CPORT_WORKERS_UNBOUND)
        snprintf(text, size, "the options say so");
    else if (!pool->machine->here)
        snprintf(text, size, "the environment describes another machine than this");
    else
        snprintf(text, size, "the system refuses: %s", strerror(errno));
}

static void worker_bind(const struct worker *me)
{
    struct site *site = me->site;
    struct cport_workers *pool = site->pool;
    char why[sizeof(site->reason)] = "";
    bool asked = !(pool->opt.flags & CPORT_WORKERS_UNBOUND);
    bool bound = asked && machine_bind(pool->machine, site->place.cpuset);
    if (!bound)
        explain_unbound(pool, why, sizeof(why));
    if (!bound && asked)
        pool_log(pool, "cport-workers: thread %u.%u is not bound: %s", site->index, me->seen.thread,
            why);
    meeting_enter(&pool->meeting);
    site->bound += bound;
    if (!bound)
        memcpy(site->reason, why, sizeof(why));
    meeting_leave(&pool->meeting);
}

static void worker_begin(struct worker *me, struct site *site, unsigned thread)
{
    struct cport_workers *pool = site->pool;
    char name[THREAD_NAME_BYTES];
    *me = (struct worker){
        .seen = {.pool = pool,
            .port = site->port,
            .index = site->index,
            .thread = thread,
            .ctx = pool->opt.ctx},
        .site = site,
    };
    self = me;
    plan_thread_name(name, sizeof(name), pool->name, site->index, thread);
    thread_name_set(name);
    worker_bind(
        me); /* before anything is allocated: memory comes from close to who touches it first */
}

static int worker_start(struct worker *me)
{
    const cport_workers_options *opt = &me->site->pool->opt;
    int r = opt->start ? opt->start(&me->seen) : 0;
    return r < 0 ? r : 0;
}

static void worker_stop(struct worker *me)
{
    const cport_workers_options *opt = &me->site->pool->opt;
    if (opt->stop)
        opt->stop(&me->seen);
}

/* ---- Events ---- */

/* The port's engine has broken down: nothing comes from it any more. */
static void worker_fails(struct worker *me, int error)
{
    struct site *site = me->site;
    struct cport_workers *pool = site->pool;
    pool_log(pool, "cport-workers: thread %u.%u ends: cport_wait: %s", site->index, me->seen.thread,
        cport_strerror(error));
    if (pool->opt.fail)
        pool->opt.fail(&me->seen, error);
    meeting_enter(&pool->meeting);
    if (pool->error == 0)
        pool->error = error;
    if (me->seen.thread == 0)
        site->running = false;
    meeting_notify(&pool->meeting);
    meeting_leave(&pool->meeting);
}

static void worker_loop(struct worker *me)
{
    struct cport_workers *pool = me->site->pool;
    cport_event events[EVENTS_MAX];
    while (!me->leaving) {
        int n = cport_wait(me->seen.port, events, pool->opt.batch, -1);
        if (n < 0) {
            worker_fails(me, n);
            return;
        }
        /* relaxed: whoever dequeues a bell has dequeued what was written before it was rung */
        if (atomic_load_explicit(&pool->stopping, memory_order_relaxed))
            worker_batch_stopping(me, events, (unsigned)n);
        else if (n > 0)
            pool->opt.handle(&me->seen, events, (unsigned)n);
    }
}

/* ---- Threads but the first ---- */

struct sibling {
    struct site *site;
    unsigned thread;
    int error;
};

/* Its record lies on the first thread's stack, until the start has been reported. */
static void sibling_main(void *arg)
{
    struct sibling *record = arg;
    struct site *site = record->site;
    struct worker me;
    worker_begin(&me, site, record->thread);
    int error = worker_start(&me);
    meeting_enter(&site->pool->meeting);
    record->error = error;
    site->reported++;
    meeting_notify(&site->pool->meeting);
    meeting_leave(&site->pool->meeting);
    if (error < 0)
        return;
    worker_loop(&me);
    worker_stop(&me);
}

/* One after the other, so that start hooks of a port never run at once. Those that have started stay, whatever comes of the
 * others. */
static int siblings_start(struct site *site)
{
    struct cport_workers *pool = site->pool;
    int error = 0;
    for (unsigned i = 1; error == 0 && i < pool->threads_per_port; i++) {
        struct sibling record = {.site = site, .thread = i};
        if (!thread_start(&site->threads[i], sibling_main, &record))
            return CPORT_ENOMEM;
        site->siblings++;
        meeting_enter(&pool->meeting);
        while (site->reported < site->siblings)
            meeting_wait(&pool->meeting, -1);
        error = record.error;
        meeting_leave(&pool->meeting);
    }
    return error;
}

/* ---- The first thread ---- */

static int site_open(struct site *site)
{
    int r = cport_port_open(&site->pool->port_opt, &site->port);
    if (r < 0)
        pool_log(site->pool, "cport-workers: port %u cannot be opened: %s", site->index,
            cport_strerror(r));
    return r;
}

/* Tells that this thread is done with the present step. */
static void site_arrive(struct site *site, int error)
{
    struct cport_workers *pool = site->pool;
    meeting_enter(&pool->meeting);
    pool->arrived++;
    if (error < 0 && pool->error == 0)
        pool->error = error;
    meeting_notify(&pool->meeting);
    meeting_leave(&pool->meeting);
}

/* Waits until all ports are open. False: one is not. */
static bool site_may_run(struct site *site)
{
    struct cport_workers *pool = site->pool;
    meeting_enter(&pool->meeting);
    while (pool->orders.step == STEP_OPEN)
        meeting_wait(&pool->meeting, -1);
    bool run = pool->orders.step != STEP_ABANDON;
    meeting_leave(&pool->meeting);
    return run;
}

static void site_run(struct site *site, struct worker *me)
{
    struct cport_workers *pool = site->pool;
    int error = worker_start(me);
    bool started = error == 0;
    if (started) {
        error = siblings_start(site);
        meeting_enter(&pool->meeting);
        site->running = true;
        meeting_leave(&pool->meeting);
    }
    site_arrive(site, error);
    if (started)
        worker_loop(me);

    /* Handlers may post to any port of the pool: none is closed before all have ended. */
    meeting_enter(&pool->meeting);
    pool->left++;
    meeting_notify(&pool->meeting);
    while (pool->left < pool->count)
        meeting_wait(&pool->meeting, -1);
    meeting_leave(&pool->meeting);
    if (started)
        worker_stop(me);
}

static void site_close(struct site *site)
{
    for (; site->siblings; site->siblings--) /* only if cport_wait failed */
        thread_join(&site->threads[site->siblings]);
    int r = cport_port_close(site->port);
    if (r == 0)
        return;
    pool_log(site->pool, "cport-workers: port %u cannot be closed, and is lost: %s", site->index,
        cport_strerror(r));
    meeting_enter(&site->pool->meeting);
    if (site->pool->error == 0)
        site->pool->error = r;
    meeting_leave(&site->pool->meeting);
}

void site_main(void *arg)
{
    struct site *site = arg;
    struct worker me;
    worker_begin(&me, site, 0);
    int error = site_open(site);
    me.seen.port = site->port;
    site_arrive(site, error);
    if (site_may_run(site))
        site_run(site, &me);
    if (error == 0)
        site_close(site);
    self = NULL;
}
