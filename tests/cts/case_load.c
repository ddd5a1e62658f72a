/* More than fits: submission and completion queues, long queues, and a stack that does not grow. */
#include "cts.h"

#include <stdlib.h>

static cport_port *open_tiny(void)
{
    cport_port_options opt;
    cts_options(&opt);
    opt.entries = 1;
    return cts_port_open_with(&opt);
}

enum { CROWD_PAIRS = 150, CROWD_POLLS = 30 };

typedef struct crowd {
    cts_pair pairs[CROWD_PAIRS];
    cport_op recv[CROWD_PAIRS];
    cport_op poll[CROWD_PAIRS][CROWD_POLLS];
    char bytes[CROWD_PAIRS];
} crowd;

static crowd *crowd_open(cport_port *port)
{
    crowd *c = calloc(1, sizeof(*c));
    CHECK(c != NULL);
    for (int i = 0; i < CROWD_PAIRS; i++)
        cts_pair_open(port, &c->pairs[i]);
    return c;
}

static void crowd_submit(crowd *c)
{
    for (int i = 0; i < CROWD_PAIRS; i++) {
        for (int j = 0; j < CROWD_POLLS; j++)
            CHECK_EQ(cts_poll(c->pairs[i].a, &c->poll[i][j], CPORT_POLL_IN), 0);
        CHECK_EQ(cts_recv(c->pairs[i].a, &c->recv[i], &c->bytes[i], 1, 0), 0);
    }
}

static void crowd_close(cport_port *port, crowd *c)
{
    for (int i = 0; i < CROWD_PAIRS; i++)
        cts_pair_close(&c->pairs[i]);
    cts_port_close(port);
    free(c);
}

/* Thousands of operations between two waits, through a queue for one. */
void thousands_of_submits_before_one_wait(void)
{
    cport_event ev;
    cport_port *port = open_tiny();
    crowd *c = crowd_open(port);
    crowd_submit(c);
    CHECK_EQ(cts_wait(port, &ev, 1, 0), 0);
    CHECK_EQ(cts_outstanding(port), CROWD_PAIRS * (CROWD_POLLS + 1));
    for (int i = 0; i < CROWD_PAIRS; i++)
        CHECK_EQ(cts_cancel_all(c->pairs[i].a), 0);
    cts_drain(port);
    for (int i = 0; i < CROWD_PAIRS; i++) {
        CHECK_EQ(cts_result(port, &c->recv[i]), CPORT_ECANCELED);
        for (int j = 0; j < CROWD_POLLS; j++)
            CHECK_EQ(cts_result(port, &c->poll[i][j]), CPORT_ECANCELED);
    }
    crowd_close(port, c);
}

/* Everything completes while nobody waits; then it is fetched in small portions. */
void thousands_of_completions_before_one_wait(void)
{
    cport_event ev[3];
    cport_port *port = open_tiny();
    crowd *c = crowd_open(port);
    crowd_submit(c);
    CHECK_EQ(cport_flush(port), 0);
    for (int i = 0; i < CROWD_PAIRS;
         i++) /* one byte for the receive and one that stays for the polls to see */
        cts_sock_send_all(c->pairs[i].peer, "xy", 2);
    for (int got = 0; got < CROWD_PAIRS * (CROWD_POLLS + 1);) {
        int n = cts_wait(port, ev, CTS_COUNT_OF(ev), CTS_PATIENCE_NS);
        CHECK(n > 0);
        for (int i = 0; i < n; i++, got++)
            CHECK(ev[i].result > 0);
    }
    crowd_close(port, c);
}

/* One multishot receive gets a thousand segments while nobody waits. */
void a_thousand_segments_before_one_wait(void)
{
    enum { SEGMENTS = 1000 };
    cts_pair pair;
    cport_bufs *pool;
    cport_op recv = {0}, poll = {0};
    cport_port *port = open_tiny();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 16, SEGMENTS, &pool), 0);
    CHECK_EQ(cts_recv_pooled(pair.a, &recv, pool, CPORT_MULTISHOT), 0);
    CHECK_EQ(cts_poll(pair.a, &poll, CPORT_POLL_IN), 0);
    CHECK_EQ(cport_flush(port), 0);
    for (int i = 0; i < SEGMENTS; i++)
        cts_sock_send_all(pair.peer, "s", 1);
    for (int got = 0; got < SEGMENTS;) {
        cport_event ev = cts_next(port, &recv);
        CHECK(ev.result > 0);
        got += (int)ev.result;
        CHECK_EQ(cts_bufs_return(pool, ev.aux), 0);
    }
    CHECK(cts_pending(&recv));
    CHECK_EQ(cts_cancel(&recv), 0);
    CHECK_EQ(cts_result(port, &recv), CPORT_ECANCELED);
    if (cts_cancel(&poll) == 0) /* it may have looked too late */
        CHECK(cts_result(port, &poll) == CPORT_ECANCELED);
    else
        CHECK_EQ(cts_result(port, &poll), CPORT_POLL_IN);
    cts_pair_close(&pair);
    cts_bufs_close(pool);
    cts_port_close(port);
}

