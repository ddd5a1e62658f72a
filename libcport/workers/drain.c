/*
 * drain.c: the end of a pool; pool.h says how it goes.
 */
#include "pool.h"

/* For handlers that close what was cancelled. */
#define GRACE_NS INT64_C(1000000000)

/* ---- The worker's side ---- */

/* Looks whether there is something to wait for, and closes handles if that is the order. Inside the meeting, since threads that
 * looked at once might write what they saw in either order. */
static void site_look(struct site *site)
{
    struct cport_workers *pool = site->pool;
    cport_port_info info = {.size = sizeof(info)};
    (void)cport_port_get_info(site->port, &info);
    /* relaxed: pairs with nothing; who releases looks afterwards */
    bool busy = info.handles || atomic_load_explicit(&site->holds, memory_order_relaxed);
    if (site->busy && !busy)
        meeting_notify(&pool->meeting);
    site->busy = busy;
    if (!info.handles || pool->orders.cut != CUT_HANDLES)
        return;

    size_t cursor = 0;
    cport_handle *h = cport_port_next_handle(site->port, &cursor);
    for (unsigned i = 0; h && i < CLOSERS; i++) {
        while (h && !site->closing[i]) {
            int r = cport_close(h, &site->closers[i], CPORT_ABORT);
            if (r == CPORT_EINVAL) /* a borrowed socket is not ours to reset */
                r = cport_close(h, &site->closers[i], 0);
            site->closing[i] = r == 0;
            h = cport_port_next_handle(site->port, &cursor);
        }
    }
}

static void cancel_pending(cport_port *port)
{
    size_t cursor = 0;
    for (cport_handle *h; (h = cport_port_next_handle(port, &cursor)) != NULL;)
        (void)cport_cancel_all(h);
}

/* Has the threads but the first leave. True: they have. Otherwise the bell goes on to one who can do more about it. */
static bool site_thin(struct worker *me)
{
    struct site *site = me->site;
    if (me->seen.thread == 0 && site->siblings == 0)
        return true;
    me->leaving = me->seen.thread != 0;
    (void)cport_post(site->port, &site->bell, 0, 0);
    if (me->leaving)
        return false;
    cport_blocking_begin(); /* they need the slot to get at the bell */
    for (; site->siblings; site->siblings--)
        thread_join(&site->threads[site->siblings]);
    cport_blocking_end();
    return false;
}

static bool orders_same(struct orders a, struct orders b)
{
    return a.step == b.step && a.cut == b.cut && a.round == b.round;
}

/* The stopping thread waits for the deadline by itself; the timer tells it where the ports' clock is another than the system's. */
static void site_drain(struct worker *me)
{
    struct site *site = me->site;
    struct cport_workers *pool = site->pool;
    site->drain_told = true;
    if (site->index == 0 && pool->deadline_ns != INT64_MAX)
        (void)cport_timer(site->port, &site->alarm, pool->deadline_ns, 0);
    if (pool->opt.drain)
        pool->opt.drain(&me->seen);
}

/* The bell has come to this thread: no other of the site obeys until it rings again. */
static void site_obey(struct worker *me)
{
    struct site *site = me->site;
    struct cport_workers *pool = site->pool;
    meeting_enter(&pool->meeting);
    while (!orders_same(site->obeyed, pool->orders)) {
        struct orders orders = pool->orders;
        meeting_leave(&pool->meeting);
        if (!site->drain_told)
            site_drain(me);
        if (orders.cut > CUT_NOTHING && !site->expire_told) {
            site->expire_told = true;
            if (pool->opt.expire)
                pool->opt.expire(&me->seen);
        }
        if (orders.cut > site->obeyed.cut)
            cancel_pending(site->port);
        if (orders.step >= STEP_THIN && !site_thin(me))
            return;
        if (orders.step == STEP_THIN)
            (void)cport_cancel(
                &site->alarm); /* its event comes before the next bell, which there is */
        me->leaving = orders.step == STEP_LEAVE;

        meeting_enter(&pool->meeting);
        site->obeyed = orders;
        site_look(site);
        pool->round_events += atomic_exchange_explicit(&site->handled, 0, memory_order_relaxed);
        meeting_notify(&pool->meeting);
    }
    site->rung = false;
    meeting_leave(&pool->meeting);
}

