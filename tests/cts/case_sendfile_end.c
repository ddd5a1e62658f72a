/* Files that do not arrive as a whole: S45, S27, S29. */
#include "file.h"

#include <stdlib.h>

typedef struct passage {
    file f;
    cts_pair pair;
    io_peer reader;
    cport_op op;
} passage;

/* A file of IO_MUCH bytes on its way, of which the peer has read a part. */
static void begin(cport_port *port, passage *p, size_t part, uint64_t len)
{
    *p = (passage){0};
    file_open(port, &p->f, 0);
    file_write(&p->f, IO_MUCH, 0);
    io_pair_open_narrow(port, &p->pair);
    CHECK_EQ(cts_sendfile(p->pair.a, &p->op, p->f.h, 0, len, NULL, 0), 0);
    io_peer_read(&p->reader, p->pair.peer, part);
    io_peer_finish(&p->reader, port);
    CHECK_EQ(p->reader.at, part);
    io_check_still_pending(port, &p->op);
}

static void end(cport_port *port, passage *p)
{
    cts_pair_close(&p->pair);
    file_close(&p->f);
    cts_port_close(port);
}

/* Nothing follows what the peer has by now: it reads to the end. */
static void check_peer_got(passage *p, size_t bytes)
{
    cts_close_wait(p->pair.a, 0);
    p->pair.a = NULL;
    io_peer_read_on(&p->reader, bytes + 1);
    io_peer_join(&p->reader);
    CHECK_EQ(p->reader.at, bytes);
    CHECK_EQ(p->reader.end, 0);
}

/* The case's peer reads on while the end is awaited. */
static cport_event end_of(cport_port *port, passage *p, size_t most)
{
    io_peer_read_on(&p->reader, most);
    cport_event ev = cts_next(port, &p->op);
    return ev;
}

void s45_a_file_that_ends_early_tells_its_bytes(void)
{
    file f;
    cts_pair pair;
    cport_op op = {0}, next = {0};
    cport_port *port = cts_port_open();
    const cport_headtail around = {.head = "h", .head_len = 1, .tail = "t", .tail_len = 1};
    file_open(port, &f, 0);
    file_write(&f, 1000, 0);
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_sendfile(pair.a, &op, f.h, 500, 501, &around, 0), 0);
    CHECK_EQ(cts_send(pair.a, &next, "n", 1, 0), 0);
    cport_event ev = cts_next(port, &op);
    CHECK_EQ(ev.result, CPORT_EIO);
    CHECK_EQ(ev.aux, 0);
    CHECK_EQ(cport_op_transferred(&op), 501);
    CHECK_EQ(cts_result(port, &next), 1);
    CHECK_EQ(cts_sendfile(pair.a, &op, f.h, 5000, 1, NULL, 0), 0);
    CHECK_EQ(cts_result(port, &op), CPORT_EIO);
    CHECK_EQ(cport_op_transferred(&op), 0);
    char got[502];
    cts_sock_recv_all(pair.peer, got, sizeof got);
    CHECK_EQ(got[0], 'h');
    io_check(got + 1, 500, 500);
    CHECK_EQ(got[501], 'n');
    cts_pair_close(&pair);
    file_close(&f);
    cts_port_close(port);
}

void s45_a_file_that_is_cut_short_tells_its_bytes(void)
{
    static passage p;
    const size_t left = IO_MUCH / 2 + 17;
    cport_port *port = cts_port_open();
    begin(port, &p, IO_MUCH / 4, 0);
    cts_file_truncate(p.f.fd, left);
    cport_event ev = end_of(port, &p, left);
    CHECK_EQ(ev.result, CPORT_EIO);
    CHECK_EQ(ev.aux, 0);
    CHECK_EQ(cport_op_transferred(&p.op), left);
    io_peer_join(&p.reader);
    check_peer_got(&p, left);
    end(port, &p);
}

void s45_a_reset_in_the_middle_of_a_file_tells_its_bytes(void)
{
    static passage p;
    cport_op behind = {0};
    cport_port *port = cts_port_open();
    begin(port, &p, IO_MUCH / 4, 0);
    CHECK_EQ(cts_sendfile(p.pair.a, &behind, p.f.h, 0, 100, NULL, 0), 0);
    cts_sock_reset(p.pair.peer);
    p.pair.peer = CPORT_OS_HANDLE_INVALID;
    io_check_broken(cts_result(port, &p.op));
    CHECK(cport_op_transferred(&p.op) >= p.reader.at);
    CHECK(cport_op_transferred(&p.op) < IO_MUCH);
    io_check_broken(cts_result(port, &behind));
    CHECK_EQ(cport_op_transferred(&behind), 0);
    end(port, &p);
}

