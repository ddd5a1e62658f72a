/* libuv: uv_udp_recv_start with UV_UDP_RECVMMSG, and uv_udp_send, which queues and sends what has gathered by sendmmsg. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <uv.h>

#include "udp_limits.h"
#include "udp_raw.h"

#define ROOM (64 * 1024)

static uv_loop_t loop;
static uv_udp_t ends[2];
static struct sockaddr_in addresses[2];
static uv_udp_send_t sends[2 * UDP_BURST], *unused[2 * UDP_BURST];
static unsigned unused_count;
static char content[UDP_BYTES_MAX];
static char room[2][UDP_BURST * ROOM];

static void on_datagram(unsigned at, size_t bytes);

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *ret_buf)
{
    (void)size;
    *ret_buf = uv_buf_init(room[(uintptr_t)handle->data], sizeof room[0]);
}

static void on_recv(
    uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags)
{
    (void)buf;
    (void)flags;
    if (n < 0)
        peer_die("uv_udp_recv", (int)-n);
    if (from != NULL)
        on_datagram((unsigned)(uintptr_t)udp->data, (size_t)n);
}

static void udp_prepare(const char **ret_engine, const char **ret_remark)
{
    uv_loop_init(&loop);
    for (unsigned i = 0; i < 2; i++) {
        uv_udp_init_ex(&loop, &ends[i], AF_UNSPEC | UV_UDP_RECVMMSG);
        ends[i].data = (void *)(uintptr_t)i;
        if (uv_udp_open(&ends[i], udp_socket(&addresses[i])) != 0 ||
            uv_udp_recv_start(&ends[i], on_alloc, on_recv) != 0)
            peer_die("uv_udp_recv_start", 0);
    }
    for (unsigned i = 0; i < 2 * UDP_BURST; i++)
        unused[unused_count++] = &sends[i];
    *ret_engine = "its own loop";
    *ret_remark = uv_version_string();
}

static bool stopped;

static void stop_when_quiet(void)
{
    if (stopped && unused_count == 2 * UDP_BURST)
        uv_stop(&loop);
}

static void on_sent(uv_udp_send_t *send, int status)
{
    if (status < 0)
        peer_die("uv_udp_send", -status);
    unused[unused_count++] = send;
    stop_when_quiet();
}

static void udp_send(unsigned from, size_t bytes)
{
    uv_buf_t buf = uv_buf_init(content, (unsigned)bytes);
    if (unused_count == 0)
        peer_die("no request is free", 0);
    uv_udp_send(unused[--unused_count], &ends[from], &buf, 1,
        (const struct sockaddr *)&addresses[1 - from], on_sent);
}

static void udp_run(void)
{
    stopped = false;
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void udp_stop(void)
{
    stopped = true;
    stop_when_quiet();
}

#include "udp_bench.h"
