/* Closing streams, gracefully and not: S46. */
#include "io.h"

#include <stdlib.h>

void s46_close_delivers_all_that_was_sent(void)
{
    enum { PIECES = 64 };
    unsigned char *data = io_stream(IO_MUCH);
    static cport_op ops[PIECES];
    size_t piece = IO_MUCH / PIECES;
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (size_t i = 0; i < PIECES; i++)
        CHECK_EQ(cts_send(pair.a, &ops[i], data + i * piece, piece, 0), 0);
    io_peer_read(&reader, pair.peer, SIZE_MAX);
    for (int i = 0; i < PIECES; i++)
        CHECK_EQ(cts_result(port, &ops[i]), piece);
    cts_close_wait(pair.a, 0);
    pair.a = NULL;
    io_peer_join(&reader);
    CHECK_EQ(reader.at, IO_MUCH);
    CHECK_EQ(reader.end, 0);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

/* As much as the system takes is still on its way when the handle is gone. */
void s46_close_before_the_peer_reads_loses_nothing(void)
{
    unsigned char *data = io_stream(256 * KIB);
    cport_op op = {0};
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    cts_sock_buffers(cport_handle_fd(pair.a), 1024 * 1024, 0);
    cts_sock_buffers(pair.peer, 0, 32 * 1024);
    size_t taken = 0;
    CHECK_EQ(cts_send(pair.a, &op, data, 256 * KIB, 0), 0);
    cts_settle(port);
    if (cts_pending(&op)) {
        CHECK_EQ(cts_cancel(&op), 0);
        CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    } else {
        CHECK_EQ(cts_result(port, &op), 256 * KIB);
    }
    taken = cport_op_transferred(&op);
    CHECK(taken > 0);
    cts_close_wait(pair.a, 0);
    pair.a = NULL;
    cts_port_close(port); /* nor does the port have a part in it */
    io_peer_read(&reader, pair.peer, SIZE_MAX);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, taken);
    CHECK_EQ(reader.end, 0);
    cts_pair_close_peer(&pair);
    free(data);
}

/* The sends that a close ends tell what went out, and exactly that arrives before the end of the stream. */
void s46_close_with_sends_pending_delivers_what_they_tell(void)
{
    enum { PIECES = 16 };
    unsigned char *data = io_stream(IO_MUCH);
    static cport_op ops[PIECES];
    cport_op close = {0};
    size_t piece = IO_MUCH / PIECES, told = 0;
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    for (size_t i = 0; i < PIECES; i++)
        CHECK_EQ(cts_send(pair.a, &ops[i], data + i * piece, piece, 0), 0);
    io_peer_read(&reader, pair.peer, IO_MUCH / 4 + 1234);
    io_peer_finish(&reader, port);
    CHECK_EQ(cts_close(pair.a, &close, 0), 0);
    pair.a = NULL;
    CHECK_EQ(cts_result(port, &close), 0);
    for (size_t i = 0; i < PIECES; i++) {
        int64_t r = cts_result(port, &ops[i]);
        CHECK(r == (int64_t)piece || r == CPORT_ECANCELED);
        if (r == (int64_t)piece)
            CHECK_EQ(told, i * piece);
        told += cport_op_transferred(&ops[i]);
    }
    CHECK(told < IO_MUCH);
    io_peer_read_on(&reader, SIZE_MAX);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, told);
    CHECK_EQ(reader.end, 0);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

void s46_the_peer_of_a_graceful_close_sees_the_end(void)
{
    char data[4];
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open_both(port, &pair);
    CHECK_EQ(cts_recv(pair.b, &op, data, 4, 0), 0);
    cts_close_wait(pair.a, 0);
    pair.a = NULL;
    CHECK_EQ(cts_result(port, &op), 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s46_the_peer_of_an_abort_sees_a_reset(void)
{
    char data[4];
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    for (int raw = 0; raw < 2; raw++) {
        cts_pair_open(port, &pair);
        if (raw) {
            cts_close_wait(pair.a, CPORT_ABORT);
            pair.a = NULL;
            CHECK_EQ(cts_sock_recv(pair.peer, data, 4), -1);
        } else {
            cts_pair_close(&pair);
            cts_pair_open_both(port, &pair);
            CHECK_EQ(cts_recv(pair.b, &op, data, 4, 0), 0);
            cts_close_wait(pair.a, CPORT_ABORT);
            pair.a = NULL;
            CHECK_EQ(cts_result(port, &op), CPORT_ECONNRESET);
        }
        cts_pair_close(&pair);
    }
    cts_port_close(port);
}

void s46_an_abort_drops_what_is_pending(void)
{
    unsigned char *data = io_stream(IO_MUCH);
    cport_op send[3] = {0}, recv[2] = {0}, close = {0};
    char byte[2];
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(cts_send(pair.a, &send[i], data, IO_MUCH, 0), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(cts_recv(pair.a, &recv[i], &byte[i], 1, 0), 0);
    CHECK_EQ(cts_close(pair.a, &close, CPORT_ABORT), 0);
    pair.a = NULL;
    CHECK_EQ(cts_result(port, &close), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(cts_result(port, &send[i]), CPORT_ECANCELED);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(cts_result(port, &recv[i]), CPORT_ECANCELED);
    CHECK(cport_op_transferred(&send[0]) < IO_MUCH);
    io_peer_read(&reader, pair.peer, SIZE_MAX);
    io_peer_join(&reader);
    CHECK_EQ(reader.end, -1);
    CHECK(reader.at <= cport_op_transferred(&send[0]));
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

/* The same on every system, and documented: read to the end first. */
void s46_unread_bytes_make_a_close_a_reset(void)
{
    char data[4];
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open_both(port, &pair);
    CHECK_EQ(cts_send(pair.b, &op, "abc", 3, 0), 0);
    CHECK_EQ(cts_result(port, &op), 3);
    io_until_readable(port, pair.a);
    CHECK_EQ(cts_recv(pair.b, &op, data, 4, 0), 0);
    cts_close_wait(pair.a, 0);
    pair.a = NULL;
    CHECK_EQ(cts_result(port, &op), CPORT_ECONNRESET);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s46_close_after_shutdown_and_after_the_end(void)
{
    char byte;
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    for (int i = 0; i < 4; i++) {
        cts_pair_open(port, &pair);
        if (i & 1) {
            CHECK_EQ(cts_shutdown(pair.a, &op, CPORT_SHUT_SEND), 0);
            CHECK_EQ(cts_result(port, &op), 0);
            CHECK_EQ(cts_sock_recv(pair.peer, &byte, 1), 0);
        }
        if (i & 2) {
            cts_sock_shutdown_send(pair.peer);
            CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0);
            CHECK_EQ(cts_result(port, &op), 0);
        }
        cts_close_wait(pair.a, 0);
        pair.a = NULL;
        CHECK_EQ(cts_sock_recv(pair.peer, &byte, 1), 0);
        cts_pair_close(&pair);
    }
    cts_port_close(port);
}
