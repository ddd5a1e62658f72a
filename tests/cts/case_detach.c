/* Handles that leave their port: S15. Where the capability is missing every case holds the refusal. */
#include "io.h"

#include <stdlib.h>

static bool can_detach(cport_port *port)
{
    cport_port_info info = {.size = sizeof info};
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    return (info.caps & CPORT_CAP_DETACH) != 0;
}

/* The running configuration's port; NULL if nothing leaves it, which is what was checked then. */
static cport_port *open_or_refused(void)
{
    cts_pair pair;
    cport_os_handle fd;
    cport_op recv = {0};
    char byte;
    cport_port *port = cts_port_open();
    if (can_detach(port))
        return port;
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_detach(pair.a, &fd), CPORT_ENOTSUP);
    CHECK_EQ(cts_recv(pair.a, &recv, &byte, 1, 0), 0); /* and it is unharmed */
    cts_sock_send_all(pair.peer, "x", 1);
    CHECK_EQ(cts_result(port, &recv), 1);
    cts_pair_close(&pair);
    cts_port_close(port);
    return NULL;
}

/* A port of the other kind: shared if the configuration's is not, and so of another engine where kinds have their own. */
static cport_port *open_other_kind(void)
{
    cport_port_options opt;
    cts_options(&opt);
    opt.flags ^= CPORT_PORT_SINGLE;
    opt.backend = CPORT_BACKEND_AUTO;
    opt.concurrency = 0;
    opt.allow_caps = 0;
    return cts_port_open_with(&opt);
}

static cport_os_handle detach(cport_handle *h)
{
    cport_os_handle fd, before = cport_handle_fd(h);
    CHECK_EQ(cts_detach(h, &fd), 0);
    CHECK(fd == before);
    return fd;
}

static unsigned handles_of(cport_port *port)
{
    cport_port_info info = {.size = sizeof info};
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    return info.handles;
}

/* ---- There and back, with bytes under way ---- */

/* At each port a part of what the peer sends is received, and a byte is sent. The peer never pauses, and each port leaves off
 * in the middle of what has arrived. */
void s15_a_connection_moves_between_ports(void)
{
    enum { MOVES = 400, WARM = 20 };
    static unsigned char data[2048];
    cport_port *ports[2] = {open_or_refused()};
    if (ports[0] == NULL)
        return;
    ports[1] = open_other_kind();
    cport_os_handle fd, peer;
    io_peer writer;
    cts_sock_pair(&fd, &peer);
    io_peer_write(&writer, peer, MOVES * sizeof data);
    uint64_t calls = 0;
    for (size_t i = 0; i < MOVES; i++) {
        cport_port *port = ports[i % 2];
        cport_op recv[2] = {0}, send = {0};
        cport_handle *h = cts_attach(port, fd, i);
        size_t half = sizeof data / 2;
        CHECK_EQ(cts_recv(h, &recv[0], data, half, CPORT_RECV_ALL), 0);
        CHECK_EQ(cts_recv(h, &recv[1], data + half, half, CPORT_RECV_ALL), 0);
        CHECK_EQ(cts_send(h, &send, "y", 1, 0), 0);
        for (int k = 0; k < 2; k++)
            CHECK_EQ(cts_result(port, &recv[k]), half);
        CHECK_EQ(cts_result(port, &send), 1);
        io_check(data, sizeof data, i * sizeof data);
        fd = detach(h);
        CHECK_EQ(handles_of(port), 0);
        if (i == WARM)
            calls = cts_alloc_calls();
    }
    CHECK_EQ(cts_alloc_calls(), calls); /* moving takes no memory */
    io_peer_join(&writer);
    for (int i = 0; i < MOVES; i++)
        cts_sock_recv_all(peer, data, 1);
    cts_sock_close(peer);
    cts_sock_close(fd);
    cts_port_close(ports[1]);
    cts_port_close(ports[0]);
}

/* One thread and port of each side: a connection is handed over as the result of a post. */
typedef struct side {
    cport_port *port; /* the thread's own */
    struct side *other;
    cport_op handed;
    atomic_bool up;
} side;

enum { HANDOVERS = 300, PIECE = 1000 };

