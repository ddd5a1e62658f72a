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
 * threads are active and any is parked, there is a leader or a holder. (3) A leader that comes back with events when the
 * slots are taken becomes the holder: the next free slot is its own, before anything in the ready list.
 */
#include "port.h"

/* A thread, as the port of its last wait knows it. Thread-local. */
struct member {
    struct cport_port *port; /* its thread's and the port's close's, under `members_lock` */
    struct member *next;     /* in port->crew.members */
    struct member *older;    /* in the stack of parked threads; port's lock, as are the rest */
    _Atomic uint32_t word;   /* raised to wake it */
    bool parked;
    bool active;
    bool blocked; /* between blocking_begin and _end: its slot is free */
    bool hooked;  /* its thread's exit will be seen */
    unsigned nested;
};

static _Thread_local struct member self;

/* Which thread belongs to which port changes rarely: one lock for all. Taken before a port's. */
static struct lock members_lock; /* zero: free */

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
    }
    return m;
}

static void unpark(struct crew *crew, struct member *m)
{
    if (!m->parked)
        return;
    struct member **link = &crew->newest;
    while (*link != m)
        link = &(*link)->older;
    *link = m->older;
    m->parked = false;
}

/* A slot may be free: the holder takes it; otherwise somebody must have the lead, or the events that are ready: the leader
 * when nobody is parked, since it sleeps in the engine and saw no slot when they were queued. */
static void offer_slot(struct cport_port *port)
{
    struct crew *crew = &port->crew;
    if (crew->active >= crew->concurrency)
        return;
    struct member *m = crew->holder;
    if (m) {
        crew->holder = NULL;
        m->active = true;
        crew->active++;
    } else if (!crew->leader || !ready_empty(&port->ready)) {
        m = pop_newest(crew);
    }
    if (m)
        wake_member(m);
    else if (!ready_empty(&port->ready))
        crew_kick(port);
}

void crew_more_work(struct cport_port *port)
{
    struct crew *crew = &port->crew;
    if (crew->active >= crew->concurrency || crew->leader == &self)
        return; /* whoever comes back first takes it; the leader looks when it has polled */
    struct member *m = pop_newest(crew);
    if (m)
        wake_member(m);
    else
        crew_kick(port);
}

void crew_kick(struct cport_port *port)
{
    if (port->crew.leader && port->crew.leader != &self) {
        port_count(port, &port->stats.wakeups);
        port->backend->wake(port);
    }
}

void crew_wake(struct cport_port *port)
{
    struct member *m = pop_newest(&port->crew);
    if (m)
        wake_member(m);
    else
        crew_kick(port);
}

static void release_slot(struct cport_port *port, struct member *me)
{
    if (!me->active)
        return;
    if (!me->blocked)
        port->crew.active--;
    me->active = false;
    me->blocked = false;
    me->nested = 0;
}

/* Leaves the port of the last wait: another port, or the thread's end. members_lock is held. */
static void leave_port(struct member *me)
{
    struct cport_port *port = me->port;
    if (!port)
        return;
    struct member **link = &port->crew.members;
    while (*link != me)
        link = &(*link)->next;
    *link = me->next;
    me->port = NULL;
    port_lock(port);
    release_slot(port, me);
    offer_slot(port);
    port_unlock(port);
}

static void thread_exits(void)
{
    lock_acquire(&members_lock);
    leave_port(&self);
    lock_release(&members_lock);
}

static void join_port(struct cport_port *port, struct member *me)
{
    if (!me->hooked) {
        me->hooked = true;
        os_at_thread_exit(thread_exits);
    }
    lock_acquire(&members_lock);
    leave_port(me);
    me->port = port;
    me->next = port->crew.members;
    port->crew.members = me;
    lock_release(&members_lock);
}

static void park(struct cport_port *port, struct member *me, int64_t wait_ns)
{
    struct crew *crew = &port->crew;
    if (crew->holder != me) {
        me->older = crew->newest;
        crew->newest = me;
        me->parked = true;
    }
    uint32_t word = atomic_load_explicit(&me->word, memory_order_relaxed);
    port_unlock(port);
    os_futex_wait(&me->word, word, wait_ns);
    port_lock(port);
    unpark(crew, me);
}

/* Polls the engine, at most until the deadline or the next timer. */
static int lead(struct cport_port *port, struct member *me, struct harvest *out, int64_t left_ns)
{
    struct crew *crew = &port->crew;
    int64_t now = port->backend->now_ns();
    crew->leader = me;
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
    if (crew->active < crew->concurrency) {
        me->active = true;
        crew->active++;
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
        if (crew->active < crew->concurrency && !crew->holder) {
            port_take_ready(port, out);
            if (out->n)
                break;
        }
        if (atomic_load_explicit(&port->wake_asked, memory_order_relaxed)) {
            atomic_store_explicit(&port->wake_asked, 0, memory_order_relaxed);
            return 0;
        }
        int64_t left = time_left(port, d);
        if (left == 0 && (polled || crew->leader || crew->active >= crew->concurrency))
            return 0;
        if (crew->active < crew->concurrency && !crew->leader && !crew->holder) {
            int r = lead(port, me, out, left);
            polled = true;
            if (r < 0 && out->n == 0)
                return r;
            if (out->n)
                break;
        } else {
            offer_slot(port);
            park(port, me, left);
        }
    }
    take_slot(port, me);
    return (int)out->n;
}

int port_wait_shared(struct cport_port *port, cport_event *ev, unsigned max, int64_t timeout_ns)
{
    struct member *me = &self;
    struct harvest out = {.ev = ev, .max = max};
    struct deadline d = deadline_of(port, timeout_ns);
    if (me->port != port)
        join_port(port, me);

    port_lock(port);
    port->crew.inside++;
    release_slot(port, me); /* its own wait is the first to use the slot */
    int r = wait_locked(port, me, &out, &d);
    offer_slot(port);
    if (r > 0)
        port_count_n(port, &port->stats.events, (uint64_t)r);
    port->crew.inside--;
    if (port->crew.closing && port->crew.inside == 0) {
        atomic_fetch_add_explicit(&port->crew.left, 1, memory_order_release);
        os_futex_wake(&port->crew.left);
    }
    port_unlock(port);
    return r;
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

    lock_acquire(&members_lock);
    for (struct member *m = crew->members, *next; m; m = next) {
        next = m->next;
        m->port = NULL;
        m->active = m->blocked = false;
        m->nested = 0;
    }
    crew->members = NULL;
    lock_release(&members_lock);
}

void cport_blocking_begin(void)
{
    lock_acquire(&members_lock);
    struct cport_port *port = self.port;
    if (port) {
        port_lock(port);
        if (self.active && self.nested++ == 0) {
            self.blocked = true;
            port->crew.active--;
            port_count(port, &port->stats.handovers);
            offer_slot(port);
        }
        port_unlock(port);
    }
    lock_release(&members_lock);
}

void cport_blocking_end(void)
{
    lock_acquire(&members_lock);
    struct cport_port *port = self.port;
    if (port) {
        port_lock(port);
        if (self.blocked && --self.nested == 0) {
            self.blocked = false;
            port->crew.active++;
        }
        port_unlock(port);
    }
    lock_release(&members_lock);
}
