/* A full table of descriptors while accepting: S42. For systems that have one. */
#include "io.h"

#include <string.h>

#define CLIENTS 12

/* A listener, and clients that exist already but are not connected yet. */
typedef struct full_house {
    cport_port *port;
    cport_handle *listener;
    struct sockaddr_storage address;
    cport_socklen len;
    cport_os_handle clients[CLIENTS];
    int connected;
} full_house;

static void house_open(full_house *f)
{
    io_table_limit();
    *f = (full_house){.port = cts_port_open()};
    f->listener = cts_listen(f->port, &f->address, &f->len);
    for (int i = 0; i < CLIENTS; i++)
        f->clients[i] = cts_sock_tcp();
}

static void house_close(full_house *f)
{
    for (int i = 0; i < CLIENTS; i++)
        cts_sock_close(f->clients[i]);
    cts_port_close(f->port);
    io_table_restore();
}

static void house_connect(full_house *f, int count)
{
    for (int i = 0; i < count; i++)
        CHECK(cts_sock_connect(f->clients[f->connected++], (struct sockaddr *)&f->address, f->len));
}

static void take_one(full_house *f, cport_op *op)
{
    cport_event ev = cts_next(f->port, op);
    CHECK_EQ(ev.flags, CPORT_MORE);
    CHECK(ev.result >= 0);
    cts_sock_close((cport_os_handle)ev.result);
}

static void expect_full(full_house *f, cport_op *op, uint32_t flags)
{
    cport_event ev = cts_next(f->port, op);
    CHECK_EQ(ev.result, CPORT_EMFILE);
    CHECK_EQ(ev.flags, flags);
    CHECK(ev.aux != 0);
}

static uint64_t pauses(full_house *f)
{
    cport_port_stats stats = {.size = sizeof stats};
    CHECK_EQ(cport_port_get_stats(f->port, &stats), 0);
    return stats.accept_pauses;
}

/* Waits until the accept has tried again in vain so many times: without an event for it. */
static void outlast_pauses(full_house *f, uint64_t count)
{
    uint64_t until = pauses(f) + count;
    int64_t end = cts_now_ns() + CTS_PATIENCE_NS;
    while (pauses(f) < until) {
        cport_event ev;
        CHECK_EQ(cts_wait(f->port, &ev, 1, 10 * CTS_MS), 0);
        CHECK(cts_now_ns() < end);
    }
}

void s42_a_full_table_is_told_once_per_episode(void)
{
    full_house f;
    cport_op op = {0};
    house_open(&f);
    CHECK_EQ(cts_accept(f.listener, &op, CPORT_MULTISHOT), 0);
    house_connect(&f, 1);
    take_one(&f, &op);
    for (int episode = 0; episode < 2; episode++) {
        io_table_fill();
        house_connect(&f, 3);
        expect_full(&f, &op, CPORT_MORE);
        outlast_pauses(&f, 3);
        /* The accept goes on by itself, and all three are still there. One place more, since some systems look for a
         * place before they look for a connection. */
        io_table_free(4);
        for (int i = 0; i < 3; i++)
            take_one(&f, &op);
        io_check_still_pending(f.port, &op);
    }
    io_table_empty();
    house_connect(&f, 1);
    take_one(&f, &op);
    CHECK_EQ(cts_cancel(&op), 0);
    CHECK_EQ(cts_result(f.port, &op), CPORT_ECANCELED);
    cts_close_wait(f.listener, 0);
    house_close(&f);
}

void s42_the_port_goes_on_while_an_accept_pauses(void)
{
    char byte;
    full_house f;
    cts_pair pair;
    cport_op op = {0}, io = {0}, timer = {0};
    house_open(&f);
    cts_pair_open(f.port, &pair);
    CHECK_EQ(cts_accept(f.listener, &op, CPORT_MULTISHOT), 0);
    io_table_fill();
    house_connect(&f, 2);
    expect_full(&f, &op, CPORT_MORE);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(cts_recv(pair.a, &io, &byte, 1, 0), 0);
        cts_sock_send_all(pair.peer, "x", 1);
        CHECK_EQ(cts_result(f.port, &io), 1);
        CHECK_EQ(cts_send(pair.a, &io, "y", 1, 0), 0);
        CHECK_EQ(cts_result(f.port, &io), 1);
        cts_sock_recv_all(pair.peer, &byte, 1);
    }
    CHECK_EQ(cts_timer(f.port, &timer, cport_now_ns(f.port) + 25 * CTS_MS, 0), 0);
    CHECK_EQ(cts_result(f.port, &timer), 0);
    CHECK(cts_pending(&op));
    io_table_empty();
    take_one(&f, &op);
    take_one(&f, &op);
    cts_close_wait(f.listener, 0);
    CHECK_EQ(cts_result(f.port, &op), CPORT_ECANCELED);
    cts_pair_close(&pair);
    house_close(&f);
}

void s42_a_single_accept_ends_when_the_table_is_full(void)
{
    full_house f;
    cport_op op[3] = {0};
    house_open(&f);
    CHECK_EQ(cts_accept(f.listener, &op[0], 0), 0);
    CHECK_EQ(cts_accept(f.listener, &op[1], 0), 0);
    io_table_fill();
    house_connect(&f, 2);
    expect_full(&f, &op[0], 0);
    expect_full(&f, &op[1], 0);
    CHECK_EQ(cts_accept(f.listener, &op[2], 0), 0);
    expect_full(&f, &op[2], 0);
    io_table_empty();
    /* Nothing is lost: both connections are still to be had. */
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(cts_accept(f.listener, &op[i], 0), 0);
        cts_sock_close((cport_os_handle)cts_result(f.port, &op[i]));
    }
    cts_close_wait(f.listener, 0);
    house_close(&f);
}

void s42_a_pausing_accept_can_be_cancelled(void)
{
    full_house f;
    cport_op op = {0};
    house_open(&f);
    for (int late = 0; late < 2; late++) {
        CHECK_EQ(cts_accept(f.listener, &op, CPORT_MULTISHOT), 0);
        io_table_fill();
        house_connect(&f, 1);
        expect_full(&f, &op, CPORT_MORE);
        if (late)
            outlast_pauses(&f, 2);
        CHECK_EQ(cts_cancel(&op), 0);
        CHECK_EQ(cts_result(f.port, &op), CPORT_ECANCELED);
        CHECK_EQ(cts_cancel(&op), CPORT_ENOENT);
        io_table_empty();
        CHECK_EQ(cts_accept(f.listener, &op, 0), 0);
        cts_sock_close((cport_os_handle)cts_result(f.port, &op));
    }
    cts_close_wait(f.listener, 0);
    house_close(&f);
}

void s42_a_listener_can_be_closed_while_its_accept_pauses(void)
{
    for (int round = 0; round < 3; round++) {
        full_house f;
        cport_op op = {0}, behind = {0}, close = {0};
        house_open(&f);
        CHECK_EQ(cts_accept(f.listener, &op, CPORT_MULTISHOT), 0);
        CHECK_EQ(cts_accept(f.listener, &behind, 0), 0);
        io_table_fill();
        house_connect(&f, 2);
        expect_full(&f, &op, CPORT_MORE);
        if (round > 0)
            outlast_pauses(&f, (uint64_t)round);
        CHECK_EQ(cts_close(f.listener, &close, 0), 0);
        CHECK_EQ(cts_result(f.port, &close), 0);
        CHECK_EQ(cts_result(f.port, &op), CPORT_ECANCELED);
        CHECK_EQ(cts_result(f.port, &behind), CPORT_ECANCELED);
        io_table_empty();
        house_close(&f);
    }
}
