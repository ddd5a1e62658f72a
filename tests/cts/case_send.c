/* Sends on streams: S32, S33, and what a cancelled one tells: S27. */
#include "io.h"

#include <stdlib.h>
#include <string.h>

/* ---- S32: whole, in call order ---- */

void s32_a_small_send_stays_behind_a_large_one(void)
{
    unsigned char *data = io_stream(IO_MUCH + 4);
    cport_op large = {0}, small = {0};
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    CHECK_EQ(cts_send(pair.a, &large, data, IO_MUCH, 0), 0);
    CHECK_EQ(cts_send(pair.a, &small, data + IO_MUCH, 4, 0), 0);
    io_check_still_pending(port, &large);
    CHECK(cts_pending(&small));
    io_peer_read(&reader, pair.peer, IO_MUCH + 4);
    CHECK_EQ(cts_result(port, &large), IO_MUCH);
    CHECK_EQ(cts_result(port, &small), 4);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, IO_MUCH + 4);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

void s32_many_sends_go_out_in_order(void)
{
    enum { COUNT = 1000 };
    static cport_op ops[COUNT];
    size_t lens[COUNT], total = 0, at = 0;
    for (size_t i = 0; i < COUNT; i++)
        total += lens[i] = 1 + i * 37 % 2999;
    unsigned char *data = io_stream(total);
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    for (size_t i = 0; i < COUNT; at += lens[i], i++)
        CHECK_EQ(cts_send(pair.a, &ops[i], data + at, lens[i], 0), 0);
    io_peer_read(&reader, pair.peer, total);
    for (size_t i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &ops[i]), lens[i]);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, total);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

void s32_sends_and_vectored_sends_keep_order(void)
{
    enum { COUNT = 60, PIECES = 7 };
    static cport_op ops[COUNT];
    static const size_t lens[PIECES] = {1, 4000, 0, 13, 9999, 2, 700};
    size_t each = 1 + 4000 + 13 + 9999 + 2 + 700, at = 0;
    unsigned char *data = io_stream(each * COUNT);
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    for (int i = 0; i < COUNT; i++, at += each) {
        cport_buf bufs[PIECES];
        size_t piece_at = at;
        for (int k = 0; k < PIECES; piece_at += lens[k], k++)
            bufs[k] = (cport_buf){.base = data + piece_at, .len = (cport_buf_len)lens[k]};
        if (i % 2 == 0)
            CHECK_EQ(cts_sendv(pair.a, &ops[i], bufs, PIECES, 0), 0);
        else
            CHECK_EQ(cts_send(pair.a, &ops[i], data + at, each, 0), 0);
    }
    io_peer_read(&reader, pair.peer, each * COUNT);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &ops[i]), each);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, each * COUNT);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

/* Whichever thread gets an event starts the next send. */
typedef struct busy_sender {
    io_loop *loop;
    cport_handle *handle;
    cts_mutex lock;
    const unsigned char *data;
    size_t submitted, wanted; /* under lock */
} busy_sender;

typedef struct busy_task {
    io_task task;
    busy_sender *sender;
    size_t len;
} busy_task;

static void busy_start(busy_task *t)
{
    busy_sender *s = t->sender;
    cts_lock(&s->lock);
    size_t at = s->submitted;
    if (at < s->wanted) {
        size_t len = 1 + at * 7 % 5000;
        t->len = s->wanted - at < len ? s->wanted - at : len;
        s->submitted += t->len;
        CHECK_EQ(cts_send(s->handle, &t->task.op, s->data + at, t->len, 0), 0);
    }
    cts_unlock(&s->lock);
    if (at >= s->wanted)
        io_loop_done(s->loop);
}

static void busy_sent(io_task *task, const cport_event *ev)
{
    busy_task *t = CPORT_CONTAINER_OF(task, busy_task, task);
    CHECK_EQ(ev->result, t->len);
    busy_start(t);
}

void s32_sends_started_by_several_threads_keep_order(void)
{
    enum { OUTSTANDING = 16 };
    static busy_task tasks[OUTSTANDING];
    unsigned char *data = io_stream(2 * MIB);
    cts_pair pair;
    io_peer reader;
    io_loop loop;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    io_loop_init(&loop, port, OUTSTANDING);
    busy_sender sender = {&loop, pair.a, CTS_MUTEX_INIT, data, 0, 2 * MIB};
    io_peer_read(&reader, pair.peer, 2 * MIB);
    for (int i = 0; i < OUTSTANDING; i++) {
        tasks[i].task.run = busy_sent;
        tasks[i].sender = &sender;
        busy_start(&tasks[i]);
    }
    io_loop_run(&loop);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, 2 * MIB);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

