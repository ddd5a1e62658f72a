/* Sends from the caller's memory: S32, S33, S27, S29. */
#include "io.h"

#include <stdlib.h>
#include <string.h>

#define LENT (160 * KIB) /* more than the peer's system takes, no more than ours does */

static bool lends(cport_port *port)
{
    cport_port_info info = {.size = sizeof info};
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    return (info.caps & CPORT_CAP_ZERO_COPY) != 0;
}

/* A pair whose receiving side is narrow: of a send of LENT bytes some are taken by our system and go no further. */
static void pair_open_stuck(cport_port *port, cts_pair *ret_pair)
{
    cts_pair_open(port, ret_pair);
    cts_sock_buffers(cport_handle_fd(ret_pair->a), 4 * 1024 * 1024, 0);
    cts_sock_buffers(ret_pair->peer, 0, 32 * 1024);
}

/* What a case sends, and over what. */
struct lending {
    cport_port *port;
    cts_pair pair;
    io_peer reader;
    unsigned char *data;
};

static struct lending lending_open(
    void (*pair_open)(cport_port *port, cts_pair *ret_pair), size_t data_bytes)
{
    struct lending l = {.port = cts_port_open(), .data = io_stream(data_bytes)};
    pair_open(l.port, &l.pair);
    return l;
}

static void lending_close(struct lending *l)
{
    cts_pair_close(&l->pair);
    cts_port_close(l->port);
    free(l->data);
}

/* Loopback copies when it delivers, and says so. */
static void check_sent(cport_port *port, cport_op *op, size_t len)
{
    cport_event ev = cts_next(port, op);
    CHECK_EQ(ev.result, len);
    CHECK_EQ(ev.flags, CPORT_COPIED);
}

void s32_zero_copy_sends_keep_their_place(void)
{
    enum { COUNT = 90, PIECES = 5 };
    static cport_op ops[COUNT];
    static const size_t lens[PIECES] = {1, 40000, 0, 13, 9986};
    size_t each = 50000, at = 0;
    struct lending l = lending_open(io_pair_open_narrow, each * COUNT);
    for (int i = 0; i < COUNT; i++, at += each) {
        cport_buf bufs[PIECES];
        size_t piece_at = at;
        for (int k = 0; k < PIECES; piece_at += lens[k], k++)
            bufs[k] = (cport_buf){.base = l.data + piece_at, .len = (cport_buf_len)lens[k]};
        if (i % 3 == 0)
            CHECK_EQ(cts_sendv(l.pair.a, &ops[i], bufs, PIECES, CPORT_ZERO_COPY), 0);
        else
            CHECK_EQ(
                cts_send(l.pair.a, &ops[i], l.data + at, each, i % 3 == 1 ? CPORT_ZERO_COPY : 0),
                0);
    }
    io_peer_read(&l.reader, l.pair.peer, each * COUNT);
    for (int i = 0; i < COUNT; i++) {
        if (i % 3 == 2)
            CHECK_EQ(cts_result(l.port, &ops[i]), each);
        else
            check_sent(l.port, &ops[i], each);
    }
    io_peer_join(&l.reader);
    CHECK_EQ(l.reader.at, each * COUNT);
    lending_close(&l);
}

/* Written over at once: what the peer gets is what was there before. */
void s33_the_memory_of_a_zero_copy_send_is_free_with_its_event(void)
{
    static const size_t lens[] = {1, 100, 4096, 5000, 65536, 100001, 300000};
    size_t at = 0, total = 0;
    struct lending l = lending_open(io_pair_open_narrow, 300000);
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < CTS_COUNT_OF(lens); i++)
            total += lens[i];
    io_peer_read(&l.reader, l.pair.peer, total);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < CTS_COUNT_OF(lens); at += lens[i], i++) {
            cport_op op = {0};
            io_fill(l.data, lens[i], at);
            CHECK_EQ(cts_send(l.pair.a, &op, l.data, lens[i], CPORT_ZERO_COPY), 0);
            check_sent(l.port, &op, lens[i]);
            memset(l.data, 0xEE, lens[i]);
        }
    }
    io_peer_join(&l.reader);
    CHECK_EQ(l.reader.at, total);
    lending_close(&l);
}

