/* Files to sockets: S45. */
#include "file.h"

#include <stdlib.h>
#include <string.h>

/* The peer shall get the pattern from place `at` on, len bytes. */
static void expect(io_peer *reader, cts_pair *pair, size_t at, size_t len)
{
    *reader = (io_peer){.s = pair->peer, .at = at};
    io_peer_read_on(reader, at + len);
}

static void arrived(io_peer *reader)
{
    io_peer_join(reader);
    CHECK_EQ(reader->at, reader->most);
}

void s45_a_file_arrives(void)
{
    static const size_t lens[] = {1, 100, 4095, 4096, 65537, 300000, MIB + 3};
    static const size_t offsets[] = {0, 1, 4096, 70001};
    file f;
    cts_pair pair;
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    file_write(&f, 2 * MIB, 0);
    io_pair_open_narrow(port, &pair);
    for (size_t i = 0; i < CTS_COUNT_OF(lens); i++) {
        for (size_t k = 0; k < CTS_COUNT_OF(offsets); k++) {
            cport_op op = {0};
            io_peer reader;
            expect(&reader, &pair, offsets[k], lens[i]);
            CHECK_EQ(cts_sendfile(pair.a, &op, f.h, offsets[k], lens[i], NULL, 0), 0);
            CHECK_EQ(cts_result(port, &op), lens[i]);
            arrived(&reader);
        }
    }
    cts_pair_close(&pair);
    file_close(&f);
    cts_port_close(port);
}

/* As it is at the call; and behind it there is nothing, which is no error. */
void s45_the_end_of_the_file_is_where_it_ends(void)
{
    const cport_headtail around = {.head = "he", .head_len = 2, .tail = "tail", .tail_len = 4};
    char got[6];
    file f;
    cts_pair pair;
    io_peer reader;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_sendfile(pair.a, &op, f.h, 0, 0, NULL, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    file_write(&f, 100000, 0);
    expect(&reader, &pair, 777, 100000 - 777);
    CHECK_EQ(cts_sendfile(pair.a, &op, f.h, 777, 0, NULL, 0), 0);
    CHECK_EQ(cts_result(port, &op), 100000 - 777);
    arrived(&reader);
    for (uint64_t offset = 100000; offset < 1000000000000; offset *= 100) {
        CHECK_EQ(cts_sendfile(pair.a, &op, f.h, offset, 0, NULL, 0), 0);
        CHECK_EQ(cts_result(port, &op), 0);
        CHECK_EQ(cts_sendfile(pair.a, &op, f.h, offset, 0, &around, 0), 0);
        CHECK_EQ(cts_result(port, &op), 6);
        cts_sock_recv_all(pair.peer, got, 6);
        CHECK(memcmp(got, "hetail", 6) == 0);
    }
    cts_pair_close(&pair);
    file_close(&f);
    cts_port_close(port);
}

/* The struct is the caller's again after the call, the memory is not. */
void s45_head_and_tail_go_around_the_file(void)
{
    static const size_t sizes[] = {0, 1, 5000, 3 * MIB};
    size_t len = 70000, most = 3 * MIB, start = most;
    file f;
    cts_pair pair;
    cport_port *port = cts_port_open();
    unsigned char *data = io_stream(start + len + most);
    file_open(port, &f, 0);
    file_write(&f, len, start);
    io_pair_open_narrow(port, &pair);
    for (size_t i = 0; i < CTS_COUNT_OF(sizes); i++) {
        for (size_t k = 0; k < CTS_COUNT_OF(sizes); k++) {
            cport_op op = {0};
            io_peer reader;
            size_t all = sizes[i] + len + sizes[k];
            cport_headtail around = {.head = data + start - sizes[i],
                .head_len = sizes[i],
                .tail = data + start + len,
                .tail_len = sizes[k]};
            expect(&reader, &pair, start - sizes[i], all);
            CHECK_EQ(cts_sendfile(pair.a, &op, f.h, start, len, &around, 0), 0);
            memset(&around, 0xEE, sizeof around);
            CHECK_EQ(cts_result(port, &op), all);
            arrived(&reader);
        }
    }
    cts_pair_close(&pair);
    file_close(&f);
    cts_port_close(port);
    free(data);
}

void s45_sendfiles_keep_their_place_among_sends(void)
{
    enum { COUNT = 60 };
    static cport_op ops[COUNT];
    const size_t each = 40000;
    unsigned char *data = io_stream(each * COUNT);
    file f;
    cts_pair pair;
    io_peer reader;
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    file_write(&f, each * COUNT, 0);
    io_pair_open_narrow(port, &pair);
    for (size_t i = 0; i < COUNT; i++) {
        size_t at = i * each;
        cport_headtail around = {
            .head = data + at, .head_len = 10, .tail = data + at + each - 20, .tail_len = 20};
        if (i % 3 == 0)
            CHECK_EQ(cts_sendfile(pair.a, &ops[i], f.h, at, each, NULL, 0), 0);
        else if (i % 3 == 1)
            CHECK_EQ(cts_send(pair.a, &ops[i], data + at, each, i % 2 ? CPORT_ZERO_COPY : 0), 0);
        else
            CHECK_EQ(cts_sendfile(pair.a, &ops[i], f.h, at + 10, each - 30, &around, 0), 0);
    }
    expect(&reader, &pair, 0, each * COUNT);
    for (size_t i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &ops[i]), each);
    arrived(&reader);
    cts_pair_close(&pair);
    file_close(&f);
    cts_port_close(port);
    free(data);
}

