/* Receives on streams: S31, S34, S35. */
#include "io.h"

#include <stdlib.h>
#include <string.h>

/* ---- S31: in call order ---- */

void s31_receives_complete_in_call_order(void)
{
    enum { COUNT = 64, SIZE = 16 };
    static unsigned char data[COUNT][SIZE], sent[COUNT * SIZE];
    static cport_op ops[COUNT];
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_recv(pair.a, &ops[i], data[i], SIZE, 0), 0);
    io_fill(sent, sizeof sent, 0);
    for (size_t at = 0; at < sizeof sent; at += 8)
        cts_sock_send_all(pair.peer, sent + at, 8);
    size_t at = 0;
    for (int i = 0; i < COUNT; i++) {
        int64_t n = cts_result(port, &ops[i]);
        CHECK(n > 0);
        io_check(data[i], (size_t)n, at);
        at += (size_t)n;
    }
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s31_receives_that_fill_complete_in_call_order(void)
{
    enum { COUNT = 200, SIZE = 50 };
    static unsigned char data[COUNT][SIZE];
    static cport_op ops[COUNT];
    cts_pair pair;
    io_peer writer;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    io_peer_write(&writer, pair.peer, sizeof data);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_recv(pair.a, &ops[i], data[i], SIZE, CPORT_RECV_ALL), 0);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &ops[i]), SIZE);
    io_check(data, sizeof data, 0);
    io_peer_join(&writer);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s31_kinds_of_receive_keep_order(void)
{
    enum { ROUNDS = 20 };
    static struct {
        cport_op empty, plain, pieces, pooled;
        unsigned char plain_data[5], pieces_data[7];
    } r[ROUNDS];
    unsigned char sent[ROUNDS * 16];
    cts_pair pair;
    cport_bufs *pool;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 4, ROUNDS, &pool), 0);
    for (int i = 0; i < ROUNDS; i++) {
        cport_buf bufs[] = {
            {.base = r[i].pieces_data, .len = 3}, {.base = r[i].pieces_data + 3, .len = 4}};
        CHECK_EQ(cts_recv(pair.a, &r[i].empty, NULL, 0, 0), 0);
        CHECK_EQ(cts_recv(pair.a, &r[i].plain, r[i].plain_data, 5, CPORT_RECV_ALL), 0);
        CHECK_EQ(cts_recvv(pair.a, &r[i].pieces, bufs, 2, CPORT_RECV_ALL), 0);
        CHECK_EQ(cts_recv_pooled(pair.a, &r[i].pooled, pool, 0), 0);
    }
    io_fill(sent, sizeof sent, 0);
    cts_sock_send_all(pair.peer, sent, sizeof sent);
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t at = i * 16;
        CHECK_EQ(cts_result(port, &r[i].empty), 0);
        CHECK_EQ(cts_result(port, &r[i].plain), 5);
        io_check(r[i].plain_data, 5, at);
        CHECK_EQ(cts_result(port, &r[i].pieces), 7);
        io_check(r[i].pieces_data, 7, at + 5);
        cport_event ev = cts_next(port, &r[i].pooled);
        CHECK_EQ(ev.result, 4);
        io_check(cport_bufs_data(pool, ev.aux), 4, at + 12);
        CHECK_EQ(cts_bufs_return(pool, ev.aux), 0);
    }
    cts_pair_close(&pair);
    cts_bufs_close(pool);
    cts_port_close(port);
}

/* Several receives of one handle are always outstanding, and whichever thread gets an event starts the next. */
typedef struct busy_receiver {
    io_loop *loop;
    cport_handle *handle;
    cts_mutex lock;
    size_t submitted,
        wanted; /* under lock: the calls so far have claimed that much of the stream */
} busy_receiver;

#define BUSY_PIECE 1000u

typedef struct busy_task {
    io_task task;
    busy_receiver *receiver;
    size_t at;
    unsigned char data[BUSY_PIECE];
} busy_task;

