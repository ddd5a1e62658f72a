/* Cancelling: S25, S27. */
#include "io.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void s25_a_pending_receive_is_cancelled(void)
{
    char byte;
    cts_pair pair;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0);
    CHECK_EQ(cts_cancel(&op), 0);
    CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    CHECK_EQ(cport_op_transferred(&op), 0);
    CHECK_EQ(cts_cancel(&op), CPORT_ENOENT);

    CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0); /* the handle goes on */
    CHECK_EQ(cport_flush(port), 0);
    CHECK_EQ(cts_cancel(&op), 0); /* and once more, after it has surely been started */
    CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0);
    cts_sock_send_all(pair.peer, "x", 1);
    CHECK_EQ(cts_result(port, &op), 1);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s25_cancelling_what_is_not_in_flight(void)
{
    cport_op op = {0};
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_cancel(&op), CPORT_ENOENT); /* never started */
    CHECK_EQ(cts_post(port, &op, 0, 5), 0);
    CHECK_EQ(cts_cancel(&op), CPORT_ENOENT); /* its event is queued already */
    CHECK_EQ(cts_result(port, &op), 5);
    CHECK_EQ(cts_cancel(&op), CPORT_ENOENT);
    cts_port_close(port);
}

void s25_a_second_cancel_changes_nothing(void)
{
    char byte;
    cts_pair pair;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0);
        CHECK_EQ(cts_cancel(&op), 0);
        for (int again = 0; again < 3; again++) {
            int ret = cts_cancel(&op);
            CHECK(ret == 0 || ret == CPORT_ENOENT);
        }
        CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    }
    cts_settle(port);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s25_a_queued_operation_is_cancelled_at_once(void)
{
    char bytes[3] = {0};
    cts_pair pair;
    cport_op ops[3] = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(cts_recv(pair.a, &ops[i], &bytes[i], 1, 0), 0);
    CHECK_EQ(cts_cancel(&ops[1]), 0);
    CHECK_EQ(cts_result(port, &ops[1]), CPORT_ECANCELED);
    CHECK(cts_pending(&ops[0]));
    CHECK(cts_pending(&ops[2]));
    cts_sock_send_all(pair.peer, "ab", 2);
    CHECK_EQ(cts_result(port, &ops[0]), 1);
    CHECK_EQ(cts_result(port, &ops[2]), 1);
    CHECK_EQ(bytes[0], 'a');
    CHECK_EQ(bytes[1], 0);
    CHECK_EQ(bytes[2], 'b');
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s25_the_first_of_several_is_cancelled_alone(void)
{
    char bytes[3] = {0};
    cts_pair pair;
    cport_op ops[3] = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(cts_recv(pair.a, &ops[i], &bytes[i], 1, 0), 0);
    CHECK_EQ(cport_flush(port), 0);
    CHECK_EQ(cts_cancel(&ops[0]), 0);
    CHECK_EQ(cts_result(port, &ops[0]), CPORT_ECANCELED);
    cts_sock_send_all(pair.peer, "ab", 2);
    CHECK_EQ(cts_result(port, &ops[1]), 1);
    CHECK_EQ(cts_result(port, &ops[2]), 1);
    CHECK_EQ(bytes[1], 'a');
    CHECK_EQ(bytes[2], 'b');
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s25_cancel_all_ends_everything_but_the_handle(void)
{
    enum { COUNT = 8, BYTES = 16 << 20 };
    char *big = io_memory(BYTES);
    char bytes[COUNT];
    cts_pair pair;
    cport_op recv[COUNT] = {0}, send[2] = {0}, poll = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_cancel_all(pair.a), 0); /* nothing there */
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_recv(pair.a, &recv[i], &bytes[i], 1, 0), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(cts_send(pair.a, &send[i], big, BYTES, 0), 0);
    CHECK_EQ(cts_poll(pair.a, &poll, CPORT_POLL_IN), 0);
    CHECK_EQ(cport_flush(port), 0);
    CHECK_EQ(cts_cancel_all(pair.a), 0);
    cts_drain(port);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &recv[i]), CPORT_ECANCELED);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(cts_result(port, &send[i]), CPORT_ECANCELED);
    CHECK_EQ(cts_result(port, &poll), CPORT_ECANCELED);

    CHECK_EQ(cts_recv(pair.a, &recv[0], &bytes[0], 1, 0), 0);
    cts_sock_send_all(pair.peer, "x", 1);
    CHECK_EQ(cts_result(port, &recv[0]), 1);
    CHECK_EQ(cts_close(pair.a, &recv[1], CPORT_ABORT), 0);
    pair.a = NULL;
    CHECK_EQ(cts_result(port, &recv[1]), 0);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(big);
}

