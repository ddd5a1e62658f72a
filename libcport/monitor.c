/*
 * monitor.c: see monitor.h.
 *
 * The monitor ticks while a watched port is busy and sleeps otherwise. At a tick it looks at the threads that are still in the
 * handler in which the tick before found them: which of them sleep, and have used next to no processor time since the look before.
 * Those are blocked. It looks without the port's lock, since looking takes system calls, and says what it saw under it, by
 * the number of the dispatch it looked at: a thread that has moved on meanwhile is not meant.
 *
 * What the system cannot tell from blocking: a thread that waits for its turn on a busy processor does not sleep, and one that
 * sleeps a moment on a lock does not do so at two looks. The canary's call needs one look alone: the processor was idle.
 */
#include "monitor.h"

#include <string.h>

#include "os_threads.h"
#include "port.h"

#define NS_PER_US   INT64_C(1000)

/* A tick costs 14 us on the machine of docs/adr/0017, most of it for the timer and the switch to the monitor. So it ticks seldom where
 * handlers do not block, and often while they do. */
#define CALM_NS     (2000 * NS_PER_US)
#define TICK_NS     (1000 * NS_PER_US)
#define SLOW_NS     (8000 * NS_PER_US)  /* the longest while nothing moves */
#define IDLE_NS     (64000 * NS_PER_US) /* the same where only blocked threads are left to wake */
#define FAST_NS     (250 * NS_PER_US)
#define AGAIN_NS    (50 * NS_PER_US) /* between two looks at a thread that seems to sleep */

#define FAST_TICKS  64u  /* after a hand-over */
#define QUIET_TICKS 16u  /* without a dispatch: then the port is put aside */
#define CALM_TICKS  256u /* without a hand-over: then the canary rests, and ticks are rare */

#define SIGHTS_MAX  32u /* threads looked at in one tick of a port */

/* How soon a port wants the next tick. */
enum pace {
    PACE_NONE,
    PACE_IDLE,
    PACE_SLOW,
    PACE_CALM,
    PACE_TICK,
    PACE_FAST,
    PACE_AGAIN,
};

/* A thread to be looked at, and what was seen. */
struct sight {
    uint64_t dispatch;
    uint32_t thread;
    bool blocked; /* so far */
    struct look before;
    struct look now;
    bool sleeps;
};

static struct {
    struct lock
        life_lock; /* starting and ending threads, and who is in the list; taken before `lock` */
    struct lock lock;
    struct cport_port *ports;
    struct os_thread thread;
    _Atomic uint32_t word; /* raised to wake it */
    _Atomic bool stirred;
    _Atomic bool ends;
} monitor;

static void wake_monitor(void)
{
    atomic_fetch_add_explicit(&monitor.word, 1, memory_order_release);
    os_futex_wake(&monitor.word);
}

void monitor_stir(struct cport_port *port)
{
    struct crew *crew = &port->crew;
    if (crew->canary.on)
        canary_arm(&crew->canary);
    if (atomic_load_explicit(&crew->watch.awake, memory_order_relaxed))
        return;
    atomic_store_explicit(&crew->watch.awake, true, memory_order_relaxed);
    crew->watch.quiet = 0;
    crew->watch.mark = crew->dispatches; /* what begins now is worth a look at the next tick */
    atomic_store_explicit(&monitor.stirred, true, memory_order_relaxed);
    wake_monitor();
}

void monitor_alert(struct cport_port *port)
{
    atomic_store_explicit(&port->crew.watch.alert, true, memory_order_release);
    wake_monitor();
}

/* ---- Looking ---- */

static bool has_before(const struct sight *s)
{
    return s->before.dispatch == s->dispatch;
}

static int64_t used(const struct sight *s)
{
    return s->now.cpu_ns - s->before.cpu_ns;
}

static int64_t elapsed(const struct sight *s)
{
    return s->now.at_ns - s->before.at_ns;
}