void s33_a_send_does_not_wait_for_the_memory_of_an_earlier_one(void)
{
    cport_op lent = {0}, plain = {0}, small = {0};
    cport_os_handle fd;
    struct lending l = lending_open(pair_open_stuck, LENT + 8);
    CHECK_EQ(cts_send(l.pair.a, &lent, l.data, LENT, CPORT_ZERO_COPY), 0);
    CHECK_EQ(cts_send(l.pair.a, &plain, l.data + LENT, 4, 0), 0);
    CHECK_EQ(cts_send(l.pair.a, &small, l.data + LENT + 4, 4, CPORT_ZERO_COPY), 0);
    CHECK_EQ(cts_result(l.port, &plain), 4);
    if (lends(l.port)) {
        io_check_still_pending(l.port, &lent);
        CHECK(cts_pending(&small));
        CHECK_EQ(cts_detach(l.pair.a, &fd), CPORT_EBUSY);
    }
    io_peer_read(&l.reader, l.pair.peer, LENT + 8);
    check_sent(l.port, &lent, LENT);
    check_sent(l.port, &small, 4);
    io_peer_join(&l.reader);
    CHECK_EQ(l.reader.at, LENT + 8);
    lending_close(&l);
}

void s33_a_zero_copy_send_that_is_reset_tells_its_bytes(void)
{
    cport_op large = {0}, behind = {0};
    struct lending l = lending_open(io_pair_open_narrow, IO_MUCH);
    CHECK_EQ(cts_send(l.pair.a, &large, l.data, IO_MUCH, CPORT_ZERO_COPY), 0);
    CHECK_EQ(cts_send(l.pair.a, &behind, l.data, 100, CPORT_ZERO_COPY), 0);
    io_peer_read(&l.reader, l.pair.peer, IO_MUCH / 4);
    io_peer_finish(&l.reader, l.port);
    cts_sock_reset(l.pair.peer);
    l.pair.peer = CPORT_OS_HANDLE_INVALID;
    io_check_broken(cts_result(l.port, &large));
    CHECK(cport_op_transferred(&large) >= l.reader.at);
    CHECK(cport_op_transferred(&large) < IO_MUCH);
    io_check_broken(cts_result(l.port, &behind));
    CHECK_EQ(cport_op_transferred(&behind), 0);
    lending_close(&l);
}

/* The rest of the stream follows from exactly there. */
void s27_a_cancelled_zero_copy_send_tells_exactly_its_bytes(void)
{
    cport_op large = {0}, behind = {0}, rest = {0};
    struct lending l = lending_open(io_pair_open_narrow, 2 * IO_MUCH);
    CHECK_EQ(cts_send(l.pair.a, &large, l.data, IO_MUCH, CPORT_ZERO_COPY), 0);
    CHECK_EQ(cts_send(l.pair.a, &behind, l.data, 100, CPORT_ZERO_COPY), 0);
    io_peer_read(&l.reader, l.pair.peer, IO_MUCH / 4);
    io_peer_finish(&l.reader, l.port);
    io_check_still_pending(l.port, &large);
    CHECK_EQ(cts_cancel(&behind), 0);
    CHECK_EQ(cts_result(l.port, &behind), CPORT_ECANCELED);
    CHECK_EQ(cts_cancel(&large), 0);
    /* What was taken of it is still in that memory: it is free when the peer reads on. */
    if (lends(l.port))
        io_check_still_pending(l.port, &large);
    cts_reader *count = cts_read_start(l.pair.peer, NULL, SIZE_MAX);
    CHECK_EQ(cts_result(l.port, &large), CPORT_ECANCELED);
    size_t out = cport_op_transferred(&large);
    CHECK(out > l.reader.at && out < IO_MUCH);
    CHECK_EQ(cts_send(l.pair.a, &rest, l.data + out, 1000, 0), 0);
    CHECK_EQ(cts_result(l.port, &rest), 1000);
    cts_close_wait(l.pair.a, 0);
    l.pair.a = NULL;
    CHECK_EQ(cts_read_join(count) + l.reader.at, out + 1000);
    lending_close(&l);
}

