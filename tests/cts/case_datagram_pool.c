/* Datagrams into the buffers of a pool. */
#include "datagram.h"

#include <stdlib.h>
#include <string.h>

enum { BYTES = 200 + CPORT_MSG_HEAD };

/* The op's next event: a datagram of len bytes of the pattern from place `at`. Returns its buffer. */
static uint32_t take(cport_port *port, cport_op *op, cport_bufs *pool, const dg_socket *from,
    size_t len, size_t at, cport_msg *ret_msg)
{
    cport_buf data;
    cport_event ev = cts_next(port, op);
    CHECK_EQ(ev.result, len);
    CHECK_EQ(ev.flags & CPORT_BUFFER, CPORT_BUFFER);
    CHECK_EQ(cport_bufs_msg(pool, ev.aux, ret_msg, &data), 0);
    CHECK_EQ(data.len, len);
    CHECK(ret_msg->bufs == &data);
    CHECK_EQ(ret_msg->bufs_count, 1);
    ret_msg->bufs = NULL;
    CHECK(data.base == (char *)cport_bufs_data(pool, ev.aux) + CPORT_MSG_HEAD);
    io_check(data.base, len, at);
    CHECK_EQ(ret_msg->flags, 0);
    CHECK_EQ(ret_msg->address_len, from->len);
    struct sockaddr_storage address;
    memset(&address, 0, sizeof address);
    memcpy(&address, ret_msg->address, (size_t)ret_msg->address_len);
    io_check_same_address(&address, &from->address);
    return ev.aux;
}

static void take_and_return(
    cport_port *port, cport_op *op, cport_bufs *pool, const dg_socket *from, size_t len, size_t at)
{
    cport_msg msg;
    CHECK_EQ(cts_bufs_return(pool, take(port, op, pool, from, len, at, &msg)), 0);
}

void pooled_datagrams_come_with_their_senders(void)
{
    enum { COUNT = 8, ROUNDS = 20 };
    dg_socket to, from[3];
    cport_op op = {0};
    cport_bufs *pool;
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_bufs_open(port, BYTES, COUNT, &pool), 0);
    dg_open(port, "127.0.0.1", 0, &to);
    for (size_t i = 0; i < CTS_COUNT_OF(from); i++)
        dg_open(port, "127.0.0.1", 0, &from[i]);
    for (uint32_t flags = 0; flags <= CPORT_MULTISHOT; flags += CPORT_MULTISHOT) {
        if (flags)
            CHECK_EQ(cts_recvmsg_pooled(to.h, &op, pool, flags), 0);
        for (size_t i = 0; i < ROUNDS; i++) {
            const dg_socket *s = &from[i % CTS_COUNT_OF(from)];
            size_t len = i * 7 % 200;
            bool waits = i % 2;
            if (!flags && waits)
                CHECK_EQ(cts_recvmsg_pooled(to.h, &op, pool, flags), 0);
            dg_send(port, s, &to, len, i);
            if (!flags && !waits)
                CHECK_EQ(cts_recvmsg_pooled(to.h, &op, pool, flags), 0);
            take_and_return(port, &op, pool, s, len, i);
        }
    }
    /* Several at once, and all in order. */
    for (size_t i = 0; i < COUNT; i++)
        dg_send(port, &from[0], &to, 10 + i, i);
    for (size_t i = 0; i < COUNT; i++)
        take_and_return(port, &op, pool, &from[0], 10 + i, i);
    CHECK_EQ(cts_cancel(&op), 0);
    CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    for (size_t i = 0; i < CTS_COUNT_OF(from); i++)
        cts_close_wait(from[i].h, 0);
    cts_close_wait(to.h, 0);
    cts_bufs_close(pool);
    cts_port_close(port);
}

