/*
 * workers.c: opening and stopping pools, and what they tell of themselves.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "pool.h"

#define BATCH_SINGLE         64u
#define BATCH_SHARED         1u

/* A thread's stack is a matter of megabytes: more than this is a mistake. */
#define THREADS_PER_PORT_MAX 1024u

static void *libc_alloc(void *ctx, size_t size, size_t align)
{
    (void)ctx;
    (void)align; /* malloc's 16 are enough */
    return malloc(size);
}

static void libc_free(void *ctx, void *memory, size_t size)
{
    (void)ctx;
    (void)size;
    free(memory);
}

void pool_log(const struct cport_workers *pool, const char *format, ...)
{
    if (!pool->opt.log)
        return;
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    pool->opt.log(pool->opt.log_ctx, line);
}

/* ---- Options ---- */

/* For every port. */
static int port_options_take(struct cport_workers *pool, const cport_port_options *given)
{
    cport_port_options opt = {.size = sizeof(opt)};
    bool single = pool->threads_per_port == 1;
    if (given) {
        int r = options_copy(given, offsetof(cport_port_options, file_threads), sizeof(opt), &opt);
        if (r < 0)
            return r;
        opt.size = sizeof(opt);
    }
    if ((opt.flags & CPORT_PORT_SINGLE) && !single)
        return CPORT_EINVAL;
    if (opt.allocator && (!opt.allocator->alloc || !opt.allocator->free))
        return CPORT_EINVAL;
    if (single)
        opt.flags |= CPORT_PORT_SINGLE;
    else if (opt.concurrency == 0)
        opt.concurrency = 1;
    if (!opt.log) {
        opt.log = pool->opt.log;
        opt.log_ctx = pool->opt.log_ctx;
    }
    if (opt.allocator)
        pool->allocator = *opt.allocator;
    else
        pool->allocator = (cport_allocator){libc_alloc, libc_free, NULL};
    pool->port_opt = opt;
    return 0;
}

static int options_take(struct cport_workers *pool, const cport_workers_options *given)
{
    cport_workers_options *opt = &pool->opt;
    const uint32_t known = CPORT_WORKERS_ONE_PER_CORE | CPORT_WORKERS_UNBOUND;
    int r = options_copy(given, offsetof(cport_workers_options, expire), sizeof(*opt), opt);
    if (r < 0)
        return r;
    if ((opt->flags & ~known) || opt->unit > CPORT_UNIT_ALL || opt->ports > PLAN_PORTS_MAX ||
        opt->threads_per_port > THREADS_PER_PORT_MAX || opt->batch > EVENTS_MAX || !opt->handle)
        return CPORT_EINVAL;
    pool->threads_per_port = opt->threads_per_port ? opt->threads_per_port : 1;
    if (opt->batch == 0)
        opt->batch = pool->threads_per_port == 1 ? BATCH_SINGLE : BATCH_SHARED;
    snprintf(pool->name, sizeof(pool->name), "%s", opt->name ? opt->name : "cport");
    return port_options_take(pool, opt->port);
}

/* ---- The plan ---- */

static int plan_refused(const struct cport_workers *pool, int error)
{
    pool_log(pool, "cport-workers: there is nothing to run on: %s%s%s",
        pool->opt.cpuset ? "the cpuset " : "", pool->opt.cpuset ? pool->opt.cpuset : "",
        error == CPORT_EINVAL ? " names no processor that this process may use"
                              : cport_strerror(error));
    return error;
}

/* The places of the ports, on this machine. */
static int pool_plan(
    const struct cport_workers *pool, struct machine *machine, struct plan *ret_plan)
{
    struct plan_request request = {
        .unit = pool->opt.unit,
        .one_per_core = (pool->opt.flags & CPORT_WORKERS_ONE_PER_CORE) != 0,
        .ports = pool->opt.ports,
        .allowed = machine->allowed,
        .fences = machine->fences,
        .fence_count = machine->fence_count,
    };
    if (pool->opt.cpuset) {
        hwloc_bitmap_t limit;
        int r = plan_list_parse(pool->opt.cpuset, &limit);
        if (r < 0)
            return plan_refused(pool, r);
        r = hwloc_bitmap_and(machine->allowed, machine->allowed, limit);
        hwloc_bitmap_free(limit);
        if (r < 0)
            return CPORT_ENOMEM;
    }
    int r = plan_make(machine->topology, &request, ret_plan);
    return r < 0 ? plan_refused(pool, r) : 0;
}