static bool look_at(struct sight *s)
{
    s->now.dispatch = s->dispatch;
    s->now.at_ns = os_now_ns();
    if (!os_thread_cpu_ns(s->thread, &s->now.cpu_ns))
        return false;
    /* The dearer question only where it matters: of a blocked thread that has moved, of another that has not. */
    if (s->blocked)
        s->sleeps = !has_before(s) || used(s) == 0 || os_thread_sleeps(s->thread);
    else
        s->sleeps = !(has_before(s) && used(s) * 4 > elapsed(s)) && os_thread_sleeps(s->thread);
    return true;
}

/* Threads in handlers that began by dispatch `mark`, without those that have said themselves that they block. The port's lock
 * is held. */
static unsigned choose(struct crew *crew, uint64_t mark, struct sight *sights)
{
    unsigned n = 0, passed = 0;
    for (struct member *m = crew->members; m; m = m->next) {
        if (!m->active || m->nested || m->dispatch > mark || passed++ < crew->watch.skip)
            continue;
        if (n == SIGHTS_MAX) {
            crew->watch.skip += n;
            return n;
        }
        sights[n++] = (struct sight){
            .dispatch = m->dispatch, .thread = m->thread, .blocked = m->blocked, .before = m->look};
    }
    crew->watch.skip = 0;
    return n;
}

static struct member *find(const struct crew *crew, uint64_t dispatch)
{
    struct member *m = crew->members;
    while (m && !(m->active && m->dispatch == dispatch))
        m = m->next;
    return m;
}

/* What follows from a look, unless the thread has moved on. The port's lock is held. */
static enum pace conclude(struct cport_port *port, const struct sight *s, bool alerted)
{
    struct member *m = find(&port->crew, s->dispatch);
    enum pace pace = PACE_NONE;
    if (!m || m->nested || m->blocked != s->blocked)
        return pace;
    if (m->blocked) {
        if (!s->sleeps)
            crew_unblock(port, m);
    } else if (s->sleeps && (alerted || has_before(s))) {
        crew_block(port, m);
        port_count(port, alerted ? &port->stats.handovers_idle : &port->stats.handovers_seen);
        pace = PACE_FAST;
    } else if (s->sleeps) {
        pace = PACE_AGAIN;
    }
    m->look = s->now;
    return pace;
}

/* Looks at the port's threads. The port's lock is held, and released meanwhile. */
static enum pace look_round(struct cport_port *port, uint64_t mark, bool alerted)
{
    struct sight sights[SIGHTS_MAX];
    bool seen[SIGHTS_MAX];
    enum pace pace = PACE_NONE;
    unsigned n = choose(&port->crew, mark, sights);
    if (n == 0)
        return pace;
    port_unlock(port);
    for (unsigned i = 0; i < n; i++)
        seen[i] = look_at(&sights[i]);
    port_lock(port);
    for (unsigned i = 0; i < n; i++) {
        enum pace wanted = seen[i] ? conclude(port, &sights[i], alerted) : PACE_NONE;
        pace = wanted > pace ? wanted : pace;
    }
    return pace;
}

/* ---- Ticks ---- */

/* What nobody else sees to while handlers take longer than they used to. True: a thread has been woken. The port's lock is
 * held. */
static bool step_in(struct cport_port *port)
{
    struct crew *crew = &port->crew;
    if (crew->closing || crew->waking || crew_active(crew) >= crew->concurrency)
        return false;
    bool work = !ready_empty(&port->ready);
    if (crew->leader ? work : work || crew->newest) {
        port_count(port, &port->stats.promotions);
        crew_offer_slot(port);
        return true;
    }
    if (!crew->leader && crew->blocked && !crew_active(crew)) {
        port_count(port, &port->stats.pumps);
        crew_pump(port);
    }
    return false;
}

