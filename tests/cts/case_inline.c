/* Operations that are done in their own call: S20, S22. */
#include "io.h"

#include <stdlib.h>
#include <string.h>

/* The result, wherever it is to be had: 1 has no event, which the end of the case checks. */
static int64_t result_of(cport_port *port, cport_op *op, int ret)
{
    CHECK(ret == 0 || ret == 1);
    if (ret == 0)
        return cts_result(port, op);
    CHECK(!cts_pending(op));
    CHECK_EQ(cts_cancel(op), CPORT_ENOENT);
    return cport_op_result(op);
}

/* Does this engine try operations at their start? Then these cases must see it. */
static bool speculates(cport_port *port)
{
    cport_port_info info = {.size = sizeof info};
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    return (info.caps & CPORT_CAP_SPECULATIVE) != 0;
}

void s22_sends_are_done_inline_until_there_is_no_room(void)
{
    enum { PIECE = 5000, COUNT = 400 };
    unsigned char *data = io_stream((size_t)PIECE * COUNT);
    static cport_op ops[COUNT];
    unsigned done = 0, waiting = 0;
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    for (size_t i = 0; i < COUNT; i++) {
        const unsigned char *at = data + i * PIECE;
        cport_buf bufs[2] = {{.base = (void *)(uintptr_t)at, .len = 1},
            {.base = (void *)(uintptr_t)(at + 1), .len = PIECE - 1}};
        int ret = i % 2 ? cts_send(pair.a, &ops[i], at, PIECE, CPORT_INLINE_OK)
                        : cts_sendv(pair.a, &ops[i], bufs, 2, CPORT_INLINE_OK);
        CHECK(ret == 0 || ret == 1);
        if (ret == 0) {
            waiting++;
            continue;
        }
        CHECK_EQ(waiting, 0); /* none is done while one before it waits */
        CHECK_EQ(cport_op_result(&ops[i]), PIECE);
        CHECK_EQ(cport_op_transferred(&ops[i]), PIECE);
        done++;
    }
    CHECK(waiting > 0);
    CHECK(done > 0 || !speculates(port));
    io_peer_read(&reader, pair.peer, (size_t)PIECE * COUNT);
    for (unsigned i = done; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &ops[i]), PIECE);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, (size_t)PIECE * COUNT);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

