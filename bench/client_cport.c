/*
 * The load through this library: the same program on every system, for those that have no loop written by hand. Each
 * connection has one receive and at most one send in flight.
 */
#include "os.h"
#include "transport.h"

#include <cport/cport.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_MAX     256
#define INBOX_MAX      ((size_t)256 * 1024)
#define SILENCE_MAX_NS (TRANSPORT_SILENCE_MAX_MS * INT64_C(1000000))

struct connection {
    cport_handle *handle; /* NULL before it is attached and after its close event */
    unsigned number;
    unsigned char *inbox;
    bool is_sending;
    cport_op recv_op;
    cport_op send_op; /* connects, too */
    cport_op close_op;
};

struct client {
    struct talk *talk;
    cport_port *port;
    struct connection *connections;
    unsigned char *inboxes;
    size_t inbox_bytes;
};

static int fail(const char *what, int64_t error)
{
    fprintf(stderr, "client: %s: %s\n", what, cport_strerror((int)error));
    return -1;
}

static int connection_receive(struct client *c, struct connection *x)
{
    /* Not CPORT_INLINE_OK: a connection whose answers are always there already must not keep the others waiting. */
    int error = cport_recv(x->handle, &x->recv_op, x->inbox, c->inbox_bytes, 0);
    return error < 0 ? fail("receive", error) : 0;
}

static int connection_sent(struct client *c, struct connection *x, int64_t result)
{
    x->is_sending = false;
    if (result < 0)
        return fail("send", result);
    c->talk->kind->sent(c->talk, x->number, (size_t)result);
    return 0;
}

static int connection_flush(struct client *c, struct connection *x)
{
    const unsigned char *data;
    size_t bytes;
    while (!x->is_sending && (bytes = c->talk->kind->piece(c->talk, x->number, &data)) > 0) {
        int done = cport_send(x->handle, &x->send_op, data, bytes, CPORT_INLINE_OK);
        x->is_sending = done == 0;
        if (done != 0 && connection_sent(c, x, done < 0 ? done : cport_op_result(&x->send_op)) != 0)
            return -1;
    }
    return 0;
}

static int connection_received(struct client *c, struct connection *x, int64_t result)
{
    if (result < 0)
        return fail("receive", result);
    if (result == 0) {
        fprintf(stderr, "client: the server closed a connection\n");
        return -1;
    }
    if (c->talk->kind->received(c->talk, x->number, x->inbox, (size_t)result, sys_now_ns()) != 0 ||
        connection_flush(c, x) != 0)
        return -1;
    return connection_receive(c, x);
}

static int wait_events(struct client *c, cport_event *ret_events, unsigned max)
{
    int count = cport_wait(c->port, ret_events, max, SILENCE_MAX_NS);
    if (count < 0)
        return fail("wait", count);
    if (count == 0) {
        fprintf(stderr, "client: no answer for %d s\n", TRANSPORT_SILENCE_MAX_MS / 1000);
        return -1;
    }
    return count;
}

static int client_turn(void *client, int64_t *ret_now_ns)
{
    struct client *c = client;
    cport_event events[EVENTS_MAX];
    int count = wait_events(c, events, EVENTS_MAX);
    for (int i = 0; i < count; i++) {
        struct connection *x = (struct connection *)events[i].key;
        int status;
        if (events[i].op == &x->recv_op)
            status = connection_received(c, x, events[i].result);
        else
            status = connection_sent(c, x, events[i].result) != 0 ? -1 : connection_flush(c, x);
        if (status != 0)
            return -1;
    }
    *ret_now_ns = sys_now_ns();
    return count < 0 ? -1 : 0;
}

static int client_flush(void *client, unsigned connection)
{
    struct client *c = client;
    return connection_flush(c, &c->connections[connection]);
}

