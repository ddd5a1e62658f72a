/* Closing: S29. */
#include "io.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void s29_close_ends_what_is_pending(void)
{
    char data[4][16];
    cts_pair pair;
    cport_op recv[4] = {0}, close = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(cts_recv(pair.a, &recv[i], data[i], sizeof data[i], 0), 0);
    CHECK_EQ(cts_close(pair.a, &close, 0), 0);
    cport_event last = cts_next(port, &close);
    CHECK_EQ(last.result, 0);
    CHECK_EQ(last.key, CTS_KEY_A);
    for (int i = 0; i < 4; i++) {
        CHECK(!cts_pending(&recv[i]));
        CHECK_EQ(cts_result(port, &recv[i]), CPORT_ECANCELED);
    }
    pair.a = NULL;
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* Much arrives for many at once, so that an engine may have seen more than it has delivered: each that gets its bytes closes
 * its neighbour. */
void s29_a_close_overtakes_what_has_arrived(void)
{
    enum { COUNT = 12, BYTES = 16 << 10 };
    static char data[COUNT][BYTES], sent[BYTES];
    cts_pair pair[COUNT];
    cport_op recv[COUNT] = {0}, close[COUNT] = {0};
    cport_port *port = cts_port_open();
    for (int i = 0; i < COUNT; i++) {
        cts_pair_open(port, &pair[i]);
        CHECK_EQ(cts_recv(pair[i].a, &recv[i], data[i], BYTES, CPORT_RECV_ALL), 0);
    }
    CHECK_EQ(cport_flush(port), 0);
    for (int i = 0; i < COUNT; i++)
        cts_sock_send_all(pair[i].peer, sent, BYTES);
    for (int i = 0; i < COUNT; i += 2) {
        CHECK_EQ(cts_result(port, &recv[i]), BYTES);
        CHECK_EQ(cts_close(pair[i + 1].a, &close[i + 1], 0), 0);
        int64_t result = cts_result(port, &recv[i + 1]);
        CHECK(result == BYTES || result == CPORT_ECANCELED);
        CHECK_EQ(cts_result(port, &close[i + 1]), 0);
        pair[i + 1].a = NULL;
    }
    for (int i = 0; i < COUNT; i++)
        cts_pair_close(&pair[i]);
    cts_port_close(port);
}

/* Everything that a connection can have pending, in every amount; then the same with a reset. */
static void close_with_everything_pending(uint32_t flags)
{
    enum { EACH = 20, BYTES = 8 << 20 };
    char *big = io_memory(BYTES);
    char small[EACH][8];
    cts_pair pair;
    cport_bufs *pool;
    cport_op recv[EACH] = {0}, send[EACH] = {0}, poll[EACH] = {0};
    cport_op pooled = {0}, shut = {0}, close = {0}, refused = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 64, 4, &pool), 0);
    CHECK_EQ(cts_recv_pooled(pair.a, &pooled, pool, CPORT_MULTISHOT), 0);
    for (int i = 0; i < EACH; i++) {
        CHECK_EQ(cts_recv(pair.a, &recv[i], small[i], sizeof small[i], 0), 0);
        CHECK_EQ(cts_send(pair.a, &send[i], big, BYTES, 0), 0);
        CHECK_EQ(cts_poll(pair.a, &poll[i], CPORT_POLL_IN), 0);
    }
    CHECK_EQ(cts_shutdown(pair.a, &shut, CPORT_SHUT_SEND), 0);
    CHECK_EQ(cport_flush(port), 0);
    CHECK_EQ(cts_close(pair.a, &close, flags), 0);
    CHECK_EQ(cts_recv(pair.a, &refused, small[0], 8, 0), CPORT_ECANCELED);
    CHECK_EQ(cts_result(port, &close), 0);
    for (int i = 0; i < EACH; i++) {
        CHECK_EQ(cts_result(port, &recv[i]), CPORT_ECANCELED);
        CHECK_EQ(cts_result(port, &send[i]), CPORT_ECANCELED);
        CHECK_EQ(cts_result(port, &poll[i]), CPORT_ECANCELED);
    }
    CHECK_EQ(cts_result(port, &pooled), CPORT_ECANCELED);
    CHECK_EQ(cts_result(port, &shut), CPORT_ECANCELED);
    pair.a = NULL;
    cts_pair_close(&pair);
    cts_bufs_close(pool);
    cts_port_close(port);
    free(big);
}

void s29_close_with_everything_pending(void)
{
    close_with_everything_pending(0);
}

void s29_abort_with_everything_pending(void)
{
    close_with_everything_pending(CPORT_ABORT);
}

