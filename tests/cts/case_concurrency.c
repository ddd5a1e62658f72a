/* Threads of a shared port: S01 to S06, S13, S28. */
#include "cts.h"

#include <stdatomic.h>

/* ---- A hand: a thread that waits when told to and holds what it got until told to go on ---- */

typedef enum order { ORDER_NONE, ORDER_WAIT, ORDER_LEAVE } order;

typedef struct hand {
    cport_port *port;
    cts_thread *thread;
    int64_t timeout_ns;
    atomic_int order;   /* main: what to do next; the hand sets it back when it begins */
    atomic_int done;    /* hand: waits that have returned */
    atomic_int result;  /* hand: the last wait's return */
    atomic_llong value; /* hand: the last event's result */
} hand;

/* Spins between its orders: a thread that blocked would lose its slot where the kernel counts. */
static void hand_main(void *arg)
{
    hand *h = arg;
    for (;;) {
        int next = atomic_exchange(&h->order, ORDER_NONE);
        if (next == ORDER_LEAVE)
            return;
        if (next == ORDER_WAIT) {
            cport_event ev = {0};
            int n = cts_wait(h->port, &ev, 1, h->timeout_ns);
            atomic_store(&h->value, ev.result);
            atomic_store(&h->result, n);
            atomic_fetch_add(&h->done, 1);
        }
        cts_spin();
    }
}

static void hand_start(hand *h, cport_port *port)
{
    *h = (hand){.port = port};
    h->thread = cts_thread_start(hand_main, h, 0);
}

static void hand_wait(hand *h, cport_port *port, int64_t timeout_ns)
{
    h->port = port;
    h->timeout_ns = timeout_ns;
    atomic_store(&h->order, ORDER_WAIT);
}

static void hand_wait_and_sleep(hand *h, cport_port *port)
{
    hand_wait(h, port, -1);
    cts_until_sleeps(h->thread);
}

typedef struct hand_count {
    hand *h;
    int done;
} hand_count;

static bool hand_reached(void *arg)
{
    const hand_count *c = arg;
    return atomic_load(&c->h->done) >= c->done;
}

/* Until the hand's wait number `done` has returned. */
static void hand_until(hand *h, int done)
{
    hand_count c = {h, done};
    cts_until(hand_reached, &c, "a thread's wait to return");
}

static void hand_leave(hand *h)
{
    atomic_store(&h->order, ORDER_LEAVE);
    cts_thread_join(h->thread);
}

static cport_port *open_with_concurrency(uint32_t concurrency)
{
    cport_port_options opt;
    cts_options(&opt);
    opt.concurrency = concurrency;
    return cts_port_open_with(&opt);
}

/* ---- S01 ---- */

void s01_concurrency_zero_is_the_processors_allowed(void)
{
    cport_port_info info = {.size = sizeof info};
    cport_port *port = open_with_concurrency(0);
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    CHECK_EQ(info.concurrency, cts_processors_allowed());
    cts_port_close(port);
    port = open_with_concurrency(3);
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    CHECK_EQ(info.concurrency, 3);
    cts_port_close(port);
}

/* ---- S02, S03: the gate ---- */

/* As many hands as the port lets run hold an event each; one more thread then waits in vain although an event is queued, and
 * gets it once a hand waits again. */
void s03_events_wait_while_enough_threads_are_active(void)
{
    enum { MOST = 4 };
    hand hands[MOST], late;
    cport_op ops[MOST + 1] = {0};
    int concurrency = cts_is(CTS_ONE) ? 1 : MOST;
    cport_port *port = cts_port_open();
    for (int i = 0; i < concurrency; i++) {
        hand_start(&hands[i], port);
        hand_wait_and_sleep(&hands[i], port);
        CHECK_EQ(cts_post(port, &ops[i], 0, i), 0);
        hand_until(&hands[i], 1);
        CHECK_EQ(atomic_load(&hands[i].result), 1);
    }
    hand_start(&late, port);
    CHECK_EQ(cts_post(port, &ops[MOST], 0, MOST), 0);
    hand_wait(&late, port, 50 * CTS_MS);
    hand_until(&late, 1);
    CHECK_EQ(atomic_load(&late.result), 0);

    hand_leave(&late); /* a thread that has waited counts as active, too */
    hand_wait(&hands[0], port, -1);
    hand_until(&hands[0], 2);
    CHECK_EQ(atomic_load(&hands[0].result), 1);
    CHECK_EQ(atomic_load(&hands[0].value), MOST);
    for (int i = 0; i < concurrency; i++)
        hand_leave(&hands[i]);
    cts_port_close(port);
}