void pooled_datagrams_that_do_not_fit_end_nothing(void)
{
    dg_socket a, b;
    cport_op op = {0};
    cport_bufs *pool;
    cport_msg msg;
    cport_buf data;
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_bufs_open(port, BYTES, 4, &pool), 0);
    dg_open(port, "127.0.0.1", 0, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    for (uint32_t flags = 0; flags <= CPORT_MULTISHOT; flags += CPORT_MULTISHOT) {
        for (int i = 0; i < 4; i++) {
            if (!flags || i == 0)
                CHECK_EQ(cts_recvmsg_pooled(b.h, &op, pool, flags), 0);
            dg_send(port, &a, &b, 300, 0);
            cport_event ev = cts_next(port, &op);
            CHECK_EQ(ev.result, CPORT_EMSGSIZE);
            CHECK_EQ(ev.flags, CPORT_BUFFER | (flags ? CPORT_MORE : 0));
            CHECK_EQ(cport_bufs_msg(pool, ev.aux, &msg, &data), 0);
            CHECK_EQ(msg.flags, CPORT_MSG_TRUNCATED);
            CHECK_EQ(data.len, 200);
            io_check(data.base, 200, 0);
            CHECK_EQ(cts_bufs_return(pool, ev.aux), 0);
        }
    }
    dg_send(port, &a, &b, 200, 3);
    take_and_return(port, &op, pool, &a, 200, 3);
    cts_close_wait(b.h, 0);
    CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    cts_close_wait(a.h, 0);
    cts_bufs_close(pool);
    cts_port_close(port);
}

void a_dry_pool_ends_a_receive_of_datagrams(void)
{
    enum { COUNT = 3 };
    dg_socket a, b;
    cport_op op = {0};
    cport_bufs *pool;
    uint32_t ids[COUNT];
    cport_msg msg;
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_bufs_open(port, BYTES, COUNT, &pool), 0);
    dg_open(port, "127.0.0.1", 0, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    for (uint32_t flags = 0; flags <= CPORT_MULTISHOT; flags += CPORT_MULTISHOT) {
        for (size_t i = 0; i < COUNT; i++) {
            if (!flags || i == 0)
                CHECK_EQ(cts_recvmsg_pooled(b.h, &op, pool, flags), 0);
            dg_send(port, &a, &b, i, i);
            ids[i] = take(port, &op, pool, &a, i, i, &msg);
        }
        /* Dry, but nothing has come that would need a buffer. */
        if (!flags)
            CHECK_EQ(cts_recvmsg_pooled(b.h, &op, pool, flags), 0);
        io_check_still_pending(port, &op);
        dg_send(port, &a, &b, 50, 9);
        CHECK_EQ(cts_result(port, &op), CPORT_ENOBUFS);
        CHECK_EQ(cts_bufs_return(pool, ids[1]), 0);
        CHECK_EQ(cts_recvmsg_pooled(b.h, &op, pool, 0), 0);
        ids[1] = take(port, &op, pool, &a, 50, 9, &msg);
        /* An empty one needs a buffer, too. */
        CHECK_EQ(cts_recvmsg_pooled(b.h, &op, pool, flags), 0);
        dg_send(port, &a, &b, 0, 0);
        CHECK_EQ(cts_result(port, &op), CPORT_ENOBUFS);
        for (size_t i = 0; i < COUNT; i++)
            CHECK_EQ(cts_bufs_return(pool, ids[i]), 0);
        CHECK_EQ(cts_recvmsg_pooled(b.h, &op, pool, 0), 0);
        take_and_return(port, &op, pool, &a, 0, 0);
    }
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_bufs_close(pool);
    cts_port_close(port);
}

