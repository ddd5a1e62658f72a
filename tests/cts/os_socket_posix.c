/* Blocking sockets on POSIX systems. */
#include "cts.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* A peer that waits for ever would hide which side is at fault; one that delays small segments tests nothing. */
static void set_options(int s)
{
    int on = 1;
    struct timeval t = {(time_t)(CTS_PATIENCE_NS / 1000000000), 0};
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

cport_os_handle cts_sock_tcp(void)
{
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(s >= 0);
    set_options(s);
    return s;
}

cport_os_handle cts_sock_listen(
    int backlog, struct sockaddr_storage *ret_address, cport_socklen *ret_len)
{
    int s = cts_sock_tcp();
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_EQ(bind(s, (struct sockaddr *)&any, sizeof any), 0);
    CHECK_EQ(listen(s, backlog), 0);
    *ret_len = sizeof *ret_address;
    CHECK_EQ(getsockname(s, (struct sockaddr *)ret_address, ret_len), 0);
    return s;
}

cport_os_handle cts_sock_accept(cport_os_handle listener)
{
    int s;
    do
        s = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    while (s < 0 && errno == EINTR);
    CHECK(s >= 0);
    set_options(s);
    return s;
}

/* An interrupted connect goes on by itself. Some configurations of io_uring interrupt the thread's other calls. */
static bool finish_connect(int s)
{
    struct pollfd p = {.fd = s, .events = POLLOUT};
    int n, error = 0;
    socklen_t len = sizeof error;
    do
        n = poll(&p, 1, (int)(CTS_PATIENCE_NS / 1000000));
    while (n < 0 && errno == EINTR);
    return n == 1 && getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
}

bool cts_sock_connect(cport_os_handle s, const struct sockaddr *address, cport_socklen len)
{
    return connect(s, address, len) == 0 || (errno == EINTR && finish_connect(s));
}

int64_t cts_sock_recv(cport_os_handle s, void *data, size_t len)
{
    ssize_t n;
    do
        n = recv(s, data, len, 0);
    while (n < 0 && errno == EINTR);
    return n;
}

int64_t cts_sock_send_some(cport_os_handle s, const void *data, size_t len)
{
    ssize_t n;
    do
        n = send(s, data, len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

void cts_sock_send_all(cport_os_handle s, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = send(s, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        CHECK(n > 0);
        at += n;
        len -= (size_t)n;
    }
}

void cts_sock_recv_all(cport_os_handle s, void *data, size_t len)
{
    char *at = data;
    while (len > 0) {
        int64_t n = cts_sock_recv(s, at, len);
        CHECK(n > 0);
        at += n;
        len -= (size_t)n;
    }
}

void cts_sock_shutdown_send(cport_os_handle s)
{
    CHECK_EQ(shutdown(s, SHUT_WR), 0);
}

void cts_sock_reset(cport_os_handle s)
{
    struct linger none = {1, 0};
    setsockopt(s, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(s);
}

void cts_sock_close(cport_os_handle s)
{
    CHECK_EQ(close(s), 0);
}

cport_os_handle cts_sock_duplicate(cport_os_handle s)
{
    int copy = fcntl(s, F_DUPFD_CLOEXEC, 0);
    CHECK(copy >= 0);
    return copy;
}

void cts_sock_nonblocking(cport_os_handle s, bool on)
{
    int flags = fcntl(s, F_GETFL);
    CHECK_EQ(fcntl(s, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK), 0);
}

void cts_sock_buffers(cport_os_handle s, int send_bytes, int recv_bytes)
{
    if (send_bytes > 0)
        CHECK_EQ(setsockopt(s, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes), 0);
    if (recv_bytes > 0)
        CHECK_EQ(setsockopt(s, SOL_SOCKET, SO_RCVBUF, &recv_bytes, sizeof recv_bytes), 0);
}

int cts_sock_error(void)
{
    return errno;
}
