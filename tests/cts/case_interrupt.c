/* Signals all the time: what they interrupt goes on. For systems that have them. */
#include "file.h"

#include <stdlib.h>

/* Both ways at once, in pieces that fit no buffer, vectored and plain. */
void interrupted_calls_lose_nothing(void)
{
    enum { PIECE = 7777, TURNS = 250 };
    unsigned char *out = io_stream((size_t)PIECE * TURNS), *in = io_memory(PIECE);
    cts_pair pair;
    io_peer reader, writer;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    io_peer_read(&reader, pair.peer, (size_t)PIECE * TURNS);
    io_peer_write(&writer, pair.peer, (size_t)PIECE * TURNS);
    io_storm_begin();
    for (size_t i = 0; i < TURNS; i++) {
        cport_op send = {0}, recv = {0};
        cport_buf bufs[2] = {{.base = in, .len = 10}, {.base = in + 10, .len = PIECE - 10}};
        if (i % 2)
            CHECK_EQ(cts_recvv(pair.a, &recv, bufs, 2, CPORT_RECV_ALL), 0);
        else
            CHECK_EQ(cts_recv(pair.a, &recv, in, PIECE, CPORT_RECV_ALL), 0);
        CHECK_EQ(cts_send(pair.a, &send, out + i * PIECE, PIECE, i % 25 ? 0 : CPORT_ZERO_COPY), 0);
        CHECK_EQ(cts_result(port, &recv), PIECE);
        CHECK_EQ(cts_result(port, &send), PIECE);
        io_check(in, PIECE, i * PIECE);
    }
    CHECK(io_storm_end() > 0);
    io_peer_join(&reader);
    io_peer_join(&writer);
    CHECK_EQ(reader.at, (size_t)PIECE * TURNS);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(in);
    free(out);
}

void interrupted_sendfiles_lose_nothing(void)
{
    file f;
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    file_write(&f, IO_MUCH, 0);
    io_pair_open_narrow(port, &pair);
    io_peer_read(&reader, pair.peer, IO_MUCH);
    io_storm_begin();
    size_t at = 0;
    for (size_t len = 1; at < IO_MUCH; at += len, len = len * 3 + 1) {
        cport_op op = {0};
        len = IO_MUCH - at < len ? IO_MUCH - at : len;
        CHECK_EQ(cts_sendfile(pair.a, &op, f.h, at, len, NULL, 0), 0);
        CHECK_EQ(cts_result(port, &op), len);
    }
    CHECK(io_storm_end() > 0);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, IO_MUCH);
    cts_pair_close(&pair);
    file_close(&f);
    cts_port_close(port);
}
