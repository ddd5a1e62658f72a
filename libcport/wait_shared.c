/*
 * wait_shared.c: cport_wait on a shared port: several threads, a concurrency value, newest waiter first.
 *
 * One thread at a time, the leader, polls the engine; the others park, each on a word of its own, in a stack. Events that
 * need no harvest (posts, timers, operations done at their submit) go to the newest parked thread, and to the leader when
 * nobody is parked: so the leader counts as the oldest waiter. What a leader harvests it keeps, and leaves the lead to the
 * newest parked thread, unless the concurrency value is reached.
 *
 * Rules. (1) `leader` is set, and the ready list looked at, under the port's lock before the leader sleeps, and whoever
 * queues an event looks at `leader` under the same lock: one of the two sees the other. (2) While fewer than `concurrency`
 * threads are active and any is parked, there is a leader or a holder; or an active thread is about to come back and lead, by
 * what handlers have taken so far, and the monitor steps in if it does not. (3) A leader that comes back with events when the
 * slots are taken becomes the holder: the next free slot is its own, before anything in the ready list. (4) While a slot is free and
 * there is a thread to be woken for it, the box of posts sleeps, and so posts come by the lock, to wake that thread. Otherwise the box may be
 * awake, and they need no lock: whoever comes back to the port next looks into it.
 */
#include "port.h"

#include <string.h>

#include "monitor.h"

/* Waking another thread costs some microseconds on either side: worth it for more work at hand than this. See
 * docs/adr/0017 for the measurement. */
#define WORTH_A_THREAD_NS INT64_C(50000)
/* One handler in a hundred that takes long does not make the others long. */
#define EVENT_MAX_NS      (4 * WORTH_A_THREAD_NS)

static _Thread_local struct member self OS_TLS_NEAR;

/* Which thread belongs to which port changes rarely: one lock for all. Taken before a port's. */
static struct lock members_lock; /* zero: free */

struct member *crew_self(void)
{
    return &self;
}

static struct cport_port *port_of(const struct member *me)
{
    return atomic_load_explicit(&((struct member *)(uintptr_t)me)->port, memory_order_relaxed);
}

void crew_init(struct crew *crew, uint32_t concurrency, bool watch)
{
    crew->watched = watch && monitor_can_watch();
    crew->concurrency = concurrency;
    crew->event_ns = EVENT_MAX_NS; /* until better is known */
    atomic_store_explicit(&crew->watch.awake, true, memory_order_relaxed);
}

static void wake_member(struct member *m)
{
    atomic_fetch_add_explicit(&m->word, 1, memory_order_release);
    os_futex_wake(&m->word);
}

static struct member *pop_newest(struct crew *crew)
{
    struct member *m = crew->newest;
    if (m) {
        crew->newest = m->older;
        m->parked = false;
        crew->waking++;
    }
    return m;
}

static void unpark(struct crew *crew, struct member *m)
{
    if (!m->parked) {
        crew->waking--;
        return;
    }
    struct member **link = &crew->newest;
    while (*link != m)
        link = &(*link)->older;
    *link = m->older;
    m->parked = false;
}

static void activate(struct cport_port *port, struct member *m)
{
    struct crew *crew = &port->crew;
    crew_add_active(crew, 1);
    m->active = true;
    m->dispatch = ++crew->dispatches;
    if (!atomic_load_explicit(&crew->watch.awake, memory_order_relaxed) || crew->canary.on)
        monitor_stir(port);
}

/* Posts come by the lock from here on; those in the box are ready. */
static void shut_box(struct cport_port *port)
{
    while (!postbox_sleeps(&port->posts) && !postbox_sleep(&port->posts))
        port_take_left(port);
}

/* A slot may be free: the holder takes it; otherwise somebody must have the lead, or the events that are ready: the leader
 * when nobody is parked, since it sleeps in the engine and saw no slot when they were queued. */
