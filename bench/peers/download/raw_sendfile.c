/*
 * The readiness loop at its barest: edge-triggered epoll and sendfile(2), 2 MiB at most before the others' turn, as web servers do.
 */
#include "peer.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define TURN_BYTES ((size_t)2 << 20)

struct connection {
    int fd;
    off_t left;                   /* of the download */
    struct connection *next_turn; /* of those whose socket takes more */
    bool in_turn;
};

static int epoll_fd, listener, file;
static off_t file_bytes;
static struct connection *turns;

static void connection_close(struct connection *x)
{
    close(x->fd);
    free(x);
    peer_connection_closed();
}

static void take_turn(struct connection *x)
{
    if (x->in_turn)
        return;
    x->in_turn = true;
    x->next_turn = turns;
    turns = x;
}

/* false when the connection is gone. */
static bool connection_run(struct connection *x)
{
    if (x->left == 0) {
        char asked;
        ssize_t n = recv(x->fd, &asked, 1, 0);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        x->left = file_bytes;
    }
    for (size_t room = TURN_BYTES; x->left > 0;) {
        off_t offset = file_bytes - x->left;
        size_t most = (size_t)x->left < room ? (size_t)x->left : room;
        ssize_t n = sendfile(x->fd, file, &offset, most);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        x->left -= n;
        room -= (size_t)n;
        if (room == 0) {
            take_turn(x);
            return true;
        }
    }
    take_turn(x); /* it may have asked again meanwhile */
    return true;
}

static void run(struct connection *x)
{
    if (!connection_run(x))
        connection_close(x);
}

static void run_turns(void)
{
    struct connection *x = turns, *next;
    turns = NULL;
    for (; x != NULL; x = next) {
        next = x->next_turn;
        x->in_turn = false;
        run(x);
    }
}

static void accept_all(void)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *x = peer_allocate(sizeof *x);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = x};
        raw_no_delay(fd);
        x->fd = fd;
        peer_connection_opened();
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
            peer_die("epoll_ctl", errno);
    }
    if (errno != EAGAIN && errno != ECONNABORTED)
        peer_die("accept", errno);
}

static void file_open(const char *path)
{
    struct stat st;
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &st) != 0)
        peer_die(path, errno);
    file_bytes = st.st_size;
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_MAX], on_listener = {.events = EPOLLIN};
    unsigned port;
    signal(SIGPIPE, SIG_IGN);
    if (argc > 2)
        file_open(argv[2]);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    listener = raw_listen(&port);
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &on_listener) != 0)
        peer_die("epoll", errno);
    peer_ready(port, "epoll", "sendfile(2)");
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS_MAX, turns != NULL ? 0 : -1);
        if (count < 0 && errno != EINTR)
            peer_die("epoll_wait", errno);
        for (int i = 0; i < count; i++) {
            struct connection *x = events[i].data.ptr;
            if (x == NULL)
                accept_all();
            else if (!x->in_turn)
                take_turn(x);
        }
        run_turns();
    }
}
