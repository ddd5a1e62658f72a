/* Accepting: S39, S42. */
#include "io.h"

#include <string.h>

static cport_os_handle connect_to(const struct sockaddr_storage *address, cport_socklen len)
{
    cport_os_handle s = cts_sock_tcp();
    CHECK(cts_sock_connect(s, (const struct sockaddr *)address, len));
    return s;
}

static void check_peer_is(cport_os_handle accepted, cport_os_handle client)
{
    struct sockaddr_storage peer, local;
    cport_socklen peer_len = 0, local_len = 0;
    CHECK_EQ(cport_accept_address(accepted, &peer, &peer_len), 0);
    CHECK_EQ(cport_socket_local(client, &local, &local_len), 0);
    CHECK(peer_len > 0);
    io_check_same_address(&peer, &local);
}

static cport_os_handle accepted_by(const cport_event *ev)
{
    CHECK(ev->result >= 0);
    return (cport_os_handle)ev->result;
}

/* ---- S39: a socket ready for use ---- */

void s39_an_accepted_socket_is_ready(void)
{
    struct sockaddr_storage address, local;
    cport_socklen len, local_len;
    char data[8];
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    for (int first = 0; first < 2; first++) {
        cport_os_handle client = CPORT_OS_HANDLE_INVALID;
        if (first)
            client = connect_to(&address, len);
        CHECK_EQ(cts_accept(listener, &op, 0), 0);
        if (!first) {
            io_check_still_pending(port, &op);
            client = connect_to(&address, len);
        }
        cport_os_handle s = (cport_os_handle)cts_result(port, &op);
        check_peer_is(s, client);
        CHECK_EQ(cport_socket_local(s, &local, &local_len), 0);
        io_check_same_address(&local, &address);

        cport_handle *h = cts_attach(port, s, 0x77);
        CHECK_EQ(cts_send(h, &op, "hello", 5, 0), 0);
        CHECK_EQ(cts_result(port, &op), 5);
        cts_sock_recv_all(client, data, 5);
        CHECK(memcmp(data, "hello", 5) == 0);
        cts_sock_send_all(client, "you", 3);
        CHECK_EQ(cts_recv(h, &op, data, 3, CPORT_RECV_ALL), 0);
        CHECK_EQ(cts_result(port, &op), 3);
        CHECK(memcmp(data, "you", 3) == 0);
        CHECK_EQ(cts_shutdown(h, &op, CPORT_SHUT_SEND), 0);
        CHECK_EQ(cts_result(port, &op), 0);
        CHECK_EQ(cts_sock_recv(client, data, 1), 0);
        cts_close_wait(h, 0);
        cts_sock_close(client);
    }
    cts_close_wait(listener, 0);
    cts_port_close(port);
}

void s39_an_accepted_socket_can_be_used_without_a_port(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    char byte = 0;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    cport_os_handle client = connect_to(&address, len);
    CHECK_EQ(cts_accept(listener, &op, 0), 0);
    cport_os_handle s = (cport_os_handle)cts_result(port, &op);
    cts_close_wait(listener, 0); /* takes nothing away from it */
    cts_sock_send_all(s, "a", 1);
    cts_sock_recv_all(client, &byte, 1);
    CHECK_EQ(byte, 'a');
    CHECK_EQ(cport_socket_close(s), 0);
    CHECK_EQ(cts_sock_recv(client, &byte, 1), 0);
    cts_sock_close(client);
    cts_port_close(port);
}

void s39_accepted_sockets_inherit_nodelay(void)
{
    for (int on = 0; on < 2; on++) {
        cport_socket_options opt = {.size = sizeof opt, .flags = on ? CPORT_SOCKET_NODELAY : 0};
        struct sockaddr_storage address;
        cport_socklen len;
        cport_os_handle raw;
        cport_op op = {0};
        cport_port *port = cts_port_open();
        CHECK_EQ(cport_address("127.0.0.1", 0, &address, &len), 0);
        CHECK_EQ(cport_socket_tcp_listen((struct sockaddr *)&address, len, &opt, &raw), 0);
        CHECK_EQ(cport_socket_local(raw, &address, &len), 0);
        cport_handle *listener = cts_attach(port, raw, CTS_KEY_A);
        for (int multishot = 0; multishot < 2; multishot++) {
            cport_os_handle client = connect_to(&address, len);
            CHECK_EQ(cts_accept(listener, &op, multishot ? CPORT_MULTISHOT : 0), 0);
            cport_event ev = cts_next(port, &op);
            CHECK_EQ(io_sock_nodelay(accepted_by(&ev)), on);
            cts_sock_close(accepted_by(&ev));
            cts_sock_close(client);
        }
        cts_close_wait(listener, 0);
        CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
        cts_port_close(port);
    }
}