void crew_offer_slot(struct cport_port *port)
{
    struct crew *crew = &port->crew;
    if (crew_active(crew) >= crew->concurrency)
        return;
    if (crew->newest || crew->leader)
        shut_box(port);
    struct member *m = crew->holder;
    if (m) {
        crew->holder = NULL;
        activate(port, m);
    } else if (!crew->leader || !ready_empty(&port->ready)) {
        m = pop_newest(crew);
    }
    if (m)
        wake_member(m);
    else if (!ready_empty(&port->ready))
        crew_kick(port);
}

/* The active threads will be back in their waits before another would be of use: they have at most `events` in hand, and what is
 * ready. Only where the monitor steps in when this turns out wrong. */
static bool back_soon(const struct cport_port *port, unsigned events)
{
    const struct crew *crew = &port->crew;
    int64_t count = (int64_t)(port->ready.pushed - port->ready.popped) + events;
    return crew->watch.on && crew_active(crew) && count * crew->event_ns <= WORTH_A_THREAD_NS;
}

/* Whom to wake for what has become ready: a parked thread, or else perhaps the leader. Whoever comes back by himself first
 * takes it; the leader looks when it has polled. */
static struct member *choose(struct cport_port *port, bool *ret_leader)
{
    struct crew *crew = &port->crew;
    *ret_leader = false;
    if (crew_active(crew) >= crew->concurrency || crew->leader == &self || back_soon(port, 0))
        return NULL;
    struct member *m = pop_newest(crew);
    if (!m && crew->leader && !crew->called)
        *ret_leader = crew->called = true;
    return m;
}

static void call_leader(struct cport_port *port)
{
    port_count(port, &port->stats.wakeups);
    port->backend->wake(port);
}

void crew_more_work(struct cport_port *port)
{
    bool leader;
    struct member *m = choose(port, &leader);
    if (m)
        wake_member(m);
    else if (leader)
        call_leader(port);
}

static bool somebody_to_wake(const struct crew *crew)
{
    return crew_active(crew) < crew->concurrency &&
           (crew->newest || (crew->leader && !crew->called));
}

/* Wakes when it has let go of the lock: who has been woken wants it, and on one processor would find it taken. */
void crew_post(struct cport_port *port, struct op *op)
{
    bool leader;
    if (postbox_try_push(&port->posts, &op->link))
        return;
    port_lock(port);
    port_take_left(port);
    ready_push(&port->ready, op);
    struct member *m = choose(port, &leader);
    if (m)
        atomic_fetch_add_explicit(&m->word, 1, memory_order_release);
    if (leader)
        postbox_will_wake(&port->posts);
    if (!somebody_to_wake(&port->crew))
        postbox_awake(&port->posts);
    port_unlock(port);
    /* From here on the thread that is woken may be gone: the system does not mind. */
    if (m)
        os_futex_wake(&m->word);
    if (leader) {
        call_leader(port);
        postbox_woken(&port->posts);
    }
}

void crew_kick(struct cport_port *port)
{
    if (port->crew.leader && port->crew.leader != &self)
        call_leader(port);
}

void crew_wake(struct cport_port *port)
{
    struct member *m = pop_newest(&port->crew);
    if (m)
        wake_member(m);
    else
        crew_kick(port);
}

/* How long the last batch's handlers took, for back_soon. Time spent blocked says nothing of the next. */
static void learn(struct crew *crew, const struct member *me, int64_t now_ns)
{
    if (!me->since_ns || me->blocked)
        return;
    int64_t each = (now_ns - me->since_ns) / me->taken;
    each = each < EVENT_MAX_NS ? each : EVENT_MAX_NS;
    crew->event_ns += (each - crew->event_ns) / 8;
}

static void release_slot(struct cport_port *port, struct member *me)
{
    if (!me->active)
        return;
    if (me->blocked)
        port->crew.blocked--;
    else
        crew_add_active(&port->crew, -1);
    me->active = false;
    me->blocked = false;
    me->nested = 0;
}

/* Leaves the port of the last wait: another port, or the thread's end. members_lock is held. */
static void leave_port(struct member *me)
{
    struct cport_port *port = port_of(me);
    if (!port)
        return;
    port_lock(port);
    struct member **link = &port->crew.members;
    while (*link != me)
        link = &(*link)->next;
    *link = me->next;
    release_slot(port, me);
    crew_offer_slot(port);
    port_unlock(port);
    atomic_store_explicit(&me->port, NULL, memory_order_relaxed);
    me->since_ns = 0;
}

