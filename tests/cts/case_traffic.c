/* Whole conversations, many at once, on every thread that the port takes: S16, S31, S32, S42. */
#include "io.h"

#include <stdlib.h>
#include <string.h>

/* ---- One direction of a connection: a task that sends, and one that receives ---- */

#define FLOW_PIECE 50000u

typedef struct flow {
    io_task task;
    io_loop *loop;
    cport_handle *handle;
    size_t at, wanted, len;
    unsigned char data[FLOW_PIECE];
} flow;

static void flow_send(flow *f)
{
    if (f->at == f->wanted) {
        io_loop_done(f->loop);
        return;
    }
    f->len = 1 + f->at * 31 % FLOW_PIECE;
    if (f->len > f->wanted - f->at)
        f->len = f->wanted - f->at;
    io_fill(f->data, f->len, f->at);
    CHECK_EQ(cts_send(f->handle, &f->task.op, f->data, f->len, 0), 0);
}

static void flow_sent(io_task *task, const cport_event *ev)
{
    flow *f = CPORT_CONTAINER_OF(task, flow, task);
    CHECK_EQ(ev->result, f->len);
    f->at += f->len;
    flow_send(f);
}

static void flow_receive(flow *f)
{
    if (f->at == f->wanted) {
        io_loop_done(f->loop);
        return;
    }
    f->len = 1 + f->at * 17 % FLOW_PIECE;
    CHECK_EQ(cts_recv(f->handle, &f->task.op, f->data, f->len, 0), 0);
}

static void flow_received(io_task *task, const cport_event *ev)
{
    flow *f = CPORT_CONTAINER_OF(task, flow, task);
    CHECK(ev->result > 0);
    io_check(f->data, (size_t)ev->result, f->at);
    f->at += (size_t)ev->result;
    flow_receive(f);
}

void s32_both_directions_at_once_under_backpressure(void)
{
    flow *flows = io_memory(4 * sizeof(flow));
    cts_pair pair;
    io_loop loop;
    cport_port *port = cts_port_open();
    cts_pair_open_both(port, &pair);
    cts_sock_buffers(cport_handle_fd(pair.a), 32 * 1024, 32 * 1024);
    cts_sock_buffers(cport_handle_fd(pair.b), 32 * 1024, 32 * 1024);
    io_loop_init(&loop, port, 4);
    for (int i = 0; i < 4; i++) {
        flows[i].task = (io_task){.run = i % 2 ? flow_received : flow_sent};
        flows[i].loop = &loop;
        flows[i].handle = i / 2 ? pair.a : pair.b;
        flows[i].at = 0;
        flows[i].wanted = IO_MUCH;
        if (i % 2)
            flow_receive(&flows[i]);
        else
            flow_send(&flows[i]);
    }
    io_loop_run(&loop);
    cts_pair_close(&pair);
    cts_port_close(port);
    free(flows);
}

/* ---- Descriptor numbers that come again ---- */

