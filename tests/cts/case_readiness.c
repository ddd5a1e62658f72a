/* cport_poll: readiness without data. The rules of every operation hold for it: S20, S25, S29. */
#include "io.h"

#include <stdlib.h>
#include <string.h>

#define ALWAYS (CPORT_POLL_ERR | CPORT_POLL_HUP)

static int64_t poll_now(cts_pair *pair, uint32_t mask)
{
    cport_op op = {0};
    CHECK_EQ(cts_poll(pair->a, &op, mask), 0);
    return cts_result(pair->port, &op);
}

void poll_tells_what_holds_already(void)
{
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(poll_now(&pair, CPORT_POLL_OUT), CPORT_POLL_OUT);
    CHECK_EQ(poll_now(&pair, CPORT_POLL_IN | CPORT_POLL_OUT), CPORT_POLL_OUT);
    cts_sock_send_all(pair.peer, "x", 1);
    CHECK_EQ(poll_now(&pair, CPORT_POLL_IN), CPORT_POLL_IN);
    CHECK_EQ(poll_now(&pair, CPORT_POLL_IN | CPORT_POLL_OUT), CPORT_POLL_IN | CPORT_POLL_OUT);
    CHECK_EQ(poll_now(&pair, CPORT_POLL_IN), CPORT_POLL_IN); /* it takes nothing */
    cts_pair_close(&pair);
    cts_port_close(port);
}