static void hold_once(side *s, cport_os_handle fd, size_t turn)
{
    unsigned char data[PIECE];
    cport_op recv = {0};
    cport_handle *h = cts_attach(s->port, fd, turn);
    CHECK_EQ(cts_recv(h, &recv, data, PIECE, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_result(s->port, &recv), PIECE);
    io_check(data, PIECE, turn * PIECE);
    fd = detach(h);
    if (turn + 1 < HANDOVERS)
        CHECK_EQ(cts_post(s->other->port, &s->other->handed, turn + 1, (int64_t)fd), 0);
    else
        cts_sock_close(fd);
}

static void hold_turns(side *s, size_t first)
{
    for (size_t turn = first; turn < HANDOVERS; turn += 2) {
        cport_event ev;
        CHECK_EQ(cts_wait(s->port, &ev, 1, CTS_PATIENCE_NS), 1);
        CHECK(ev.op == &s->handed && ev.key == turn);
        hold_once(s, (cport_os_handle)ev.result, turn);
    }
}

static bool is_up(void *arg)
{
    return atomic_load((atomic_bool *)arg);
}

static void other_side(void *arg)
{
    side *s = arg;
    s->port = cts_port_open();
    atomic_store(&s->up, true);
    hold_turns(s, 1);
    cts_port_close(s->port);
}

void s15_a_connection_moves_between_threads(void)
{
    cport_os_handle fd, peer;
    io_peer writer;
    side mine = {.port = open_or_refused()}, theirs = {.other = &mine};
    if (mine.port == NULL)
        return;
    mine.other = &theirs;
    cts_thread *thread = cts_thread_start(other_side, &theirs, 0);
    cts_until(is_up, &theirs.up, "the other side's port");
    cts_sock_pair(&fd, &peer);
    io_peer_write(&writer, peer, HANDOVERS * PIECE);
    CHECK_EQ(cts_post(mine.port, &mine.handed, 0, (int64_t)fd), 0);
    hold_turns(&mine, 0);
    cts_thread_join(thread);
    io_peer_join(&writer);
    cts_sock_close(peer);
    cts_port_close(mine.port);
}

/* ---- What moves along, and what does not ---- */

/* Bytes, the end, and a reset that arrived while the old port had the socket, or nobody. */
void s15_what_is_unread_moves_along(void)
{
    cport_port *port = open_or_refused();
    if (port == NULL)
        return;
    cport_port *other = open_other_kind();
    for (int round = 0; round < 40; round++) {
        bool is_early = round % 2 == 0, is_reset = round % 4 >= 2;
        char data[16];
        cts_pair pair;
        cport_op recv = {0};
        cport_os_handle fd = 0;
        cts_pair_open(port, &pair);
        if (!is_early)
            fd = detach(pair.a);
        if (is_reset)
            cts_sock_reset(pair.peer);
        else
            cts_sock_send_all(pair.peer, "moves along", 11);
        pair.peer = is_reset ? CPORT_OS_HANDLE_INVALID : pair.peer;
        if (is_early) {
            io_until_readable(port, pair.a);
            fd = detach(pair.a);
        }
        if (!is_reset)
            cts_pair_close_peer(&pair);
        pair.a = cts_attach(other, fd, 7);
        CHECK_EQ(cts_recv(pair.a, &recv, data, sizeof data, CPORT_RECV_ALL), 0);
        CHECK_EQ(cts_result(other, &recv), is_reset ? CPORT_ECONNRESET : 11);
        cts_pair_close(&pair);
    }
    cts_port_close(other);
    cts_port_close(port);
}

void s15_what_is_pending_stays(void)
{
    unsigned char *data = io_stream(IO_MUCH);
    char byte;
    cts_pair pair;
    io_peer reader;
    cport_bufs *pool;
    cport_os_handle fd;
    cport_port *port = open_or_refused();
    if (port == NULL) {
        free(data);
        return;
    }
    cport_op recv = {0}, poll = {0}, pooled = {0}, send = {0};
    io_pair_open_narrow(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 64, 4, &pool), 0);

    CHECK_EQ(cts_recv(pair.a, &recv, &byte, 1, 0), 0);
    CHECK_EQ(cts_detach(pair.a, &fd), CPORT_EBUSY);
    CHECK_EQ(cts_cancel(&recv), 0);
    CHECK_EQ(cts_result(port, &recv), CPORT_ECANCELED);
    CHECK_EQ(cts_poll(pair.a, &poll, CPORT_POLL_IN), 0);
    CHECK_EQ(cts_detach(pair.a, &fd), CPORT_EBUSY);
    CHECK_EQ(cts_cancel(&poll), 0);
    CHECK_EQ(cts_result(port, &poll), CPORT_ECANCELED);
    CHECK_EQ(cts_recv_pooled(pair.a, &pooled, pool, CPORT_MULTISHOT), 0);
    cts_settle(port);
    CHECK_EQ(cts_detach(pair.a, &fd), CPORT_EBUSY);
    CHECK_EQ(cts_cancel(&pooled), 0);
    CHECK_EQ(cts_result(port, &pooled), CPORT_ECANCELED);
    CHECK_EQ(cts_send(pair.a, &send, data, IO_MUCH, 0), 0);
    io_check_still_pending(port, &send);
    CHECK_EQ(cts_detach(pair.a, &fd), CPORT_EBUSY);
    io_peer_read(&reader, pair.peer, IO_MUCH);
    CHECK_EQ(cts_result(port, &send), IO_MUCH);
    io_peer_join(&reader);

    CHECK_EQ(cts_detach(NULL, &fd), CPORT_EINVAL);
    CHECK_EQ(cts_detach(pair.a, NULL), CPORT_EINVAL);
    fd = detach(pair.a);
    pair.a = NULL;
    cts_sock_close(fd);
    cts_pair_close(&pair);
    cts_bufs_close(pool);
    cts_port_close(port);
    free(data);
}