/* It has ended its own direction alone, while a send waits for room. */
void s45_a_peer_that_has_ended_its_side_gets_the_whole_file(void)
{
    static passage p;
    char byte;
    cport_op recv[2] = {0}, behind = {0};
    cport_port *port = cts_port_open();
    begin(port, &p, IO_MUCH / 4, 0);
    CHECK_EQ(cts_sendfile(p.pair.a, &behind, p.f.h, 0, 1, NULL, 0), 0);
    CHECK_EQ(cts_recv(p.pair.a, &recv[0], &byte, 1, 0), 0);
    cts_sock_shutdown_send(p.pair.peer);
    CHECK_EQ(cts_result(port, &recv[0]), 0);
    io_until_readable(port, p.pair.a);
    CHECK_EQ(cts_recv(p.pair.a, &recv[1], &byte, 1, 0), 0);
    CHECK_EQ(cts_result(port, &recv[1]), 0);
    io_check_still_pending(port, &p.op);
    CHECK_EQ(end_of(port, &p, IO_MUCH).result, IO_MUCH);
    CHECK_EQ(cts_result(port, &behind), 1);
    io_peer_join(&p.reader);
    CHECK_EQ(p.reader.at, IO_MUCH);
    cts_sock_recv_all(p.pair.peer, &byte, 1);
    io_check(&byte, 1, 0);
    end(port, &p);
}

/* The rest of the stream follows from exactly there. */
void s27_a_cancelled_sendfile_tells_exactly_its_bytes(void)
{
    static passage p;
    cport_op rest = {0};
    cport_port *port = cts_port_open();
    begin(port, &p, IO_MUCH / 4, 0);
    CHECK_EQ(cts_cancel(&p.op), 0);
    CHECK_EQ(cts_result(port, &p.op), CPORT_ECANCELED);
    size_t out = cport_op_transferred(&p.op);
    CHECK(out >= p.reader.at && out < IO_MUCH);
    CHECK_EQ(cts_sendfile(p.pair.a, &rest, p.f.h, out, 0, NULL, 0), 0);
    io_peer_read_on(&p.reader, IO_MUCH);
    CHECK_EQ(cts_result(port, &rest), IO_MUCH - out);
    io_peer_join(&p.reader);
    check_peer_got(&p, IO_MUCH);
    end(port, &p);
}

void s25_a_queued_sendfile_is_cancelled_at_once(void)
{
    static passage p;
    cport_op behind = {0}, close = {0};
    cport_port *port = cts_port_open();
    begin(port, &p, IO_MUCH / 4, IO_MUCH / 2);
    CHECK_EQ(cts_sendfile(p.pair.a, &behind, p.f.h, 0, 0, NULL, 0), 0);
    CHECK_EQ(cts_cancel(&behind), 0);
    CHECK_EQ(cts_result(port, &behind), CPORT_ECANCELED);
    CHECK_EQ(cport_op_transferred(&behind), 0);
    CHECK_EQ(cts_close(p.f.h, &close, 0), CPORT_EBUSY); /* the first still reads it */
    CHECK_EQ(end_of(port, &p, IO_MUCH / 2).result, IO_MUCH / 2);
    io_peer_join(&p.reader);
    check_peer_got(&p, IO_MUCH / 2);
    end(port, &p);
}

void s29_a_close_ends_a_sendfile(void)
{
    for (int abort = 0; abort < 2; abort++) {
        static passage p;
        cport_op behind = {0};
        cport_port *port = cts_port_open();
        begin(port, &p, IO_MUCH / 4, 0);
        CHECK_EQ(cts_sendfile(p.pair.a, &behind, p.f.h, 0, 0, NULL, 0), 0);
        cts_close_wait(p.pair.a, abort ? CPORT_ABORT : 0);
        p.pair.a = NULL;
        CHECK_EQ(cts_result(port, &p.op), CPORT_ECANCELED);
        CHECK_EQ(cts_result(port, &behind), CPORT_ECANCELED);
        CHECK(cport_op_transferred(&p.op) >= p.reader.at);
        end(port, &p);
    }
}