static int connection_open(struct client *c, struct connection *x,
    const struct sockaddr_storage *address, cport_socklen length)
{
    cport_socket_options no_delay = {.size = sizeof no_delay, .flags = CPORT_SOCKET_NODELAY};
    cport_os_handle fd;
    cport_event event;

    int error = cport_socket_tcp(address->ss_family, &no_delay, &fd);
    if (error < 0)
        return fail("socket", error);
    error = cport_attach(c->port, fd, (uintptr_t)x, 0, &x->handle);
    if (error < 0) {
        cport_socket_close(fd);
        return fail("attach", error);
    }
    error = cport_connect(x->handle, &x->send_op, (const struct sockaddr *)address, length, 0);
    if (error < 0)
        return fail("connect", error);
    /* One after the other: no listener's backlog is too short for that, and no other event can come meanwhile, since nothing
     * is received yet. */
    if (wait_events(c, &event, 1) != 1)
        return -1;
    return event.result < 0 ? fail("connect", event.result) : 0;
}

static int connections_open(struct client *c)
{
    unsigned count = c->talk->connections;
    struct sockaddr_storage address;
    cport_socklen length;
    int error = cport_address("127.0.0.1", c->talk->port, &address, &length);
    if (error < 0)
        return fail("address", error);
    for (unsigned i = 0; i < count; i++) {
        if (connection_open(c, &c->connections[i], &address, length) != 0)
            return -1;
    }
    for (unsigned i = 0; i < count; i++) {
        if (connection_receive(c, &c->connections[i]) != 0)
            return -1;
    }
    return 0;
}

/* Closes every connection and waits for the close events, behind which nothing comes. */
static int connections_close(struct client *c)
{
    unsigned open = 0;
    for (unsigned i = 0; i < c->talk->connections; i++) {
        struct connection *x = &c->connections[i];
        if (x->handle != NULL && cport_close(x->handle, &x->close_op, 0) == 0)
            open++;
    }
    while (open > 0) {
        cport_event events[EVENTS_MAX];
        int count = wait_events(c, events, EVENTS_MAX);
        if (count < 0)
            return -1;
        for (int i = 0; i < count; i++)
            open -= events[i].op == &((struct connection *)events[i].key)->close_op;
    }
    return 0;
}

static void client_close(void *client)
{
    struct client *c = client;
    /* If one does not close, its memory is still the engine's, and so it stays where it is. */
    if (c->connections != NULL && connections_close(c) != 0)
        return;
    cport_port_close(c->port);
    free(c->inboxes);
    free(c->connections);
    free(c);
}

static int port_open(cport_port **ret_port)
{
    cport_port_options options = {.size = sizeof options, .flags = CPORT_PORT_SINGLE};
    return cport_port_open(&options, ret_port);
}

static const char *client_engine(void)
{
    static cport_port_info info;
    cport_port *port;
    info.size = sizeof info;
    if (port_open(&port) == 0) {
        cport_port_get_info(port, &info);
        cport_port_close(port);
    }
    return info.backend_name;
}

static int client_open(struct talk *talk, void **ret_client)
{
    unsigned count = talk->connections;
    struct client *c = calloc(1, sizeof *c);

    if (c == NULL)
        return fail("start", CPORT_ENOMEM);
    int error = port_open(&c->port);
    if (error < 0) {
        free(c);
        return fail("port", error);
    }
    c->talk = talk;
    c->inbox_bytes = talk->inbox_bytes < INBOX_MAX ? talk->inbox_bytes : INBOX_MAX;
    c->connections = calloc(count, sizeof *c->connections);
    c->inboxes = malloc(count * c->inbox_bytes);
    if (c->connections == NULL || c->inboxes == NULL) {
        fail("start", CPORT_ENOMEM);
        goto close_client;
    }
    for (unsigned i = 0; i < count; i++) {
        c->connections[i].number = i;
        c->connections[i].inbox = c->inboxes + i * c->inbox_bytes;
    }
    if (connections_open(c) != 0)
        goto close_client;
    *ret_client = c;
    return 0;
close_client:
    client_close(c);
    return -1;
}

const struct transport transport_cport = {.name = "cport",
    .engine = client_engine,
    .open = client_open,
    .flush = client_flush,
    .turn = client_turn,
    .close = client_close};