void pooled_datagrams_come_with_packet_info(void)
{
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    cport_bufs *pool;
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_bufs_open(port, BYTES, 4, &pool), 0);
    for (size_t i = 0; i < CTS_COUNT_OF(hosts); i++) {
        for (uint32_t flags = 0; flags <= CPORT_MULTISHOT; flags += CPORT_MULTISHOT) {
            dg_socket a, b;
            cport_op op = {0};
            cport_msg msg;
            cport_packet_info info;
            dg_open(port, hosts[i], CPORT_SOCKET_PACKET_INFO, &b);
            dg_open(port, hosts[i], 0, &a);
            CHECK_EQ(cts_recvmsg_pooled(b.h, &op, pool, flags), 0);
            dg_send(port, &a, &b, 60, 0);
            uint32_t id = take(port, &op, pool, &a, 60, 0, &msg);
            CHECK_EQ(cport_msg_get_packet_info(&msg, &info), 0);
            CHECK_EQ(info.address.ss_family, b.address.ss_family);
            memcpy((char *)&info.address + 2, (char *)&b.address + 2, 2); /* the port */
            io_check_same_address(&info.address, &b.address);
            CHECK_EQ(cts_bufs_return(pool, id), 0);
            cts_close_wait(b.h, 0);
            if (flags)
                CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
            cts_close_wait(a.h, 0);
        }
    }
    cts_bufs_close(pool);
    cts_port_close(port);
}

/* What a server does: answers each from the buffer that it came in, on as many threads as the port takes. */
typedef struct answer {
    io_task task;
    struct server *server;
    cport_msg msg;
    cport_buf data;
    uint32_t id;
} answer;

typedef struct client {
    io_task send;
    io_task recv;
    struct server *server;
    dg_socket socket;
    dg_msg out, in;
    atomic_uint left; /* of both ends of this exchange: the later of the two goes on */
    unsigned exchanges;
    unsigned number;
} client;

enum { CLIENTS = 10, ANSWERS = 16, EXCHANGES = 100 };

typedef struct server {
    io_loop loop;
    cts_mutex order; /* of sends */
    io_task recv;
    dg_socket socket;
    cport_bufs *pool;
    answer answers[ANSWERS]; /* one for each buffer */
    client clients[CLIENTS];
} server;

static void answered(io_task *task, const cport_event *ev)
{
    answer *a = CPORT_CONTAINER_OF(task, answer, task);
    CHECK_EQ(ev->result, a->data.len);
    CHECK_EQ(cts_bufs_return(a->server->pool, a->id), 0);
}

static void asked(io_task *task, const cport_event *ev)
{
    server *s = CPORT_CONTAINER_OF(task, server, recv);
    if (ev->result ==
        CPORT_ENOBUFS) { /* answers that have gone, but whose events nobody has handled yet */
        CHECK_EQ(cts_recvmsg_pooled(s->socket.h, &s->recv.op, s->pool, CPORT_MULTISHOT), 0);
        return;
    }
    CHECK_EQ(ev->flags, CPORT_BUFFER | CPORT_MORE);
    answer *a = &s->answers[ev->aux];
    a->server = s;
    a->id = ev->aux;
    a->task.run = answered;
    CHECK_EQ(cport_bufs_msg(s->pool, ev->aux, &a->msg, &a->data), 0);
    CHECK_EQ(a->data.len, ev->result);
    a->msg.control_len = 0;
    cts_lock(&s->order); /* for the checker, who would not know which of two threads came first */
    CHECK_EQ(cts_sendmsg(s->socket.h, &a->task.op, &a->msg, 0), 0);
    cts_unlock(&s->order);
}

static void ask(client *c);

static void exchanged(client *c)
{
    if (atomic_fetch_sub(&c->left, 1) > 1)
        return;
    io_check(c->in.data, c->out.buf.len, c->exchanges + c->number);
    CHECK_EQ(c->in.msg.address_len, c->server->socket.len);
    if (++c->exchanges < EXCHANGES)
        ask(c);
    else
        io_loop_done(&c->server->loop);
}

static void client_sent(io_task *task, const cport_event *ev)
{
    client *c = CPORT_CONTAINER_OF(task, client, send);
    CHECK_EQ(ev->result, c->out.buf.len);
    exchanged(c);
}

static void client_received(io_task *task, const cport_event *ev)
{
    client *c = CPORT_CONTAINER_OF(task, client, recv);
    CHECK_EQ(ev->result, c->out.buf.len);
    exchanged(c);
}

