/*
 * The readiness loop at its barest: edge-triggered, one receive and one send per event.
 *
 * Edge-triggered by measurement: a level-triggered set makes the kernel look at every reported socket once more in the next
 * wait. `peer-raw-epoll level` is that variant.
 */
#include "peer.h"
#include "raw.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 256

struct connection {
    int fd;
    size_t sent;
    size_t filled; /* sent < filled: the buffer waits for room in the socket */
    unsigned char buffer[PEER_BUFFER_BYTES];
};

static int epoll_fd;
static int listener;
static uint32_t connection_mask = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

static void connection_close(struct connection *x)
{
    close(x->fd);
    free(x);
    peer_connection_closed();
}

/* Level-triggered only: an EPOLLOUT that nobody waits for would be reported for ever. */
static void level_watch(struct connection *x, uint32_t mask)
{
    struct epoll_event event = {.events = mask, .data.ptr = x};
    if ((connection_mask & EPOLLET) == 0 && epoll_ctl(epoll_fd, EPOLL_CTL_MOD, x->fd, &event) != 0)
        peer_die("epoll_ctl", errno);
}

/* 1 when all is sent, 0 when the socket is full, -1 when the connection is gone. */
static int connection_flush(struct connection *x)
{
    while (x->sent < x->filled) {
        ssize_t n = send(x->fd, x->buffer + x->sent, x->filled - x->sent, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        x->sent += (size_t)n;
    }
    return 1;
}

/* false when the connection is gone. */
static bool connection_turn(struct connection *x, uint32_t events)
{
    bool was_blocked = x->sent < x->filled;
    int flushed = connection_flush(x);
    if (flushed > 0 && was_blocked)
        level_watch(x, EPOLLIN | EPOLLRDHUP);
    while (flushed > 0) {
        ssize_t n = recv(x->fd, x->buffer, sizeof x->buffer, 0);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        x->sent = 0;
        x->filled = (size_t)n;
        flushed = connection_flush(x);
        if (flushed == 0)
            level_watch(x, EPOLLOUT);
        /* A short read has emptied the socket; only an end of stream could be left in it. */
        if (flushed > 0 && x->filled < sizeof x->buffer && (events & (EPOLLRDHUP | EPOLLHUP)) == 0)
            return true;
    }
    return flushed == 0;
}

static void accept_all(void)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED))
            return;
        if (fd < 0)
            peer_die("accept", errno);
        raw_no_delay(fd);
        struct connection *x = peer_allocate(sizeof *x);
        x->fd = fd;
        peer_connection_opened();
        struct epoll_event event = {.events = connection_mask, .data.ptr = x};
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
            peer_die("epoll_ctl", errno);
    }
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_MAX];
    struct epoll_event on_listener = {.events = EPOLLIN};
    unsigned port;
    bool is_level = argc > 1 && strcmp(argv[1], "level") == 0;

    if (is_level)
        connection_mask = EPOLLIN | EPOLLRDHUP;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    listener = raw_listen(&port);
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &on_listener) != 0)
        peer_die("epoll", errno);
    peer_ready(port, "epoll", is_level ? "level-triggered" : "edge-triggered");
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        if (count < 0 && errno != EINTR)
            peer_die("epoll_wait", errno);
        for (int i = 0; i < count; i++) {
            struct connection *x = events[i].data.ptr;
            if (x == NULL)
                accept_all();
            else if (!connection_turn(x, events[i].events))
                connection_close(x);
        }
    }
}