/* Each of many outstanding accepts gets a connection of its own. */
void s39_many_accepts_at_once(void)
{
    enum { COUNT = 64 };
    static cport_op ops[COUNT];
    cport_os_handle clients[COUNT];
    unsigned char seen[COUNT] = {0};
    struct sockaddr_storage address;
    cport_socklen len;
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_accept(listener, &ops[i], 0), 0);
    for (int i = 0; i < COUNT; i++) {
        unsigned char number = (unsigned char)i;
        clients[i] = connect_to(&address, len);
        cts_sock_send_all(clients[i], &number, 1);
    }
    for (int i = 0; i < COUNT; i++) {
        unsigned char who = COUNT;
        cport_os_handle s = (cport_os_handle)cts_result(port, &ops[i]);
        cts_sock_recv_all(s, &who, 1);
        CHECK(who < COUNT && !seen[who]);
        seen[who] = 1;
        check_peer_is(s, clients[who]);
        cts_sock_close(s);
    }
    for (int i = 0; i < COUNT; i++)
        cts_sock_close(clients[i]);
    cts_close_wait(listener, 0);
    cts_port_close(port);
}

void s39_accept_takes_known_flags_only(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    CHECK_EQ(cts_accept(listener, &op, CPORT_RECV_ALL), CPORT_EINVAL);
    CHECK_EQ(cts_accept(listener, &op, CPORT_MULTISHOT | CPORT_INLINE_OK), CPORT_EINVAL);
    CHECK_EQ(cts_accept(listener, &op, 0x80000000u), CPORT_EINVAL);
    CHECK_EQ(cts_accept(NULL, &op, 0), CPORT_EINVAL);
    CHECK_EQ(cts_accept(listener, NULL, 0), CPORT_EINVAL);
    cts_close_wait(listener, 0);
    cts_port_close(port);
}

/* ---- S42: multishot ---- */

void s42_one_multishot_accept_takes_many_connections(void)
{
    enum { COUNT = 250 };
    static cport_os_handle clients[COUNT];
    struct sockaddr_storage address;
    cport_socklen len;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    CHECK_EQ(cts_accept(listener, &op, CPORT_MULTISHOT), 0);
    for (int i = 0; i < COUNT; i++) {
        unsigned char number = (unsigned char)i;
        clients[i] = connect_to(&address, len);
        cts_sock_send_all(clients[i], &number, 1);
        if (i % 3 == 0)
            cts_settle(port);
    }
    bool seen[COUNT] = {0};
    for (int i = 0; i < COUNT; i++) {
        unsigned char who = COUNT;
        cport_event ev = cts_next(port, &op);
        CHECK_EQ(ev.flags, CPORT_MORE);
        CHECK_EQ(ev.key, CTS_KEY_A);
        cts_sock_recv_all(accepted_by(&ev), &who, 1);
        CHECK(who < COUNT && !seen[who]);
        seen[who] = true;
        check_peer_is(accepted_by(&ev), clients[who]);
        cts_sock_close(accepted_by(&ev));
        cts_sock_close(clients[who]);
    }
    io_check_still_pending(port, &op);
    CHECK_EQ(cts_cancel(&op), 0);
    CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    cts_close_wait(listener, 0);
    cts_port_close(port);
}

/* What comes between a cancel and the next accept waits in the system's queue. */
void s42_no_connection_is_lost_to_a_cancel(void)
{
    enum { ROUNDS = 40, EACH = 5 };
    struct sockaddr_storage address;
    cport_socklen len;
    cport_op op = {0};
    int accepted = 0;
    cport_os_handle clients[EACH];
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    for (int round = 0; round < ROUNDS; round++) {
        CHECK_EQ(cts_accept(listener, &op, CPORT_MULTISHOT), 0);
        for (int i = 0; i < EACH; i++) {
            clients[i] = connect_to(&address, len);
            if (i == round % EACH)
                CHECK_EQ(cts_cancel(&op), 0);
        }
        cport_event ev;
        for (ev = cts_next(port, &op); ev.flags & CPORT_MORE; ev = cts_next(port, &op), accepted++)
            cts_sock_close(accepted_by(&ev));
        CHECK(ev.result == CPORT_ECANCELED || ev.result >= 0);
        if (ev.result >= 0) {
            cts_sock_close(accepted_by(&ev));
            accepted++;
        }
        while (accepted < (round + 1) * EACH) {
            CHECK_EQ(cts_accept(listener, &op, 0), 0);
            cts_sock_close((cport_os_handle)cts_result(port, &op));
            accepted++;
        }
        for (int i = 0; i < EACH; i++)
            cts_sock_close(clients[i]);
    }
    CHECK_EQ(cts_accept(listener, &op, 0), 0);
    io_check_still_pending(port, &op);
    cts_close_wait(listener, 0);
    CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    cts_port_close(port);
}