void s29_a_listener_closes_with_accepts_pending(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_op one = {0}, multi = {0}, close = {0};
    cport_port *port = cts_port_open();
    for (int round = 0; round < 4; round++) {
        cport_handle *listener = cts_listen(port, &address, &len);
        CHECK_EQ(cts_accept(listener, &one, 0), 0);
        CHECK_EQ(cts_accept(listener, &multi, CPORT_MULTISHOT), 0);
        if (round % 2)
            CHECK_EQ(cport_flush(port), 0);
        CHECK_EQ(cts_close(listener, &close, 0), 0);
        CHECK_EQ(cts_result(port, &close), 0);
        CHECK_EQ(cts_result(port, &one), CPORT_ECANCELED);
        CHECK_EQ(cts_result(port, &multi), CPORT_ECANCELED);
    }
    cts_port_close(port);
}

/* Until the close event is out, the handle is there, and is being closed. */
void s29_a_second_close_is_refused(void)
{
    char byte;
    cts_pair pair;
    cport_op recv = {0}, close = {0}, again = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &recv, &byte, 1, 0), 0);
    CHECK_EQ(cts_close(pair.a, &close, 0), 0);
    CHECK_EQ(cts_close(pair.a, &again, 0), CPORT_EALREADY);
    CHECK_EQ(cts_close(pair.a, &again, CPORT_ABORT), CPORT_EALREADY);
    CHECK_EQ(cts_close(pair.a, &close, 0), CPORT_EBUSY);
    CHECK_EQ(cts_result(port, &close), 0);
    CHECK_EQ(cts_result(port, &recv), CPORT_ECANCELED);
    pair.a = NULL;
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s29_a_second_close_of_an_idle_handle_is_refused(void)
{
    cts_pair pair;
    cport_op close = {0}, again = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_close(pair.a, &close, 0), 0);
    CHECK_EQ(cts_close(pair.a, &again, 0), CPORT_EALREADY);
    CHECK_EQ(cts_result(port, &close), 0);
    pair.a = NULL;
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s29_a_closing_handle_takes_nothing_new(void)
{
    char data[4];
    cport_buf buf = {.base = data, .len = sizeof data};
    struct sockaddr_storage address;
    cport_socklen len;
    cts_pair pair;
    cport_bufs *pool;
    cport_op op = {0}, close = {0};
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 16, 2, &pool), 0);
    CHECK_EQ(cts_close(pair.a, &close, 0), 0);
    CHECK_EQ(cts_recv(pair.a, &op, data, 4, 0), CPORT_ECANCELED);
    CHECK_EQ(cts_recvv(pair.a, &op, &buf, 1, 0), CPORT_ECANCELED);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, 0), CPORT_ECANCELED);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), CPORT_ECANCELED);
    CHECK_EQ(cts_send(pair.a, &op, data, 4, CPORT_INLINE_OK), CPORT_ECANCELED);
    CHECK_EQ(cts_sendv(pair.a, &op, &buf, 1, 0), CPORT_ECANCELED);
    CHECK_EQ(cts_shutdown(pair.a, &op, CPORT_SHUT_SEND), CPORT_ECANCELED);
    CHECK_EQ(cts_poll(pair.a, &op, CPORT_POLL_IN), CPORT_ECANCELED);
    CHECK_EQ(cts_connect(pair.a, &op, (struct sockaddr *)&address, len, 0), CPORT_ECANCELED);
    CHECK_EQ(cport_cancel_all(pair.a), 0); /* not its close */
    CHECK_EQ(cts_result(port, &close), 0);
    pair.a = NULL;
    CHECK_EQ(cts_close(listener, &close, 0), 0);
    CHECK_EQ(cts_accept(listener, &op, 0), CPORT_ECANCELED);
    CHECK_EQ(cts_result(port, &close), 0);
    cts_pair_close(&pair);
    cts_bufs_close(pool);
    cts_port_close(port);
}

void s29_a_close_is_not_cancelled(void)
{
    char byte;
    cts_pair pair;
    cport_op recv = {0}, close = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &recv, &byte, 1, 0), 0);
    CHECK_EQ(cport_flush(port), 0);
    CHECK_EQ(cts_close(pair.a, &close, 0), 0);
    CHECK_EQ(cts_cancel(&close), CPORT_ENOENT);
    CHECK_EQ(cts_result(port, &close), 0);
    CHECK_EQ(cts_result(port, &recv), CPORT_ECANCELED);
    pair.a = NULL;
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* ---- Closing against everything else ---- */

typedef struct closer {
    cport_handle *handle;
    cport_op *op;
    atomic_bool go;
} closer;

static void close_main(void *arg)
{
    closer *c = arg;
    while (!atomic_load(&c->go))
        cts_spin();
    CHECK_EQ(cts_close(c->handle, c->op, 0), 0);
}