void s32_an_empty_send_waits_its_turn(void)
{
    unsigned char *data = io_stream(MIB);
    cport_buf none[2] = {{.base = NULL, .len = 0}, {.base = data, .len = 0}};
    cport_op large = {0}, empty[2] = {0}, op = {0};
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    CHECK_EQ(cts_send(pair.a, &op, NULL, 0, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    CHECK_EQ(cts_send(pair.a, &large, data, MIB, 0), 0);
    CHECK_EQ(cts_send(pair.a, &empty[0], data, 0, 0), 0);
    CHECK_EQ(cts_sendv(pair.a, &empty[1], none, 2, 0), 0);
    io_check_still_pending(port, &empty[0]);
    io_peer_read(&reader, pair.peer, MIB);
    CHECK_EQ(cts_result(port, &large), MIB);
    CHECK_EQ(cts_result(port, &empty[0]), 0);
    CHECK_EQ(cts_result(port, &empty[1]), 0);
    io_peer_join(&reader);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

/* ---- S33: all its bytes, or an error and the count ---- */

void s33_a_send_completes_with_all_its_bytes(void)
{
    unsigned char *data = io_stream(IO_MUCH);
    cport_op op = {0};
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    CHECK_EQ(cts_send(pair.a, &op, data, IO_MUCH, 0), 0);
    io_check_still_pending(port, &op);
    io_peer_read(&reader, pair.peer, IO_MUCH / 2);
    io_peer_finish(&reader, port);
    CHECK_EQ(reader.at, IO_MUCH / 2);
    io_check_still_pending(port, &op);
    io_peer_read_on(&reader, IO_MUCH);
    CHECK_EQ(cts_result(port, &op), IO_MUCH);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, IO_MUCH);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

/* Sends IO_MUCH and three more behind it; the peer has read some of it when this returns. */
typedef struct mid_send {
    cport_op large, behind[3];
    size_t read;
} mid_send;

static void start_mid_send(cts_pair *pair, mid_send *m, const unsigned char *data)
{
    io_peer reader;
    cport_buf bufs[2] = {{.base = (void *)(uintptr_t)data, .len = 10},
        {.base = (void *)(uintptr_t)(data + 10), .len = 10}};
    CHECK_EQ(cts_send(pair->a, &m->large, data, IO_MUCH, 0), 0);
    CHECK_EQ(cts_send(pair->a, &m->behind[0], data, 100, 0), 0);
    CHECK_EQ(cts_sendv(pair->a, &m->behind[1], bufs, 2, 0), 0);
    CHECK_EQ(cts_send(pair->a, &m->behind[2], data, 1, 0), 0);
    io_peer_read(&reader, pair->peer, IO_MUCH / 4);
    io_peer_finish(&reader, pair->port);
    CHECK_EQ(reader.at, IO_MUCH / 4);
    m->read = reader.at;
    io_check_still_pending(pair->port, &m->large);
}

void s33_a_send_that_is_reset_tells_its_bytes(void)
{
    unsigned char *data = io_stream(IO_MUCH);
    static mid_send m;
    cts_pair pair;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    start_mid_send(&pair, &m, data);
    cts_sock_reset(pair.peer);
    pair.peer = CPORT_OS_HANDLE_INVALID;
    io_check_broken(cts_result(port, &m.large));
    CHECK(cport_op_transferred(&m.large) >= m.read);
    CHECK(cport_op_transferred(&m.large) < IO_MUCH);
    for (int i = 0; i < 3; i++) {
        io_check_broken(cts_result(port, &m.behind[i]));
        CHECK_EQ(cport_op_transferred(&m.behind[i]), 0);
    }
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

void s33_a_vectored_send_that_is_reset_tells_its_bytes(void)
{
    unsigned char *data = io_stream(IO_MUCH);
    cport_buf bufs[3] = {{.base = data, .len = (cport_buf_len)(IO_MUCH / 2)},
        {.base = data, .len = 0},
        {.base = data + IO_MUCH / 2, .len = (cport_buf_len)(IO_MUCH / 2)}};
    cport_op op = {0};
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    CHECK_EQ(cts_sendv(pair.a, &op, bufs, 3, 0), 0);
    io_peer_read(&reader, pair.peer, IO_MUCH / 8 * 5);
    io_peer_finish(&reader, port);
    cts_sock_reset(pair.peer);
    pair.peer = CPORT_OS_HANDLE_INVALID;
    io_check_broken(cts_result(port, &op));
    CHECK(cport_op_transferred(&op) >= reader.at);
    CHECK(cport_op_transferred(&op) < IO_MUCH);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

/* The bytes that are told are those that the peer gets, and the stream goes on behind them. */
void s27_a_cancelled_send_tells_exactly_its_bytes(void)
{
    unsigned char *data = io_stream(2 * IO_MUCH);
    static mid_send m;
    cport_op rest = {0};
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    start_mid_send(&pair, &m, data);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(cts_cancel(&m.behind[i]), 0);
    CHECK_EQ(cts_cancel(&m.large), 0);
    CHECK_EQ(cts_result(port, &m.large), CPORT_ECANCELED);
    size_t out = cport_op_transferred(&m.large);
    CHECK(out >= m.read && out < IO_MUCH);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(cts_result(port, &m.behind[i]), CPORT_ECANCELED);
        CHECK_EQ(cport_op_transferred(&m.behind[i]), 0);
    }
    CHECK_EQ(cts_send(pair.a, &rest, data + out, IO_MUCH, 0), 0);
    reader = (io_peer){.s = pair.peer, .at = m.read};
    io_peer_read_on(&reader, out + IO_MUCH);
    CHECK_EQ(cts_result(port, &rest), IO_MUCH);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, out + IO_MUCH);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

void s27_a_cancelled_vectored_send_tells_exactly_its_bytes(void)
{
    enum { PIECES = CPORT_BUFS_MAX };
    unsigned char *data = io_stream(2 * IO_MUCH);
    cport_buf bufs[PIECES];
    cport_op op = {0}, rest = {0};
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    size_t piece = IO_MUCH / PIECES;
    for (size_t i = 0; i < PIECES; i++)
        bufs[i] = (cport_buf){.base = data + i * piece, .len = (cport_buf_len)piece};
    CHECK_EQ(cts_sendv(pair.a, &op, bufs, PIECES, 0), 0);
    io_peer_read(&reader, pair.peer, IO_MUCH / 3);
    io_peer_finish(&reader, port);
    CHECK_EQ(cts_cancel(&op), 0);
    CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    size_t out = cport_op_transferred(&op);
    CHECK(out >= reader.at && out < IO_MUCH);
    CHECK_EQ(cts_send(pair.a, &rest, data + out, 1000, 0), 0);
    io_peer_read_on(&reader, out + 1000);
    CHECK_EQ(cts_result(port, &rest), 1000);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, out + 1000);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}
