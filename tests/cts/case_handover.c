/* Handlers that block, and the slots that they leave: S04, S05, S28. */
#include "cts.h"

#include <stdatomic.h>
#include <stdlib.h>

/* ---- A crew: threads that handle what is posted; the packet's key says what its handler does ---- */

enum deed {
    DEED_COUNT,
    DEED_SLEEP,
    DEED_LOCK,
    DEED_READ,
    DEED_CHILD,
    DEED_SAY,
    DEED_SPIN,
    DEED_WAKE,
    DEED_EXIT,
    DEED_STOP,
    DEED_COUNT_OF
};

enum { THREADS_MOST = 8 };

typedef struct crew {
    cport_port *port;
    uint32_t concurrency;
    unsigned threads;
    cts_thread *thread[THREADS_MOST];
    bool bound;          /* to one processor */
    bool raw;            /* not through the checker, which has locks of its own */
    unsigned alive, own; /* threads of the process before, and those that came with the port */
    atomic_uint waiting, inside, counted, ended, io;
    atomic_bool awake; /* lets DEED_WAKE go on from its sleep */
    atomic_bool released;
    cts_mutex lock;             /* DEED_LOCK waits for it: held by the case until it releases */
    cport_os_handle pipe, tail; /* DEED_READ and DEED_CHILD read from tail until the case writes */
} crew;

static void read_byte(crew *c)
{
    char byte;
    cts_sock_recv_all(c->tail, &byte, 1);
}

static void take_lock(crew *c)
{
    cts_lock(&c->lock);
    cts_unlock(&c->lock);
}

static void sleep_until_released(crew *c)
{
    while (!atomic_load(&c->released))
        cts_yield();
}

static void spin_until_released(crew *c)
{
    while (!atomic_load(&c->released))
        cts_spin();
}

static void say_and_sleep(crew *c)
{
    cport_blocking_begin();
    sleep_until_released(c);
    cport_blocking_end();
}

/* Returns false when the thread shall wait no more. */
static bool handle(crew *c, enum deed deed)
{
    if (deed == DEED_COUNT) {
        atomic_fetch_add(&c->counted, 1);
        return true;
    }
    if (deed >= DEED_COUNT_OF) { /* the key of a handle */
        atomic_fetch_add(&c->io, 1);
        return true;
    }
    atomic_fetch_add(&c->inside, 1);
    switch (deed) {
    case DEED_SLEEP:
        sleep_until_released(c);
        break;
    case DEED_LOCK:
        take_lock(c);
        break;
    case DEED_READ:
        read_byte(c);
        break;
    case DEED_CHILD:
        cts_wait_uninterruptibly(c->tail);
        break;
    case DEED_SAY:
        say_and_sleep(c);
        break;
    case DEED_SPIN:
        spin_until_released(c);
        break;
    case DEED_WAKE:
        while (!atomic_load(&c->awake))
            cts_yield();
        spin_until_released(c);
        break;
    case DEED_EXIT:
        sleep_until_released(c);
        return false;
    default:
        return false;
    }
    atomic_fetch_add(&c->ended, 1);
    return true;
}

static void work(void *arg)
{
    crew *c = arg;
    cport_event ev;
    if (c->bound)
        cts_bind_thread();
    do {
        atomic_fetch_add(&c->waiting, 1);
        CHECK_EQ(c->raw ? cport_wait(c->port, &ev, 1, -1) : cts_wait(c->port, &ev, 1, -1), 1);
    } while (handle(c, (enum deed)ev.key));
}

static void crew_start_with(crew *c, unsigned threads, const cport_port_options *opt)
{
    cport_port_info info = {.size = sizeof info};
    c->alive = cts_threads_alive();
    if (c->raw)
        CHECK_EQ(cport_port_open(opt, &c->port), 0);
    else
        c->port = cts_port_open_with(opt);
    c->own = cts_threads_alive() - c->alive;
    CHECK_EQ(cport_port_get_info(c->port, &info), 0);
    c->concurrency = info.concurrency;
    c->threads = threads;
    cts_sock_pair(&c->pipe, &c->tail);
    cts_lock(&c->lock);
    for (unsigned i = 0; i < threads; i++)
        c->thread[i] = cts_thread_start(work, c, 0);
}