void poll_in_waits_for_data(void)
{
    char byte;
    cport_op poll = {0}, recv = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(cts_poll(pair.a, &poll, CPORT_POLL_IN), 0);
        io_check_still_pending(port, &poll);
        cts_sock_send_all(pair.peer, "x", 1);
        CHECK_EQ(cts_result(port, &poll), CPORT_POLL_IN);
        CHECK_EQ(cts_recv(pair.a, &recv, &byte, 1, 0), 0);
        CHECK_EQ(cts_result(port, &recv), 1);
    }
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* A receive that leaves something leaves the socket readable, one that takes all does not. */
void poll_in_after_a_receive(void)
{
    char data[8];
    cport_op poll = {0}, recv = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    cts_sock_send_all(pair.peer, "abcdef", 6);
    CHECK_EQ(cts_recv(pair.a, &recv, data, 4, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_result(port, &recv), 4);
    CHECK_EQ(poll_now(&pair, CPORT_POLL_IN), CPORT_POLL_IN);
    CHECK_EQ(cts_recv(pair.a, &recv, data, 8, 0), 0);
    CHECK_EQ(cts_result(port, &recv), 2);
    CHECK_EQ(cts_poll(pair.a, &poll, CPORT_POLL_IN), 0);
    io_check_still_pending(port, &poll);
    cts_sock_send_all(pair.peer, "g", 1);
    CHECK_EQ(cts_result(port, &poll), CPORT_POLL_IN);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* What it is for: another library reads the socket itself, as often as it is told to. */
void poll_in_for_a_reader_outside(void)
{
    char data[8];
    cport_op poll = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(cts_poll(pair.a, &poll, CPORT_POLL_IN), 0);
        io_check_still_pending(port, &poll);
        cts_sock_send_all(pair.peer, "outside", 7);
        CHECK_EQ(cts_result(port, &poll), CPORT_POLL_IN);
        CHECK_EQ(cts_sock_recv(cport_handle_fd(pair.a), data, 3), 3);
        CHECK_EQ(poll_now(&pair, CPORT_POLL_IN), CPORT_POLL_IN);
        CHECK_EQ(cts_sock_recv(cport_handle_fd(pair.a), data, 8), 4);
    }
    cts_pair_close(&pair);
    cts_port_close(port);
}

void poll_out_waits_for_room(void)
{
    char *sink = io_memory(64 * KIB);
    cport_op in = {0}, out = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    io_pair_open_narrow(port, &pair);
    size_t filled = cts_fill_socket(cport_handle_fd(pair.a));
    CHECK_EQ(cts_poll(pair.a, &out, CPORT_POLL_OUT), 0);
    CHECK_EQ(cts_poll(pair.a, &in, CPORT_POLL_IN), 0);
    io_check_still_pending(port, &out);
    CHECK(cts_pending(&in));
    for (size_t got = 0; got < filled;) {
        int64_t n = cts_sock_recv(pair.peer, sink, 64 * KIB);
        CHECK(n > 0);
        got += (size_t)n;
    }
    CHECK_EQ(cts_result(port, &out), CPORT_POLL_OUT);
    io_check_still_pending(port, &in);
    cts_close_wait(pair.a, 0);
    pair.a = NULL;
    CHECK_EQ(cts_result(port, &in), CPORT_ECANCELED);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(sink);
}

void poll_tells_the_end_of_the_stream_as_readable(void)
{
    char byte;
    cport_op poll = {0}, recv = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_poll(pair.a, &poll, CPORT_POLL_IN), 0);
    io_check_still_pending(port, &poll);
    cts_sock_shutdown_send(pair.peer);
    CHECK(cts_result(port, &poll) & CPORT_POLL_IN);
    CHECK_EQ(cts_recv(pair.a, &recv, &byte, 1, 0), 0);
    CHECK_EQ(cts_result(port, &recv), 0);
    CHECK(poll_now(&pair, CPORT_POLL_IN) & CPORT_POLL_IN);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void poll_tells_a_reset_to_every_mask(void)
{
    static const uint32_t masks[] = {CPORT_POLL_IN, CPORT_POLL_HUP, CPORT_POLL_ERR, ALWAYS};
    enum { COUNT = CTS_COUNT_OF(masks) };
    cport_op before[COUNT] = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_poll(pair.a, &before[i], masks[i]), 0);
    for (int i = 0; i < COUNT; i++)
        io_check_still_pending(port, &before[i]);
    cts_sock_reset(pair.peer);
    pair.peer = CPORT_OS_HANDLE_INVALID;
    for (int i = 0; i < COUNT; i++)
        CHECK(cts_result(port, &before[i]) & (ALWAYS | CPORT_POLL_IN));
    for (int i = 0; i < COUNT; i++)
        CHECK(poll_now(&pair, masks[i]) & (ALWAYS | CPORT_POLL_IN));
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* Windows tells a hang-up only of connections that were reset. */
void poll_tells_that_both_directions_have_ended(void)
{
    cport_op poll = {0}, op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    for (int before = 0; before < 2; before++) {
        cts_pair_open(port, &pair);
        if (before) {
            CHECK_EQ(cts_poll(pair.a, &poll, CPORT_POLL_HUP), 0);
            io_check_still_pending(port, &poll);
        }
        CHECK_EQ(cts_shutdown(pair.a, &op, CPORT_SHUT_SEND), 0);
        CHECK_EQ(cts_result(port, &op), 0);
        cts_pair_close_peer(&pair);
        if (!before)
            CHECK_EQ(cts_poll(pair.a, &poll, CPORT_POLL_HUP), 0);
        CHECK_EQ(cts_result(port, &poll), CPORT_POLL_HUP);
        cts_pair_close(&pair);
    }
    cts_port_close(port);
}

void poll_takes_any_number_at_once(void)
{
    enum { COUNT = 20 };
    static cport_op in[COUNT];
    cport_op out[COUNT] = {0}, recv[2] = {0};
    char data[2][2];
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_poll(pair.a, &in[i], CPORT_POLL_IN), 0);
    /* Receives wait for the same data, and take it: they are not in the polls' way, nor the polls in theirs. */
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_poll(pair.a, &out[i], CPORT_POLL_OUT), 0);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &out[i]), CPORT_POLL_OUT);
    io_check_still_pending(port, &in[0]);
    cts_sock_send_all(pair.peer, "ab", 2);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &in[i]), CPORT_POLL_IN);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(cts_recv(pair.a, &recv[i], data[i], 1, 0), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(cts_result(port, &recv[i]), 1);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void poll_can_be_cancelled(void)
{
    enum { COUNT = 6 };
    static const int order[COUNT] = {2, 5, 0, 4, 1, 3};
    cport_op ops[COUNT] = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_poll(pair.a, &ops[i], i % 2 ? CPORT_POLL_IN : ALWAYS), 0);
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(cts_cancel(&ops[order[i]]), 0);
        CHECK_EQ(cts_result(port, &ops[order[i]]), CPORT_ECANCELED);
        CHECK_EQ(cts_cancel(&ops[order[i]]), CPORT_ENOENT);
    }
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_poll(pair.a, &ops[i], CPORT_POLL_IN), 0);
    CHECK_EQ(cts_cancel_all(pair.a), 0);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &ops[i]), CPORT_ECANCELED);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_poll(pair.a, &ops[i], CPORT_POLL_IN), 0);
    cts_close_wait(pair.a, 0);
    pair.a = NULL;
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &ops[i]), CPORT_ECANCELED);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void poll_in_of_a_listener_tells_of_connections(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_op poll = {0}, accept = {0};
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    cport_os_handle client = cts_sock_tcp();
    CHECK_EQ(cts_poll(listener, &poll, CPORT_POLL_IN), 0);
    io_check_still_pending(port, &poll);
    CHECK(cts_sock_connect(client, (struct sockaddr *)&address, len));
    CHECK_EQ(cts_result(port, &poll), CPORT_POLL_IN);
    CHECK_EQ(cts_accept(listener, &accept, 0), 0);
    cts_sock_close((cport_os_handle)cts_result(port, &accept));
    cts_sock_close(client);
    cts_close_wait(listener, 0);
    cts_port_close(port);
}

void poll_checks_its_mask(void)
{
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_poll(pair.a, &op, 0), CPORT_EINVAL);
    CHECK_EQ(cts_poll(pair.a, &op, 0x10), CPORT_EINVAL);
    CHECK_EQ(cts_poll(NULL, &op, CPORT_POLL_IN), CPORT_EINVAL);
    CHECK_EQ(cts_poll(pair.a, NULL, CPORT_POLL_IN), CPORT_EINVAL);
    cts_pair_close(&pair);
    cts_port_close(port);
}