/* Clients that reset while they are queued: some systems still hand them out, some count and pass them over. */
void s42_connections_that_vanish_do_not_end_it(void)
{
    enum { ROUNDS = 30 };
    struct sockaddr_storage address;
    cport_socklen len;
    cport_port_stats stats = {.size = sizeof stats};
    cport_os_handle alive[ROUNDS];
    uint64_t lived = 0, dead = 0;
    char byte;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    for (int i = 0; i < ROUNDS; i++) {
        cts_sock_reset(connect_to(&address, len));
        alive[i] = connect_to(&address, len);
        cts_sock_send_all(alive[i], "L", 1);
        if (i == ROUNDS / 2)
            CHECK_EQ(cts_accept(listener, &op, CPORT_MULTISHOT), 0);
    }
    while (lived < ROUNDS) {
        cport_event ev = cts_next(port, &op);
        CHECK_EQ(ev.flags, CPORT_MORE);
        if (cts_sock_recv(accepted_by(&ev), &byte, 1) == 1)
            lived++;
        else
            dead++;
        cts_sock_close(accepted_by(&ev));
    }
    CHECK_EQ(cport_port_get_stats(port, &stats), 0);
    CHECK(dead + stats.accept_aborted <= ROUNDS);
    io_check_still_pending(port, &op);
    for (int i = 0; i < ROUNDS; i++)
        cts_sock_close(alive[i]);
    cts_close_wait(listener, 0);
    CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    cts_port_close(port);
}

void s42_two_listeners_on_one_port(void)
{
    enum { COUNT = 40 };
    struct sockaddr_storage address[2];
    cport_socklen len[2];
    cport_op op[2] = {0};
    cport_os_handle clients[COUNT];
    cport_handle *listener[2];
    cport_port *port = cts_port_open();
    for (uintptr_t i = 0; i < 2; i++) {
        listener[i] = cts_attach(port, cts_sock_listen(64, &address[i], &len[i]), 100 + i);
        CHECK_EQ(cts_accept(listener[i], &op[i], CPORT_MULTISHOT), 0);
    }
    for (int i = 0; i < COUNT; i++)
        clients[i] = connect_to(&address[i % 2], len[i % 2]);
    for (int i = 0; i < COUNT; i++) {
        struct sockaddr_storage local;
        cport_socklen local_len;
        cport_event ev = cts_next(port, &op[i % 2]);
        CHECK_EQ(ev.key, 100 + i % 2);
        CHECK_EQ(cport_socket_local(accepted_by(&ev), &local, &local_len), 0);
        io_check_same_address(&local, &address[i % 2]);
        cts_sock_close(accepted_by(&ev));
    }
    /* The end of one is nothing to the other. */
    cts_close_wait(listener[0], 0);
    CHECK_EQ(cts_result(port, &op[0]), CPORT_ECANCELED);
    cport_os_handle late = connect_to(&address[1], len[1]);
    cport_event ev = cts_next(port, &op[1]);
    cts_sock_close(accepted_by(&ev));
    cts_sock_close(late);
    cts_close_wait(listener[1], 0);
    CHECK_EQ(cts_result(port, &op[1]), CPORT_ECANCELED);
    for (int i = 0; i < COUNT; i++)
        cts_sock_close(clients[i]);
    cts_port_close(port);
}

void s42_single_accepts_queue_behind_a_multishot_one(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_op many = {0}, one[2] = {0};
    cport_os_handle clients[4];
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    CHECK_EQ(cts_accept(listener, &many, CPORT_MULTISHOT), 0);
    CHECK_EQ(cts_accept(listener, &one[0], 0), 0);
    CHECK_EQ(cts_accept(listener, &one[1], 0), 0);
    for (int i = 0; i < 2; i++) {
        clients[i] = connect_to(&address, len);
        cport_event ev = cts_next(port, &many);
        cts_sock_close(accepted_by(&ev));
    }
    io_check_still_pending(port, &one[0]);
    CHECK_EQ(cts_cancel(&many), 0);
    CHECK_EQ(cts_result(port, &many), CPORT_ECANCELED);
    for (int i = 0; i < 2; i++) {
        clients[2 + i] = connect_to(&address, len);
        cts_sock_close((cport_os_handle)cts_result(port, &one[i]));
    }
    for (int i = 0; i < 4; i++)
        cts_sock_close(clients[i]);
    cts_close_wait(listener, 0);
    cts_port_close(port);
}