/* Each from a place of its own, so that none can take another's bytes unnoticed. */
static void send_to_many(cport_port *port, file *f)
{
    enum { PEERS = 12 };
    const size_t len = 500000;
    static cts_pair pairs[PEERS];
    static cport_op ops[PEERS];
    static io_peer readers[PEERS];
    for (size_t i = 0; i < PEERS; i++) {
        io_pair_open_narrow(port, &pairs[i]);
        CHECK_EQ(cts_sendfile(pairs[i].a, &ops[i], f->h, i * 1001, len, NULL, 0), 0);
        expect(&readers[i], &pairs[i], i * 1001, len);
    }
    for (size_t i = 0; i < PEERS; i++)
        CHECK_EQ(cts_result(port, &ops[i]), len);
    for (size_t i = 0; i < PEERS; i++) {
        arrived(&readers[i]);
        cts_pair_close(&pairs[i]);
    }
}

void s45_many_send_one_file(void)
{
    file f;
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    file_write(&f, MIB, 0);
    send_to_many(port, &f);
    file_close(&f);
    cts_port_close(port);
}

void s45_a_file_may_be_of_another_port(void)
{
    file f;
    cport_port *port = cts_port_open(), *other = cts_port_open();
    file_open(other, &f, 0);
    file_write(&f, MIB, 0);
    send_to_many(port, &f);
    file_close(&f);
    cts_port_close(other);
    cts_port_close(port);
}

/* Its number might go to another file otherwise, and that be sent. */
void s45_a_file_that_is_sent_stays(void)
{
    file f;
    cts_pair pair;
    io_peer reader;
    cport_op op = {0}, close = {0};
    cport_port *port = cts_port_open(), *other = cts_port_open();
    file_open(other, &f, 0);
    file_write(&f, IO_MUCH, 0);
    io_pair_open_narrow(port, &pair);
    CHECK_EQ(cts_sendfile(pair.a, &op, f.h, 0, 0, NULL, 0), 0);
    io_check_still_pending(port, &op);
    CHECK_EQ(cts_close(f.h, &close, 0), CPORT_EBUSY);
    expect(&reader, &pair, 0, IO_MUCH);
    CHECK_EQ(cts_result(port, &op), IO_MUCH);
    arrived(&reader);
    cts_pair_close(&pair);
    file_close(&f);
    cts_port_close(other);
    cts_port_close(port);
}

void s45_beyond_four_gibibytes(void)
{
    const uint64_t four = (uint64_t)4 << 30;
    const size_t len = 200000;
    file f;
    cts_pair pair;
    io_peer reader;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    cts_file_sparse(f.fd);
    file_write(&f, len, four - len / 2);
    cts_pair_open(port, &pair);
    for (int to_the_end = 0; to_the_end < 2; to_the_end++) {
        expect(&reader, &pair, (size_t)(four - 1000), len / 2 + 1000);
        CHECK_EQ(
            cts_sendfile(pair.a, &op, f.h, four - 1000, to_the_end ? 0 : len / 2 + 1000, NULL, 0),
            0);
        CHECK_EQ(cts_result(port, &op), len / 2 + 1000);
        arrived(&reader);
    }
    cts_pair_close(&pair);
    file_close(&f);
    cts_port_close(port);
}

#ifdef CTS_SLOW
#define TURNS 10
#else
#define TURNS 100
#endif

/* The peer reads as fast as it can, and there is more than it could read in the time. */
void s45_a_long_file_starves_nobody(void)
{
    file f;
    cts_pair busy, quiet;
    cport_op download = {0};
    char byte;
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    cts_file_sparse(f.fd);
    cts_file_truncate(f.fd, (uint64_t)200 << 30);
    cts_pair_open(port, &busy);
    cts_pair_open_both(port, &quiet);
    cts_reader *reader = cts_read_start(busy.peer, NULL, SIZE_MAX);
    CHECK_EQ(cts_sendfile(busy.a, &download, f.h, 0, 0, NULL, 0), 0);
    for (int i = 0; i < TURNS; i++) {
        cport_op recv = {0}, send = {0}, timer = {0};
        CHECK_EQ(cts_recv(quiet.b, &recv, &byte, 1, 0), 0);
        CHECK_EQ(cts_send(quiet.a, &send, "x", 1, 0), 0);
        CHECK_EQ(cts_timer(port, &timer, cport_now_ns(port) + 1000, 0), 0);
        CHECK_EQ(cts_result(port, &send), 1);
        CHECK_EQ(cts_result(port, &recv), 1);
        CHECK_EQ(cts_result(port, &timer), 0);
    }
    CHECK(cts_pending(&download));
    cts_close_wait(busy.a, CPORT_ABORT);
    CHECK_EQ(cts_result(port, &download), CPORT_ECANCELED);
    busy.a = NULL;
    cts_read_join(reader);
    cts_pair_close(&busy);
    cts_pair_close(&quiet);
    file_close(&f);
    cts_port_close(port);
}

