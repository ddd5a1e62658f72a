/* The pattern, peers in threads, and loops of tasks. */
#include "io.h"

#include <stdlib.h>
#include <string.h>

#define LOOP_THREADS 4u
#define CHUNK        (64 * KIB)

static unsigned char byte_at(size_t at)
{
    uint64_t mixed = (uint64_t)at * 0x9E3779B97F4A7C15u;
    return (unsigned char)(mixed >> 56);
}

void io_fill(void *data, size_t len, size_t at)
{
    unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_at(at + i);
}

void io_check(const void *data, size_t len, size_t at)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != byte_at(at + i))
            cts_fail(__FILE__, __LINE__, "byte %zu of the stream is 0x%02x, not 0x%02x", at + i,
                bytes[i], byte_at(at + i));
}

void *io_memory(size_t len)
{
    void *memory = malloc(len);
    CHECK(memory != NULL);
    return memory;
}

void *io_stream(size_t len)
{
    void *memory = io_memory(len);
    io_fill(memory, len, 0);
    return memory;
}

/* ---- Pairs ---- */

void io_pair_open_narrow(cport_port *port, cts_pair *ret_pair)
{
    cts_pair_open(port, ret_pair);
    cts_sock_buffers(cport_handle_fd(ret_pair->a), 32 * 1024, 32 * 1024);
    cts_sock_buffers(ret_pair->peer, 32 * 1024, 32 * 1024);
}

void io_until_readable(cport_port *port, cport_handle *a)
{
    cport_op op = {0};
    CHECK_EQ(cts_poll(a, &op, CPORT_POLL_IN), 0);
    CHECK(cts_result(port, &op) > 0);
}

void io_check_broken(int64_t code)
{
    if (code != CPORT_EPIPE && code != CPORT_ECONNRESET && code != CPORT_ECONNABORTED)
        cts_fail(__FILE__, __LINE__, "sending into a reset connection: %lld %s", (long long)code,
            cport_error_name((int)code));
}

void io_check_still_pending(cport_port *port, const cport_op *op)
{
    cts_settle(port);
    CHECK(cts_pending(op));
}

void io_check_same_address(const struct sockaddr_storage *one, const struct sockaddr_storage *other)
{
    char text[2][64];
    for (int i = 0; i < 2; i++)
        CHECK_EQ(cport_address_text((const struct sockaddr *)(i == 0 ? one : other), sizeof *one,
                     text[i], sizeof text[i]),
            0);
    if (strcmp(text[0], text[1]) != 0)
        cts_fail(__FILE__, __LINE__, "address %s, not %s", text[0], text[1]);
}

cport_os_handle io_listen_full(struct sockaddr_storage *ret_address, cport_socklen *ret_len,
    cport_os_handle ret_fillers[IO_FILLERS])
{
    cport_os_handle listener = cts_sock_listen(1, ret_address, ret_len);
    for (int i = 0; i < IO_FILLERS; i++) {
        ret_fillers[i] = cts_sock_tcp();
        cts_sock_nonblocking(ret_fillers[i], true);
        (void)cts_sock_connect(ret_fillers[i], (struct sockaddr *)ret_address, *ret_len);
    }
    return listener;
}

/* ---- Peers ---- */

static void read_on(void *arg)
{
    io_peer *peer = arg;
    unsigned char *data = io_memory(CHUNK);
    peer->end = 1;
    while (peer->at < peer->most) {
        size_t want = peer->most - peer->at < CHUNK ? peer->most - peer->at : CHUNK;
        int64_t n = cts_sock_recv(peer->s, data, want);
        if (n <= 0) {
            peer->end = n;
            break;
        }
        io_check(data, (size_t)n, peer->at);
        peer->at += (size_t)n;
    }
    free(data);
    atomic_store(&peer->over, true);
}

static void write_on(void *arg)
{
    io_peer *peer = arg;
    unsigned char *data = io_memory(CHUNK);
    while (peer->at < peer->most) {
        size_t len = peer->most - peer->at < CHUNK ? peer->most - peer->at : CHUNK;
        io_fill(data, len, peer->at);
        cts_sock_send_all(peer->s, data, len);
        peer->at += len;
    }
    free(data);
    atomic_store(&peer->over, true);
}

void io_peer_read(io_peer *peer, cport_os_handle s, size_t most)
{
    *peer = (io_peer){.s = s};
    io_peer_read_on(peer, most);
}

void io_peer_read_on(io_peer *peer, size_t most)
{
    peer->most = most;
    atomic_store(&peer->over, false);
    peer->thread = cts_thread_start(read_on, peer, 0);
}

void io_peer_write(io_peer *peer, cport_os_handle s, size_t bytes)
{
    *peer = (io_peer){.s = s, .most = bytes};
    peer->thread = cts_thread_start(write_on, peer, 0);
}

void io_peer_join(io_peer *peer)
{
    cts_thread_join(peer->thread);
    peer->thread = NULL;
}

void io_peer_finish(io_peer *peer, cport_port *port)
{
    int64_t end = cts_now_ns() + CTS_PATIENCE_NS;
    while (!atomic_load(&peer->over)) {
        CHECK(cts_now_ns() < end);
        cts_settle(port);
        cts_yield();
    }
    io_peer_join(peer);
}

/* ---- Loops ---- */

void io_loop_init(io_loop *loop, cport_port *port, unsigned tasks)
{
    *loop = (io_loop){.port = port};
    atomic_init(&loop->left, tasks);
    atomic_init(&loop->threads, cts_is(CTS_SHARED) ? LOOP_THREADS : 1);
}

void io_loop_done(io_loop *loop)
{
    if (atomic_fetch_sub(&loop->left, 1) == 1)
        CHECK_EQ(cts_post(loop->port, &loop->stop, 0, 0), 0);
}

/* The packet that stops a thread is passed on by it, until all have had it. */
static void run_events(void *arg)
{
    io_loop *loop = arg;
    bool over = false;
    while (!over) {
        cport_event ev[16];
        int n = cts_wait(loop->port, ev, CTS_COUNT_OF(ev), CTS_PATIENCE_NS);
        if (n <= 0)
            cts_fail(__FILE__, __LINE__, "%u tasks wait in vain (%d)", atomic_load(&loop->left), n);
        for (int i = 0; i < n; i++) {
            if (ev[i].op == &loop->stop) {
                over = true;
                continue;
            }
            io_task *task = CPORT_CONTAINER_OF(ev[i].op, io_task, op);
            task->run(task, &ev[i]);
        }
    }
    if (atomic_fetch_sub(&loop->threads, 1) > 1)
        CHECK_EQ(cts_post(loop->port, &loop->stop, 0, 0), 0);
}

void io_loop_run(io_loop *loop)
{
    cts_thread *threads[LOOP_THREADS];
    unsigned others = atomic_load(&loop->threads) - 1;
    for (unsigned i = 0; i < others; i++)
        threads[i] = cts_thread_start(run_events, loop, 0);
    run_events(loop);
    for (unsigned i = 0; i < others; i++)
        cts_thread_join(threads[i]);
}