/* A send that fits is over at once; its event is still the old port's to be had. */
void s15_an_event_that_is_not_dequeued_is_pending(void)
{
    cts_pair pair;
    cport_os_handle fd;
    cport_op send = {0}, empty = {0};
    cport_port *port = open_or_refused();
    if (port == NULL)
        return;
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_send(pair.a, &send, "x", 1, 0), 0);
    CHECK_EQ(cts_send(pair.a, &empty, NULL, 0, 0), 0);
    CHECK_EQ(cport_flush(port), 0);
    CHECK_EQ(cts_detach(pair.a, &fd), CPORT_EBUSY);
    CHECK_EQ(cts_result(port, &send), 1);
    CHECK_EQ(cts_result(port, &empty), 0);
    cts_sock_close(detach(pair.a));
    pair.a = NULL;
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s15_a_closing_handle_stays(void)
{
    char byte;
    cts_pair pair;
    cport_os_handle fd;
    cport_op recv = {0}, close = {0};
    cport_port *port = open_or_refused();
    if (port == NULL)
        return;
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &recv, &byte, 1, 0), 0);
    CHECK_EQ(cport_flush(port), 0);
    CHECK_EQ(cts_close(pair.a, &close, 0), 0);
    CHECK_EQ(cts_detach(pair.a, &fd), CPORT_EALREADY);
    CHECK_EQ(cts_result(port, &recv), CPORT_ECANCELED);
    CHECK_EQ(cts_result(port, &close), 0);
    pair.a = NULL;
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* The number comes back to the old port with another socket while the first lives on elsewhere, and is busy there. */
void s15_the_old_port_hears_nothing_more(void)
{
    enum { ROUNDS = 30 };
    char byte;
    cport_port *port = open_or_refused();
    if (port == NULL)
        return;
    cport_port *other = open_other_kind();
    for (int round = 0; round < ROUNDS; round++) {
        cts_pair moved, next;
        cport_op recv[2] = {0};
        cport_event ev;
        cts_pair_open(port, &moved);
        cts_sock_send_all(moved.peer, "a", 1);
        io_until_readable(port, moved.a);
        cport_os_handle fd = detach(moved.a), elsewhere = cts_sock_duplicate(fd);
        cts_sock_close(fd);
        cts_pair_open(port, &next);
        moved.a = cts_attach(other, elsewhere, 5);
        CHECK_EQ(cts_recv(next.a, &recv[0], &byte, 1, 0), 0);
        CHECK_EQ(cport_flush(port), 0);
        cts_sock_send_all(moved.peer, "b", 1);
        CHECK_EQ(cts_wait(port, &ev, 1, 0), 0);
        for (const char *c = "ab"; *c != '\0'; c++) {
            CHECK_EQ(cts_recv(moved.a, &recv[1], &byte, 1, 0), 0);
            CHECK_EQ(cts_result(other, &recv[1]), 1);
            CHECK_EQ(byte, *c);
        }
        cts_settle(port);
        CHECK(cts_pending(&recv[0]));
        cts_sock_send_all(next.peer, "c", 1);
        CHECK_EQ(cts_result(port, &recv[0]), 1);
        CHECK_EQ(byte, 'c');
        cts_pair_close(&moved);
        cts_pair_close(&next);
    }
    cts_port_close(other);
    cts_port_close(port);
}

/* Connections that arrive while it belongs to nobody wait in its queue. */
void s15_a_listener_moves(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_os_handle clients[3], fd;
    cport_op accept = {0};
    cport_port *ports[2] = {open_or_refused()};
    if (ports[0] == NULL)
        return;
    ports[1] = open_other_kind();
    cport_handle *h = cts_listen(ports[0], &address, &len);
    for (int i = 0; i < 3; i++) {
        cport_port *port = ports[i % 2];
        CHECK_EQ(cts_accept(h, &accept, CPORT_MULTISHOT), 0);
        if (i == 0)
            CHECK_EQ(cts_detach(h, &fd), CPORT_EBUSY);
        clients[i] = cts_sock_tcp();
        CHECK(cts_sock_connect(clients[i], (struct sockaddr *)&address, len));
        for (int left = i == 0 ? 1 : 2; left > 0; left--) {
            cport_event ev = cts_next(port, &accept);
            CHECK(ev.result >= 0 && ev.flags == CPORT_MORE);
            cts_sock_close((cport_os_handle)ev.result);
        }
        CHECK_EQ(cts_cancel(&accept), 0);
        CHECK_EQ(cts_result(port, &accept), CPORT_ECANCELED);
        fd = detach(h);
        cport_os_handle meanwhile = cts_sock_tcp();
        CHECK(cts_sock_connect(meanwhile, (struct sockaddr *)&address, len));
        cts_sock_close(clients[i]);
        cts_sock_close(meanwhile);
        h = cts_attach(ports[(i + 1) % 2], fd, CTS_KEY_A);
    }
    cts_close_wait(h, 0);
    cts_port_close(ports[1]);
    cts_port_close(ports[0]);
}