/* One thread sleeps in the engine while another is handed an event; what comes then waits for the slot. Where a thread of the engine's
 * own harvests, it belongs to nobody yet, and the second thread's next wait may take it. */
void s03_harvested_events_wait_for_a_slot(void)
{
    char byte;
    hand first, second;
    cts_pair pair;
    cport_op recv = {0}, post = {0};
    cport_port *port = open_with_concurrency(1);
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &recv, &byte, 1, 0), 0);
    hand_start(&first, port);
    hand_start(&second, port);
    hand_wait_and_sleep(&first, port);
    hand_wait_and_sleep(&second, port);
    CHECK_EQ(cts_post(port, &post, 0, 5), 0);
    hand_until(&second, 1);
    CHECK_EQ(atomic_load(&second.value), 5);
    cts_sock_send_all(pair.peer, "x", 1);
    for (int64_t end = cts_now_ns() + 20 * CTS_MS; cts_now_ns() < end;)
        CHECK_EQ(atomic_load(&first.done), 0);
    hand_wait(&second, port, 0);
    hand_until(&second, 2);
    bool taken = atomic_load(&second.result) == 1;
    CHECK(!taken || !cts_is(CTS_EPOLL));
    if (taken) {
        CHECK_EQ(atomic_load(&second.value), 1);
        hand_leave(&second);
        CHECK_EQ(cts_post(port, &post, 0, 1), 0);
    }
    hand_until(&first, 1);
    CHECK_EQ(atomic_load(&first.value), 1);
    hand_leave(&first);
    if (!taken)
        hand_leave(&second);
    cts_pair_close(&pair);
    cts_port_close(port);
}

typedef struct gate {
    cport_port *port;
    atomic_int running, most, handled;
} gate;

static void handle_gated(void *arg)
{
    gate *g = arg;
    cport_event ev;
    for (;;) {
        int n = cts_wait(g->port, &ev, 1, -1);
        CHECK_EQ(n, 1);
        int running = atomic_fetch_add(&g->running, 1) + 1;
        int most = atomic_load(&g->most);
        while (running > most && !atomic_compare_exchange_weak(&g->most, &most, running))
            continue;
        for (int i = 0; i < 20; i++)
            cts_spin();
        atomic_fetch_sub(&g->running, 1);
        if (ev.result < 0)
            return;
        atomic_fetch_add(&g->handled, 1);
    }
}

static bool all_handled(void *arg)
{
    return atomic_load(&((gate *)arg)->handled) == 2000;
}

void s03_never_more_handlers_than_the_concurrency_value(void)
{
    enum { THREADS = 8, COUNT = 2000 };
    static cport_op ops[COUNT], stop[THREADS];
    cts_thread *threads[THREADS];
    gate g = {0};
    cport_port_options opt;
    cts_options(&opt);
    /* They wait for the checker's lock now and then: who was seen at that would run beside the one who took the slot. */
    opt.flags |= CPORT_PORT_UNWATCHED;
    g.port = cts_port_open_with(&opt);
    for (int i = 0; i < THREADS; i++)
        threads[i] = cts_thread_start(handle_gated, &g, 0);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_post(g.port, &ops[i], 0, 0), 0);
    cts_until(all_handled, &g, "all events to be handled");
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(cts_post(g.port, &stop[i], 0, -1), 0);
    for (int i = 0; i < THREADS; i++)
        cts_thread_join(threads[i]);
    CHECK(atomic_load(&g.most) <= (cts_is(CTS_ONE) ? 1 : 4));
    cts_port_close(g.port);
}

