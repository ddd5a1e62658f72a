#include "os.h"
#include "transport.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define READ_BYTES (256 * 1024)

struct connection {
    int fd;
    unsigned number;
};

struct client {
    struct talk *talk;
    struct connection *connections;
    unsigned char *inbox;
    int epoll;
};

static int fail(const char *what)
{
    fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
    return -1;
}

static int connection_flush(struct client *c, struct connection *x)
{
    const unsigned char *data;
    size_t bytes;
    while ((bytes = c->talk->kind->piece(c->talk, x->number, &data)) > 0) {
        ssize_t sent = send(x->fd, data, bytes, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN ? 0 : fail("send"); /* EPOLLOUT brings us back */
        c->talk->kind->sent(c->talk, x->number, (size_t)sent);
    }
    return 0;
}

static int connection_receive(struct client *c, struct connection *x, int64_t *ret_now_ns)
{
    for (;;) {
        ssize_t got = recv(x->fd, c->inbox, READ_BYTES, 0);
        if (got < 0 && errno == EAGAIN)
            return 0;
        if (got < 0)
            return fail("recv");
        if (got == 0) {
            fprintf(stderr, "client: the server closed a connection\n");
            return -1;
        }
        *ret_now_ns = sys_now_ns();
        if (c->talk->kind->received(c->talk, x->number, c->inbox, (size_t)got, *ret_now_ns) != 0 ||
            connection_flush(c, x) != 0)
            return -1;
        if (got < READ_BYTES)
            return 0; /* drained: the edge-triggered set tells when there is more */
    }
}

/* A broken connection is said by recv, which EPOLLERR and EPOLLHUP lead to as well. */
static int connection_turn(struct client *c, const struct epoll_event *event, int64_t *ret_now_ns)
{
    struct connection *x = event->data.ptr;
    if ((event->events & EPOLLOUT) != 0 && connection_flush(c, x) != 0)
        return -1;
    if ((event->events & ~(uint32_t)EPOLLOUT) != 0)
        return connection_receive(c, x, ret_now_ns);
    return 0;
}

static int client_turn(void *client, int64_t *ret_now_ns)
{
    struct client *c = client;
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(c->epoll, events, EVENTS_MAX, TRANSPORT_SILENCE_MAX_MS);
    if (count < 0 && errno != EINTR)
        return fail("epoll_wait");
    if (count == 0) {
        fprintf(stderr, "client: no answer for %d s\n", TRANSPORT_SILENCE_MAX_MS / 1000);
        return -1;
    }
    *ret_now_ns = sys_now_ns();
    for (int i = 0; i < count; i++) {
        if (connection_turn(c, &events[i], ret_now_ns) != 0)
            return -1;
    }
    return 0;
}

static int client_flush(void *client, unsigned connection)
{
    struct client *c = client;
    return connection_flush(c, &c->connections[connection]);
}

static int connection_open(struct client *c, struct connection *x)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons(c->talk->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = x};
    int one = 1;

    x->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (x->fd < 0)
        return fail("socket");
    /* Connected while it still blocks. */
    if (connect(x->fd, (struct sockaddr *)&address, sizeof address) != 0)
        return fail("connect");
    if (setsockopt(x->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
        return fail("TCP_NODELAY");
    if (fcntl(x->fd, F_SETFL, O_NONBLOCK) != 0)
        return fail("O_NONBLOCK");
    if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, x->fd, &event) != 0)
        return fail("epoll_ctl");
    return 0;
}

static void client_close(void *client)
{
    struct client *c = client;
    for (unsigned i = 0; i < c->talk->connections; i++) {
        if (c->connections != NULL && c->connections[i].fd >= 0)
            close(c->connections[i].fd);
    }
    if (c->epoll >= 0)
        close(c->epoll);
    free(c->inbox);
    free(c->connections);
    free(c);
}

static int client_open(struct talk *talk, void **ret_client)
{
    unsigned count = talk->connections;
    struct client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return fail("start");
    c->talk = talk;
    c->connections = calloc(count, sizeof *c->connections);
    c->inbox = malloc(READ_BYTES);
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; c->connections != NULL && i < count; i++)
        c->connections[i] = (struct connection){.fd = -1, .number = i};
    if (c->connections == NULL || c->inbox == NULL || c->epoll < 0) {
        fail("start");
        goto close_client;
    }
    for (unsigned i = 0; i < count; i++) {
        if (connection_open(c, &c->connections[i]) != 0)
            goto close_client;
    }
    *ret_client = c;
    return 0;
close_client:
    client_close(c);
    return -1;
}

const struct transport transport_epoll = {.name = "epoll",
    .open = client_open,
    .flush = client_flush,
    .turn = client_turn,
    .close = client_close};