void s22_receives_of_what_is_there(void)
{
    enum { TOTAL = 1000 };
    unsigned char sent[TOTAL], data[8];
    unsigned done = 0;
    size_t at = 0;
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    io_fill(sent, TOTAL, 0);
    cts_sock_send_all(pair.peer, sent, TOTAL);
    for (unsigned i = 0; at < TOTAL; i++) {
        cport_buf bufs[2] = {{.base = data, .len = 3}, {.base = data + 3, .len = 5}};
        int ret;
        if (i % 5 == 4) {
            ret = cts_recv(pair.a, &op, NULL, 0, CPORT_INLINE_OK);
            CHECK_EQ(result_of(port, &op, ret), 0);
        } else {
            ret = i % 2 ? cts_recv(pair.a, &op, data, 8, CPORT_INLINE_OK | CPORT_RECV_ALL)
                        : cts_recvv(pair.a, &op, bufs, 2, CPORT_INLINE_OK);
            int64_t n = result_of(port, &op, ret);
            CHECK(n > 0);
            CHECK_EQ(cport_op_transferred(&op), n);
            io_check(data, (size_t)n, at);
            at += (size_t)n;
        }
        done += ret == 1;
    }
    CHECK(done > 0 || !speculates(port));
    /* Nothing is left: the next one waits, flag or not. */
    CHECK_EQ(cts_recv(pair.a, &op, data, 8, CPORT_INLINE_OK), 0);
    io_check_still_pending(port, &op);
    cts_sock_send_all(pair.peer, "z", 1);
    CHECK_EQ(cts_result(port, &op), 1);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s22_no_receive_is_done_before_those_that_wait(void)
{
    char first[4], second[4], third[4];
    cport_op op[3] = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &op[0], first, 4, CPORT_RECV_ALL), 0);
    cts_sock_send_all(pair.peer, "aaaabbbbcccc", 12);
    CHECK_EQ(cts_recv(pair.a, &op[1], second, 4, CPORT_RECV_ALL | CPORT_INLINE_OK), 0);
    CHECK_EQ(cts_recv(pair.a, &op[2], third, 4, CPORT_RECV_ALL | CPORT_INLINE_OK), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(cts_result(port, &op[i]), 4);
    CHECK(memcmp(first, "aaaa", 4) == 0);
    CHECK(memcmp(second, "bbbb", 4) == 0);
    CHECK(memcmp(third, "cccc", 4) == 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s22_no_send_is_done_before_those_that_wait(void)
{
    unsigned char *data = io_stream(IO_MUCH + 100);
    cport_op large = {0}, small = {0}, shutdown = {0};
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    CHECK_EQ(cts_send(pair.a, &large, data, IO_MUCH, CPORT_INLINE_OK), 0);
    CHECK_EQ(cts_send(pair.a, &small, data + IO_MUCH, 100, CPORT_INLINE_OK), 0);
    CHECK_EQ(cts_shutdown(pair.a, &shutdown, CPORT_SHUT_SEND), 0);
    /* The receiving direction is not concerned. */
    char byte;
    cport_op recv = {0};
    cts_sock_send_all(pair.peer, "r", 1);
    CHECK_EQ(result_of(port, &recv, cts_recv(pair.a, &recv, &byte, 1, CPORT_INLINE_OK)), 1);
    io_peer_read(&reader, pair.peer, SIZE_MAX);
    CHECK_EQ(cts_result(port, &large), IO_MUCH);
    CHECK_EQ(cts_result(port, &small), 100);
    CHECK_EQ(cts_result(port, &shutdown), 0);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, IO_MUCH + 100);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

/* An op whose event is queued is in flight, though its operation is over; one that was done inline is not. */
void s22_an_inline_op_is_free_at_once(void)
{
    cport_op op = {0};
    cts_pair pair;
    char data[64];
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < 64; i++)
        CHECK_EQ(result_of(port, &op, cts_send(pair.a, &op, "x", 1, CPORT_INLINE_OK)), 1);
    CHECK_EQ(cts_send(pair.a, &op, "y", 1, 0), 0);
    CHECK_EQ(cts_send(pair.a, &op, "z", 1, CPORT_INLINE_OK), CPORT_EBUSY);
    CHECK_EQ(cts_result(port, &op), 1);
    cts_sock_recv_all(pair.peer, data, 64);
    cts_sock_recv_all(pair.peer, data, 1);
    CHECK_EQ(data[0], 'y');
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s22_accepts_and_connects(void)
{
    enum { COUNT = 20 };
    struct sockaddr_storage address;
    cport_socklen len;
    cport_handle *clients[COUNT];
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    for (int i = 0; i < COUNT; i++) {
        cport_os_handle s;
        CHECK_EQ(cport_socket_tcp(AF_INET, NULL, &s), 0);
        clients[i] = cts_attach(port, s, CTS_KEY_B);
        int ret = cts_connect(clients[i], &op, (struct sockaddr *)&address, len, CPORT_INLINE_OK);
        CHECK_EQ(result_of(port, &op, ret), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        int64_t s = result_of(port, &op, cts_accept(listener, &op, CPORT_INLINE_OK));
        CHECK(s >= 0);
        cts_sock_close((cport_os_handle)s);
    }
    CHECK_EQ(cts_accept(listener, &op, CPORT_INLINE_OK), 0);
    io_check_still_pending(port, &op);
    for (int i = 0; i < COUNT; i++)
        cts_close_wait(clients[i], 0);
    cts_close_wait(listener, 0);
    CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    cts_port_close(port);
}

void s22_errors_and_ends(void)
{
    char data[4];
    cport_buf bufs[1] = {{.base = data, .len = 4}};
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_shutdown(pair.a, &op, CPORT_SHUT_SEND), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    for (int i = 0; i < 3; i++) {
        int ret = cts_send(pair.a, &op, "x", 1, CPORT_INLINE_OK);
        CHECK_EQ(result_of(port, &op, ret), CPORT_EPIPE);
        CHECK_EQ(cport_op_transferred(&op), 0);
    }
    cts_pair_close_peer(&pair);
    for (int i = 0; i < 3; i++) {
        int ret = cts_recv(pair.a, &op, data, 4, CPORT_INLINE_OK);
        CHECK_EQ(result_of(port, &op, ret), 0);
        ret = cts_recvv(pair.a, &op, bufs, 1, CPORT_INLINE_OK | CPORT_RECV_ALL);
        CHECK_EQ(result_of(port, &op, ret), 0);
    }
    cts_pair_close(&pair);

    cts_pair_open(port, &pair);
    cts_sock_reset(pair.peer);
    pair.peer = CPORT_OS_HANDLE_INVALID;
    io_until_readable(port, pair.a);
    int ret = cts_recv(pair.a, &op, data, 4, CPORT_INLINE_OK);
    CHECK_EQ(result_of(port, &op, ret), CPORT_ECONNRESET);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* Without the flag even what is done at once has its event, in the order of the calls. */
void s20_without_the_flag_all_have_events(void)
{
    enum { COUNT = 100 };
    static cport_op send[COUNT], recv[COUNT];
    char data[COUNT];
    cts_pair pair;
    cport_port_stats stats = {.size = sizeof stats};
    cport_port *port = cts_port_open();
    cts_pair_open_both(port, &pair);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_send(pair.a, &send[i], "q", 1, 0), 0);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_recv(pair.b, &recv[i], &data[i], 1, 0), 0);
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(cts_result(port, &send[i]), 1);
        CHECK_EQ(cts_result(port, &recv[i]), 1);
        CHECK_EQ(cts_events_of(&send[i]), 1);
    }
    CHECK_EQ(cport_port_get_stats(port, &stats), 0);
    CHECK_EQ(stats.inline_done, 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}