/* ---- Connections arriving while the listener closes ---- */

typedef struct knocker {
    struct sockaddr_storage address;
    cport_socklen len;
    atomic_bool stop;
    atomic_uint tries;
} knocker;

/* Bounded, for a machine on which nobody answers for long. */
#define KNOCKS 3000u

static void knock(void *arg)
{
    knocker *k = arg;
    while (!atomic_load(&k->stop) && atomic_load(&k->tries) < KNOCKS) {
        cport_os_handle s = cts_sock_tcp();
        (void)cts_sock_connect(s, (struct sockaddr *)&k->address, k->len);
        cts_sock_reset(s);
        atomic_fetch_add(&k->tries, 1);
    }
}

static void close_accepted(const cport_event *ev)
{
    if (ev->result >= 0)
        cts_sock_close(accepted_by(ev));
    else
        CHECK_EQ(ev->result, CPORT_ECANCELED);
}

static void race_with_close(cport_port *port, int round)
{
    knocker k = {0};
    cport_op accept[3] = {0}, close = {0};
    cport_handle *listener = cts_listen(port, &k.address, &k.len);
    cts_thread *thread = cts_thread_start(knock, &k, 0);
    unsigned accepts = round % 2 ? 1 : 3;
    for (unsigned i = 0; i < accepts; i++)
        CHECK_EQ(cts_accept(listener, &accept[i], accepts == 1 ? CPORT_MULTISHOT : 0), 0);
    bool asked = false;
    while (!asked || cts_pending(&close)) {
        cport_event ev[4];
        if (!asked && atomic_load(&k.tries) >= (unsigned)round) {
            asked = true;
            CHECK_EQ(cts_close(listener, &close, round % 3 == 0 ? CPORT_ABORT : 0), 0);
        }
        int n = cts_wait(port, ev, CTS_COUNT_OF(ev), asked ? CTS_PATIENCE_NS : CTS_MS);
        CHECK(n > 0 || !asked);
        for (int i = 0; i < n; i++)
            if (ev[i].op != &close)
                close_accepted(&ev[i]);
    }
    atomic_store(&k.stop, true);
    cts_thread_join(thread);
}

void s42_close_races_with_connections(void)
{
    cport_port *port = cts_port_open();
    for (int round = 0; round < 30; round++)
        race_with_close(port, round);
    cts_port_close(port);
}

static bool descriptors_are(void *count)
{
    return cts_descriptors_open() == *(unsigned *)count;
}

/* Accepted, but still in the port when it closes. The checker is not told: for it no operation may end so. */
void s42_sockets_that_nobody_dequeues_close_with_the_port(void)
{
    enum { COUNT = 5 };
    char byte;
    struct sockaddr_storage address;
    cport_socklen len;
    cport_os_handle clients[COUNT];
    cport_op accept = {0}, close = {0};
    cport_port_options opt;
    cport_port *port;
    cport_handle *listener;
    cts_options(&opt);
    CHECK_EQ(cport_port_open(&opt, &port), 0);
    cport_os_handle raw = cts_sock_listen(COUNT, &address, &len);
    CHECK_EQ(cport_attach(port, raw, CTS_KEY_A, 0, &listener), 0);
    unsigned descriptors = cts_descriptors_open() + 2 * COUNT;
    CHECK_EQ(cport_accept(listener, &accept, CPORT_MULTISHOT), 0);
    for (int i = 0; i < COUNT; i++)
        clients[i] = connect_to(&address, len);
    cts_until(descriptors_are, &descriptors, "the accepts");
    CHECK_EQ(cport_close(listener, &close, 0), 0);
    int ret;
    while ((ret = cport_port_close(port)) == CPORT_EBUSY) /* the close is on its way */
        cts_spin();
    CHECK_EQ(ret, 0);
    for (int i = 0; i < COUNT; i++) {
        CHECK(cts_sock_recv(clients[i], &byte, 1) <= 0);
        cts_sock_close(clients[i]);
    }
}

/* A connection that was never accepted ends with its listener. */
void s42_closing_a_listener_resets_what_it_has_queued(void)
{
    char byte;
    struct sockaddr_storage address;
    cport_socklen len;
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    cport_os_handle client = connect_to(&address, len), late = cts_sock_tcp();
    cts_close_wait(listener, 0);
    CHECK(cts_sock_recv(client, &byte, 1) <= 0);
    CHECK(!cts_sock_connect(late, (struct sockaddr *)&address, len));
    cts_sock_close(late);
    cts_sock_close(client);
    cts_port_close(port);
}