/* Takes the pool's own packets out of a batch. */
static unsigned sift(struct site *site, cport_event *events, unsigned count, bool *ret_rung)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++) {
        const cport_op *op = events[i].op;
        uintptr_t offset = (uintptr_t)op - (uintptr_t)site->closers;
        if (op == &site->bell) {
            *ret_rung = true;
        } else if (op == &site->alarm) {
            meeting_enter(&site->pool->meeting);
            meeting_notify(&site->pool->meeting);
            meeting_leave(&site->pool->meeting);
        } else if (offset < sizeof(site->closers)) {
            meeting_enter(&site->pool->meeting);
            site->closing[offset / sizeof(*op)] = false;
            meeting_leave(&site->pool->meeting);
        } else {
            events[kept++] = events[i];
        }
    }
    return kept;
}

void worker_batch_stopping(struct worker *me, cport_event *events, unsigned count)
{
    struct site *site = me->site;
    bool rung = false;
    count = sift(site, events, count, &rung);
    if (count) {
        atomic_fetch_add_explicit(&site->handled, count, memory_order_relaxed);
        site->pool->opt.handle(&me->seen, events, count);
    }
    meeting_enter(&site->pool->meeting);
    site_look(site);
    meeting_leave(&site->pool->meeting);
    if (rung)
        site_obey(me);
}

/* ---- The stopping thread's side; inside the meeting ---- */

static void ring(struct cport_workers *pool)
{
    for (unsigned i = 0; i < pool->count; i++) {
        struct site *site = &pool->sites[i];
        if (!site->running || site->rung)
            continue; /* who obeys looks for further orders before he has done */
        site->rung = true;
        (void)cport_post(site->port, &site->bell, 0, 0);
    }
}

/* Has every site obeyed, and none anything to wait for? */
static bool is_drained(const struct cport_workers *pool)
{
    for (unsigned i = 0; i < pool->count; i++) {
        const struct site *site = &pool->sites[i];
        if (site->running && (site->busy || !orders_same(site->obeyed, pool->orders)))
            return false;
    }
    return true;
}

/* At the deadline, and again some time later. */
static void cut(struct cport_workers *pool, int64_t now_ns, int64_t *limit_ns)
{
    pool->orders.cut++;
    *limit_ns = pool->orders.cut == CUT_HANDLES ? INT64_MAX : now_ns + GRACE_NS;
    ring(pool);
}

int pool_drain(struct cport_workers *pool, int64_t deadline_ns)
{
    cport_port *clock = pool->sites[0].port;
    int64_t limit_ns = deadline_ns;
    bool quiet = false;
    /* relaxed: pairs with nothing; the bells carry it */
    atomic_store_explicit(&pool->stopping, true, memory_order_relaxed);
    meeting_enter(&pool->meeting);
    pool->deadline_ns = deadline_ns;
    pool->orders.step = STEP_DRAIN;
    while (!quiet) {
        pool->orders.round++;
        pool->round_events = 0;
        ring(pool);
        while (!is_drained(pool)) {
            int64_t now_ns = cport_now_ns(clock);
            if (now_ns >= limit_ns)
                cut(pool, now_ns, &limit_ns);
            else
                meeting_wait(&pool->meeting, limit_ns == INT64_MAX ? -1 : limit_ns - now_ns);
        }
        int64_t now_ns = cport_now_ns(clock);
        if (pool->orders.step == STEP_DRAIN) {
            pool->orders.step = STEP_THIN;
        } else {
            quiet = pool->round_events == 0 || pool->orders.cut == CUT_HANDLES;
            if (!quiet && now_ns >= limit_ns)
                cut(pool, now_ns, &limit_ns);
        }
    }
    bool in_time = pool->orders.cut == CUT_NOTHING;
    meeting_leave(&pool->meeting);
    return in_time ? 0 : CPORT_ETIMEDOUT;
}

void pool_dismiss(struct cport_workers *pool)
{
    meeting_enter(&pool->meeting);
    pool->orders.step = STEP_LEAVE;
    pool->orders.round++;
    ring(pool);
    meeting_leave(&pool->meeting);
}