#define CREW                                                                                       \
    {                                                                                              \
        .lock = CTS_MUTEX_INIT                                                                     \
    }

static void crew_start(crew *c, unsigned threads)
{
    cport_port_options opt;
    cts_options(&opt);
    crew_start_with(c, threads, &opt);
}

static void post(crew *c, cport_op *op, enum deed deed)
{
    CHECK_EQ(c->raw ? cport_post(c->port, op, (uintptr_t)deed, 0)
                    : cts_post(c->port, op, (uintptr_t)deed, 0),
        0);
}

/* Lets go of the handlers that block, but for those that wait for the lock. */
static void crew_release_some(crew *c, unsigned readers)
{
    static const char bytes[THREADS_MOST];
    atomic_store(&c->released, true);
    cts_sock_send_all(c->pipe, bytes, readers);
}

static void crew_release(crew *c, unsigned readers)
{
    crew_release_some(c, readers);
    cts_unlock(&c->lock);
}

static bool threads_have_gone(void *arg)
{
    return cts_threads_alive() <= ((crew *)arg)->alive;
}

static void crew_stop(crew *c, unsigned threads)
{
    static cport_op stop[THREADS_MOST];
    for (unsigned i = 0; i < threads; i++)
        post(c, &stop[i], DEED_STOP);
    for (unsigned i = 0; i < c->threads; i++)
        cts_thread_join(c->thread[i]);
    cts_sock_close(c->pipe);
    cts_sock_close(c->tail);
    if (c->raw)
        CHECK_EQ(cport_port_close(c->port), 0);
    else
        cts_port_close(c->port);
    if (cts_is(CTS_LINUX)) /* elsewhere the system makes some of its own */
        cts_until(threads_have_gone, c, "the library's threads to be gone");
}

typedef struct goal {
    atomic_uint *counter;
    unsigned value;
} goal;

static bool reached(void *arg)
{
    const goal *g = arg;
    return atomic_load(g->counter) >= g->value;
}

static void until(atomic_uint *counter, unsigned value, const char *what)
{
    goal g = {counter, value};
    cts_until(reached, &g, what);
}

static uint64_t handed_over(crew *c)
{
    cport_port_stats stats = {.size = sizeof stats};
    CHECK_EQ(cport_port_get_stats(c->port, &stats), 0);
    return stats.handovers_seen + stats.handovers_idle;
}

static bool counted_within(crew *c, unsigned value, int64_t ns)
{
    for (int64_t end = cts_now_ns() + ns; cts_now_ns() < end; cts_spin())
        if (atomic_load(&c->counted) >= value)
            return true;
    return false;
}

/* Posts events until one finds no slot; it stays. Not the first perhaps: a thread on its way to its handler waits for the checker's
 * lock now and then, and that counts as blocking until it is seen awake. */
static void until_held_back(crew *c)
{
    static cport_op count;
    int64_t end = cts_now_ns() + CTS_PATIENCE_NS;
    unsigned handled = atomic_load(&c->counted);
    do {
        CHECK(cts_now_ns() < end);
        post(c, &count, DEED_COUNT);
        handled++;
    } while (counted_within(c, handled, 30 * CTS_MS));
}

/* ---- S04: blocked handlers of every kind ---- */

/* All threads but one block, and the last one handles what is posted while they are still in their handlers. No thread is made
 * for that: the library's own are the monitor and, where the process has one processor, a canary. */
