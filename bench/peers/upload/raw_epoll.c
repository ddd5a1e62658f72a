/*
 * The readiness loop at its barest: level-triggered epoll, so that connections take turns; a receive of 256 KiB and a write of what
 * came.
 */
#include "peer.h"
#include "raw.h"
#include "upload.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 256

struct connection {
    int fd;
    int file;
    uint64_t left; /* of the upload; 0: a head is next */
    size_t head_bytes;
    unsigned char head[UPLOAD_HEAD_BYTES];
};

static int epoll_fd, listener;
static unsigned char piece[UPLOAD_PIECE_BYTES];

static void upload_write(struct connection *x, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t n = write(x->file, piece + done, bytes - done);
        if (n < 0)
            peer_die("write", errno);
        done += (size_t)n;
    }
    x->left -= bytes;
    if (x->left > 0)
        return;
    if (fsync(x->file) != 0 || close(x->file) != 0)
        peer_die("fsync", errno);
    if (send(x->fd, "", 1, MSG_NOSIGNAL) != 1)
        peer_die("send", errno);
}

/* false when the connection is gone. */
static bool connection_turn(struct connection *x)
{
    ssize_t n;
    if (x->left > 0) {
        n = recv(x->fd, piece, x->left < sizeof piece ? (size_t)x->left : sizeof piece, 0);
        if (n > 0)
            upload_write(x, (size_t)n);
    } else {
        n = recv(x->fd, x->head + x->head_bytes, UPLOAD_HEAD_BYTES - x->head_bytes, 0);
        if (n > 0 && (x->head_bytes += (size_t)n) == UPLOAD_HEAD_BYTES) {
            x->head_bytes = 0;
            x->file = upload_create(x->head, &x->left);
        }
    }
    return n > 0 || (n < 0 && errno == EAGAIN);
}

static void accept_all(void)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *x = peer_allocate(sizeof *x);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = x};
        raw_no_delay(fd);
        x->fd = fd;
        peer_connection_opened();
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
            peer_die("epoll_ctl", errno);
    }
    if (errno != EAGAIN && errno != ECONNABORTED)
        peer_die("accept", errno);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_MAX], on_listener = {.events = EPOLLIN};
    unsigned port;
    upload_folder(argc, argv);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    listener = raw_listen(&port);
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &on_listener) != 0)
        peer_die("epoll", errno);
    peer_ready(port, "epoll", "recv and write");
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        if (count < 0 && errno != EINTR)
            peer_die("epoll_wait", errno);
        for (int i = 0; i < count; i++) {
            struct connection *x = events[i].data.ptr;
            if (x == NULL) {
                accept_all();
            } else if (!connection_turn(x)) {
                close(x->fd);
                free(x);
                peer_connection_closed();
            }
        }
    }
}