void s02_a_thread_is_active_until_its_next_wait(void)
{
    hand one, other;
    cport_op ops[2] = {0};
    cport_port *port = open_with_concurrency(1);
    hand_start(&one, port);
    hand_start(&other, port);
    hand_wait(&one, port, -1);
    CHECK_EQ(cts_post(port, &ops[0], 0, 10), 0);
    hand_until(&one, 1);
    hand_wait_and_sleep(&other, port);
    CHECK_EQ(cts_post(port, &ops[1], 0, 11), 0);
    cts_until_sleeps(other.thread); /* still */
    CHECK_EQ(atomic_load(&other.done), 0);
    hand_wait(&one, port, 50 * CTS_MS); /* frees the slot: one of the two gets it */
    hand_until(&one, 2);
    if (atomic_load(&one.result) == 0)
        hand_until(&other, 1);
    else
        CHECK_EQ(atomic_load(&one.value), 11);
    hand_leave(&one);
    if (atomic_load(&other.done) == 0) {
        cport_op last = {0};
        CHECK_EQ(cts_post(port, &last, 0, 12), 0);
        hand_until(&other, 1);
    }
    hand_leave(&other);
    cts_port_close(port);
}

/* ---- S04: a handler that blocks ---- */

typedef struct blocker {
    cport_port *port;
    atomic_int stage; /* 1: holds an event; 2: blocks; 3: was released */
    cts_mutex lock;
    cts_cond cond;
    bool release;
    int nesting;
} blocker;

static void block_in_handler(void *arg)
{
    blocker *b = arg;
    cport_event ev;
    CHECK_EQ(cts_wait(b->port, &ev, 1, -1), 1);
    atomic_store(&b->stage, 1);
    for (int i = 0; i < b->nesting; i++)
        cport_blocking_begin();
    if (b->nesting > 1)
        cport_blocking_end(); /* an inner end gives nothing back */
    atomic_store(&b->stage, 2);
    cts_lock(&b->lock);
    while (!b->release)
        cts_cond_wait(&b->cond, &b->lock, CTS_PATIENCE_NS);
    cts_unlock(&b->lock);
    for (int i = b->nesting > 1 ? 1 : 0; i < b->nesting; i++)
        cport_blocking_end();
    atomic_store(&b->stage, 3);
}

static bool blocks(void *arg)
{
    return atomic_load(&((blocker *)arg)->stage) == 2;
}

static void check_hand_over(int nesting)
{
    blocker b = {.lock = CTS_MUTEX_INIT, .cond = CTS_COND_INIT, .nesting = nesting};
    hand other;
    cport_op ops[2] = {0};
    cport_port_stats stats = {.size = sizeof stats};
    b.port = open_with_concurrency(1);
    cts_thread *t = cts_thread_start(block_in_handler, &b, 0);
    CHECK_EQ(cts_post(b.port, &ops[0], 0, 0), 0);
    cts_until(blocks, &b, "the handler to block");
    hand_start(&other, b.port);
    hand_wait(&other, b.port, -1);
    CHECK_EQ(cts_post(b.port, &ops[1], 0, 1), 0);
    hand_until(&other, 1);
    CHECK_EQ(atomic_load(&other.result), 1);
    CHECK_EQ(atomic_load(&b.stage), 2);
    cts_lock(&b.lock);
    b.release = true;
    cts_cond_signal(&b.cond);
    cts_unlock(&b.lock);
    cts_thread_join(t);
    hand_leave(&other);
    CHECK_EQ(cport_port_get_stats(b.port, &stats), 0);
    if (!cts_is(CTS_IOCP)) /* there the kernel sees for itself */
        CHECK_EQ(stats.handovers, 1);
    cts_port_close(b.port);
}

void s04_blocking_begin_hands_the_slot_over(void)
{
    check_hand_over(1);
}

void s04_blocking_calls_nest(void)
{
    check_hand_over(3);
}