void s29_close_from_another_thread_against_completions(void)
{
    enum { ROUNDS = 200, RECEIVES = 4 };
    cport_port *port = cts_port_open();
    for (int round = 0; round < ROUNDS; round++) {
        char bytes[RECEIVES];
        cts_pair pair;
        cport_op recv[RECEIVES] = {0}, close = {0};
        cts_pair_open(port, &pair);
        closer c = {.handle = pair.a, .op = &close};
        for (int i = 0; i < RECEIVES; i++)
            CHECK_EQ(cts_recv(pair.a, &recv[i], &bytes[i], 1, 0), 0);
        cts_thread *t = cts_thread_start(close_main, &c, 0);
        atomic_store(&c.go, true);
        cts_sock_send_all(pair.peer, "abcd", (size_t)(round % (RECEIVES + 1)));
        bool ended = false;
        for (int i = 0; i < RECEIVES; i++) {
            int64_t result = cts_result(port, &recv[i]);
            CHECK(result == CPORT_ECANCELED || (result == 1 && !ended));
            ended = result != 1;
            CHECK(ended || bytes[i] == "abcd"[i]);
        }
        cts_thread_join(t);
        CHECK_EQ(cts_result(port, &close), 0);
        pair.a = NULL;
        cts_pair_close(&pair);
    }
    cts_port_close(port);
}

void s29_a_close_gives_unreturned_work_back_in_order(void)
{
    enum { COUNT = 100 };
    char bytes[COUNT];
    cts_pair pair;
    cport_op recv[COUNT] = {0}, close = {0};
    cport_event ev[COUNT + 1];
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_recv(pair.a, &recv[i], &bytes[i], 1, 0), 0);
    CHECK_EQ(cport_flush(port), 0);
    CHECK_EQ(cts_close(pair.a, &close, 0), 0);
    for (int got = 0; got <= COUNT;) {
        int n = cts_wait(port, ev, COUNT + 1, CTS_PATIENCE_NS);
        CHECK(n > 0);
        for (int i = 0; i < n; i++, got++)
            CHECK(ev[i].op == (got < COUNT ? &recv[got] : &close));
    }
    pair.a = NULL;
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* ---- Closing while other threads dequeue ---- */

typedef struct collector {
    cport_port *port;
    atomic_int *left; /* events that the round still owes */
} collector;

static void collect(void *arg)
{
    collector *c = arg;
    cport_event ev[4];
    for (;;) {
        int n = cts_wait(c->port, ev, CTS_COUNT_OF(ev), -1);
        if (n == CPORT_EABANDONED)
            return;
        CHECK(n > 0);
        for (int i = 0; i < n; i++) {
            CHECK(ev[i].result >= 0 || ev[i].result == CPORT_ECANCELED);
            atomic_fetch_sub(c->left, 1);
        }
    }
}

static bool none_left(void *arg)
{
    return atomic_load((atomic_int *)arg) == 0;
}

/* The checker sees to the rest: one final event each, the close after all, receives in order. */
void s29_close_while_other_threads_dequeue(void)
{
    enum { ROUNDS = 300, THREADS = 3, RECEIVES = 4, POLLS = 2 };
    static cport_op recv[RECEIVES], poll[POLLS], send, close;
    cts_thread *threads[THREADS];
    char bytes[RECEIVES];
    atomic_int left = 0;
    collector c = {cts_port_open(), &left};
    for (int i = 0; i < THREADS; i++)
        threads[i] = cts_thread_start(collect, &c, 0);
    for (int round = 0; round < ROUNDS; round++) {
        cts_pair pair;
        cts_pair_open(c.port, &pair);
        atomic_store(&left, RECEIVES + POLLS + 2);
        for (int i = 0; i < RECEIVES; i++)
            CHECK_EQ(cts_recv(pair.a, &recv[i], &bytes[i], 1, 0), 0);
        for (int i = 0; i < POLLS; i++)
            CHECK_EQ(cts_poll(pair.a, &poll[i], CPORT_POLL_IN), 0);
        cts_sock_send_all(pair.peer, "abc", (size_t)(round % 4));
        CHECK_EQ(cts_send(pair.a, &send, "x", 1, 0), 0);
        if (round % 3 == 0)
            cts_cancel(&recv[1]);
        CHECK_EQ(cts_close(pair.a, &close, round % 2 ? CPORT_ABORT : 0), 0);
        cts_until(none_left, &left, "all events of the round");
        cts_sock_close(pair.peer);
    }
    cts_port_close(c.port);
    for (int i = 0; i < THREADS; i++)
        cts_thread_join(threads[i]);
}