void s25_an_accept_is_cancelled(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_op ops[3] = {0};
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(cts_accept(listener, &ops[i], 0), 0);
    CHECK_EQ(cport_flush(port), 0);
    CHECK_EQ(cts_cancel(&ops[1]), 0);
    CHECK_EQ(cts_result(port, &ops[1]), CPORT_ECANCELED);
    CHECK_EQ(cts_cancel(&ops[0]), 0);
    CHECK_EQ(cts_result(port, &ops[0]), CPORT_ECANCELED);
    cport_os_handle client = cts_sock_tcp();
    CHECK(cts_sock_connect(client, (struct sockaddr *)&address, len));
    int64_t accepted = cts_result(port, &ops[2]);
    CHECK(accepted >= 0);
    CHECK_EQ(cport_socket_close((cport_os_handle)accepted), 0);
    cts_sock_close(client);
    cts_close_wait(listener, 0);
    cts_port_close(port);
}

void s25_a_multishot_accept_is_cancelled(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    for (int round = 0; round < 3; round++) {
        CHECK_EQ(cts_accept(listener, &op, CPORT_MULTISHOT), 0);
        cport_os_handle client = cts_sock_tcp();
        CHECK(cts_sock_connect(client, (struct sockaddr *)&address, len));
        cport_event ev = cts_next(port, &op);
        CHECK(ev.result >= 0);
        CHECK_EQ(ev.flags, CPORT_MORE);
        CHECK_EQ(cport_socket_close((cport_os_handle)ev.result), 0);
        cts_sock_close(client);
        CHECK_EQ(cts_cancel(&op), 0);
        CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    }
    cts_close_wait(listener, 0);
    cts_port_close(port);
}

void s25_a_multishot_receive_is_cancelled(void)
{
    cts_pair pair;
    cport_bufs *pool;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 64, 8, &pool), 0);
    for (int round = 0; round < 3; round++) {
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), 0);
        cts_sock_send_all(pair.peer, "abc", 3);
        cport_event ev = cts_next(port, &op);
        CHECK_EQ(ev.result, 3);
        CHECK_EQ(ev.flags, CPORT_MORE | CPORT_BUFFER);
        CHECK(memcmp(cport_bufs_data(pool, ev.aux), "abc", 3) == 0);
        CHECK_EQ(cts_bufs_return(pool, ev.aux), 0);
        CHECK_EQ(cts_cancel(&op), 0);
        CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    }
    cts_pair_close(&pair);
    cts_bufs_close(pool);
    cts_port_close(port);
}

/* A listener whose queue is full answers nobody: the connect hangs until it is cancelled. */
void s25_a_connect_is_cancelled(void)
{
    enum { FILL = 16 };
    struct sockaddr_storage address;
    cport_socklen len;
    cport_op ops[FILL] = {0};
    cport_handle *handles[FILL];
    int cancelled = 0;
    cport_port *port = cts_port_open();
    cport_os_handle listener = cts_sock_listen(1, &address, &len);
    for (int i = 0; i < FILL; i++) {
        handles[i] = cts_attach(port, cts_sock_tcp(), (uintptr_t)i);
        CHECK_EQ(cts_connect(handles[i], &ops[i], (struct sockaddr *)&address, len, 0), 0);
    }
    CHECK_EQ(cport_flush(port), 0);
    for (int i = 0; i < FILL; i++) {
        int ret = cts_cancel(&ops[i]);
        CHECK(ret == 0 || ret == CPORT_ENOENT);
    }
    for (int i = 0; i < FILL; i++) {
        int64_t result = cts_result(port, &ops[i]);
        CHECK(result == CPORT_ECANCELED || result == 0 || result == CPORT_ECONNREFUSED);
        cancelled += result == CPORT_ECANCELED;
        cts_close_wait(handles[i], CPORT_ABORT);
    }
    CHECK(cancelled > 0);
    cts_sock_close(listener);
    cts_port_close(port);
}

void s25_a_poll_is_cancelled(void)
{
    enum { COUNT = 10 };
    cts_pair pair;
    cport_op ops[COUNT] = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_poll(pair.a, &ops[i], CPORT_POLL_IN), 0);
    CHECK_EQ(cport_flush(port), 0);
    for (int i = 0; i < COUNT; i += 2)
        CHECK_EQ(cts_cancel(&ops[i]), 0);
    for (int i = 0; i < COUNT; i += 2)
        CHECK_EQ(cts_result(port, &ops[i]), CPORT_ECANCELED);
    for (int i = 1; i < COUNT; i += 2)
        CHECK(cts_pending(&ops[i]));
    cts_sock_send_all(pair.peer, "x", 1);
    for (int i = 1; i < COUNT; i += 2)
        CHECK_EQ(cts_result(port, &ops[i]), CPORT_POLL_IN);
    char byte;
    CHECK_EQ(cts_recv(pair.a, &ops[0], &byte, 1, 0), 0);
    CHECK_EQ(cts_result(port, &ops[0]), 1);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* ---- S25: races ---- */

enum { RACE_ROUNDS = 500 };

typedef struct racer {
    cport_os_handle peer;
    atomic_int round; /* main: the round that may begin; the racer sends a byte in each */
} racer;

static void race_main(void *arg)
{
    racer *r = arg;
    for (int round = 1; round <= RACE_ROUNDS; round++) {
        while (atomic_load(&r->round) < round)
            cts_spin();
        cts_sock_send_all(r->peer, "x", 1);
    }
}