static void ask(client *c)
{
    size_t len = 1 + (c->exchanges * 31 + c->number * 17) % 200;
    atomic_store(&c->left, 2);
    dg_to_receive(&c->in, 201);
    dg_to_send(&c->out, &c->server->socket, len, c->exchanges + c->number);
    CHECK_EQ(cts_recvmsg(c->socket.h, &c->recv.op, &c->in.msg, 0), 0);
    CHECK_EQ(cts_sendmsg(c->socket.h, &c->send.op, &c->out.msg, 0), 0);
}

void a_pool_serves_many_datagram_clients(void)
{
    static server s = {.order = CTS_MUTEX_INIT};
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_bufs_open(port, BYTES, ANSWERS, &s.pool), 0);
    dg_open(port, "127.0.0.1", 0, &s.socket);
    s.recv.run = asked;
    io_loop_init(&s.loop, port, CLIENTS);
    for (unsigned i = 0; i < CLIENTS; i++) {
        client *c = &s.clients[i];
        c->server = &s;
        c->number = i;
        c->send.run = client_sent;
        c->recv.run = client_received;
        dg_open(port, "127.0.0.1", 0, &c->socket);
    }
    CHECK_EQ(cts_recvmsg_pooled(s.socket.h, &s.recv.op, s.pool, CPORT_MULTISHOT), 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        ask(&s.clients[i]);
    io_loop_run(&s.loop);
    CHECK_EQ(cts_cancel(&s.recv.op), 0);
    cts_drain(port);
    cport_event ev;
    while (checker_unstash(&s.recv.op, &ev))
        CHECK_EQ(ev.result, CPORT_ECANCELED);
    for (unsigned i = 0; i < ANSWERS; i++)
        while (checker_unstash(&s.answers[i].task.op, &ev))
            answered(&s.answers[i].task, &ev);
    for (unsigned i = 0; i < CLIENTS; i++)
        cts_close_wait(s.clients[i].socket.h, 0);
    cts_close_wait(s.socket.h, 0);
    cts_bufs_close(s.pool);
    cts_port_close(port);
}

void no_allocation_per_datagram(void)
{
    enum { WARM_UP = 100, MESSAGES = 2000 };
    static dg_msg recv[4], send[4];
    dg_socket a, b, c;
    cport_op pooled = {0};
    cport_bufs *pool;
    uint64_t calls = 0;
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_bufs_open(port, BYTES, 8, &pool), 0);
    dg_open(port, "127.0.0.1", 0, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    dg_open(port, "127.0.0.1", 0, &c);
    CHECK_EQ(cts_recvmsg_pooled(c.h, &pooled, pool, CPORT_MULTISHOT), 0);
    for (int i = 0; i < WARM_UP + cts_load(MESSAGES); i++) {
        if (i == WARM_UP)
            calls = cts_alloc_calls();
        for (size_t k = 0; k < 4; k++) {
            dg_recv(&b, &recv[k], 100);
            dg_send_start(&a, &send[k], k % 2 ? &b : &c, 10, k);
        }
        for (size_t k = 0; k < 4; k++) {
            CHECK_EQ(cts_result(port, &send[k].op), 10);
            if (k % 2 == 0)
                take_and_return(port, &pooled, pool, &a, 10, k);
            dg_send(port, &a, &b, 10, 0);
            dg_send(port, &a, &b, 10, 0);
        }
        for (size_t k = 0; k < 4; k++)
            CHECK_EQ(cts_result(port, &recv[k].op), 10);
        for (size_t k = 0; k < 6; k++) { /* what is left */
            dg_recv(&b, &recv[0], 100);
            CHECK_EQ(cts_result(port, &recv[0].op), 10);
        }
    }
    CHECK_EQ(cts_alloc_calls(), calls);
    cts_close_wait(c.h, 0);
    CHECK_EQ(cts_result(port, &pooled), CPORT_ECANCELED);
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_bufs_close(pool);
    cts_port_close(port);
}