static void check_others_carry_on(enum deed deed, unsigned threads)
{
    enum { COUNT = 50 };
    static cport_op blocks[THREADS_MOST], counts[COUNT];
    crew c = CREW;
    crew_start(&c, threads);
    until(&c.waiting, threads, "all threads to wait");
    unsigned blocked = threads - 1;
    for (unsigned i = 0; i < blocked; i++)
        post(&c, &blocks[i], deed);
    until(&c.inside, blocked, "the handlers to block");
    for (unsigned i = 0; i < COUNT; i++)
        post(&c, &counts[i], DEED_COUNT);
    until(&c.counted, COUNT, "the others to carry on");
    CHECK_EQ(atomic_load(&c.ended), 0);
    if (cts_is(CTS_LINUX))
        CHECK(cts_threads_alive() <= c.alive + c.own + threads + 2);
    if (cts_is(CTS_LINUX) && deed != DEED_SAY && blocked >= c.concurrency)
        CHECK(handed_over(&c) >= blocked - c.concurrency + 1);
    crew_release(&c, deed == DEED_READ || deed == DEED_CHILD ? blocked : 0);
    until(&c.ended, blocked, "the blocked handlers to end");
    crew_stop(&c, threads);
}

void s04_others_carry_on_while_a_handler_sleeps(void)
{
    check_others_carry_on(DEED_SLEEP, 2);
}

void s04_others_carry_on_while_seven_handlers_sleep(void)
{
    check_others_carry_on(DEED_SLEEP, 8);
}

void s04_others_carry_on_while_handlers_wait_for_a_lock(void)
{
    check_others_carry_on(DEED_LOCK, 8);
}

void s04_others_carry_on_while_handlers_read_a_socket(void)
{
    check_others_carry_on(DEED_READ, 8);
}

void s04_others_carry_on_while_handlers_wait_uninterruptibly(void)
{
    check_others_carry_on(DEED_CHILD, 6);
}

void s04_others_carry_on_while_handlers_say_that_they_block(void)
{
    check_others_carry_on(DEED_SAY, 8);
}

/* More than one slot, and one of them computes: the rest is for the others, even for a single event where short handlers before have
 * taught the port that the next wait is near. */
void s04_others_carry_on_beside_a_handler_that_computes(void)
{
    enum { COUNT = 200, MORE = 20 };
    static cport_op counts[COUNT], more[MORE], spin;
    crew c = CREW;
    crew_start(&c, 3);
    for (unsigned i = 0; i < COUNT; i++)
        post(&c, &counts[i], DEED_COUNT);
    until(&c.counted, COUNT, "the events to be handled");
    post(&c, &spin, DEED_SPIN);
    until(&c.inside, 1, "the handler to compute");
    for (unsigned i = 0; i < MORE; i++) {
        post(&c, &more[i], DEED_COUNT);
        until(&c.counted, COUNT + i + 1, "another thread to carry on");
    }
    CHECK_EQ(atomic_load(&c.ended), 0);
    crew_release(&c, 0);
    crew_stop(&c, 3);
}

/* One slot: who computes keeps it. */
void s04_a_handler_that_computes_keeps_its_slot(void)
{
    cport_op spin = {0};
    crew c = CREW;
    crew_start(&c, 3);
    post(&c, &spin, DEED_SPIN);
    until(&c.inside, 1, "the handler to compute");
    until_held_back(&c);
    CHECK_EQ(atomic_load(&c.ended), 0);
    unsigned counted = atomic_load(&c.counted);
    crew_release(&c, 0);
    until(&c.counted, counted + 1, "the event to be handled");
    crew_stop(&c, 3);
}

/* One slot: a handler that was blocked and goes on to compute has it again, sooner or later, and then no other handler runs. */
void s04_a_handler_that_wakes_counts_again(void)
{
    static cport_op wake, count;
    crew c = CREW;
    crew_start(&c, 3);
    post(&c, &wake, DEED_WAKE);
    until(&c.inside, 1, "the handler to block");
    post(&c, &count, DEED_COUNT);
    until(&c.counted, 1, "another thread to carry on");
    atomic_store(&c.awake, true);
    until_held_back(&c);
    CHECK_EQ(atomic_load(&c.ended), 0);
    unsigned counted = atomic_load(&c.counted);
    crew_release(&c, 0);
    until(&c.counted, counted + 1, "the last event to be handled");
    crew_stop(&c, 3);
}