void crew_leave(void)
{
    if (!port_of(&self))
        return;
    lock_acquire(&members_lock);
    leave_port(&self);
    lock_release(&members_lock);
}

static void leave_at_exit(void)
{
    crew_leave();
    /* A port that has just been closed is already left, but whoever closed it may still hold the lock. */
    lock_acquire(&self.lock);
    lock_release(&self.lock);
}

/* In the child of a fork: the locks may be held by threads that are not there. */
static void forget_all(void)
{
    bool hooked = self.hooked;
    memset(&self, 0, sizeof(self));
    self.hooked = hooked;
    lock_init(&members_lock);
    monitor_forked();
}

static void hook(struct member *me)
{
    static bool forks_hooked; /* members_lock */
    os_at_thread_exit(leave_at_exit);
    me->hooked = true;
    lock_acquire(&members_lock);
    if (!forks_hooked)
        os_at_fork_child(forget_all);
    forks_hooked = true;
    lock_release(&members_lock);
}

static void join_port(struct cport_port *port, struct member *me)
{
    if (!me->hooked)
        hook(me);
    if (!me->thread)
        monitor_describe(me);
    lock_acquire(&members_lock);
    leave_port(me);
    atomic_store_explicit(&me->port, port, memory_order_relaxed);
    port_lock(port);
    bool alone = !port->crew.members;
    me->next = port->crew.members;
    port->crew.members = me;
    port_unlock(port);
    lock_release(&members_lock);
    if (!alone && port->crew.watched)
        monitor_add(port);
}

static void park(struct cport_port *port, struct member *me, int64_t wait_ns)
{
    struct crew *crew = &port->crew;
    bool stacked = crew->holder != me;
    if (stacked) {
        me->older = crew->newest;
        crew->newest = me;
        me->parked = true;
    }
    uint32_t word = atomic_load_explicit(&me->word, memory_order_relaxed);
    port_unlock(port);
    os_futex_wait(&me->word, word, wait_ns);
    port_lock(port);
    if (stacked)
        unpark(crew, me);
}

/* Polls the engine, at most until the deadline or the next timer. */
static int lead(struct cport_port *port, struct member *me, struct harvest *out, int64_t left_ns)
{
    struct crew *crew = &port->crew;
    int64_t now = port->backend->now_ns();
    crew->leader = me;
    crew->called = false;
    shut_box(port);
    struct op *accepts = port_expire(port, now);
    int64_t wait_ns = ready_empty(&port->ready) ? port_until_timer(port, now, left_ns) : 0;
    port_unlock(port);
    port_resume(accepts);
    int r = port->backend->poll(port, out, ready_empty(&port->ready) ? wait_ns : 0);
    port_lock(port);
    crew->leader = NULL;
    return r;
}

/* The events in out are this thread's to run with, as soon as there is a slot. */
static void take_slot(struct cport_port *port, struct member *me)
{
    struct crew *crew = &port->crew;
    if (crew_active(crew) < crew->concurrency) {
        activate(port, me);
        return;
    }
    crew->holder = me;
    while (!me->active && !crew->closing)
        park(port, me, -1);
    if (crew->holder == me)
        crew->holder = NULL;
}

struct deadline {
    int64_t timeout_ns;
    int64_t at_ns; /* for timeouts > 0 */
};

static struct deadline deadline_of(const struct cport_port *port, int64_t timeout_ns)
{
    struct deadline d = {timeout_ns, 0};
    if (timeout_ns > 0) {
        int64_t now = port->backend->now_ns();
        d.at_ns = timeout_ns < INT64_MAX - now ? now + timeout_ns : INT64_MAX;
    }
    return d;
}

static int64_t time_left(const struct cport_port *port, const struct deadline *d)
{
    if (d->timeout_ns <= 0)
        return d->timeout_ns;
    int64_t now = port->backend->now_ns();
    return d->at_ns > now ? d->at_ns - now : 0;
}