static enum pace rest(struct crew *crew, enum pace pace)
{
    if (++crew->watch.quiet < QUIET_TICKS)
        return pace;
    atomic_store_explicit(&crew->watch.awake, false, memory_order_relaxed);
    if (!crew_active(crew) && !crew->blocked)
        return PACE_NONE;
    return crew_active(crew) || !crew->inside ? PACE_SLOW : PACE_IDLE;
}

/* The pace follows what the tick has found. The canary is quicker where there is one and it gets to run. */
static enum pace adapt(struct crew *crew, bool blocks, bool woken)
{
    if (blocks) {
        crew->watch.calm = 0;
        crew->canary.on = crew->canary.lives;
    } else if (crew->watch.calm < CALM_TICKS) {
        crew->watch.calm++;
    } else {
        crew->canary.on = false;
    }
    if (blocks || woken)
        crew->watch.fast = FAST_TICKS;
    if (crew->watch.fast > 0) {
        crew->watch.fast--;
        return PACE_FAST;
    }
    return crew->watch.calm < CALM_TICKS ? PACE_TICK : PACE_CALM;
}

static enum pace tick(struct cport_port *port)
{
    struct crew *crew = &port->crew;
    port_lock(port);
    uint64_t mark = crew->watch.mark;
    bool moves = crew->dispatches != mark;
    crew->watch.mark = crew->dispatches;
    enum pace looked = look_round(port, mark, false);
    bool woken = crew->dispatches == mark && step_in(port);
    enum pace pace = adapt(crew, looked == PACE_FAST, woken);
    if (moves)
        crew->watch.quiet = 0;
    else if (pace <= PACE_TICK)
        pace = rest(crew, pace);
    port_unlock(port);
    return looked > pace ? looked : pace;
}

static void answer_alert(struct cport_port *port)
{
    struct crew *crew = &port->crew;
    port_lock(port);
    if (look_round(port, crew->dispatches, true) == PACE_FAST) {
        crew->watch.calm = 0;
        crew->watch.fast = 0; /* the canary sees to it */
    }
    port_unlock(port);
}

static void answer_alerts(void)
{
    for (struct cport_port *port = monitor.ports; port; port = port->crew.watch.next)
        /* acquire: pairs with the release in monitor_alert */
        if (atomic_load_explicit(&port->crew.watch.alert, memory_order_relaxed) &&
            atomic_exchange_explicit(&port->crew.watch.alert, false, memory_order_acquire))
            answer_alert(port);
}

static bool wants_tick(struct crew *crew)
{
    return crew->watch.due || atomic_load_explicit(&crew->watch.awake, memory_order_relaxed);
}

static enum pace tick_all(void)
{
    enum pace pace = PACE_NONE;
    for (struct cport_port *port = monitor.ports; port; port = port->crew.watch.next) {
        if (!wants_tick(&port->crew))
            continue;
        enum pace wanted = tick(port);
        port->crew.watch.due = wanted != PACE_NONE;
        pace = wanted > pace ? wanted : pace;
    }
    return pace;
}

static int64_t stretched(int64_t before, int64_t most)
{
    if (before < TICK_NS)
        return TICK_NS;
    return before * 2 < most ? before * 2 : most;
}

/* The time between ticks; `before` is what it was. */
static int64_t period_of(enum pace pace, int64_t before)
{
    switch (pace) {
    case PACE_AGAIN:
        /* Not twice in a row, or threads that sleep often and briefly would keep the monitor busy. */
        return before == AGAIN_NS ? FAST_NS : AGAIN_NS;
    case PACE_FAST:
        return FAST_NS;
    case PACE_TICK:
        return TICK_NS;
    case PACE_CALM:
        return CALM_NS;
    case PACE_SLOW:
        return stretched(before, SLOW_NS);
    case PACE_IDLE:
        return stretched(before, IDLE_NS);
    default:
        return -1;
    }
}

