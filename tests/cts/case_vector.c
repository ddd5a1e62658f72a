/* Vectored receives and sends: S18, S31, S32, S34. */
#include "io.h"

#include <stdlib.h>
#include <string.h>

#define MOST CPORT_BUFS_MAX

/* Cuts data into count pieces whose lengths follow from seed, every fifth empty; the last takes the rest. */
static void cut(void *data, size_t len, cport_buf *bufs, unsigned count, unsigned seed)
{
    unsigned char *at = data;
    size_t left = len;
    for (unsigned i = 0; i < count; i++) {
        size_t most = left / (count - i) * 2, n = most > 0 ? (i * 7919 + seed * 104729) % most : 0;
        if (i % 5 == 3)
            n = 0;
        if (i == count - 1)
            n = left;
        bufs[i] = (cport_buf){.base = n > 0 ? at : NULL, .len = (cport_buf_len)n};
        at += n;
        left -= n;
    }
}

void s34_vectors_of_the_most_pieces(void)
{
    enum { LEN = 30000 };
    unsigned char *data = io_stream(LEN), *got = io_memory(LEN);
    cport_buf out[MOST], in[MOST];
    cport_op send = {0}, recv = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open_both(port, &pair);
    for (unsigned seed = 0; seed < 20; seed++) {
        memset(got, 0, LEN);
        cut(data, LEN, out, MOST, seed);
        cut(got, LEN, in, MOST, seed + 1);
        CHECK_EQ(cts_recvv(pair.b, &recv, in, MOST, CPORT_RECV_ALL), 0);
        CHECK_EQ(cts_sendv(pair.a, &send, out, MOST, 0), 0);
        CHECK_EQ(cts_result(port, &send), LEN);
        CHECK_EQ(cts_result(port, &recv), LEN);
        io_check(got, LEN, 0);
    }
    cts_pair_close(&pair);
    cts_port_close(port);
    free(got);
    free(data);
}

void s34_vectors_are_counted(void)
{
    char byte = 'x';
    cport_buf bufs[MOST + 1];
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (unsigned i = 0; i < MOST + 1; i++)
        bufs[i] = (cport_buf){.base = &byte, .len = i == 0 ? 1 : 0};
    CHECK_EQ(cts_sendv(pair.a, &op, bufs, MOST + 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendv(pair.a, &op, bufs, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendv(pair.a, &op, NULL, 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recvv(pair.a, &op, bufs, MOST + 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recvv(pair.a, &op, bufs, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recvv(pair.a, &op, NULL, 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendv(pair.a, &op, bufs, 1, CPORT_RECV_ALL), CPORT_EINVAL);
    CHECK_EQ(cts_recvv(pair.a, &op, bufs, 1, CPORT_MULTISHOT), CPORT_EINVAL);
    cport_buf nowhere = {.base = NULL, .len = 1};
    CHECK_EQ(cts_sendv(pair.a, &op, &nowhere, 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recvv(pair.a, &op, &nowhere, 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendv(pair.a, &op, bufs, MOST, 0), 0);
    CHECK_EQ(cts_result(port, &op), 1);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* Several are pending, each with an array that is overwritten as soon as the call has returned. */
void s18_the_array_of_pieces_is_copied_at_the_call(void)
{
    enum { COUNT = 24, LEN = 4000 };
    unsigned char *data = io_stream(IO_MUCH + COUNT * LEN), *got = io_memory(COUNT * LEN);
    static cport_op recv[COUNT], send[COUNT];
    cport_op first = {0};
    cport_buf bufs[MOST];
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    CHECK_EQ(cts_send(pair.a, &first, data, IO_MUCH, 0), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        cut(data + IO_MUCH + i * LEN, LEN, bufs, MOST, i);
        CHECK_EQ(cts_sendv(pair.a, &send[i], bufs, MOST, 0), 0);
        cut(got + i * LEN, LEN, bufs, MOST, i + 3);
        CHECK_EQ(cts_recvv(pair.a, &recv[i], bufs, MOST, CPORT_RECV_ALL), 0);
        memset(bufs, 0xEE, sizeof bufs);
    }
    io_check_still_pending(port, &send[0]);
    io_peer_read(&reader, pair.peer, IO_MUCH + COUNT * LEN);
    CHECK_EQ(cts_result(port, &first), IO_MUCH);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &send[i]), LEN);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, IO_MUCH + COUNT * LEN);
    io_peer writer;
    io_peer_write(&writer, pair.peer, COUNT * LEN);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &recv[i]), LEN);
    io_peer_join(&writer);
    io_check(got, COUNT * LEN, 0);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(got);
    free(data);
}

void s34_a_vectored_receive_fills_its_pieces_in_order(void)
{
    unsigned char data[16];
    cport_buf bufs[4] = {{.base = data, .len = 4}, {.base = NULL, .len = 0},
        {.base = data + 6, .len = 1}, {.base = data + 8, .len = 8}};
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    memset(data, '.', sizeof data);
    cts_sock_send_all(pair.peer, "abcdefg", 7);
    io_until_readable(port, pair.a);
    CHECK_EQ(cts_recvv(pair.a, &op, bufs, 4, 0), 0);
    CHECK_EQ(cts_result(port, &op), 7);
    CHECK(memcmp(data, "abcd..e.fg......", 16) == 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* Segments and pieces whose borders fall together in every way. */
void s34_recvv_all_from_segments_of_every_length(void)
{
    enum { LEN = 130 };
    unsigned char sent[LEN], got[LEN];
    cport_buf bufs[9];
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    io_fill(sent, LEN, 0);
    for (size_t segment = 1; segment <= 30; segment++) {
        memset(got, 0, LEN);
        cut(got, LEN, bufs, 9, (unsigned)segment);
        CHECK_EQ(cts_recvv(pair.a, &op, bufs, 9, CPORT_RECV_ALL), 0);
        for (size_t at = 0; at < LEN; at += segment) {
            if (at > 0)
                io_check_still_pending(port, &op);
            cts_sock_send_all(pair.peer, sent + at, LEN - at < segment ? LEN - at : segment);
        }
        CHECK_EQ(cts_result(port, &op), LEN);
        io_check(got, LEN, 0);
    }
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s33_a_vectored_send_under_backpressure(void)
{
    unsigned char *data = io_stream(IO_MUCH);
    cport_buf bufs[MOST];
    cport_op op = {0};
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    cut(data, IO_MUCH, bufs, MOST, 11);
    CHECK_EQ(cts_sendv(pair.a, &op, bufs, MOST, 0), 0);
    io_check_still_pending(port, &op);
    io_peer_read(&reader, pair.peer, IO_MUCH);
    CHECK_EQ(cts_result(port, &op), IO_MUCH);
    io_peer_join(&reader);
    CHECK_EQ(reader.at, IO_MUCH);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(data);
}

void s31_many_vectored_receives_keep_order(void)
{
    enum { COUNT = 100, LEN = 257 };
    unsigned char *got = io_memory((size_t)COUNT * LEN);
    static cport_op ops[COUNT];
    cport_buf bufs[MOST];
    cts_pair pair;
    io_peer writer;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned pieces = 1 + i * 5 % MOST;
        cut(got + (size_t)i * LEN, LEN, bufs, pieces, i);
        CHECK_EQ(cts_recvv(pair.a, &ops[i], bufs, pieces, CPORT_RECV_ALL), 0);
    }
    io_peer_write(&writer, pair.peer, (size_t)COUNT * LEN);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &ops[i]), LEN);
    io_peer_join(&writer);
    io_check(got, (size_t)COUNT * LEN, 0);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(got);
}
