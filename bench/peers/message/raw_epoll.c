/*
 * The readiness loop at its barest: edge-triggered, one receive and one send per event, replies written over their requests. What
 * is published in one turn is gathered once and sent from there to every subscriber, which only keeps what its socket did not take.
 */
#include "message.h"
#include "peer.h"
#include "raw.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 256

struct bytes {
    unsigned char *data;
    size_t used, room;
};

struct connection {
    int fd;
    bool has_begun;
    bool is_subscribed;
    size_t sent, replies;            /* sent < replies: the buffer waits for room in the socket */
    size_t taken, filled;            /* of the buffer; behind taken lies the start of a request */
    struct connection *next, **link; /* of the subscribers */
    struct bytes backlog;
    unsigned char buffer[MESSAGE_BUFFER_BYTES];
};

static int epoll_fd, listener;
static struct connection *subscribers;
static uint32_t subscriber_count;
static struct bytes published; /* in this turn */

static void bytes_reserve(struct bytes *b, size_t more)
{
    if (b->used + more <= b->room)
        return;
    b->room = 2 * (b->used + more);
    b->data = realloc(b->data, b->room);
    if (b->data == NULL)
        peer_die("no memory", 0);
}

static void bytes_append(struct bytes *b, const unsigned char *data, size_t more)
{
    bytes_reserve(b, more);
    memcpy(b->data + b->used, data, more);
    b->used += more;
}

static void connection_close(struct connection *x)
{
    if (x->is_subscribed) {
        *x->link = x->next;
        if (x->next != NULL)
            x->next->link = x->link;
        subscriber_count--;
    }
    close(x->fd);
    free(x->backlog.data);
    free(x);
    peer_connection_closed();
}

void message_subscribe(void *connection)
{
    struct connection *x = connection;
    x->is_subscribed = true;
    x->next = subscribers;
    x->link = &subscribers;
    if (subscribers != NULL)
        subscribers->link = &x->next;
    subscribers = x;
    subscriber_count++;
}

uint32_t message_publish(const unsigned char *payload, size_t bytes)
{
    bytes_reserve(&published, MESSAGE_HEAD_BYTES + bytes);
    message_push_store(published.data + published.used, payload, bytes);
    published.used += MESSAGE_HEAD_BYTES + bytes;
    return subscriber_count;
}

/* As much of it as the socket takes; -1: the connection is broken, which its next receive tells too. */
static ssize_t send_some(int fd, const unsigned char *data, size_t bytes)
{
    size_t sent = 0;
    while (sent < bytes) {
        ssize_t n = send(fd, data + sent, bytes - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return -1;
        if (n < 0)
            break;
        sent += (size_t)n;
    }
    return (ssize_t)sent;
}

static void deliver(void)
{
    for (struct connection *x = subscribers; x != NULL && published.used > 0; x = x->next) {
        ssize_t sent = 0;
        if (x->backlog.used == 0)
            sent = send_some(x->fd, published.data, published.used);
        if (sent >= 0 && (size_t)sent < published.used)
            bytes_append(&x->backlog, published.data + sent, published.used - (size_t)sent);
    }
    published.used = 0;
}

/* 1 when all is sent, 0 when the socket is full, -1 when the connection is gone. */
static int connection_flush(struct connection *x)
{
    ssize_t sent = send_some(x->fd, x->buffer + x->sent, x->replies - x->sent);
    if (sent < 0)
        return -1;
    x->sent += (size_t)sent;
    if (x->sent < x->replies)
        return 0;
    sent = send_some(x->fd, x->backlog.data, x->backlog.used);
    if (sent < 0)
        return -1;
    x->backlog.used -= (size_t)sent;
    if (x->backlog.used == 0)
        return 1;
    memmove(x->backlog.data, x->backlog.data + sent, x->backlog.used);
    return 0;
}

/* false when the connection is gone. */
static bool connection_turn(struct connection *x, uint32_t events)
{
    int flushed = x->sent < x->replies || x->backlog.used > 0 ? connection_flush(x) : 1;
    while (flushed > 0) {
        x->filled -= x->taken;
        memmove(x->buffer, x->buffer + x->taken, x->filled);
        x->taken = 0;
        size_t room = sizeof x->buffer - x->filled;
        ssize_t n = recv(x->fd, x->buffer + x->filled, room, 0);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        x->filled += (size_t)n;
        x->sent = 0;
        x->replies = message_answer(x, &x->has_begun, x->buffer, x->filled, &x->taken);
        flushed = connection_flush(x);
        /* A short read has emptied the socket; only an end of stream could be left in it. */
        if (flushed > 0 && (size_t)n < room && (events & (EPOLLRDHUP | EPOLLHUP)) == 0)
            return true;
    }
    return flushed == 0;
}

static void accept_all(void)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *x = peer_allocate(sizeof *x);
        struct epoll_event event = {
            .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = x};
        raw_no_delay(fd);
        x->fd = fd;
        peer_connection_opened();
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
            peer_die("epoll_ctl", errno);
    }
    if (errno != EAGAIN && errno != ECONNABORTED)
        peer_die("accept", errno);
}

int main(void)
{
    struct epoll_event events[EVENTS_MAX], on_listener = {.events = EPOLLIN};
    unsigned port;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    listener = raw_listen(&port);
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &on_listener) != 0)
        peer_die("epoll", errno);
    peer_ready(port, "epoll", "edge-triggered");
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
        deliver();
    }
}
