/*
 * What the examples are tried on.
 *
 * peer links TO_PORT PORT: serves at TO_PORT and connects to PORT, many times at once, with examples/forward between. A client
 * sends a lot and ends its sending side, and only then gets its answer: so an end has to pass by itself, and the answer
 * after it. One client resets instead.
 * peer silent: listens and lets nobody in; says at which port, and stays until its input ends.
 */
#include <cport/cport.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS = 20, BYTES = 1 << 20, FILLERS = 64 };

enum role { SERVER, CLIENT, CLIENT_RESETS, VISITOR, ROLES };

struct end {
    enum role role;
    enum { CONNECTING, SENDING, SHUTTING } step; /* what write_op does */
    cport_handle *handle;
    cport_op recv_op, write_op, close_op;
    size_t received;
    unsigned char data[65536];
};

static cport_port *port;
static unsigned char message[BYTES];
static unsigned ended[ROLES];

static void require(bool holds, const char *what)
{
    if (!holds)
        exit((fprintf(stderr, "peer: not so: %s\n", what), 1));
}

static void check(int64_t result)
{
    require(result >= 0, cport_strerror((int)result));
}

static cport_os_handle listen_at(uint16_t tcp_port, uint32_t backlog)
{
    cport_socket_options options = {.size = sizeof(options), .backlog = backlog};
    struct sockaddr_storage at;
    cport_socklen len;
    cport_os_handle fd;
    check(cport_address("127.0.0.1", tcp_port, &at, &len));
    check(cport_socket_tcp_listen((struct sockaddr *)&at, len, &options, &fd));
    return fd;
}

static void connect_to(uint16_t tcp_port, uintptr_t key, cport_op *op, cport_handle **ret_h)
{
    struct sockaddr_storage to;
    cport_socklen len;
    cport_os_handle fd;
    check(cport_address("127.0.0.1", tcp_port, &to, &len));
    check(cport_socket_tcp(AF_INET, NULL, &fd));
    check(cport_attach(port, fd, key, 0, ret_h));
    check(cport_connect(*ret_h, op, (struct sockaddr *)&to, len, 0));
}

/* ---- Links ---- */

static struct end *end_new(enum role role)
{
    struct end *e = calloc(1, sizeof(*e));
    require(e, "there is memory");
    e->role = role;
    return e;
}

static void end_receive(struct end *e)
{
    check(cport_recv(e->handle, &e->recv_op, e->data, sizeof(e->data), 0));
}

static void end_send(struct end *e)
{
    e->step = SENDING;
    check(cport_send(e->handle, &e->write_op, message, BYTES, 0));
}

static void end_close(struct end *e, uint32_t flags)
{
    check(cport_close(e->handle, &e->close_op, flags));
}

static void end_wrote(struct end *e, int64_t result)
{
    check(result);
    if (e->step == CONNECTING) {
        end_send(e);
        end_receive(e);
    } else if (e->step == SENDING && e->role == CLIENT) {
        e->step = SHUTTING;
        check(cport_shutdown(e->handle, &e->write_op, CPORT_SHUT_SEND));
    } else if (e->step == SENDING) {
        end_close(e, e->role == CLIENT_RESETS ? CPORT_ABORT : 0);
    }
}

static void end_received(struct end *e, int64_t result)
{
    if (result > 0) {
        require(e->received + (size_t)result <= BYTES &&
                    memcmp(e->data, message + e->received, (size_t)result) == 0,
            "the bytes are those that were sent");
        e->received += (size_t)result;
        end_receive(e);
    } else if (result == 0 && e->role == SERVER && e->received == 0) {
        e->role = VISITOR; /* the script's, that looked whether the forwarder is there */
        end_close(e, 0);
    } else if (result == 0) {
        require(e->received == BYTES, "all bytes came before the end");
        if (e->role == SERVER)
            end_send(e);
        else
            end_close(e, 0);
    } else if (e->role == SERVER) { /* the one that was reset */
        e->role = CLIENT_RESETS;
        end_close(e, 0);
    } else {
        require(e->role == CLIENT_RESETS, "no link but one is reset");
    }
}

static void end_event(struct end *e, const cport_event *ev)
{
    if (ev->op == &e->recv_op) {
        end_received(e, ev->result);
    } else if (ev->op == &e->write_op) {
        end_wrote(e, ev->result);
    } else {
        ended[e->role]++;
        free(e);
    }
}

static void links(uint16_t to_port, uint16_t tcp_port)
{
    cport_handle *listener;
    cport_op accept_op = {0};
    cport_event ev;
    for (size_t i = 0; i < BYTES; i++)
        message[i] = (unsigned char)(i * 31 + i / 251);
    check(cport_attach(port, listen_at(to_port, 0), 0, 0, &listener));
    check(cport_accept(listener, &accept_op, CPORT_MULTISHOT));
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct end *e = end_new(i == 0 ? CLIENT_RESETS : CLIENT);
        connect_to(tcp_port, (uintptr_t)e, &e->write_op, &e->handle);
    }
    /* The reset is seen at both ends. */
    while (ended[SERVER] < CLIENTS - 1 || ended[CLIENT] < CLIENTS - 1 || ended[CLIENT_RESETS] < 2) {
        check(cport_wait(port, &ev, 1, -1));
        if (ev.op != &accept_op) {
            end_event((struct end *)ev.key, &ev);
            continue;
        }
        struct end *e = end_new(SERVER);
        check(ev.result);
        check(cport_attach(port, (cport_os_handle)ev.result, (uintptr_t)e, 0, &e->handle));
        end_receive(e);
    }
    printf("%u links\n", ended[SERVER]);
}

/* ---- Silence ---- */

/* A queue of connections that is full, and that nobody takes any from. */
static void silent(void)
{
    static cport_op ops[FILLERS];
    cport_handle *handles[FILLERS];
    struct sockaddr_storage at;
    cport_socklen len;
    cport_event ev[FILLERS];
    char text[64];
    cport_os_handle fd = listen_at(0, 1);
    check(cport_socket_local(fd, &at, &len));
    check(cport_address_text((struct sockaddr *)&at, len, text, sizeof(text)));
    uint16_t tcp_port = (uint16_t)strtoul(strchr(text, ':') + 1, NULL, 10);
    for (unsigned i = 0; i < FILLERS; i++)
        connect_to(tcp_port, 0, &ops[i], &handles[i]);
    check(cport_wait(port, ev, FILLERS, -1)); /* those that found room */
    printf("%u\n", (unsigned)tcp_port);
    fflush(stdout);
    while (getchar() != EOF)
        continue;
}

int main(int argc, char **argv)
{
    cport_port_options single = {.size = sizeof(single), .flags = CPORT_PORT_SINGLE};
    check(cport_port_open(&single, &port));
    if (argc == 4 && strcmp(argv[1], "links") == 0)
        links((uint16_t)strtoul(argv[2], NULL, 10), (uint16_t)strtoul(argv[3], NULL, 10));
    else if (argc == 2 && strcmp(argv[1], "silent") == 0)
        silent();
    else
        require(false, "peer links TO_PORT PORT, or peer silent");
    return 0;
}
