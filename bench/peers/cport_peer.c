#include "cport_peer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static cport_port *port_open(const struct cport_peer *peer)
{
    /* PEER_BACKEND comes from the build: a program for each engine. */
    cport_port_options options = {.size = sizeof options,
        .flags = peer->shared ? 0 : CPORT_PORT_SINGLE,
        .backend = PEER_BACKEND};
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

struct server {
    const struct cport_peer *peer;
    cport_port *port;
};

static void *serve(void *arg)
{
    const struct server *s = arg;
    cport_event events[CPORT_PEER_BATCH];
    for (;;) {
        int count = cport_peer_check("wait", cport_wait(s->port, events, s->peer->batch, -1));
        for (int i = 0; i < count; i++) {
            if (events[i].key != 0)
                s->peer->event(&events[i]);
            else
                s->peer->connection(
                    s->port, (cport_os_handle)cport_peer_check("accept", (int)events[i].result));
        }
    }
    return NULL;
}

void cport_peer_serve(const struct cport_peer *peer)
{
    static cport_op accept_op;
    struct server s = {peer, port_open(peer)};

    if (peer->opened != NULL)
        peer->opened(s.port);
    for (unsigned i = 1; i < peer->threads; i++) {
        pthread_t thread;
        int error = pthread_create(&thread, NULL, serve, &s);
        if (error != 0)
            peer_die("thread", error);
    }
    listen_on(s.port, &accept_op);
    serve(&s);
    peer_die("served out", 0);
}
