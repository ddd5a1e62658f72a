/* echo PORT: sends back what it receives, to any number of clients of this machine. */
#include <cport/cport.h>
#include <stdio.h>
#include <stdlib.h>

struct client {
    cport_op recv_op, send_op, close_op;
    cport_handle *handle;
    char data[4096];
};

static int check(int result) /* of what must not fail */
{
    if (result < 0)
        exit((fprintf(stderr, "echo: %s\n", cport_strerror(result)), 1));
    return result;
}

static void client_next(struct client *c, const cport_op *ended, int64_t result)
{
    if (ended == &c->close_op)
        free(c);
    else if (ended == &c->recv_op && result > 0)
        check(cport_send(c->handle, &c->send_op, c->data, (size_t)result, 0));
    else if (ended == &c->send_op && result >= 0)
        check(cport_recv(c->handle, &c->recv_op, c->data, sizeof(c->data), 0));
    else /* the end of the stream, or an error */
        check(cport_close(c->handle, &c->close_op, 0));
}

int main(int argc, char **argv)
{
    cport_port_options single = {.size = sizeof(single), .flags = CPORT_PORT_SINGLE};
    cport_socket_options no_delay = {.size = sizeof(no_delay), .flags = CPORT_SOCKET_NODELAY};
    struct sockaddr_storage at;
    cport_socklen len;
    cport_os_handle fd;
    cport_port *port;
    cport_handle *listener;
    cport_op accept_op = {0};
    check(cport_port_open(&single, &port)); /* CPORT_BACKEND in the environment steers it */
    check(cport_address("127.0.0.1", (uint16_t)(argc > 1 ? strtol(argv[1], 0, 0) : 7), &at, &len));
    check(cport_socket_tcp_listen((struct sockaddr *)&at, len, &no_delay, &fd));
    check(cport_attach(port, fd, 0, 0, &listener));
    check(cport_accept(listener, &accept_op, CPORT_MULTISHOT));
    for (;;) {
        cport_event ev[64];
        for (int i = 0, n = check(cport_wait(port, ev, 64, -1)); i < n; i++) {
            struct client *c = (struct client *)ev[i].key;
            if (ev[i].op != &accept_op) {
                client_next(c, ev[i].op, ev[i].result);
            } else if (ev[i].result >= 0 && (c = calloc(1, sizeof(*c)))) {
                fd = (cport_os_handle)ev[i].result;
                check(cport_attach(port, fd, (uintptr_t)c, 0, &c->handle));
                client_next(c, &c->send_op, 0); /* as if something had been sent: receive */
            }
        }
    }
}