void s04_finding_out_can_be_switched_off(void)
{
    cport_op sleep = {0}, count = {0};
    cport_port_options opt;
    cport_port_info info = {.size = sizeof info};
    crew c = CREW;
    cts_options(&opt);
    opt.flags = CPORT_PORT_SINGLE | CPORT_PORT_UNWATCHED;
    CHECK_EQ(cport_port_open(&opt, &c.port), CPORT_EINVAL);
    opt.flags = CPORT_PORT_UNWATCHED;
    crew_start_with(&c, 3, &opt);
    CHECK_EQ(cport_port_get_info(c.port, &info), 0);
    CHECK_EQ(info.caps & CPORT_CAP_HANDOVER, 0);
    until(&c.waiting, 3, "all threads to wait");
    CHECK_EQ(cts_threads_alive(), c.alive + c.own + 3);
    post(&c, &sleep, DEED_SLEEP);
    until(&c.inside, 1, "the handler to block");
    post(&c, &count, DEED_COUNT);
    for (int64_t end = cts_now_ns() + 30 * CTS_MS; cts_now_ns() < end; cts_spin())
        CHECK_EQ(atomic_load(&c.counted), 0);
    CHECK_EQ(handed_over(&c), 0);
    crew_release(&c, 0);
    until(&c.counted, 1, "the event to be handled");
    crew_stop(&c, 3);
}

/* All threads block, and a send that the socket's buffers cannot hold still goes out. */
void s04_io_goes_on_while_all_threads_block(void)
{
    enum { LENGTH = 16 << 20, THREADS = 3 };
    static cport_op sleeps[THREADS];
    cport_op send = {0};
    cts_pair pair;
    crew c = CREW;
    char *data = calloc(1, LENGTH);
    CHECK(data != NULL);
    crew_start(&c, THREADS);
    cts_pair_open(c.port, &pair);
    until(&c.waiting, THREADS, "all threads to wait");
    for (unsigned i = 0; i < THREADS; i++)
        post(&c, &sleeps[i], DEED_SLEEP);
    until(&c.inside, THREADS, "all threads to block");
    CHECK_EQ(cts_send(pair.a, &send, data, LENGTH, 0), 0);
    cts_reader *reader = cts_read_start(pair.peer, NULL, LENGTH);
    CHECK_EQ(cts_read_join(reader), LENGTH);
    CHECK_EQ(atomic_load(&c.ended), 0);
    crew_release(&c, 0);
    until(&c.io, 1, "the send's event to be handled");
    cts_pair_close_peer(&pair);
    cport_op close = {0};
    CHECK_EQ(cts_close(pair.a, &close, 0), 0);
    until(&c.io, 2, "the close event to be handled");
    crew_stop(&c, THREADS);
    free(data);
}

/* Threads bound to one processor: a blocked one is told by that processor falling idle, sooner or later, whatever else runs
 * there. */
void s04_a_bound_crew_is_told_by_its_idle_processor(void)
{
    enum { THREADS = 3 };
    static cport_op sleep, count;
    cport_port_stats stats = {.size = sizeof stats};
    crew c = CREW;
    c.bound = true;
    crew_start(&c, THREADS);
    until(&c.waiting, THREADS, "all threads to wait");
    int64_t end = cts_now_ns() + CTS_PATIENCE_NS;
    for (unsigned round = 1; stats.handovers_idle == 0; round++) {
        CHECK(cts_now_ns() < end);
        post(&c, &sleep, DEED_READ);
        until(&c.inside, round, "the handler to block");
        post(&c, &count, DEED_COUNT);
        until(&c.counted, round, "another thread to carry on");
        crew_release_some(&c, 1);
        until(&c.ended, round, "the blocked handler to end");
        CHECK_EQ(cport_port_get_stats(c.port, &stats), 0);
    }
    crew_release(&c, 0);
    crew_stop(&c, THREADS);
}

/* ---- S04: the count is right afterwards ---- */

/* A storm of handlers that block in every way, say so or not, and of threads that exit out of blocked handlers. Afterwards
 * each slot is there, once: as many handlers as there are slots run at a time, and no more. */