/* ---- Memory ---- */

static void *pool_alloc(const cport_allocator *a, size_t size)
{
    void *memory = a->alloc(a->ctx, size, _Alignof(struct site));
    if (memory)
        memset(memory, 0, size);
    return memory;
}

static void pool_free(struct cport_workers *pool)
{
    cport_allocator a = pool->allocator;
    for (unsigned i = 0; i < pool->count; i++) {
        struct site *site = &pool->sites[i];
        hwloc_bitmap_free(site->place.cpuset);
        a.free(a.ctx, site->threads, pool->threads_per_port * sizeof(*site->threads));
    }
    if (pool->sites)
        a.free(a.ctx, pool->sites, pool->sites_bytes);
    a.free(a.ctx, pool, sizeof(*pool));
}

/* A pool without threads. The places of the plan become the sites'. */
static int pool_new(
    const struct cport_workers *model, struct plan *plan, struct cport_workers **ret_pool)
{
    struct cport_workers *pool = pool_alloc(&model->allocator, sizeof(*pool));
    if (!pool)
        return CPORT_ENOMEM;
    *pool = *model;
    pool->sites_bytes = plan->count * sizeof(*pool->sites);
    pool->sites = pool_alloc(&pool->allocator, pool->sites_bytes);
    if (!pool->sites)
        goto fail_pool;
    for (unsigned i = 0; i < plan->count; i++) {
        struct site *site = &pool->sites[i];
        site->threads =
            pool_alloc(&pool->allocator, pool->threads_per_port * sizeof(*site->threads));
        if (!site->threads)
            goto fail_pool;
        site->pool = pool;
        site->index = i;
        site->place = plan->places[i];
        plan->places[i].cpuset = NULL;
        pool->count++;
    }
    if (!meeting_init(&pool->meeting))
        goto fail_pool;
    *ret_pool = pool;
    return 0;

fail_pool:
    pool_free(pool);
    return CPORT_ENOMEM;
}

/* ---- Opening ---- */

static void first_threads_join(struct cport_workers *pool, unsigned started)
{
    for (unsigned i = 0; i < started; i++)
        thread_join(&pool->sites[i].threads[0]);
}

/* Inside the meeting. */
static void await_arrivals(struct cport_workers *pool, unsigned count)
{
    while (pool->arrived < count)
        meeting_wait(&pool->meeting, -1);
    pool->arrived = 0;
}

/* Lets every port open, then every hook start. */
static int pool_run(struct cport_workers *pool)
{
    unsigned started = 0;
    bool all = true;
    while (all && started < pool->count) {
        struct site *site = &pool->sites[started];
        all = thread_start(&site->threads[0], site_main, site);
        started += all;
    }
    meeting_enter(&pool->meeting);
    await_arrivals(pool, started);
    if (!all)
        pool->error = CPORT_ENOMEM;
    int error = pool->error;
    pool->orders.step = error < 0 ? STEP_ABANDON : STEP_RUN;
    meeting_notify(&pool->meeting);
    if (error == 0) {
        await_arrivals(pool, pool->count);
        error = pool->error;
    }
    bool abandoned = pool->orders.step == STEP_ABANDON;
    meeting_leave(&pool->meeting);

    if (error < 0 && !abandoned) {
        (void)pool_drain(pool, INT64_MIN);
        pool_dismiss(pool);
    }
    if (error < 0)
        first_threads_join(pool, started);
    return error;
}