void s45_sending_files_takes_no_memory(void)
{
    file f;
    cts_pair pair;
    char got[4 + 1000];
    uint64_t calls = 0;
    const cport_headtail head = {.head = "head", .head_len = 4};
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    file_write(&f, 1000, 0);
    cts_pair_open(port, &pair);
    for (int i = 0; i < 300; i++) {
        cport_op op = {0};
        if (i == 100)
            calls = cts_alloc_calls();
        CHECK_EQ(cts_sendfile(pair.a, &op, f.h, 0, 0, &head, 0), 0);
        CHECK_EQ(cts_result(port, &op), sizeof got);
        cts_sock_recv_all(pair.peer, got, sizeof got);
    }
    CHECK_EQ(cts_alloc_calls(), calls);
    io_check(got + 4, 1000, 0);
    cts_pair_close(&pair);
    file_close(&f);
    cts_port_close(port);
}

/* Refused for want of memory: the file knows nothing of it, and the next attempt succeeds. */
void s21_a_sendfile_without_memory_is_refused(void)
{
    file f;
    cts_pair pair;
    char got[10];
    cport_op op = {0};
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    file_write(&f, sizeof got, 0);
    cts_pair_open(port, &pair);
    cts_alloc_fail_at(1);
    CHECK_EQ(cts_sendfile(pair.a, &op, f.h, 0, 0, NULL, 0), CPORT_ENOMEM);
    CHECK(cts_alloc_refused());
    cts_alloc_fail_at(0);
    CHECK_EQ(cts_sendfile(pair.a, &op, f.h, 0, 0, NULL, 0), 0);
    CHECK_EQ(cts_result(port, &op), sizeof got);
    cts_sock_recv_all(pair.peer, got, sizeof got);
    io_check(got, sizeof got, 0);
    cts_pair_close(&pair);
    file_close(&f);
    cts_port_close(port);
}

void s21_a_sendfile_is_refused(void)
{
    file f;
    cts_pair pair;
    cport_op op = {0};
    const cport_headtail no_head = {.head_len = 1}, no_tail = {.tail_len = 1};
    const cport_headtail endless = {
        .head = &op, .head_len = SIZE_MAX / 2, .tail = &op, .tail_len = SIZE_MAX / 2};
    cport_port *port = cts_port_open();
    cport_os_handle fd;
    CHECK_EQ(cport_socket_udp(AF_INET, NULL, 0, NULL, &fd), 0);
    cport_handle *udp = cts_attach(port, fd, 1);
    file_open(port, &f, 0);
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_sendfile(NULL, &op, f.h, 0, 1, NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendfile(pair.a, NULL, f.h, 0, 1, NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendfile(pair.a, &op, NULL, 0, 1, NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendfile(pair.a, &op, pair.a, 0, 1, NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendfile(f.h, &op, f.h, 0, 1, NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendfile(udp, &op, f.h, 0, 1, NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendfile(pair.a, &op, f.h, 0, 1, &no_head, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendfile(pair.a, &op, f.h, 0, 1, &no_tail, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendfile(pair.a, &op, f.h, 0, 1, &endless, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendfile(pair.a, &op, f.h, 0, UINT64_MAX, NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendfile(pair.a, &op, f.h, UINT64_MAX, 0, NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendfile(pair.a, &op, f.h, INT64_MAX, 1, NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendfile(pair.a, &op, f.h, 0, 1, NULL, CPORT_MULTISHOT), CPORT_EINVAL);
    CHECK_EQ(cts_sendfile(pair.a, &op, f.h, 0, 1, NULL, CPORT_ZERO_COPY), CPORT_EINVAL);
    cts_close_wait(udp, 0);
    cts_pair_close(&pair);
    file_close(&f); /* none of them has kept it */
    cts_port_close(port);
}

void s22_a_small_file_is_done_inline(void)
{
    file f;
    cts_pair pair;
    char got[10];
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    file_write(&f, sizeof got, 0);
    cts_pair_open(port, &pair);
    for (int i = 0; i < 20; i++) {
        cport_op op = {0};
        int r = cts_sendfile(pair.a, &op, f.h, 0, 0, NULL, CPORT_INLINE_OK);
        CHECK(r == 0 || r == 1);
        /* There is room for ten bytes; but some engines leave everything to another thread. */
        CHECK(r == 1 || cts_is(CTS_IOCP) || cts_is(CTS_URING | CTS_SHARED));
        CHECK_EQ(r == 1 ? cport_op_result(&op) : cts_result(port, &op), sizeof got);
        cts_sock_recv_all(pair.peer, got, sizeof got);
        io_check(got, sizeof got, 0);
    }
    cts_pair_close(&pair);
    file_close(&f);
    cts_port_close(port);
}