void s04_the_slots_are_all_there_after_a_storm(void)
{
    enum { ROUNDS = 12, EXITS = 3 };
    static const enum deed deeds[] = {
        DEED_SLEEP, DEED_COUNT, DEED_SAY, DEED_READ, DEED_COUNT, DEED_EXIT};
    static cport_op ops[ROUNDS][THREADS_MOST], spins[THREADS_MOST];
    crew c = CREW;
    crew_start(&c, THREADS_MOST);
    unsigned left = THREADS_MOST, ended = 0, inside = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned readers = 0, exits = 0, blocks = 0;
        atomic_store(&c.released, false);
        for (unsigned i = 0; i < left; i++) {
            enum deed deed = deeds[(round + i * 5) % CTS_COUNT_OF(deeds)];
            if (deed == DEED_EXIT && (exits == 1 || THREADS_MOST - left == EXITS))
                deed = DEED_SLEEP;
            exits += deed == DEED_EXIT;
            readers += deed == DEED_READ;
            blocks += deed != DEED_COUNT && deed != DEED_EXIT;
            post(&c, &ops[round][i], deed);
        }
        if (round % 3 != 0) /* otherwise they are released before they block, or while */
            until(&c.inside, inside + blocks, "the handlers to block");
        crew_release_some(&c, readers);
        ended += blocks;
        inside += blocks + exits;
        left -= exits;
        until(&c.ended, ended, "the round's handlers to end");
    }
    /* Everybody back. */
    until(&c.inside, inside, "the threads that exit");
    unsigned slots = c.concurrency < left ? c.concurrency : left;
    atomic_store(&c.released, false);
    for (unsigned i = 0; i < slots; i++)
        post(&c, &spins[i], DEED_SPIN);
    until(&c.inside, inside + slots, "every slot to be used");
    unsigned waiting = cts_is(CTS_LINUX); /* elsewhere the slots are the kernel's */
    if (waiting)
        until_held_back(&c);
    unsigned counted = atomic_load(&c.counted);
    crew_release(&c, 0);
    until(&c.counted, counted + waiting, "the last event to be handled");
    crew_stop(&c, left);
}

/* ---- S05 ---- */

typedef struct guest {
    crew *crew;
    atomic_bool left;
} guest;

/* Handles one packet of the crew's port, and then is busy with a port of its own. */
static void handle_one_and_go(void *arg)
{
    guest *g = arg;
    cport_port_options opt;
    cport_event ev;
    cport_op note = {0};
    cts_options(&opt);
    opt.flags = CPORT_PORT_SINGLE;
    cport_port *own = cts_port_open_with(&opt);
    CHECK_EQ(cts_wait(g->crew->port, &ev, 1, -1), 1);
    CHECK_EQ(cts_post(own, &note, 0, 0), 0);
    CHECK_EQ(cts_wait(own, &ev, 1, CTS_PATIENCE_NS), 1);
    atomic_store(&g->left, true);
    spin_until_released(g->crew);
    cts_port_close(own);
}

static bool has_left(void *arg)
{
    return atomic_load(&((guest *)arg)->left);
}

void s05_waiting_on_a_port_of_its_own_frees_the_slot(void)
{
    cport_op first = {0}, second = {0};
    crew c = CREW;
    guest g = {.crew = &c};
    crew_start(&c, 0);
    cts_thread *t = cts_thread_start(handle_one_and_go, &g, 0);
    post(&c, &first, DEED_COUNT);
    cts_until(has_left, &g, "the guest to leave");
    c.thread[c.threads++] = cts_thread_start(work, &c, 0);
    post(&c, &second, DEED_COUNT);
    until(&c.counted, 1, "the slot to be free");
    crew_release(&c, 0);
    cts_thread_join(t);
    crew_stop(&c, 1);
}

/* ---- S28 ---- */

enum { LEFT_PAIRS = 24 };

typedef struct left_behind {
    cts_pair pair;
    cport_op recv, send;
    char in, out;
} left_behind;

static void submit_and_go(void *arg)
{
    left_behind *l = arg;
    CHECK_EQ(cts_recv(l->pair.a, &l->recv, &l->in, 1, 0), 0);
    CHECK_EQ(cts_send(l->pair.a, &l->send, &l->out, 1, 0), 0);
}