/* The waiting thread is there first, and the queued event goes to it at the moment of blocking_begin. */
void s04_blocking_begin_releases_a_waiting_thread(void)
{
    hand other;
    cport_op ops[2] = {0};
    cport_event ev;
    cport_port *port = open_with_concurrency(1);
    hand_start(&other, port);
    CHECK_EQ(cts_post(port, &ops[0], 0, 0), 0);
    CHECK_EQ(cts_wait(port, &ev, 1, CTS_PATIENCE_NS), 1);
    CHECK_EQ(cts_post(port, &ops[1], 0, 1), 0);
    hand_wait(&other, port, -1);
    cport_blocking_begin();
    hand_until(&other, 1);
    cport_blocking_end();
    CHECK_EQ(atomic_load(&other.value), 1);
    hand_leave(&other);
    cts_port_close(port);
}

void s04_after_blocking_end_the_thread_is_active_again(void)
{
    hand other, third;
    cport_op ops[3] = {0};
    cport_event ev;
    cport_port *port = open_with_concurrency(1);
    hand_start(&other, port);
    hand_start(&third, port);
    CHECK_EQ(cts_post(port, &ops[0], 0, 0), 0);
    CHECK_EQ(cts_wait(port, &ev, 1, CTS_PATIENCE_NS), 1);
    cport_blocking_begin();
    CHECK_EQ(cts_post(port, &ops[1], 0, 1), 0);
    hand_wait(&other, port, -1);
    hand_until(&other, 1);
    cport_blocking_end();
    hand_leave(&other); /* this thread alone is active now, and the value is 1 */
    CHECK_EQ(cts_post(port, &ops[2], 0, 2), 0);
    hand_wait(&third, port, 50 * CTS_MS);
    while (atomic_load(&third.done) == 0)
        cts_spin();
    CHECK_EQ(atomic_load(&third.result), 0);
    CHECK_EQ(cts_wait(port, &ev, 1, CTS_PATIENCE_NS), 1);
    CHECK_EQ(ev.result, 2);
    hand_leave(&third);
    cts_port_close(port);
}

void s04_blocking_without_a_slot_does_nothing(void)
{
    cport_op op = {0};
    cport_blocking_begin();
    cport_blocking_end();
    cport_port *port = cts_port_open();
    cport_blocking_begin();
    CHECK_EQ(cts_post(port, &op, 0, 4), 0);
    cport_blocking_end();
    CHECK_EQ(cts_result(port, &op), 4);
    cts_port_close(port);
    cport_blocking_begin(); /* its port is gone */
    cport_blocking_end();
}

/* ---- S05: one port at a time ---- */

void s05_waiting_on_another_port_frees_the_slot(void)
{
    hand one, other;
    cport_op ops[2] = {0};
    cport_port *first = open_with_concurrency(1), *second = open_with_concurrency(1);
    hand_start(&one, first);
    hand_start(&other, first);
    CHECK_EQ(cts_post(first, &ops[0], 0, 0), 0);
    hand_wait(&one, first, -1);
    hand_until(&one, 1);
    CHECK_EQ(cts_post(first, &ops[1], 0, 1), 0);
    hand_wait(&one, second, 0);
    hand_until(&one, 2); /* active on the second port now */
    hand_wait(&other, first, -1);
    hand_until(&other, 1);
    CHECK_EQ(atomic_load(&other.result), 1);
    hand_leave(&one);
    hand_leave(&other);
    cts_port_close(first);
    cts_port_close(second);
}

void s05_exiting_frees_the_slot(void)
{
    enum { TIMES = 10 };
    cport_op op = {0};
    cport_port *port = open_with_concurrency(1);
    for (int i = 0; i < TIMES; i++) {
        hand h;
        hand_start(&h, port);
        CHECK_EQ(cts_post(port, &op, 0, i), 0);
        hand_wait(&h, port, -1);
        hand_until(&h, 1);
        CHECK_EQ(atomic_load(&h.result), 1);
        hand_leave(&h);
    }
    cts_port_close(port);
}

/* ---- S06: newest first ---- */

void s06_waiters_are_released_newest_first(void)
{
    enum { THREADS = 4 };
    hand hands[THREADS];
    cport_op ops[THREADS] = {0};
    cport_port *port = cts_port_open();
    for (int i = 0; i < THREADS; i++) {
        hand_start(&hands[i], port);
        hand_wait_and_sleep(&hands[i], port);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(cts_post(port, &ops[i], 0, i), 0);
        hand_until(&hands[THREADS - 1 - i], 1);
        CHECK_EQ(atomic_load(&hands[THREADS - 1 - i].value), i);
    }
    for (int i = 0; i < THREADS; i++)
        hand_leave(&hands[i]);
    cts_port_close(port);
}

