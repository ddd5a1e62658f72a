#include "cport_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one wait takes has been received and not yet answered: with few events the bytes are still in the cache when they are
 * sent. 256 connections with 16 KiB each under epoll: 368 ns a message with 16, 372 with 32, 428 with 256. */
#define EVENTS_MAX 16

PEER_NORETURN void cport_peer_fail(const char *what, int error)
{
    fprintf(stderr, "peer: %s: %s\n", what, cport_strerror(error));
    exit(1);
}

void cport_peer_closed(void *connection)
{
    free(connection);
    peer_connection_closed();
}

static cport_port *port_open(bool shared)
{
    /* PEER_BACKEND comes from the build: a program for each engine. */
    cport_port_options options = {
        .size = sizeof options,
        .flags = shared ? 0 : CPORT_PORT_SINGLE,
        .backend = PEER_BACKEND,
        .concurrency = 1,
    };
    cport_port *port;
    cport_peer_check("port", cport_port_open(&options, &port));
    return port;
}

static void listen_on(cport_port *port, cport_op *accept_op)
{
    cport_socket_options no_delay = {
        .size = sizeof no_delay, .flags = CPORT_SOCKET_NODELAY, .backlog = PEER_BACKLOG};
    struct sockaddr_storage address;
    cport_socklen length;
    cport_os_handle fd;
    cport_handle *listener;
    char text[64];

    cport_peer_check("address", cport_address("127.0.0.1", 0, &address, &length));
    cport_peer_check(
        "listen", cport_socket_tcp_listen((struct sockaddr *)&address, length, &no_delay, &fd));
    cport_peer_check("address", cport_socket_local(fd, &address, &length));
    cport_peer_check("attach", cport_attach(port, fd, 0, 0, &listener));
    cport_peer_check("accept", cport_accept(listener, accept_op, CPORT_MULTISHOT));

    cport_port_info info = {.size = sizeof info};
    cport_peer_check("info", cport_port_get_info(port, &info));
    cport_peer_check(
        "address", cport_address_text((struct sockaddr *)&address, length, text, sizeof text));
    peer_ready((unsigned)strtoul(strrchr(text, ':') + 1, NULL, 10), info.backend_name, info.reason);
}

void cport_peer_serve(bool shared, void (*opened)(cport_port *port),
    void (*connection)(cport_port *port, cport_os_handle fd),
    void (*event)(const cport_event *event))
{
    static cport_op accept_op;
    cport_event events[EVENTS_MAX];
    cport_port *port = port_open(shared);

    if (opened != NULL)
        opened(port);
    listen_on(port, &accept_op);
    for (;;) {
        int count = cport_peer_check("wait", cport_wait(port, events, EVENTS_MAX, -1));
        for (int i = 0; i < count; i++) {
            if (events[i].key != 0)
                event(&events[i]);
            else
                connection(
                    port, (cport_os_handle)cport_peer_check("accept", (int)events[i].result));
        }
    }
}
