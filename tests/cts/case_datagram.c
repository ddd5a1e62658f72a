/* Datagrams one by one: S21, S22, S31, S32, S47 to S50. */
#include "datagram.h"

#include <stdlib.h>
#include <string.h>

/* ---- Whom from, and how long ---- */

void s50_a_datagram_comes_with_its_sender(void)
{
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    cport_port *port = cts_port_open();
    for (size_t i = 0; i < CTS_COUNT_OF(hosts); i++) {
        dg_socket a, b;
        dg_msg m = {0};
        dg_open(port, hosts[i], 0, &a);
        dg_open(port, hosts[i], 0, &b);
        for (size_t len = 1; len <= 1000; len += 333) {
            dg_recv(&b, &m, DG_ROOM - 1);
            dg_send(port, &a, &b, len, len);
            dg_check(port, &m, &a, len, len);
            /* The same message, the other way: the rooms are as they were. */
            CHECK_EQ(cts_recvmsg(a.h, &m.op, &m.msg, 0), 0);
            dg_send(port, &b, &a, len, 0);
            dg_check(port, &m, &b, len, 0);
        }
        cts_close_wait(a.h, 0);
        cts_close_wait(b.h, 0);
    }
    cts_port_close(port);
}

void s47_a_datagram_that_does_not_fit_is_told(void)
{
    dg_socket a, b;
    dg_msg m = {0};
    char bytes[8];
    cport_op op = {0};
    cport_buf pieces[2] = {{.base = bytes, .len = 3}, {.base = bytes + 4, .len = 2}};
    cport_port *port = cts_port_open();
    dg_open(port, "127.0.0.1", 0, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    for (int waits = 0; waits < 2; waits++) {
        /* First it is there before the receive, then it comes to one that waits. */
        if (!waits)
            dg_send(port, &a, &b, 100, 0);
        dg_recv(&b, &m, 40);
        if (waits)
            dg_send(port, &a, &b, 100, 0);
        cport_event ev = cts_next(port, &m.op);
        CHECK_EQ(ev.result, CPORT_EMSGSIZE);
        CHECK_EQ(cport_op_transferred(&m.op), 40);
        CHECK_EQ(m.msg.flags, CPORT_MSG_TRUNCATED);
        CHECK_EQ(m.msg.address_len, a.len);
        io_check_same_address(&m.address, &a.address);
        io_check(m.data, 40, 0);
        CHECK_EQ(m.data[40], '.');

        if (!waits)
            dg_send(port, &a, &b, 100, 7);
        CHECK_EQ(cts_recv(b.h, &op, bytes, 4, 0), 0);
        if (waits)
            dg_send(port, &a, &b, 100, 7);
        CHECK_EQ(cts_result(port, &op), CPORT_EMSGSIZE);
        CHECK_EQ(cport_op_transferred(&op), 4);
        io_check(bytes, 4, 7);

        if (!waits)
            dg_send(port, &a, &b, 6, 9);
        CHECK_EQ(cts_recvv(b.h, &op, pieces, 2, 0), 0);
        if (waits)
            dg_send(port, &a, &b, 6, 9);
        CHECK_EQ(cts_result(port, &op), CPORT_EMSGSIZE);
        CHECK_EQ(cport_op_transferred(&op), 5);
        io_check(bytes, 3, 9);
        io_check(bytes + 4, 2, 12);
    }
    /* One that just fits is whole, and the rest of those that did not is gone. */
    dg_recv(&b, &m, 40);
    dg_send(port, &a, &b, 40, 1);
    dg_check(port, &m, &a, 40, 1);
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_port_close(port);
}

void s21_a_datagram_too_long_to_be_sent(void)
{
    enum { LONG = 66000 };
    char *data = io_memory(LONG);
    memset(data, 'x', LONG);
    cport_buf buf = {.base = data, .len = LONG};
    dg_socket a, b;
    dg_msg m = {0};
    cport_port *port = cts_port_open();
    dg_open(port, "127.0.0.1", 0, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    dg_to_send(&m, &b, 1, 0);
    m.msg.bufs = &buf;
    CHECK_EQ(cts_sendmsg(a.h, &m.op, &m.msg, 0), 0);
    CHECK_EQ(cts_result(port, &m.op), CPORT_EMSGSIZE);
    dg_send(port, &a, &b, 10, 0);
    dg_recv(&b, &m, 20);
    dg_check(port, &m, &a, 10, 0);
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_port_close(port);
    free(data);
}

void s49_an_empty_datagram_is_received(void)
{
    dg_socket a, b;
    dg_msg m = {0}, empty = {0};
    cport_op op = {0};
    char byte;
    cport_port *port = cts_port_open();
    dg_open(port, "127.0.0.1", 0, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    dg_connect(port, &a, &b);
    for (int i = 0; i < 3; i++) {
        dg_recv(&b, &m, 10);
        dg_to_send(&empty, &b, 0, 0);
        if (i == 1)
            empty.msg.bufs = NULL, empty.msg.bufs_count = 0;
        if (i == 2)
            empty.msg.address = NULL;
        CHECK_EQ(cts_sendmsg(a.h, &empty.op, &empty.msg, 0), 0);
        CHECK_EQ(cts_result(port, &empty.op), 0);
        dg_check(port, &m, &a, 0, 0);
    }
    CHECK_EQ(cts_recv(b.h, &op, &byte, 1, 0), 0);
    CHECK_EQ(cts_send(a.h, &empty.op, NULL, 0, 0), 0);
    CHECK_EQ(cts_result(port, &empty.op), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    /* It was no end: the next is received like any other. */
    CHECK_EQ(cts_recv(b.h, &op, &byte, 1, 0), 0);
    CHECK_EQ(cts_send(a.h, &empty.op, "z", 1, 0), 0);
    CHECK_EQ(cts_result(port, &empty.op), 1);
    CHECK_EQ(cts_result(port, &op), 1);
    CHECK_EQ(byte, 'z');
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_port_close(port);
}

void s35_a_receive_of_nothing_leaves_the_datagram(void)
{
    dg_socket a, b;
    dg_msg m = {0};
    cport_op op = {0};
    cport_port *port = cts_port_open();
    dg_open(port, "127.0.0.1", 0, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    for (int waits = 0; waits < 2; waits++) {
        if (!waits)
            dg_send(port, &a, &b, 30, 5);
        CHECK_EQ(cts_recv(b.h, &op, NULL, 0, 0), 0);
        if (waits)
            dg_send(port, &a, &b, 30, 5);
        CHECK_EQ(cts_result(port, &op), 0);
        dg_recv(&b, &m, 30);
        dg_check(port, &m, &a, 30, 5);
    }
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_port_close(port);
}

void a_datagram_of_several_pieces(void)
{
    unsigned char out[90], in[90];
    cport_buf outs[CPORT_BUFS_MAX], ins[3] = {{.base = in, .len = 1}, {.base = NULL, .len = 0},
                                        {.base = in + 1, .len = sizeof in - 1}};
    dg_socket a, b;
    dg_msg send = {0}, recv = {0};
    cport_port *port = cts_port_open();
    dg_open(port, "127.0.0.1", 0, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    io_fill(out, sizeof out, 0);
    for (unsigned i = 0; i < CPORT_BUFS_MAX; i++)
        outs[i] = (cport_buf){.base = out + i, .len = 1};
    outs[CPORT_BUFS_MAX - 1].len = 27;
    dg_to_receive(&recv, 1);
    recv.msg.bufs = ins;
    recv.msg.bufs_count = 3;
    CHECK_EQ(cts_recvmsg(b.h, &recv.op, &recv.msg, 0), 0);
    dg_to_send(&send, &b, 1, 0);
    send.msg.bufs = outs;
    send.msg.bufs_count = CPORT_BUFS_MAX;
    CHECK_EQ(cts_sendmsg(a.h, &send.op, &send.msg, 0), 0);
    memset(outs, 0xEE, sizeof outs); /* the arrays are the caller's again */
    memset(ins, 0xEE, sizeof ins);
    CHECK_EQ(cts_result(port, &send.op), 90);
    CHECK_EQ(cts_result(port, &recv.op), 90);
    io_check(in, 90, 0);
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_port_close(port);
}

/* ---- Order ---- */

enum { MANY = 200 };

void s31_receives_of_datagrams_keep_their_order(void)
{
    static dg_msg recv[MANY];
    dg_socket a, b;
    cport_port *port = cts_port_open();
    dg_open(port, "127.0.0.1", 0, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    for (int half = 0; half < 2; half++) {
        for (size_t i = 0; i < MANY / 2; i++)
            dg_recv(&b, &recv[i], 200);
        for (size_t i = 0; i < MANY / 2; i++)
            dg_send(port, &a, &b, 1 + i, i);
        for (size_t i = 0; i < MANY / 2; i++)
            dg_check(port, &recv[i], &a, 1 + i, i);
    }
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_port_close(port);
}

void s32_sends_of_datagrams_keep_their_order(void)
{
    static dg_msg send[MANY];
    dg_socket a, b;
    dg_msg m = {0};
    cport_port *port = cts_port_open();
    dg_open(port, "127.0.0.1", 0, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    for (size_t i = 0; i < MANY; i++) /* one among them fails, and stops nobody */
        dg_send_start(&a, &send[i], &b, 1 + i, i);
    for (size_t i = 0; i < MANY; i++)
        CHECK_EQ(cts_result(port, &send[i].op), 1 + i);
    for (size_t i = 0; i < MANY; i++) {
        dg_recv(&b, &m, DG_ROOM - 1);
        dg_check(port, &m, &a, 1 + i, i);
    }
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_port_close(port);
}

void a_datagram_that_fails_stops_nobody(void)
{
    static dg_msg send[9];
    static const size_t bad = 4;
    char *data = io_memory(66000);
    memset(data, 'x', 66000);
    cport_buf too_long = {.base = data, .len = 66000};
    dg_socket a, b;
    dg_msg m = {0};
    cport_port *port = cts_port_open();
    dg_open(port, "127.0.0.1", 0, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    for (size_t i = 0; i < CTS_COUNT_OF(send); i++) {
        dg_to_send(&send[i], &b, 10 + i, i);
        if (i == bad)
            send[i].msg.bufs = &too_long;
        CHECK_EQ(cts_sendmsg(a.h, &send[i].op, &send[i].msg, 0), 0);
    }
    for (size_t i = 0; i < CTS_COUNT_OF(send); i++)
        CHECK_EQ(cts_result(port, &send[i].op), i == bad ? CPORT_EMSGSIZE : (int64_t)(10 + i));
    for (size_t i = 0; i < CTS_COUNT_OF(send); i++) {
        if (i == bad)
            continue;
        dg_recv(&b, &m, 100);
        dg_check(port, &m, &a, 10 + i, i);
    }
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_port_close(port);
    free(data);
}

void a_flush_sends_datagrams(void)
{
    static dg_msg send[3];
    dg_socket a;
    cport_port *port = cts_port_open();
    dg_open(port, "127.0.0.1", 0, &a);
    dg_socket raw;
    cport_os_handle fd = dg_socket_raw("127.0.0.1", 0, &raw);
    bool together = (dg_caps(port) & CPORT_CAP_MSG_BATCH) != 0;
    for (size_t count = 1; count <= CTS_COUNT_OF(send); count++) {
        for (size_t i = 0; i < count; i++)
            dg_send_start(&a, &send[i], &raw, 10, i);
        CHECK_EQ(cport_flush(port), 0);
        for (size_t i = 0; i < count; i++) { /* nobody waits on the port meanwhile */
            char data[20];
            CHECK_EQ(cts_sock_recv(fd, data, sizeof data), 10);
            io_check(data, 10, i);
            if (!together) { /* the next follows the end of the one before */
                CHECK_EQ(cts_result(port, &send[i].op), 10);
                CHECK_EQ(cport_flush(port), 0);
            }
        }
        for (size_t i = 0; i < count && together; i++)
            CHECK_EQ(cts_result(port, &send[i].op), 10);
    }
    CHECK_EQ(cport_socket_close(fd), 0);
    cts_close_wait(a.h, 0);
    cts_port_close(port);
}

/* ---- Without an event ---- */

void s22_a_datagram_may_be_done_at_once(void)
{
    dg_socket a, b;
    dg_msg send = {0}, recv = {0}, behind = {0};
    cport_port *port = cts_port_open();
    bool at_once = (dg_caps(port) & CPORT_CAP_SPECULATIVE) != 0;
    dg_open(port, "127.0.0.1", 0, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    for (int i = 0; i < 5; i++) {
        dg_to_send(&send, &b, 10, 0);
        int r = cts_sendmsg(a.h, &send.op, &send.msg, CPORT_INLINE_OK);
        CHECK_EQ(r, at_once);
        CHECK_EQ(r ? cport_op_result(&send.op) : cts_result(port, &send.op), 10);
        io_until_readable(port, b.h);
        cts_settle(port); /* now the engine knows, too */
        dg_to_receive(&recv, 20);
        r = cts_recvmsg(b.h, &recv.op, &recv.msg, CPORT_INLINE_OK);
        CHECK_EQ(r, at_once);
        CHECK_EQ(r ? cport_op_result(&recv.op) : cts_result(port, &recv.op), 10);
        CHECK_EQ(recv.msg.address_len, a.len);
        io_check(recv.data, 10, 0);
    }
    /* Not past one that waits. */
    dg_recv(&b, &recv, 20);
    dg_to_receive(&behind, 20);
    CHECK_EQ(cts_recvmsg(b.h, &behind.op, &behind.msg, CPORT_INLINE_OK), 0);
    dg_send(port, &a, &b, 11, 0);
    dg_send(port, &a, &b, 12, 0);
    dg_check(port, &recv, &a, 11, 0);
    dg_check(port, &behind, &a, 12, 0);
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_port_close(port);
}

/* ---- Ports that nobody listens on ---- */

/* An address where there is nobody: a socket had it, and is gone. */
static dg_socket nobody(void)
{
    dg_socket s;
    CHECK_EQ(cport_socket_close(dg_socket_raw("127.0.0.1", 0, &s)), 0);
    return s;
}

void s48_a_dead_peer_ends_nothing(void)
{
    dg_socket a, b, dead = nobody();
    dg_msg m = {0};
    cport_op op = {0};
    char byte;
    cport_port *port = cts_port_open();
    dg_open(port, "127.0.0.1", 0, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    /* A server's socket, and then one that is connected to the dead. */
    dg_recv(&a, &m, 100);
    for (int i = 0; i < 5; i++)
        dg_send(port, &a, &dead, 10, 0);
    dg_send(port, &b, &a, 20, 3);
    dg_check(port, &m, &b, 20, 3);

    dg_connect(port, &b, &dead);
    CHECK_EQ(cts_recv(b.h, &op, &byte, 1, 0), 0);
    for (int i = 0; i < 5; i++) {
        dg_send(port, &b, NULL, 10, 0);
        CHECK_EQ(cts_send(b.h, &m.op, "x", 1, 0), 0);
        CHECK_EQ(cts_result(port, &m.op), 1);
    }
    io_check_still_pending(port, &op);
    CHECK_EQ(cts_cancel(&op), 0);
    CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_port_close(port);
}

/* The result of op, which must not take long: the answer of a loopback address is there as soon as it is asked, and a system
 * that does not tell at all shall not keep the suite waiting. */
static int64_t told(cport_port *port, cport_op *op)
{
    int64_t end = cts_now_ns() + CTS_PATIENCE_NS / 4;
    while (cts_pending(op) && cts_now_ns() < end)
        cts_settle(port);
    CHECK(!cts_pending(op));
    return cts_result(port, op);
}

static void open_told(cport_port *port, dg_socket *ret_socket)
{
    cport_os_handle fd = dg_socket_raw("127.0.0.1", 0, ret_socket);
    CHECK_EQ(cts_attach_try(port, fd, CTS_KEY_A, CPORT_ATTACH_UNREACHABLE, &ret_socket->h), 0);
}

void s48_a_dead_peer_is_told_of_a_connected_socket(void)
{
    dg_socket a, dead = nobody();
    dg_msg m = {0};
    cport_port *port = cts_port_open();
    open_told(port, &a);
    dg_connect(port, &a, &dead);
    for (int i = 0; i < 3; i++) {
        dg_recv(&a, &m, 10);
        dg_send(port, &a, NULL, 10, 0);
        CHECK_EQ(told(port, &m.op), CPORT_ECONNREFUSED);
    }
    cts_close_wait(a.h, 0);
    cts_port_close(port);
}

void s48_a_dead_peer_is_told_if_asked_for(void)
{
    enum { FLOOD = 2000 };
    dg_socket a, b, dead = nobody();
    dg_msg m = {0};
    cport_port *port = cts_port_open();
    open_told(port, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    for (int i = 0; i < 3; i++) {
        dg_recv(&a, &m, 10);
        dg_send(port, &a, &dead, 10, 0);
        CHECK_EQ(told(port, &m.op), CPORT_ECONNREFUSED);
    }
    /* Once told it is over, and what came back does not fill the socket's buffer. */
    for (int i = 0; i < FLOOD; i++) {
        dg_to_send(&m, &dead, 100, 0);
        CHECK_EQ(cts_sendmsg(a.h, &m.op, &m.msg, 0), 0);
        int64_t r = cts_result(port, &m.op);
        CHECK(r == 100 || r == CPORT_ECONNREFUSED);
    }
    do
        dg_recv(&a, &m, 10), dg_send(port, &b, &a, 5, 0);
    while (cts_next(port, &m.op).result == CPORT_ECONNREFUSED);
    io_check(m.data, 5, 0);
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_port_close(port);
}

void s48_the_flag_is_for_udp_alone(void)
{
    cport_handle *h;
    cport_os_handle one, other;
    cport_port *port = cts_port_open();
    cts_sock_pair(&one, &other);
    CHECK_EQ(cts_attach_try(port, one, 0, CPORT_ATTACH_UNREACHABLE, &h), CPORT_EINVAL);
    cts_sock_close(one);
    cts_sock_close(other);
    cts_port_close(port);
}

/* ---- Ends ---- */

void s25_a_receive_of_datagrams_is_cancelled(void)
{
    static dg_msg recv[3];
    dg_socket a, b;
    cport_port *port = cts_port_open();
    dg_open(port, "127.0.0.1", 0, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    for (size_t i = 0; i < CTS_COUNT_OF(recv); i++)
        dg_recv(&b, &recv[i], 10);
    for (size_t i = 0; i < 2; i++) {
        CHECK_EQ(cts_cancel(&recv[i].op), 0);
        CHECK_EQ(cts_result(port, &recv[i].op), CPORT_ECANCELED);
        CHECK_EQ(cts_cancel(&recv[i].op), CPORT_ENOENT);
    }
    dg_send(port, &a, &b, 10, 0);
    dg_check(port, &recv[2], &a, 10, 0);
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_port_close(port);
}

void s29_a_datagram_socket_closes_with_everything_pending(void)
{
    static dg_msg recv[20], send[20];
    cport_port *port = cts_port_open();
    for (int round = 0; round < 4; round++) {
        dg_socket a;
        cport_op close = {0};
        dg_open(port, "127.0.0.1", 0, &a);
        for (size_t i = 0; i < CTS_COUNT_OF(recv); i++) {
            if (i < 10 || round & 1)
                dg_recv(&a, &recv[i], 10);
            dg_send_start(&a, &send[i], &a, 10, i);
        }
        if (round & 2)
            CHECK_EQ(cport_flush(port), 0);
        CHECK_EQ(cts_close(a.h, &close, 0), 0);
        CHECK_EQ(cts_result(port, &close), 0);
        cts_drain(port);
        for (size_t i = 0; i < CTS_COUNT_OF(recv); i++) {
            cport_event ev;
            while (checker_unstash(&recv[i].op, &ev) || checker_unstash(&send[i].op, &ev))
                CHECK(ev.result == 10 || ev.result == CPORT_ECANCELED);
        }
    }
    cts_port_close(port);
}

/* ---- Arguments ---- */

void datagram_calls_check_their_arguments(void)
{
    dg_socket a;
    dg_msg m = {0}, odd;
    cts_pair pair;
    cport_bufs *pool, *small;
    cport_port *port = cts_port_open();
    dg_open(port, "127.0.0.1", 0, &a);
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_bufs_open(port, CPORT_MSG_HEAD + 1, 2, &pool), 0);
    CHECK_EQ(cts_bufs_open(port, CPORT_MSG_HEAD, 2, &small), 0);

    dg_to_receive(&m, 10);
    CHECK_EQ(cts_recvmsg(NULL, &m.op, &m.msg, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recvmsg(a.h, NULL, &m.msg, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recvmsg(a.h, &m.op, NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recvmsg(a.h, &m.op, &m.msg, CPORT_MULTISHOT), CPORT_EINVAL);
    CHECK_EQ(cts_recvmsg(a.h, &m.op, &m.msg, CPORT_RECV_ALL), CPORT_EINVAL);
    CHECK_EQ(cts_recvmsg(pair.a, &m.op, &m.msg, 0), CPORT_EINVAL);
    odd = m;
    odd.msg.bufs_count = 0;
    CHECK_EQ(cts_recvmsg(a.h, &m.op, &odd.msg, 0), CPORT_EINVAL);
    odd.msg = m.msg;
    odd.msg.address = NULL;
    CHECK_EQ(cts_recvmsg(a.h, &m.op, &odd.msg, 0), CPORT_EINVAL);
    odd.msg = m.msg;
    odd.msg.control = (char *)m.control + 4;
    CHECK_EQ(cts_recvmsg(a.h, &m.op, &odd.msg, 0), CPORT_EINVAL);
    odd.msg.control = NULL;
    CHECK_EQ(cts_recvmsg(a.h, &m.op, &odd.msg, 0), CPORT_EINVAL);

    dg_to_send(&m, &a, 10, 0);
    CHECK_EQ(cts_sendmsg(NULL, &m.op, &m.msg, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendmsg(a.h, &m.op, NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendmsg(pair.a, &m.op, &m.msg, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendmsg(a.h, &m.op, &m.msg, CPORT_MULTISHOT), CPORT_EINVAL);
    odd.msg = m.msg;
    odd.msg.address_len = 0;
    CHECK_EQ(cts_sendmsg(a.h, &m.op, &odd.msg, 0), CPORT_EINVAL);
    odd.msg.address_len = 4096;
    CHECK_EQ(cts_sendmsg(a.h, &m.op, &odd.msg, 0), CPORT_EINVAL);
    odd.msg = m.msg;
    odd.msg.bufs_count = CPORT_BUFS_MAX + 1;
    CHECK_EQ(cts_sendmsg(a.h, &m.op, &odd.msg, 0), CPORT_EINVAL);

    CHECK_EQ(cts_recvmsg_pooled(a.h, &m.op, NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recvmsg_pooled(a.h, &m.op, small, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recvmsg_pooled(a.h, &m.op, pool, CPORT_INLINE_OK), CPORT_EINVAL);
    CHECK_EQ(cts_recvmsg_pooled(pair.a, &m.op, pool, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recv_pooled(a.h, &m.op, pool, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recv(a.h, &m.op, m.data, 10, CPORT_RECV_ALL), CPORT_EINVAL);
    CHECK_EQ(cts_recvv(a.h, &m.op, &m.buf, 1, CPORT_RECV_ALL), CPORT_EINVAL);
    CHECK_EQ(cport_bufs_msg(NULL, 0, &odd.msg, &odd.buf), CPORT_EINVAL);
    CHECK_EQ(cport_bufs_msg(pool, 2, &odd.msg, &odd.buf), CPORT_EINVAL);
    CHECK_EQ(cport_bufs_msg(small, 0, &odd.msg, &odd.buf), CPORT_EINVAL);
    CHECK_EQ(cport_bufs_msg(pool, 0, NULL, &odd.buf), CPORT_EINVAL);
    CHECK_EQ(cport_bufs_msg(pool, 0, &odd.msg, NULL), CPORT_EINVAL);

    CHECK_EQ(cts_bufs_close_try(pool), 0);
    CHECK_EQ(cts_bufs_close_try(small), 0);
    cts_close_wait(a.h, 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void a_datagram_needs_somewhere_to_go(void)
{
    dg_socket a;
    dg_msg m = {0};
    cport_port *port = cts_port_open();
    dg_open(port, "127.0.0.1", 0, &a);
    dg_send_start(&a, &m, NULL, 10, 0);
    CHECK_EQ(cts_result(port, &m.op), CPORT_ENOTCONN);
    cts_close_wait(a.h, 0);
    cts_port_close(port);
}

void socket_options_of_udp(void)
{
    cport_os_handle s = 0x5A5A;
    struct sockaddr_storage address;
    cport_socklen len;
    const cport_socket_options bad[] = {{.size = 0},
        {.size = sizeof(cport_socket_options), .flags = CPORT_SOCKET_NODELAY},
        {.size = sizeof(cport_socket_options), .flags = CPORT_SOCKET_KEEPALIVE},
        {.size = sizeof(cport_socket_options), .flags = 0x80000000u},
        {.size = sizeof(cport_socket_options), .backlog = 1},
        {.size = sizeof(cport_socket_options), .user_timeout_ms = 1}};
    cport_socket_options good = {.size = sizeof good,
        .flags = CPORT_SOCKET_BROADCAST,
        .send_buffer = 70000,
        .recv_buffer = 80000};
    CHECK_EQ(cport_address("127.0.0.1", 0, &address, &len), 0);
    const struct sockaddr *a = (struct sockaddr *)&address;
    for (size_t i = 0; i < CTS_COUNT_OF(bad); i++)
        CHECK_EQ(cport_socket_udp(AF_INET, a, len, &bad[i], &s), CPORT_EINVAL);
    CHECK_EQ(cport_socket_udp(AF_INET6, a, len, &good, &s), CPORT_EINVAL);
    CHECK_EQ(cport_socket_udp(12345, NULL, 0, &good, &s), CPORT_EINVAL);
    CHECK_EQ(cport_socket_udp(AF_INET, a, 0, &good, &s), CPORT_EINVAL);
    CHECK_EQ(cport_socket_udp(AF_INET, a, len, &good, NULL), CPORT_EINVAL);
    CHECK_EQ(s, 0x5A5A);
    CHECK_EQ(cport_socket_udp(AF_INET, NULL, 0, &good, &s), 0);
    static const int names[] = {SO_BROADCAST, SO_SNDBUF, SO_RCVBUF};
    static const int least[] = {1, 70000, 80000};
    for (size_t i = 0; i < CTS_COUNT_OF(names); i++) {
        int value = 0;
        cport_socklen size = sizeof value;
        CHECK_EQ(getsockopt(s, SOL_SOCKET, names[i], (char *)&value, &size), 0);
        CHECK(value >= least[i]);
    }
    CHECK_EQ(cport_socket_close(s), 0);
    CHECK_EQ(cport_socket_udp(AF_INET, a, len, NULL, &s), 0);
    CHECK_EQ(cport_socket_local(s, &address, &len), 0);
    cport_os_handle second = 0x5A5A;
    CHECK_EQ(cport_socket_udp(AF_INET, a, len, NULL, &second), CPORT_EADDRINUSE);
    CHECK_EQ(cport_socket_close(s), 0);
}
