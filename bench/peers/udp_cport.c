/* This library: cport_recvmsg_pooled and cport_sendmsg on a SINGLE port. */
#include "cport_peer.h"
#include "udp_limits.h"

#include <string.h>

#define SENDS (2 * UDP_BURST)

struct sending {
    cport_op op;
    cport_msg msg;
    cport_buf buf;
};

static char content[UDP_BYTES_MAX];
static cport_port *port;
static cport_bufs *pool;
static cport_handle *handles[2];
static struct sockaddr_storage addresses[2];
static cport_socklen lengths[2];
static cport_op receives[2];
static struct sending sendings[SENDS], *unused[SENDS];
static unsigned unused_count;
static bool stopped;

static void on_datagram(unsigned at, size_t bytes);

static void udp_prepare(const char **ret_engine, const char **ret_remark)
{
    static cport_port_info info = {.size = sizeof info};
    cport_port_options options = {
        .size = sizeof options, .backend = PEER_BACKEND, .flags = CPORT_PORT_SINGLE};
    cport_peer_check("port", cport_port_open(&options, &port));
    cport_peer_check("info", cport_port_get_info(port, &info));
    cport_peer_check("pool", cport_bufs_open(port, CPORT_MSG_HEAD + UDP_BYTES_MAX, 256, &pool));
    for (unsigned i = 0; i < 2; i++) {
        cport_os_handle fd;
        cport_peer_check("address", cport_address("127.0.0.1", 0, &addresses[i], &lengths[i]));
        cport_peer_check("socket",
            cport_socket_udp(AF_INET, (struct sockaddr *)&addresses[i], lengths[i], NULL, &fd));
        cport_peer_check("name", cport_socket_local(fd, &addresses[i], &lengths[i]));
        cport_peer_check("attach", cport_attach(port, fd, i, 0, &handles[i]));
        cport_peer_check(
            "recv", cport_recvmsg_pooled(handles[i], &receives[i], pool, CPORT_MULTISHOT));
    }
    for (unsigned i = 0; i < SENDS; i++)
        unused[unused_count++] = &sendings[i];
    *ret_engine = info.backend_name;
    *ret_remark = info.reason;
}

static void udp_send(unsigned from, size_t bytes)
{
    if (unused_count == 0)
        cport_peer_fail("no op is free", 0);
    struct sending *s = unused[--unused_count];
    s->buf = (cport_buf){.base = content, .len = bytes};
    s->msg = (cport_msg){.address = (struct sockaddr *)&addresses[1 - from],
        .address_len = lengths[1 - from],
        .bufs = &s->buf,
        .bufs_count = 1};
    cport_peer_check("send", cport_sendmsg(handles[from], &s->op, &s->msg, 0));
}

static void on_event(const cport_event *event)
{
    if (event->result < 0)
        cport_peer_fail("event", (int)event->result);
    if (!(event->flags & CPORT_BUFFER)) {
        unused[unused_count++] = CPORT_CONTAINER_OF(event->op, struct sending, op);
        return;
    }
    cport_bufs_return(pool, event->aux);
    on_datagram((unsigned)event->key, (size_t)event->result);
}

/* Until the sends have ended, too: the next run needs their ops. */
static void udp_run(void)
{
    cport_event events[64];
    for (stopped = false; !stopped || unused_count < SENDS;) {
        int n = cport_peer_check("wait", cport_wait(port, events, 64, -1));
        for (int i = 0; i < n; i++)
            on_event(&events[i]);
    }
}

static void udp_stop(void)
{
    stopped = true;
}

#include "udp_bench.h"