static void run(void *unused)
{
    (void)unused;
    int64_t period = -1, next = 0; /* period < 0: no tick is due */
    for (;;) {
        /* acquire: pairs with the release in wake_monitor */
        uint32_t word = atomic_load_explicit(&monitor.word, memory_order_acquire);
        if (atomic_load_explicit(&monitor.ends, memory_order_relaxed))
            return;
        lock_acquire(&monitor.lock);
        answer_alerts();
        int64_t now = os_now_ns();
        if (atomic_exchange_explicit(&monitor.stirred, false, memory_order_relaxed) &&
            (period < 0 || next > now + TICK_NS)) {
            period = TICK_NS;
            next = now + TICK_NS;
        }
        if (period >= 0 && now >= next) {
            period = period_of(tick_all(), period);
            now = os_now_ns();
            next = now + period;
        }
        lock_release(&monitor.lock);
        os_futex_wait(&monitor.word, word, period < 0 ? -1 : next > now ? next - now : 0);
    }
}

/* ---- Ports come and go ---- */

bool monitor_can_watch(void)
{
    return os_threads_can_be_watched();
}

/* life_lock is held. */
static bool start_monitor(const struct cport_port *port)
{
    if (monitor.ports)
        return true; /* it runs */
    atomic_store_explicit(&monitor.ends, false, memory_order_relaxed);
    int r = os_thread_start(&monitor.thread, "cport/monitor", run, NULL);
    if (r == 0)
        os_thread_unbind(&monitor.thread); /* it begins as bound as its maker */
    else
        port_log(port, "cport: no thread to watch for handlers that block: %s", cport_strerror(r));
    return r == 0;
}

static void end_monitor(void)
{
    atomic_store_explicit(&monitor.ends, true, memory_order_relaxed);
    wake_monitor();
    os_thread_join(&monitor.thread);
}

static void list(struct cport_port *port)
{
    struct crew *crew = &port->crew;
    lock_acquire(&monitor.lock);
    crew->watch.next = monitor.ports;
    monitor.ports = port;
    lock_release(&monitor.lock);
    port_lock(port);
    crew->watch.on = true;
    atomic_store_explicit(&crew->watch.awake, false, memory_order_relaxed);
    monitor_stir(port);
    port_unlock(port);
}

/* The processor that all threads of the port are bound to, or -1. The port's lock is held. */
static int common_cpu(const struct crew *crew)
{
    int cpu = crew->members ? crew->members->cpu : -1;
    for (const struct member *m = crew->members; m; m = m->next)
        if (m->cpu != cpu)
            return -1;
    return cpu;
}

static void find_canary(struct cport_port *port)
{
    struct canary *c = &port->crew.canary;
    port_lock(port);
    int cpu = common_cpu(&port->crew);
    bool has_one = c->lives;
    if (cpu < 0)
        c->on = false;
    port_unlock(port);
    if (cpu < 0 || has_one)
        return;
    int r = canary_start(port);
    if (r < 0) {
        port_log(port, "cport: no idle thread on processor %d: %s", cpu, cport_strerror(r));
        return;
    }
    port_lock(port);
    c->lives = true;
    port_unlock(port);
}

void monitor_add(struct cport_port *port)
{
    lock_acquire(&monitor.life_lock);
    if (!port->crew.watch.on && start_monitor(port))
        list(port);
    if (port->crew.watch.on)
        find_canary(port);
    lock_release(&monitor.life_lock);
}

void monitor_drop(struct cport_port *port)
{
    lock_acquire(&monitor.life_lock);
    if (port->crew.watch.on) {
        lock_acquire(&monitor.lock);
        struct cport_port **link = &monitor.ports;
        while (*link != port)
            link = &(*link)->crew.watch.next;
        *link = port->crew.watch.next;
        lock_release(&monitor.lock);
        canary_stop(&port->crew.canary);
        if (!monitor.ports)
            end_monitor();
    }
    lock_release(&monitor.life_lock);
}

void monitor_describe(struct member *self)
{
    self->thread = os_thread_number();
    self->cpu = os_thread_only_cpu();
}

void monitor_forked(void)
{
    memset(&monitor, 0, sizeof(monitor));
}