static void echo_once(cport_port *port, cport_handle *client, cport_handle *server, unsigned round)
{
    unsigned char data[100];
    size_t len = 1 + round % sizeof data;
    cport_op send = {0}, recv = {0};
    io_fill(data, len, round);
    CHECK_EQ(cts_send(client, &send, data, len, 0), 0);
    CHECK_EQ(cts_result(port, &send), len);
    memset(data, 0, len);
    CHECK_EQ(cts_recv(server, &recv, data, len, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_result(port, &recv), len);
    CHECK_EQ(cts_send(server, &send, data, len, 0), 0);
    CHECK_EQ(cts_recv(client, &recv, data, len, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_result(port, &send), len);
    CHECK_EQ(cts_result(port, &recv), len);
    io_check(data, len, round);
}

/* Every second connection goes with receives and polls pending: nothing of them may reach its successor, whose key differs. */
static void close_both(cport_port *port, cport_handle *client, cport_handle *server, unsigned round)
{
    char byte;
    cport_op recv = {0}, poll = {0}, close[2] = {0};
    if (round % 2) {
        CHECK_EQ(cts_recv(server, &recv, &byte, 1, 0), 0);
        CHECK_EQ(cts_poll(server, &poll, CPORT_POLL_IN), 0);
    }
    CHECK_EQ(cts_close(client, &close[0], round % 3 ? CPORT_ABORT : 0), 0);
    CHECK_EQ(cts_close(server, &close[1], 0), 0);
    CHECK_EQ(cts_result(port, &close[0]), 0);
    CHECK_EQ(cts_result(port, &close[1]), 0);
    if (round % 2) {
        CHECK(cts_result(port, &recv) <= 0);
        CHECK(cts_result(port, &poll) != 0);
    }
}

void s16_rounds_of_connect_echo_and_close(void)
{
    enum { ROUNDS = 500 };
    struct sockaddr_storage address;
    cport_socklen len;
    unsigned same = 0;
    cport_os_handle number = CPORT_OS_HANDLE_INVALID, s;
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    for (unsigned round = 0; round < ROUNDS; round++) {
        cport_op connect = {0}, accept = {0};
        CHECK_EQ(cport_socket_tcp(AF_INET, NULL, &s), 0);
        same += s == number;
        number = s;
        cport_handle *client = cts_attach(port, s, 1000 + 2 * round);
        CHECK_EQ(cts_accept(listener, &accept, 0), 0);
        CHECK_EQ(cts_connect(client, &connect, (struct sockaddr *)&address, len, 0), 0);
        CHECK_EQ(cts_result(port, &connect), 0);
        s = (cport_os_handle)cts_result(port, &accept);
        cport_handle *server = cts_attach(port, s, 1001 + 2 * round);
        echo_once(port, client, server, round);
        close_both(port, client, server, round);
    }
    if (cts_is(CTS_LINUX)) /* the lowest free number is taken: or this tests nothing */
        CHECK(same > ROUNDS / 2);
    cts_close_wait(listener, 0);
    cts_port_close(port);
}

/* ---- Clients, and the servers that echo to them ---- */

#define MESSAGE 1500u

typedef struct client {
    io_task task;
    io_loop *loop;
    cport_handle *handle;
    unsigned messages; /* left */
    enum { CONNECTING, SENDING, RECEIVING, FINISHING } state;
    size_t at, len;
    unsigned char data[MESSAGE];
} client;

static void client_next(client *c)
{
    if (c->messages-- == 0) {
        c->state = FINISHING;
        CHECK_EQ(cts_shutdown(c->handle, &c->task.op, CPORT_SHUT_SEND), 0);
        return;
    }
    c->len = 1 + (c->at * 13 + c->messages) % MESSAGE;
    io_fill(c->data, c->len, c->at);
    c->state = SENDING;
    CHECK_EQ(cts_send(c->handle, &c->task.op, c->data, c->len, 0), 0);
}

static void client_event(io_task *task, const cport_event *ev)
{
    client *c = CPORT_CONTAINER_OF(task, client, task);
    switch (c->state) {
    case CONNECTING:
        CHECK_EQ(ev->result, 0);
        client_next(c);
        break;
    case SENDING:
        CHECK_EQ(ev->result, c->len);
        memset(c->data, 0, c->len);
        c->state = RECEIVING;
        CHECK_EQ(cts_recv(c->handle, &c->task.op, c->data, c->len, CPORT_RECV_ALL), 0);
        break;
    case RECEIVING:
        CHECK_EQ(ev->result, c->len);
        io_check(c->data, c->len, c->at);
        c->at += c->len;
        client_next(c);
        break;
    case FINISHING:
        CHECK_EQ(ev->result, 0);
        io_loop_done(c->loop);
        break;
    }
}

typedef struct server {
    io_task task;
    io_loop *loop;
    cport_handle *handle;
    cport_bufs *pool; /* NULL: receives into data */
    uint32_t lent;
    enum { WAITING, ANSWERING, CLOSING } state;
    int64_t len;
    unsigned char data[700];
} server;

static void server_receive(server *s)
{
    s->state = WAITING;
    if (s->pool != NULL)
        CHECK_EQ(cts_recv_pooled(s->handle, &s->task.op, s->pool, 0), 0);
    else
        CHECK_EQ(cts_recv(s->handle, &s->task.op, s->data, sizeof s->data, 0), 0);
}

static void server_answer(server *s, const cport_event *ev)
{
    const void *data = s->pool != NULL ? cport_bufs_data(s->pool, ev->aux) : s->data;
    s->lent = ev->aux;
    s->len = ev->result;
    s->state = ANSWERING;
    CHECK_EQ(cts_send(s->handle, &s->task.op, data, (size_t)s->len, 0), 0);
}

static void server_event(io_task *task, const cport_event *ev)
{
    server *s = CPORT_CONTAINER_OF(task, server, task);
    switch (s->state) {
    case WAITING:
        if (ev->result > 0) {
            server_answer(s, ev);
        } else if (ev->result == CPORT_ENOBUFS) {
            server_receive(s);
        } else {
            CHECK_EQ(ev->result, 0);
            s->state = CLOSING;
            CHECK_EQ(cts_close(s->handle, &s->task.op, 0), 0);
        }
        break;
    case ANSWERING:
        CHECK_EQ(ev->result, s->len);
        if (s->pool != NULL)
            CHECK_EQ(cts_bufs_return(s->pool, s->lent), 0);
        server_receive(s);
        break;
    case CLOSING:
        CHECK_EQ(ev->result, 0);
        io_loop_done(s->loop);
        break;
    }
}

static void expect_end(cport_port *port, cport_handle *h)
{
    char byte;
    cport_op op = {0};
    CHECK_EQ(cts_recv(h, &op, &byte, 1, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
}

void s31_two_hundred_connections_at_once(void)
{
    enum { COUNT = 200, MESSAGES = 20 };
    client *clients = io_memory(COUNT * sizeof(client));
    server *servers = io_memory(COUNT * sizeof(server));
    io_loop loop;
    cport_port *port = cts_port_open();
    io_loop_init(&loop, port, 2 * COUNT);
    for (int i = 0; i < COUNT; i++) {
        cts_pair pair;
        cts_pair_open_both(port, &pair);
        servers[i].task = (io_task){.run = server_event};
        servers[i].loop = &loop;
        servers[i].pool = NULL;
        servers[i].handle = pair.b;
        server_receive(&servers[i]);
        clients[i].task = (io_task){.run = client_event};
        clients[i].loop = &loop;
        clients[i].handle = pair.a;
        clients[i].messages = MESSAGES;
        clients[i].at = 0;
        client_next(&clients[i]);
    }
    io_loop_run(&loop);
    for (int i = 0; i < COUNT; i++) {
        expect_end(port, clients[i].handle);
        cts_close_wait(clients[i].handle, 0);
    }
    cts_port_close(port);
    free(servers);
    free(clients);
}

/* ---- A server as it is meant to be written: one multishot accept, one pool, events on any thread ---- */

typedef struct accepting {
    io_task task;
    io_loop *loop;
    cport_bufs *pool;
    server *servers;
    atomic_uint count;
} accepting;

static void accepted(io_task *task, const cport_event *ev)
{
    accepting *a = CPORT_CONTAINER_OF(task, accepting, task);
    CHECK(ev->result >= 0);
    CHECK_EQ(ev->flags, CPORT_MORE);
    unsigned number = atomic_fetch_add(&a->count, 1);
    server *s = &a->servers[number];
    s->task = (io_task){.run = server_event};
    s->loop = a->loop;
    s->pool = a->pool;
    s->handle = cts_attach(a->loop->port, (cport_os_handle)ev->result, 5000 + number);
    server_receive(s);
}

void s42_a_server_of_one_accept_and_one_pool(void)
{
    enum { COUNT = 100, MESSAGES = 10 };
    client *clients = io_memory(COUNT * sizeof(client));
    server *servers = io_memory(COUNT * sizeof(server));
    struct sockaddr_storage address;
    cport_socklen len;
    io_loop loop;
    accepting a = {.task = {.run = accepted}, .loop = &loop, .servers = servers};
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    CHECK_EQ(cts_bufs_open(port, 600, 24, &a.pool), 0);
    io_loop_init(&loop, port, 2 * COUNT);
    CHECK_EQ(cts_accept(listener, &a.task.op, CPORT_MULTISHOT), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        cport_os_handle s;
        CHECK_EQ(cport_socket_tcp(AF_INET, NULL, &s), 0);
        clients[i].task = (io_task){.run = client_event};
        clients[i].loop = &loop;
        clients[i].handle = cts_attach(port, s, 7000 + i);
        clients[i].messages = MESSAGES;
        clients[i].at = 0;
        clients[i].state = CONNECTING;
        CHECK_EQ(cts_connect(
                     clients[i].handle, &clients[i].task.op, (struct sockaddr *)&address, len, 0),
            0);
    }
    io_loop_run(&loop);
    CHECK_EQ(atomic_load(&a.count), COUNT);
    cts_close_wait(listener, 0);
    CHECK_EQ(cts_result(port, &a.task.op), CPORT_ECANCELED);
    for (int i = 0; i < COUNT; i++) {
        expect_end(port, clients[i].handle);
        cts_close_wait(clients[i].handle, 0);
    }
    cts_bufs_close(a.pool);
    cts_port_close(port);
    free(servers);
    free(clients);
}