static void busy_start(busy_task *t)
{
    busy_receiver *r = t->receiver;
    cts_lock(&r->lock);
    bool more = r->submitted < r->wanted;
    if (more) {
        t->at = r->submitted;
        r->submitted += BUSY_PIECE;
        CHECK_EQ(cts_recv(r->handle, &t->task.op, t->data, BUSY_PIECE, CPORT_RECV_ALL), 0);
    }
    cts_unlock(&r->lock);
    if (!more)
        io_loop_done(r->loop);
}

static void busy_received(io_task *task, const cport_event *ev)
{
    busy_task *t = CPORT_CONTAINER_OF(task, busy_task, task);
    CHECK_EQ(ev->result, BUSY_PIECE);
    io_check(t->data, BUSY_PIECE, t->at);
    busy_start(t);
}

void s31_receives_started_by_several_threads_keep_order(void)
{
    enum { OUTSTANDING = 8, PIECES = 1000 };
    static busy_task tasks[OUTSTANDING];
    cts_pair pair;
    io_peer writer;
    io_loop loop;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    io_loop_init(&loop, port, OUTSTANDING);
    busy_receiver receiver = {&loop, pair.a, CTS_MUTEX_INIT, 0, (size_t)PIECES * BUSY_PIECE};
    io_peer_write(&writer, pair.peer, receiver.wanted);
    for (int i = 0; i < OUTSTANDING; i++) {
        tasks[i].task.run = busy_received;
        tasks[i].receiver = &receiver;
        busy_start(&tasks[i]);
    }
    io_loop_run(&loop);
    io_peer_join(&writer);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* ---- S34: at least one byte; all of them with CPORT_RECV_ALL ---- */

void s34_a_receive_takes_what_is_there(void)
{
    unsigned char data[100] = {0};
    cts_pair pair;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    cts_sock_send_all(pair.peer, "abc", 3);
    io_until_readable(port, pair.a);
    CHECK_EQ(cts_recv(pair.a, &op, data, sizeof data, 0), 0);
    CHECK_EQ(cts_result(port, &op), 3);
    CHECK(memcmp(data, "abc", 4) == 0);
    CHECK_EQ(cts_recv(pair.a, &op, data, sizeof data, 0), 0);
    io_check_still_pending(port, &op);
    cts_sock_send_all(pair.peer, "d", 1);
    CHECK_EQ(cts_result(port, &op), 1);
    CHECK(memcmp(data, "dbc", 4) == 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s34_a_small_receive_leaves_the_rest(void)
{
    unsigned char sent[100], data[7];
    cts_pair pair;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    io_fill(sent, sizeof sent, 0);
    cts_sock_send_all(pair.peer, sent, sizeof sent);
    for (size_t at = 0; at < sizeof sent;) {
        CHECK_EQ(cts_recv(pair.a, &op, data, sizeof data, 0), 0);
        int64_t n = cts_result(port, &op);
        CHECK(n > 0);
        io_check(data, (size_t)n, at);
        at += (size_t)n;
    }
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s34_recv_all_is_filled_from_small_segments(void)
{
    unsigned char data[300], sent[300];
    cts_pair pair;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    io_fill(sent, sizeof sent, 0);
    CHECK_EQ(cts_recv(pair.a, &op, data, sizeof data, CPORT_RECV_ALL), 0);
    for (size_t at = 0; at < sizeof sent - 1; at++) {
        cts_sock_send_all(pair.peer, sent + at, 1);
        io_check_still_pending(port, &op);
    }
    cts_sock_send_all(pair.peer, sent + sizeof sent - 1, 1);
    CHECK_EQ(cts_result(port, &op), sizeof data);
    io_check(data, sizeof data, 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s34_recv_all_takes_no_more_than_all(void)
{
    unsigned char sent[64], first[40], second[24];
    cts_pair pair;
    cport_op ops[2] = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    io_fill(sent, sizeof sent, 0);
    CHECK_EQ(cts_recv(pair.a, &ops[0], first, sizeof first, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_recv(pair.a, &ops[1], second, sizeof second, CPORT_RECV_ALL), 0);
    cts_sock_send_all(pair.peer, sent, 39);
    io_check_still_pending(port, &ops[0]);
    cts_sock_send_all(pair.peer, sent + 39, 25);
    CHECK_EQ(cts_result(port, &ops[0]), 40);
    CHECK_EQ(cts_result(port, &ops[1]), 24);
    io_check(first, 40, 0);
    io_check(second, 24, 40);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* Both kinds of receive into 100 bytes, of which 40 arrive; then `end` of the connection. */
typedef struct cut_short {
    cport_op plain, pieces, after;
    unsigned char plain_data[100], pieces_data[100];
    char after_data;
} cut_short;

static void start_cut_short(cts_pair *pair, cut_short *c)
{
    unsigned char sent[140];
    cport_buf bufs[] = {{.base = c->pieces_data, .len = 33},
        {.base = c->pieces_data + 33, .len = 0}, {.base = c->pieces_data + 33, .len = 67}};
    CHECK_EQ(cts_recv(pair->a, &c->plain, c->plain_data, 100, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_recvv(pair->a, &c->pieces, bufs, 3, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_recv(pair->a, &c->after, &c->after_data, 1, CPORT_RECV_ALL), 0);
    io_fill(sent, sizeof sent, 0);
    cts_sock_send_all(pair->peer, sent, sizeof sent);
    CHECK_EQ(cts_result(pair->port, &c->plain), 100);
    io_check_still_pending(pair->port, &c->pieces);
    io_check(c->plain_data, 100, 0);
}

void s34_recv_all_ends_short_at_the_end_of_the_stream(void)
{
    static cut_short c;
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    start_cut_short(&pair, &c);
    cts_sock_shutdown_send(pair.peer);
    CHECK_EQ(cts_result(port, &c.pieces), 40);
    io_check(c.pieces_data, 40, 100);
    CHECK_EQ(cts_result(port, &c.after), 0);
    CHECK_EQ(cts_recv(pair.a, &c.plain, c.plain_data, 100, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_result(port, &c.plain), 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s34_recv_all_that_is_reset_tells_its_bytes(void)
{
    static cut_short c;
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    start_cut_short(&pair, &c);
    cts_sock_reset(pair.peer);
    pair.peer = CPORT_OS_HANDLE_INVALID;
    CHECK_EQ(cts_result(port, &c.pieces), CPORT_ECONNRESET);
    CHECK_EQ(cport_op_transferred(&c.pieces), 40);
    io_check(c.pieces_data, 40, 100);
    CHECK(cts_result(port, &c.after) <= 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s34_recv_all_that_is_cancelled_tells_its_bytes(void)
{
    static cut_short c;
    char rest[2];
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    start_cut_short(&pair, &c);
    CHECK_EQ(cts_cancel(&c.pieces), 0);
    CHECK_EQ(cts_result(port, &c.pieces), CPORT_ECANCELED);
    CHECK_EQ(cport_op_transferred(&c.pieces), 40);
    io_check(c.pieces_data, 40, 100);
    /* What comes next is the next receive's. */
    io_check_still_pending(port, &c.after);
    io_fill(rest, 2, 140);
    cts_sock_send_all(pair.peer, rest, 2);
    CHECK_EQ(cts_result(port, &c.after), 1);
    io_check(&c.after_data, 1, 140);
    CHECK_EQ(cts_recv(pair.a, &op, rest, 2, 0), 0);
    CHECK_EQ(cts_result(port, &op), 1);
    io_check(rest, 1, 141);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s34_recv_all_of_megabytes(void)
{
    unsigned char *data = io_memory(IO_MUCH);
    cts_pair pair;
    io_peer writer;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &op, data, IO_MUCH, CPORT_RECV_ALL), 0);
    io_peer_write(&writer, pair.peer, IO_MUCH);
    CHECK_EQ(cts_result(port, &op), IO_MUCH);
    io_check(data, IO_MUCH, 0);
    io_peer_join(&writer);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

/* ---- S35: zero bytes ---- */

void s35_a_zero_byte_receive_waits_and_takes_nothing(void)
{
    char data[8] = {0};
    cport_buf none[2] = {{.base = data, .len = 0}, {.base = NULL, .len = 0}};
    cport_op empty = {0}, op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &empty, NULL, 0, 0), 0);
    io_check_still_pending(port, &empty);
    cts_sock_send_all(pair.peer, "data", 4);
    CHECK_EQ(cts_result(port, &empty), 0);
    CHECK_EQ(cts_recv(pair.a, &empty, data, 0, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_result(port, &empty), 0);
    CHECK_EQ(cts_recvv(pair.a, &empty, none, 2, 0), 0);
    CHECK_EQ(cts_result(port, &empty), 0);
    CHECK_EQ(cts_recv(pair.a, &op, data, sizeof data, 0), 0);
    CHECK_EQ(cts_result(port, &op), 4);
    CHECK(memcmp(data, "data", 4) == 0);
    /* All has been taken: the next waits again. */
    CHECK_EQ(cts_recvv(pair.a, &empty, none, 2, 0), 0);
    io_check_still_pending(port, &empty);
    cts_sock_send_all(pair.peer, "x", 1);
    CHECK_EQ(cts_result(port, &empty), 0);
    CHECK_EQ(cts_recv(pair.a, &op, data, sizeof data, 0), 0);
    CHECK_EQ(cts_result(port, &op), 1);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s35_several_zero_byte_receives_with_others_behind(void)
{
    enum { COUNT = 6 };
    char first[3], second[3];
    cport_op empty[COUNT] = {0}, op[2] = {0}, last = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_recv(pair.a, &empty[i], NULL, 0, 0), 0);
    CHECK_EQ(cts_recv(pair.a, &op[0], first, 3, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_recv(pair.a, &last, NULL, 0, 0), 0);
    CHECK_EQ(cts_recv(pair.a, &op[1], second, 3, CPORT_RECV_ALL), 0);
    for (int i = 0; i < COUNT; i++)
        io_check_still_pending(port, &empty[i]);
    cts_sock_send_all(pair.peer, "abc", 3);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &empty[i]), 0);
    CHECK_EQ(cts_result(port, &op[0]), 3);
    CHECK(memcmp(first, "abc", 3) == 0);
    io_check_still_pending(port, &last);
    cts_sock_send_all(pair.peer, "def", 3);
    CHECK_EQ(cts_result(port, &last), 0);
    CHECK_EQ(cts_result(port, &op[1]), 3);
    CHECK(memcmp(second, "def", 3) == 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s35_a_zero_byte_receive_sees_the_end(void)
{
    char byte;
    cport_op empty[2] = {0}, op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &empty[0], NULL, 0, 0), 0);
    CHECK_EQ(cts_recv(pair.a, &empty[1], NULL, 0, 0), 0);
    io_check_still_pending(port, &empty[0]);
    cts_sock_shutdown_send(pair.peer);
    CHECK_EQ(cts_result(port, &empty[0]), 0);
    CHECK_EQ(cts_result(port, &empty[1]), 0);
    CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    CHECK_EQ(cts_recv(pair.a, &op, NULL, 0, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* It takes nothing: the reset stays for the receive that would have had bytes. */
void s35_a_zero_byte_receive_sees_a_reset(void)
{
    char byte;
    cport_op empty = {0}, op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &empty, NULL, 0, 0), 0);
    io_check_still_pending(port, &empty);
    cts_sock_reset(pair.peer);
    pair.peer = CPORT_OS_HANDLE_INVALID;
    CHECK_EQ(cts_result(port, &empty), 0);
    CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0);
    CHECK_EQ(cts_result(port, &op), CPORT_ECONNRESET);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s35_a_cancelled_zero_byte_receive_takes_nothing(void)
{
    char data[4];
    cport_op empty[3] = {0}, op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(cts_recv(pair.a, &empty[i], NULL, 0, 0), 0);
    CHECK_EQ(cts_recv(pair.a, &op, data, 4, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_cancel(&empty[1]), 0);
    CHECK_EQ(cts_cancel(&empty[0]), 0);
    CHECK_EQ(cts_result(port, &empty[0]), CPORT_ECANCELED);
    CHECK_EQ(cts_result(port, &empty[1]), CPORT_ECANCELED);
    io_check_still_pending(port, &empty[2]);
    cts_sock_send_all(pair.peer, "four", 4);
    CHECK_EQ(cts_result(port, &empty[2]), 0);
    CHECK_EQ(cts_result(port, &op), 4);
    CHECK(memcmp(data, "four", 4) == 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}
