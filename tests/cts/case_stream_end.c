/* How streams end: S36, and shutdown. */
#include "io.h"

#include <stdlib.h>
#include <string.h>

static int64_t receive_one(cts_pair *pair)
{
    char byte;
    cport_op op = {0};
    CHECK_EQ(cts_recv(pair->a, &op, &byte, 1, 0), 0);
    return cts_result(pair->port, &op);
}

static int64_t send_one(cts_pair *pair)
{
    cport_op op = {0};
    CHECK_EQ(cts_send(pair->a, &op, "s", 1, 0), 0);
    return cts_result(pair->port, &op);
}

static int64_t shut(cport_port *port, cport_handle *h, int how)
{
    cport_op op = {0};
    CHECK_EQ(cts_shutdown(h, &op, how), 0);
    return cts_result(port, &op);
}

/* ---- S36: end-of-stream, reset, no signal ---- */

void s36_the_end_of_the_stream_is_zero_again_and_again(void)
{
    char data[8];
    cport_buf bufs[2] = {{.base = data, .len = 3}, {.base = data + 3, .len = 5}};
    cport_op op = {0};
    cport_bufs *pool;
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 16, 2, &pool), 0);
    cts_sock_send_all(pair.peer, "x", 1);
    cts_sock_shutdown_send(pair.peer);
    CHECK_EQ(receive_one(&pair), 1);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(receive_one(&pair), 0);
        CHECK_EQ(cts_recv(pair.a, &op, data, 8, CPORT_RECV_ALL), 0);
        CHECK_EQ(cts_result(port, &op), 0);
        CHECK_EQ(cts_recvv(pair.a, &op, bufs, 2, CPORT_RECV_ALL), 0);
        CHECK_EQ(cts_result(port, &op), 0);
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, 0), 0);
        CHECK_EQ(cts_result(port, &op), 0);
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), 0);
        CHECK_EQ(cts_result(port, &op), 0);
    }
    CHECK_EQ(send_one(&pair), 1); /* the other direction is none the worse */
    cts_pair_close(&pair);
    cts_bufs_close(pool);
    cts_port_close(port);
}

void s36_the_end_reaches_every_outstanding_receive(void)
{
    enum { COUNT = 32 };
    static cport_op ops[COUNT];
    static char data[COUNT][4];
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_recv(pair.a, &ops[i], data[i], 4, CPORT_RECV_ALL), 0);
    cts_sock_send_all(pair.peer, "123456", 6);
    cts_pair_close_peer(&pair);
    CHECK_EQ(cts_result(port, &ops[0]), 4);
    CHECK_EQ(cts_result(port, &ops[1]), 2);
    for (int i = 2; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &ops[i]), 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s36_data_before_the_end_is_delivered_first(void)
{
    unsigned char data[1000];
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    for (size_t len = 1; len <= sizeof data; len = len * 3 + 1) {
        unsigned char sent[sizeof data];
        cts_pair_open(port, &pair);
        io_fill(sent, len, 0);
        cts_sock_send_all(pair.peer, sent, len);
        cts_pair_close_peer(&pair);
        size_t at = 0;
        for (;;) {
            CHECK_EQ(cts_recv(pair.a, &op, data, 333, 0), 0);
            int64_t n = cts_result(port, &op);
            if (n == 0)
                break;
            CHECK(n > 0);
            io_check(data, (size_t)n, at);
            at += (size_t)n;
        }
        CHECK_EQ(at, len);
        cts_pair_close(&pair);
    }
    cts_port_close(port);
}