static int open_on(
    struct machine *machine, const struct cport_workers *model, struct cport_workers **ret_pool)
{
    struct plan plan;
    struct cport_workers *pool;
    int r = pool_plan(model, machine, &plan);
    if (r < 0)
        return r;
    r = pool_new(model, &plan, &pool);
    plan_free(&plan);
    if (r < 0)
        return r;
    pool->machine = machine;
    r = pool_run(pool);
    pool->machine = NULL;
    if (r < 0) {
        meeting_destroy(&pool->meeting);
        pool_free(pool);
        return r;
    }
    *ret_pool = pool;
    return 0;
}

/* What a pool is made of: its options, and this machine. */
static int model_take(
    const cport_workers_options *opt, struct cport_workers *model, struct machine *machine)
{
    char reason[256];
    int r = options_take(model, opt);
    if (r < 0)
        return r;
    r = machine_open(machine, MACHINE_HERE, NULL, reason, sizeof(reason));
    if (r < 0) {
        pool_log(model, "cport-workers: %s", reason);
        return r == CPORT_ENOMEM ? r : CPORT_EIO;
    }
    return 0;
}

int cport_workers_open(const cport_workers_options *opt, cport_workers **ret_w)
{
    struct cport_workers model = {0};
    struct machine machine;
    if (!opt || !ret_w)
        return CPORT_EINVAL;
    int r = model_take(opt, &model, &machine);
    if (r < 0)
        return r;
    r = open_on(&machine, &model, ret_w);
    machine_close(&machine);
    return r;
}

int cport_workers_plan(const cport_workers_options *opt)
{
    struct cport_workers model = {0};
    struct machine machine;
    struct plan plan;
    if (!opt)
        return CPORT_EINVAL;
    int r = model_take(opt, &model, &machine);
    if (r < 0)
        return r;
    r = pool_plan(&model, &machine, &plan);
    machine_close(&machine);
    if (r < 0)
        return r;
    r = (int)plan.count;
    plan_free(&plan);
    return r;
}

/* ---- Looking ---- */

unsigned cport_workers_count(const cport_workers *w)
{
    return w ? w->count : 0;
}

cport_port *cport_workers_port(const cport_workers *w, unsigned i)
{
    return w && i < w->count ? w->sites[i].port : NULL;
}

int cport_workers_get_info(cport_workers *w, unsigned i, cport_workers_info *ret_info)
{
    if (!w || i >= w->count || !ret_info)
        return CPORT_EINVAL;
    const struct site *site = &w->sites[i];
    cport_workers_info info = {
        .size = sizeof(info),
        .threads = w->threads_per_port,
        .numa = site->place.numa,
        .kind = site->place.kind,
    };
    meeting_enter(&w->meeting); /* a start hook may ask while others still start */
    info.bound = site->bound;
    memcpy(info.reason, site->reason, sizeof(info.reason));
    meeting_leave(&w->meeting);
    plan_list_text(site->place.cpuset, info.cpuset, sizeof(info.cpuset));
    return options_copy_out(&info, sizeof(info), sizeof(info), ret_info);
}

/* ---- Stopping ---- */

void cport_workers_hold(cport_worker *me)
{
    /* relaxed, as the release: the port's own threads look, each after it has handled its events */
    atomic_fetch_add_explicit(&me->pool->sites[me->index].holds, 1, memory_order_relaxed);
}

void cport_workers_release(cport_worker *me)
{
    atomic_fetch_sub_explicit(&me->pool->sites[me->index].holds, 1, memory_order_relaxed);
}

int cport_workers_stop(cport_workers *w, int64_t deadline_ns)
{
    if (!w)
        return CPORT_EINVAL;
    const struct worker *me = worker_self();
    if (me && me->site->pool == w)
        return CPORT_EWRONGTHREAD;
    int result = pool_drain(w, deadline_ns);
    pool_dismiss(w);
    first_threads_join(w, w->count);
    if (w->error < 0)
        result = w->error;
    meeting_destroy(&w->meeting);
    pool_free(w);
    return result;
}
