/* By hand: edge-triggered epoll, recvmmsg into an array until it comes back short, and sendmmsg of what has gathered. */
#include "udp_limits.h"
#include "udp_raw.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>

struct end {
    int fd;
    struct sockaddr_in address;
    unsigned unsent;
    struct mmsghdr out[UDP_BURST];
    struct mmsghdr in[UDP_BURST];
    struct iovec pieces[UDP_BURST];
    struct sockaddr_in from[UDP_BURST];
    char data[UDP_BURST][UDP_BYTES_MAX];
};

static struct end ends[2];
static char content[UDP_BYTES_MAX];
static struct iovec content_piece = {content, 0};
static int epoll;
static bool stopped;

static void on_datagram(unsigned at, size_t bytes);

static void udp_prepare(const char **ret_engine, const char **ret_remark)
{
    epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < 2; i++)
        ends[i].fd = udp_socket(&ends[i].address);
    for (unsigned i = 0; i < 2; i++) {
        struct end *e = &ends[i];
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = i};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, e->fd, &event) != 0)
            peer_die("epoll_ctl", errno);
        for (unsigned k = 0; k < UDP_BURST; k++) {
            e->pieces[k] = (struct iovec){e->data[k], UDP_BYTES_MAX};
            e->in[k].msg_hdr =
                (struct msghdr){.msg_name = &e->from[k], .msg_iov = &e->pieces[k], .msg_iovlen = 1};
            e->out[k].msg_hdr = (struct msghdr){.msg_name = &ends[1 - i].address,
                .msg_namelen = sizeof(struct sockaddr_in),
                .msg_iov = &content_piece,
                .msg_iovlen = 1};
        }
    }
    *ret_engine = "epoll";
    *ret_remark = "sendmmsg and recvmmsg";
}

static void udp_send(unsigned from, size_t bytes)
{
    content_piece.iov_len = bytes;
    ends[from].unsent++;
}

static void flush_sends(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct end *e = &ends[i];
        if (e->unsent > 0 && sendmmsg(e->fd, e->out, e->unsent, 0) != (int)e->unsent)
            peer_die("sendmmsg", errno);
        e->unsent = 0;
    }
}

static void drain(unsigned i)
{
    struct end *e = &ends[i];
    int n;
    do {
        for (unsigned k = 0; k < UDP_BURST; k++)
            e->in[k].msg_hdr.msg_namelen = sizeof(struct sockaddr_in);
        n = recvmmsg(e->fd, e->in, UDP_BURST, 0, NULL);
        for (int k = 0; k < n; k++)
            on_datagram(i, e->in[k].msg_len);
    } while (n == (int)UDP_BURST);
}

static void udp_run(void)
{
    for (stopped = false; !stopped;) {
        struct epoll_event events[2];
        flush_sends();
        int n = epoll_wait(epoll, events, 2, -1);
        for (int i = 0; i < n; i++)
            drain(events[i].data.u32);
    }
}

static void udp_stop(void)
{
    stopped = true;
}

#include "udp_bench.h"