/* The thread whose cache is warm goes on: each event in turn is for the one that waited last. */
void s06_the_last_to_wait_is_the_next_to_run(void)
{
    enum { THREADS = 3, ROUNDS = 20 };
    hand hands[THREADS];
    cport_op op = {0};
    cport_port *port = cts_port_open();
    for (int i = 0; i < THREADS; i++) {
        hand_start(&hands[i], port);
        hand_wait_and_sleep(&hands[i], port);
    }
    hand *newest = &hands[THREADS - 1];
    for (int i = 1; i <= ROUNDS; i++) {
        CHECK_EQ(cts_post(port, &op, 0, i), 0);
        hand_until(newest, i);
        CHECK_EQ(atomic_load(&newest->value), i);
        hand_wait_and_sleep(newest, port);
    }
    CHECK_EQ(atomic_load(&hands[0].done) + atomic_load(&hands[1].done), 0);
    for (int i = THREADS - 1; i >= 0; i--) {
        CHECK_EQ(cts_post(port, &op, 0, 0), 0);
        hand_until(&hands[i], i == THREADS - 1 ? ROUNDS + 1 : 1);
        hand_leave(&hands[i]);
    }
    cts_port_close(port);
}

/* ---- S13: a port that closes ---- */

static void close_with_waiters(cport_port *port, hand *hands, int count)
{
    for (int i = 0; i < count; i++) {
        hand_start(&hands[i], port);
        hand_wait_and_sleep(&hands[i], port);
    }
    cts_port_close(port);
    for (int i = 0; i < count; i++) {
        hand_until(&hands[i], 1);
        CHECK_EQ(atomic_load(&hands[i].result), CPORT_EABANDONED);
        hand_leave(&hands[i]);
    }
}

void s13_closing_releases_every_waiter(void)
{
    enum { THREADS = 5 };
    hand hands[THREADS];
    cport_port *port = cts_port_open();
    close_with_waiters(port, hands, THREADS);
}

/* The value is 1 and taken, so that the waiters are at the gate and not in the kernel. */
void s13_closing_releases_waiters_at_the_gate(void)
{
    enum { THREADS = 3 };
    hand hands[THREADS];
    cport_op op = {0};
    cport_event ev;
    cport_port *port = open_with_concurrency(1);
    CHECK_EQ(cts_post(port, &op, 0, 0), 0);
    CHECK_EQ(cts_wait(port, &ev, 1, CTS_PATIENCE_NS), 1);
    close_with_waiters(port, hands, THREADS);
}