void s36_a_reset_ends_a_receive(void)
{
    char data[4];
    cport_op op[3] = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(cts_recv(pair.a, &op[i], data, 4, 0), 0);
    io_check_still_pending(port, &op[0]);
    cts_sock_reset(pair.peer);
    pair.peer = CPORT_OS_HANDLE_INVALID;
    cport_event ev = cts_next(port, &op[0]);
    CHECK_EQ(ev.result, CPORT_ECONNRESET);
    CHECK(ev.aux != 0); /* the raw error */
    for (int i = 1; i < 3; i++) {
        int64_t r = cts_result(port, &op[i]);
        CHECK(r == 0 || r == CPORT_ECONNRESET);
    }
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s36_a_reset_that_came_before_the_receive_is_told(void)
{
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    cts_sock_reset(pair.peer);
    pair.peer = CPORT_OS_HANDLE_INVALID;
    CHECK_EQ(receive_one(&pair), CPORT_ECONNRESET);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* The default action of SIGPIPE would end this process. */
void s36_sending_into_a_reset_raises_no_signal(void)
{
    static char data[100000];
    cport_buf bufs[2] = {{.base = data, .len = 10}, {.base = data, .len = 1000}};
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    cts_sock_reset(pair.peer);
    pair.peer = CPORT_OS_HANDLE_INVALID;
    CHECK_EQ(receive_one(&pair), CPORT_ECONNRESET);
    for (int i = 0; i < 3; i++) {
        io_check_broken(send_one(&pair));
        CHECK_EQ(cts_send(pair.a, &op, data, sizeof data, 0), 0);
        io_check_broken(cts_result(port, &op));
        CHECK_EQ(cts_sendv(pair.a, &op, bufs, 2, 0), 0);
        io_check_broken(cts_result(port, &op));
        int ret = cts_send(pair.a, &op, data, 10, CPORT_INLINE_OK);
        CHECK(ret == 0 || ret == 1);
        io_check_broken(ret == 0 ? cts_result(port, &op) : cport_op_result(&op));
        CHECK_EQ(cport_op_transferred(&op), 0);
    }
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* The peer has closed gracefully: our first send is answered with a reset, a later one meets it. */
void s36_sending_after_the_peer_has_closed_ends_in_an_error(void)
{
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    cts_pair_close_peer(&pair);
    CHECK_EQ(receive_one(&pair), 0);
    int64_t end = cts_now_ns() + CTS_PATIENCE_NS, r = 1;
    while (r == 1 && cts_now_ns() < end)
        r = send_one(&pair);
    io_check_broken(r);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s36_sending_after_shutdown_is_a_broken_pipe(void)
{
    cport_buf bufs[1] = {{.base = (void *)(uintptr_t) "ab", .len = 2}};
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(shut(port, pair.a, CPORT_SHUT_SEND), 0);
    CHECK_EQ(send_one(&pair), CPORT_EPIPE);
    CHECK_EQ(cts_sendv(pair.a, &op, bufs, 1, 0), 0);
    CHECK_EQ(cts_result(port, &op), CPORT_EPIPE);
    cts_sock_send_all(pair.peer, "y", 1);
    CHECK_EQ(receive_one(&pair), 1);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* ---- Shutdown ---- */

void s36_shutdown_waits_for_the_sends_before_it(void)
{
    unsigned char *data = io_stream(IO_MUCH + 5);
    cport_op large = {0}, small = {0}, shutdown = {0}, late = {0};
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    CHECK_EQ(cts_send(pair.a, &large, data, IO_MUCH, 0), 0);
    CHECK_EQ(cts_send(pair.a, &small, data + IO_MUCH, 5, 0), 0);
    CHECK_EQ(cts_shutdown(pair.a, &shutdown, CPORT_SHUT_SEND), 0);
    CHECK_EQ(cts_send(pair.a, &late, "late", 4, 0), 0);
    io_check_still_pending(port, &shutdown);
    io_peer_read(&reader, pair.peer, SIZE_MAX);
    CHECK_EQ(cts_result(port, &large), IO_MUCH);
    CHECK_EQ(cts_result(port, &small), 5);
    CHECK_EQ(cts_result(port, &shutdown), 0);
    CHECK_EQ(cts_result(port, &late), CPORT_EPIPE);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, IO_MUCH + 5);
    CHECK_EQ(reader.end, 0);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

void s36_a_cancelled_shutdown_does_not_happen(void)
{
    unsigned char *data = io_stream(IO_MUCH + 1);
    cport_op large = {0}, shutdown = {0};
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    CHECK_EQ(cts_send(pair.a, &large, data, IO_MUCH, 0), 0);
    CHECK_EQ(cts_shutdown(pair.a, &shutdown, CPORT_SHUT_SEND), 0);
    CHECK_EQ(cts_cancel(&shutdown), 0);
    CHECK_EQ(cts_result(port, &shutdown), CPORT_ECANCELED);
    io_peer_read(&reader, pair.peer, IO_MUCH + 1);
    CHECK_EQ(cts_result(port, &large), IO_MUCH);
    CHECK_EQ(cts_send(pair.a, &large, data + IO_MUCH, 1, 0), 0);
    CHECK_EQ(cts_result(port, &large), 1);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, IO_MUCH + 1);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

/* One direction after the other, each carrying data after the other has ended; then the same from the other side. */
void s36_each_direction_closes_for_itself(void)
{
    enum { LEN = 200000 };
    unsigned char *data = io_stream(LEN), *got = io_memory(LEN);
    for (int turn = 0; turn < 2; turn++) {
        cport_op send = {0}, recv = {0};
        cts_pair pair;
        cport_port *port = cts_port_open();
        cts_pair_open_both(port, &pair);
        cport_handle *first = turn == 0 ? pair.a : pair.b, *second = turn == 0 ? pair.b : pair.a;
        CHECK_EQ(shut(port, first, CPORT_SHUT_SEND), 0);
        CHECK_EQ(cts_recv(second, &recv, got, LEN, 0), 0);
        CHECK_EQ(cts_result(port, &recv), 0);

        CHECK_EQ(cts_recv(first, &recv, got, LEN, CPORT_RECV_ALL), 0);
        CHECK_EQ(cts_send(second, &send, data, LEN, 0), 0);
        CHECK_EQ(cts_result(port, &recv), LEN);
        CHECK_EQ(cts_result(port, &send), LEN);
        io_check(got, LEN, 0);

        CHECK_EQ(shut(port, second, CPORT_SHUT_SEND), 0);
        CHECK_EQ(cts_recv(first, &recv, got, LEN, 0), 0);
        CHECK_EQ(cts_result(port, &recv), 0);
        cts_pair_close(&pair);
        cts_port_close(port);
    }
    free(got);
    free(data);
}

static void drop(cport_os_handle s, size_t bytes)
{
    char scrap[4096];
    for (size_t n; bytes > 0; bytes -= n) {
        n = bytes < sizeof scrap ? bytes : sizeof scrap;
        cts_sock_recv_all(s, scrap, n);
    }
}

/* What the peer ends is its own direction: a send that waits for room, none of whose bytes may have gone out, goes on when the peer
 * reads on, and so do those behind it. */
static void send_to_one_that_has_ended(bool full)
{
    enum { PIECES = 3, LEN = IO_MUCH / 4 };
    unsigned char *data = io_stream(2 * LEN), byte;
    const cport_buf bufs[PIECES] = {{.base = data + LEN, .len = 1},
        {.base = data + LEN + 1, .len = LEN / 2},
        {.base = data + LEN + 1 + LEN / 2, .len = LEN - 1 - LEN / 2}};
    cport_op plain = {0}, vectored = {0}, recv = {0};
    io_peer reader;
    cts_pair pair;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    size_t before = full ? cts_fill_socket(cport_handle_fd(pair.a)) : 0;
    CHECK_EQ(cts_recv(pair.a, &recv, &byte, 1, 0), 0);
    CHECK_EQ(cts_send(pair.a, &plain, data, LEN, 0), 0);
    CHECK_EQ(cts_sendv(pair.a, &vectored, bufs, PIECES, 0), 0);
    io_check_still_pending(port, &plain);
    cts_sock_shutdown_send(pair.peer);
    CHECK_EQ(cts_result(port, &recv), 0);
    io_until_readable(port, pair.a);
    CHECK_EQ(receive_one(&pair), 0);
    io_check_still_pending(port, &plain);
    drop(pair.peer, before);
    io_peer_read(&reader, pair.peer, 2 * LEN + 1);
    CHECK_EQ(cts_result(port, &plain), LEN);
    CHECK_EQ(cts_result(port, &vectored), LEN);
    CHECK_EQ(shut(port, pair.a, CPORT_SHUT_SEND), 0);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, 2 * LEN);
    CHECK_EQ(reader.end, 0);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

void s36_a_peer_that_has_ended_its_side_gets_all_that_is_sent(void)
{
    send_to_one_that_has_ended(false);
    send_to_one_that_has_ended(true);
}

void s36_shutdown_of_receiving_ends_receives(void)
{
    char data[4];
    cport_op op[2] = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &op[0], data, 4, 0), 0);
    CHECK_EQ(cts_recv(pair.a, &op[1], data, 4, CPORT_RECV_ALL), 0);
    io_check_still_pending(port, &op[0]);
    CHECK_EQ(shut(port, pair.a, CPORT_SHUT_RECV), 0);
    CHECK_EQ(cts_result(port, &op[0]), 0);
    CHECK_EQ(cts_result(port, &op[1]), 0);
    CHECK_EQ(receive_one(&pair), 0);
    /* What comes all the same harms nobody. */
    for (int i = 0; i < 3; i++) {
        cts_sock_send_all(pair.peer, "more", 4);
        CHECK_EQ(send_one(&pair), 1);
        CHECK_EQ(cts_sock_recv(pair.peer, data, 4), 1);
    }
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s36_shutdown_of_both_directions(void)
{
    char data[4];
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &op, data, 4, 0), 0);
    io_check_still_pending(port, &op);
    CHECK_EQ(shut(port, pair.a, CPORT_SHUT_BOTH), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    CHECK_EQ(cts_sock_recv(pair.peer, data, 4), 0);
    CHECK_EQ(send_one(&pair), CPORT_EPIPE);
    CHECK_EQ(receive_one(&pair), 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s36_shutdown_takes_known_directions_only(void)
{
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_shutdown(pair.a, &op, 0), CPORT_EINVAL);
    CHECK_EQ(cts_shutdown(pair.a, &op, 4), CPORT_EINVAL);
    CHECK_EQ(cts_shutdown(pair.a, &op, -1), CPORT_EINVAL);
    CHECK_EQ(cts_shutdown(NULL, &op, CPORT_SHUT_SEND), CPORT_EINVAL);
    CHECK_EQ(send_one(&pair), 1);
    cts_pair_close(&pair);
    cts_port_close(port);
}