/* Whichever wins, there is one final event, and the byte is received once. */
void s25_cancel_against_completion(void)
{
    char byte;
    cts_pair pair;
    cport_op op = {0};
    racer r = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    r.peer = pair.peer;
    cts_thread *t = cts_thread_start(race_main, &r, 0);
    for (int round = 1; round <= RACE_ROUNDS; round++) {
        byte = 0;
        CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0);
        CHECK_EQ(cport_flush(port), 0);
        atomic_store(&r.round, round);
        for (int i = 0; i < round % 40; i++)
            cts_spin();
        int ret = cts_cancel(&op);
        CHECK(ret == 0 || ret == CPORT_ENOENT);
        int64_t result = cts_result(port, &op);
        CHECK(result == 1 || result == CPORT_ECANCELED);
        if (result == CPORT_ECANCELED) {
            CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0);
            CHECK_EQ(cts_result(port, &op), 1);
        }
        CHECK_EQ(byte, 'x');
    }
    cts_thread_join(t);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* The same with a multishot receive: no buffer is lost, whoever wins. */
void s25_cancel_against_multishot_receives(void)
{
    cts_pair pair;
    cport_bufs *pool;
    cport_op op = {0};
    racer r = {0};
    int bytes = 0;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 16, RACE_ROUNDS, &pool), 0); /* never dry, however far it gets */
    r.peer = pair.peer;
    cts_thread *t = cts_thread_start(race_main, &r, 0);
    for (int round = 1; round <= RACE_ROUNDS; round++) {
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), 0);
        CHECK_EQ(cport_flush(port), 0);
        atomic_store(&r.round, round);
        for (int i = 0; i < round % 40; i++)
            cts_spin();
        CHECK_EQ(cts_cancel(&op), 0);
        for (cport_event ev = {.flags = CPORT_MORE}; (ev.flags & CPORT_MORE) != 0;) {
            ev = cts_next(port, &op);
            if (ev.result > 0) {
                bytes += (int)ev.result;
                CHECK_EQ(cts_bufs_return(pool, ev.aux), 0);
            } else {
                CHECK_EQ(ev.result, CPORT_ECANCELED);
            }
        }
    }
    cts_thread_join(t);
    while (bytes < RACE_ROUNDS) {
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, 0), 0);
        cport_event ev = cts_next(port, &op);
        CHECK(ev.result > 0);
        bytes += (int)ev.result;
        CHECK_EQ(cts_bufs_return(pool, ev.aux), 0);
    }
    CHECK_EQ(bytes, RACE_ROUNDS);
    cts_pair_close(&pair);
    cts_bufs_close(pool);
    cts_port_close(port);
}

typedef struct canceller {
    cport_op *op;
    atomic_int round; /* main: the round that may begin */
    atomic_int done;  /* canceller: the last round that is over */
} canceller;

static void cancel_main(void *arg)
{
    canceller *c = arg;
    for (int round = 1; round <= RACE_ROUNDS; round++) {
        while (atomic_load(&c->round) < round)
            cts_spin();
        int ret = cts_cancel(c->op);
        CHECK(ret == 0 || ret == CPORT_ENOENT);
        atomic_store(&c->done, round);
    }
}

void s25_cancel_from_another_thread(void)
{
    char byte;
    cts_pair pair;
    cport_op op = {0};
    canceller c = {.op = &op};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    cts_thread *t = cts_thread_start(cancel_main, &c, 0);
    for (int round = 1; round <= RACE_ROUNDS; round++) {
        CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0);
        atomic_store(&c.round, round);
        if (round % 2 == 0)
            cts_sock_send_all(pair.peer, "x", 1);
        int64_t result = cts_result(port, &op);
        CHECK(result == CPORT_ECANCELED || (round % 2 == 0 && result == 1));
        while (atomic_load(&c.done) < round)
            cts_spin();
        if (round % 2 == 0 && result == CPORT_ECANCELED) {
            CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0);
            CHECK_EQ(cts_result(port, &op), 1);
        }
    }
    cts_thread_join(t);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* ---- S27 ---- */

void s27_a_cancelled_send_tells_what_went_out(void)
{
    enum { BYTES = 64 << 20 };
    char *big = io_memory(BYTES);
    cts_pair pair;
    cport_op op = {0}, close = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_send(pair.a, &op, big, BYTES, 0), 0);
    CHECK_EQ(cport_flush(port), 0);
    cts_settle(port);
    CHECK_EQ(cts_cancel(&op), 0);
    CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    size_t out = cport_op_transferred(&op);
    CHECK(out > 0 && out < BYTES);
    CHECK_EQ(cts_close(pair.a, &close, 0), 0);
    pair.a = NULL;
    cts_reader *reader = cts_read_start(pair.peer, NULL, SIZE_MAX);
    CHECK_EQ(cts_result(port, &close), 0);
    CHECK_EQ(cts_read_join(reader), out);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(big);
}