void s13_a_refused_close_disturbs_nobody(void)
{
    hand h;
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    hand_start(&h, port);
    hand_wait_and_sleep(&h, port);
    CHECK_EQ(cts_port_close_try(port), CPORT_EBUSY);
    CHECK_EQ(cts_post(port, &op, 0, 9), 0);
    hand_until(&h, 1);
    CHECK_EQ(atomic_load(&h.result), 1);
    CHECK_EQ(atomic_load(&h.value), 9);
    hand_leave(&h);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* ---- S28: a submitter that exits ---- */

typedef struct submitter {
    cts_pair *pair;
    cport_op *recv, *send;
    char *byte;
} submitter;

static void submit_and_exit(void *arg)
{
    submitter *s = arg;
    CHECK_EQ(cts_recv(s->pair->a, s->recv, s->byte, 1, 0), 0);
    CHECK_EQ(cts_send(s->pair->a, s->send, "x", 1, 0), 0);
}

void s28_a_submitters_exit_cancels_nothing(void)
{
    char byte = 0, sent;
    cts_pair pair;
    cport_op recv = {0}, send = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    submitter s = {&pair, &recv, &send, &byte};
    cts_thread_join(cts_thread_start(submit_and_exit, &s, 0));
    cts_sock_recv_all(pair.peer, &sent, 1);
    CHECK_EQ(cts_result(port, &send), 1);
    cts_sock_send_all(pair.peer, "y", 1);
    CHECK_EQ(cts_result(port, &recv), 1);
    CHECK_EQ(byte, 'y');
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* ---- Many threads, one port, real traffic ---- */

typedef struct echo_side {
    cport_op recv, send;
    cport_handle *handle;
    char data[32];
    atomic_int rounds;
} echo_side;

typedef struct echo_crew {
    cport_port *port;
    atomic_int finished;
} echo_crew;

enum { ECHO_PAIRS = 8, ECHO_ROUNDS = 500, ECHO_THREADS = 6 };

/* One side of a connection: what it receives it sends back, ECHO_ROUNDS times. */
static void echo_step(echo_crew *crew, const cport_event *ev)
{
    echo_side *side = ev->op->user;
    CHECK(ev->result > 0);
    if (ev->op == &side->recv) {
        CHECK_EQ(ev->result, sizeof side->data);
        CHECK_EQ(cts_send(side->handle, &side->send, side->data, sizeof side->data, 0), 0);
        return;
    }
    if (atomic_fetch_add(&side->rounds, 1) + 1 == ECHO_ROUNDS)
        atomic_fetch_add(&crew->finished, 1);
    else
        CHECK_EQ(
            cts_recv(side->handle, &side->recv, side->data, sizeof side->data, CPORT_RECV_ALL), 0);
}

static void echo_worker(void *arg)
{
    echo_crew *crew = arg;
    cport_event ev[4];
    for (;;) {
        int n = cts_wait(crew->port, ev, CTS_COUNT_OF(ev), -1);
        CHECK(n > 0);
        cport_op *stop = NULL;
        for (int i = 0; i < n; i++) {
            if (ev[i].op->user != NULL)
                echo_step(crew, &ev[i]);
            else if (stop == NULL)
                stop = ev[i].op;
            else
                CHECK_EQ(cts_post(crew->port, ev[i].op, 0, 0), 0); /* another thread's */
        }
        if (stop != NULL)
            return;
    }
}

static bool echo_finished(void *arg)
{
    return atomic_load(&((echo_crew *)arg)->finished) == 2 * ECHO_PAIRS;
}

static void echo_side_init(echo_side *side, cport_handle *handle)
{
    side->handle = handle;
    cport_op_init(&side->recv, side);
    cport_op_init(&side->send, side);
}

void many_threads_serve_many_connections(void)
{
    static echo_side sides[ECHO_PAIRS][2];
    static cport_op stop[ECHO_THREADS];
    cts_pair pairs[ECHO_PAIRS];
    cts_thread *threads[ECHO_THREADS];
    echo_crew crew = {0};
    crew.port = cts_port_open();
    for (int i = 0; i < ECHO_PAIRS; i++) {
        cts_pair_open_both(crew.port, &pairs[i]);
        echo_side_init(&sides[i][0], pairs[i].a);
        echo_side_init(&sides[i][1], pairs[i].b);
        CHECK_EQ(cts_recv(pairs[i].b, &sides[i][1].recv, sides[i][1].data, sizeof sides[i][1].data,
                     CPORT_RECV_ALL),
            0);
    }
    for (int i = 0; i < ECHO_THREADS; i++)
        threads[i] = cts_thread_start(echo_worker, &crew, 0);
    for (int i = 0; i < ECHO_PAIRS; i++) /* the first ball of each rally */
        CHECK_EQ(
            cts_send(pairs[i].a, &sides[i][0].send, sides[i][0].data, sizeof sides[i][0].data, 0),
            0);
    cts_until(echo_finished, &crew, "all echoes");
    for (int i = 0; i < ECHO_THREADS; i++)
        CHECK_EQ(cts_post(crew.port, &stop[i], 0, 0), 0);
    for (int i = 0; i < ECHO_THREADS; i++)
        cts_thread_join(threads[i]);
    for (int i = 0; i < ECHO_PAIRS; i++)
        cts_pair_close(&pairs[i]);
    cts_port_close(crew.port);
}