void s29_a_close_waits_for_lent_memory(void)
{
    cport_op lent = {0}, close = {0};
    struct lending l = lending_open(pair_open_stuck, LENT);
    bool waits = lends(l.port);
    CHECK_EQ(cts_send(l.pair.a, &lent, l.data, LENT, CPORT_ZERO_COPY), 0);
    cts_settle(l.port);
    CHECK_EQ(cts_close(l.pair.a, &close, 0), 0);
    l.pair.a = NULL;
    cts_settle(l.port);
    CHECK_EQ(cts_pending(&lent), waits);
    CHECK_EQ(cts_pending(&close), waits);
    io_peer_read(&l.reader, l.pair.peer, LENT + 1);
    check_sent(l.port, &lent, LENT);
    CHECK_EQ(cts_result(l.port, &close), 0);
    io_peer_join(&l.reader);
    CHECK_EQ(l.reader.at, LENT);
    CHECK_EQ(l.reader.end, 0);
    lending_close(&l);
}

/* Nor one that was cancelled before, nor one that is not wholly taken. */
void s29_an_abort_waits_for_no_memory(void)
{
    unsigned char *data = io_stream(IO_MUCH);
    cport_port *port = cts_port_open();
    for (int round = 0; round < 4; round++) {
        bool is_cancelled = round % 2 == 1;
        size_t len = round < 2 ? LENT : IO_MUCH;
        cport_op lent = {0}, behind = {0}, recv = {0}, close = {0};
        cts_pair pair;
        char byte;
        pair_open_stuck(port, &pair);
        CHECK_EQ(cts_recv(pair.a, &recv, &byte, 1, 0), 0);
        CHECK_EQ(cts_send(pair.a, &lent, data, len, CPORT_ZERO_COPY), 0);
        CHECK_EQ(cts_send(pair.a, &behind, data, len, CPORT_ZERO_COPY), 0);
        cts_settle(port);
        if (is_cancelled)
            (void)cts_cancel(&lent);
        CHECK_EQ(cts_close(pair.a, &close, CPORT_ABORT), 0);
        pair.a = NULL;
        int64_t result = cts_result(port, &lent);
        CHECK(result == (int64_t)len || result == CPORT_ECANCELED);
        result = cts_result(port, &behind);
        CHECK(result == (int64_t)len || result == CPORT_ECANCELED);
        CHECK_EQ(cts_result(port, &recv), CPORT_ECANCELED); /* whatever happens to the connection */
        CHECK_EQ(cts_result(port, &close), 0);
        memset(data, 0, 16);
        cts_reader *reader = cts_read_start(pair.peer, NULL, SIZE_MAX);
        CHECK(cts_read_join(reader) < 2 * len);
        cts_pair_close(&pair);
    }
    cts_port_close(port);
    free(data);
}

void s21_zero_copy_is_for_sends(void)
{
    char byte = 0;
    cport_buf buf = {.base = &byte, .len = 1};
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, CPORT_ZERO_COPY), CPORT_EINVAL);
    CHECK_EQ(cts_recvv(pair.a, &op, &buf, 1, CPORT_ZERO_COPY), CPORT_EINVAL);
    CHECK_EQ(cts_accept(pair.a, &op, CPORT_ZERO_COPY), CPORT_EINVAL);
    CHECK_EQ(cts_close(pair.a, &op, CPORT_ZERO_COPY), CPORT_EINVAL);
    cts_pair_close(&pair);
    cts_port_close(port);
}