/* Until there are events in out and a slot to run them (> 0), the time is up or a wake came (0), or an error. */
static int wait_locked(
    struct cport_port *port, struct member *me, struct harvest *out, const struct deadline *d)
{
    struct crew *crew = &port->crew;
    bool polled = false;
    for (;;) {
        if (crew->closing)
            return CPORT_EABANDONED;
        if (crew_active(crew) < crew->concurrency && !crew->holder) {
            port_take_left(port);
            port_take_ready(port, out);
            if (out->n)
                break;
        }
        if (atomic_load_explicit(&port->wake_asked, memory_order_relaxed)) {
            atomic_store_explicit(&port->wake_asked, 0, memory_order_relaxed);
            return 0;
        }
        int64_t left = time_left(port, d);
        if (left == 0 && (polled || crew->leader || crew_active(crew) >= crew->concurrency))
            return 0;
        if (crew_active(crew) < crew->concurrency && !crew->leader && !crew->holder) {
            int r = lead(port, me, out, left);
            polled = true;
            if (r < 0 && out->n == 0)
                return r;
            if (out->n)
                break;
        } else {
            if (crew_active(crew) < crew->concurrency)
                shut_box(port); /* before there is one more to be woken */
            crew_offer_slot(port);
            park(port, me, left);
        }
    }
    take_slot(port, me);
    return (int)out->n;
}

int port_wait_shared(struct cport_port *port, cport_event *ev, unsigned max, int64_t timeout_ns)
{
    struct member *me = &self;
    struct crew *crew = &port->crew;
    const struct backend *backend = port->backend;
    struct harvest out = {.ev = ev, .max = max};
    struct deadline d = deadline_of(port, timeout_ns);
    if (port_of(me) != port)
        join_port(port, me);
    int64_t now = me->since_ns ? backend->now_ns() : 0;

    port_lock(port);
    crew->inside++;
    learn(crew, me, now);
    release_slot(port, me); /* its own wait is the first to use the slot */
    int r = wait_locked(port, me, &out, &d);
    bool timed = crew->watch.on && crew->concurrency > 1 && r > 0;
    if (r <= 0 || !back_soon(port, out.n))
        crew_offer_slot(port);
    if (r > 0)
        port_count_n(port, &port->stats.events, (uint64_t)r);
    crew->inside--;
    if (crew->closing && crew->inside == 0) {
        atomic_fetch_add_explicit(&crew->left, 1, memory_order_release);
        os_futex_wake(&crew->left);
    }
    port_unlock(port);
    /* Whoever dequeues the last event may close the port: it is not touched any more. */
    me->taken = out.n;
    me->since_ns = timed ? backend->now_ns() : 0;
    return r;
}

void crew_pump(struct cport_port *port)
{
    struct harvest none = {.max = 0};
    lead(port, &self, &none, 0);
    crew_offer_slot(port);
}

void crew_close(struct cport_port *port)
{
    struct crew *crew = &port->crew;
    port_lock(port);
    crew->closing = true;
    for (struct member *m; (m = pop_newest(crew)) != NULL;)
        wake_member(m);
    if (crew->holder)
        wake_member(crew->holder);
    crew_kick(port);
    while (crew->inside) {
        uint32_t left = atomic_load_explicit(&crew->left, memory_order_relaxed);
        port_unlock(port);
        os_futex_wait(&crew->left, left, -1);
        port_lock(port);
    }
    port_unlock(port);
    monitor_drop(port);

    lock_acquire(&members_lock); /* and so the list, and the threads in it, stay */
    for (struct member *m = crew->members, *next; m; m = next) {
        next = m->next;
        lock_acquire(&m->lock);
        port_lock(port);
        m->active = m->blocked = false;
        m->nested = 0;
        atomic_store_explicit(&m->port, NULL, memory_order_relaxed);
        port_unlock(port);
        lock_release(&m->lock);
    }
    crew->members = NULL;
    lock_release(&members_lock);
}