/* Threads that submit and exit at once, some of them members of the port, while others wait. */
void s28_threads_that_come_and_go_lose_nothing(void)
{
    static left_behind left[LEFT_PAIRS];
    crew c = CREW;
    crew_start(&c, 3);
    for (unsigned i = 0; i < LEFT_PAIRS; i++)
        cts_pair_open(c.port, &left[i].pair);
    for (unsigned i = 0; i < LEFT_PAIRS; i++) {
        left[i].out = (char)i;
        cts_thread_join(cts_thread_start(submit_and_go, &left[i], 0));
    }
    for (unsigned i = 0; i < LEFT_PAIRS; i++) {
        char byte;
        cts_sock_recv_all(left[i].pair.peer, &byte, 1);
        CHECK_EQ(byte, (char)i);
        cts_sock_send_all(left[i].pair.peer, &byte, 1);
    }
    until(&c.io, 2 * LEFT_PAIRS, "every event to be handled");
    for (unsigned i = 0; i < LEFT_PAIRS; i++) {
        CHECK_EQ(left[i].in, (char)i);
        cts_pair_close_peer(&left[i].pair);
        CHECK_EQ(cts_close(left[i].pair.a, &left[i].send, 0), 0);
    }
    until(&c.io, 3 * LEFT_PAIRS, "every close event to be handled");
    crew_release(&c, 0);
    crew_stop(&c, 3);
}

/* ---- Forks ---- */

static void crew_options(cport_port_options *ret_opt)
{
    cts_options(ret_opt);
    ret_opt->allocator = NULL;
    ret_opt->log = NULL;
}

/* In the child there is no thread but this, and no monitor; the parent's ports are not to be touched, although this thread
 * belongs to one. A port of its own works as ever. */
static void use_a_port_in_the_child(void *unused)
{
    enum { THREADS = 3 };
    static cport_op sleep, count;
    cport_port_options opt;
    crew c = CREW;
    (void)unused;
    crew_options(&opt);
    c.raw = true;
    crew_start_with(&c, THREADS, &opt);
    until(&c.waiting, THREADS, "all threads to wait");
    post(&c, &sleep, DEED_SLEEP);
    until(&c.inside, 1, "the handler to block");
    post(&c, &count, DEED_COUNT);
    until(&c.counted, 1, "the others to carry on");
    crew_release(&c, 0);
    crew_stop(&c, THREADS);
}

/* The same without a thread. */
static void use_a_port_alone(void *unused)
{
    cport_port_options opt;
    cport_port *port;
    cport_event ev;
    cport_op op = {0};
    (void)unused;
    crew_options(&opt);
    opt.flags |= CPORT_PORT_UNWATCHED;
    CHECK_EQ(cport_port_open(&opt, &port), 0);
    CHECK_EQ(cport_post(port, &op, 0, 7), 0);
    CHECK_EQ(cport_wait(port, &ev, 1, CTS_PATIENCE_NS), 1);
    CHECK_EQ(ev.result, 7);
    CHECK_EQ(cport_port_close(port), 0);
}

static void check_fork(void (*in_child)(void *))
{
    enum { THREADS = 3 };
    static cport_op mine, sleep, count;
    cport_event ev;
    crew c = CREW;
    crew_start(&c, 0);
    post(&c, &mine, DEED_COUNT);
    CHECK_EQ(cts_wait(c.port, &ev, 1, CTS_PATIENCE_NS), 1); /* this thread is active on it */
    for (unsigned i = 0; i < THREADS; i++)
        c.thread[c.threads++] = cts_thread_start(work, &c, 0);
    for (unsigned i = 0; i < THREADS; i++)
        cts_until_sleeps(c.thread[i]);
    cts_in_fork(in_child, NULL);
    post(&c, &sleep, DEED_SLEEP); /* and here all is as it was */
    until(&c.inside, 1, "the handler to block");
    post(&c, &count, DEED_COUNT);
    until(&c.counted, 1, "the others to carry on");
    crew_release(&c, 0);
    crew_stop(&c, THREADS);
}

void a_forked_child_has_ports_of_its_own(void)
{
    check_fork(use_a_port_alone);
}

void a_forked_child_watches_its_own_threads(void)
{
    check_fork(use_a_port_in_the_child);
}