/* One multishot accept gets four hundred connections while nobody waits; then its listener closes behind them. */
void four_hundred_accepts_before_one_wait(void)
{
    enum { CLIENTS = 400 };
    static cport_os_handle clients[CLIENTS];
    struct sockaddr_storage address;
    cport_socklen len;
    cport_op accept = {0}, close = {0};
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    CHECK_EQ(cts_accept(listener, &accept, CPORT_MULTISHOT), 0);
    CHECK_EQ(cport_flush(port), 0);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = cts_sock_tcp();
        CHECK(cts_sock_connect(clients[i], (struct sockaddr *)&address, len));
    }
    for (int i = 0; i < CLIENTS; i++) {
        cport_event ev = cts_next(port, &accept);
        CHECK_EQ(ev.flags, CPORT_MORE);
        CHECK(ev.result >= 0);
        cts_sock_close((cport_os_handle)ev.result);
        cts_sock_close(clients[i]);
    }
    CHECK_EQ(cts_close(listener, &close, 0), 0);
    CHECK_EQ(cts_result(port, &accept), CPORT_ECANCELED);
    CHECK_EQ(cts_result(port, &close), 0);
    cts_port_close(port);
}

/* ---- A hundred thousand, on a small stack ---- */

enum { MANY = 100000 };

#ifdef CTS_SLOW
#define SMALL_STACK ((size_t)1 << 20) /* sanitizers and Wine need some for themselves */
#else
#define SMALL_STACK ((size_t)128 << 10)
#endif

static void run_on_small_stack(cts_thread_main *run)
{
    cts_thread_join(cts_thread_start(run, NULL, SMALL_STACK));
}

static void complete_inline(void *arg)
{
    (void)arg;
    const int many = cts_load(MANY);
    cts_pair pair;
    cport_op send = {0}, recv = {0};
    char byte;
    cport_port *port = cts_port_open();
    cts_pair_open_both(port, &pair);
    for (int i = 0; i < many; i++) {
        if (cts_send(pair.a, &send, "x", 1, CPORT_INLINE_OK) == 0)
            CHECK_EQ(cts_result(port, &send), 1);
        if (cts_recv(pair.b, &recv, &byte, 1, CPORT_INLINE_OK) == 0)
            CHECK_EQ(cts_result(port, &recv), 1);
    }
    cts_pair_close(&pair);
    cts_port_close(port);
}

void a_hundred_thousand_inline_completions(void)
{
    run_on_small_stack(complete_inline);
}

/* Each receive ends the moment the one before it does. */
static void complete_in_a_row(void *arg)
{
    (void)arg;
    const int many = cts_load(MANY);
    cts_pair pair;
    cport_port *port = cts_port_open();
    cport_op *ops = calloc((size_t)many, sizeof(*ops));
    char *bytes = malloc((size_t)many), *sent = malloc((size_t)many);
    CHECK(ops != NULL && bytes != NULL && sent != NULL);
    cts_pair_open(port, &pair);
    for (int i = 0; i < many; i++) {
        sent[i] = (char)(i * 7);
        CHECK_EQ(cts_recv(pair.a, &ops[i], &bytes[i], 1, 0), 0);
    }
    cts_sock_send_all(pair.peer, sent, (size_t)many);
    cts_drain(port);
    for (int i = 0; i < many; i++) {
        CHECK_EQ(cts_result(port, &ops[i]), 1);
        CHECK_EQ(bytes[i], sent[i]);
    }
    cts_pair_close(&pair);
    cts_port_close(port);
    free(sent);
    free(bytes);
    free(ops);
}

void a_hundred_thousand_receives_in_a_row(void)
{
    run_on_small_stack(complete_in_a_row);
}

static void cancel_in_a_row(void *arg)
{
    (void)arg;
    const int many = cts_load(MANY);
    cts_pair pair;
    cport_op close = {0};
    char byte;
    cport_port *port = cts_port_open();
    cport_op *ops = calloc((size_t)many, sizeof(*ops));
    CHECK(ops != NULL);
    cts_pair_open(port, &pair);
    for (int i = 0; i < many; i++)
        CHECK_EQ(cts_recv(pair.a, &ops[i], &byte, 1, 0), 0);
    CHECK_EQ(cts_close(pair.a, &close, 0), 0);
    CHECK_EQ(cts_result(port, &close), 0);
    for (int i = 0; i < many; i++)
        CHECK_EQ(cts_result(port, &ops[i]), CPORT_ECANCELED);
    pair.a = NULL;
    cts_pair_close(&pair);
    cts_port_close(port);
    free(ops);
}

void s29_a_hundred_thousand_pending_at_close(void)
{
    run_on_small_stack(cancel_in_a_row);
}
