/* Connecting: S43. */
#include "io.h"

#include <string.h>

static cport_handle *unconnected(cport_port *port)
{
    cport_os_handle s;
    CHECK_EQ(cport_socket_tcp(AF_INET, NULL, &s), 0);
    return cts_attach(port, s, CTS_KEY_A);
}

/* A loopback address where nobody listens, and nobody else can: the socket that has it is bound, no more. */
static cport_os_handle bound_only(struct sockaddr_storage *ret_address, cport_socklen *ret_len)
{
    cport_os_handle s = cts_sock_tcp();
    CHECK_EQ(cport_address("127.0.0.1", 0, ret_address, ret_len), 0);
    CHECK_EQ(bind(s, (struct sockaddr *)ret_address, *ret_len), 0);
    CHECK_EQ(cport_socket_local(s, ret_address, ret_len), 0);
    return s;
}

static int64_t connect_now(
    cport_port *port, cport_handle *h, const struct sockaddr_storage *address, cport_socklen len)
{
    cport_op op = {0};
    CHECK_EQ(cts_connect(h, &op, (const struct sockaddr *)address, len, 0), 0);
    return cts_result(port, &op);
}

void s43_a_connected_socket_is_ready(void)
{
    struct sockaddr_storage address, local, peer;
    cport_socklen len, local_len, peer_len;
    char data[4];
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cport_os_handle listener = cts_sock_listen(4, &address, &len);
    cport_handle *h = unconnected(port);
    CHECK_EQ(connect_now(port, h, &address, len), 0);
    cport_os_handle accepted = cts_sock_accept(listener);
    CHECK_EQ(cport_socket_local(cport_handle_fd(h), &local, &local_len), 0);
    CHECK_EQ(cport_accept_address(accepted, &peer, &peer_len), 0);
    io_check_same_address(&peer, &local);
    CHECK_EQ(cport_accept_address(cport_handle_fd(h), &peer, &peer_len), 0);
    io_check_same_address(&peer, &address);

    CHECK_EQ(cts_send(h, &op, "ping", 4, 0), 0);
    CHECK_EQ(cts_result(port, &op), 4);
    cts_sock_recv_all(accepted, data, 4);
    CHECK(memcmp(data, "ping", 4) == 0);
    cts_sock_send_all(accepted, "pong", 4);
    CHECK_EQ(cts_recv(h, &op, data, 4, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_result(port, &op), 4);
    CHECK(memcmp(data, "pong", 4) == 0);
    CHECK_EQ(cts_shutdown(h, &op, CPORT_SHUT_SEND), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    CHECK_EQ(cts_sock_recv(accepted, data, 1), 0);
    cts_close_wait(h, 0);
    cts_sock_close(accepted);
    cts_sock_close(listener);
    cts_port_close(port);
}

void s43_refused_unreachable_are_told_apart(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_port *port = cts_port_open();
    cport_os_handle bound = bound_only(&address, &len);
    cport_handle *h = unconnected(port);
    cport_op op = {0};
    CHECK_EQ(cts_connect(h, &op, (struct sockaddr *)&address, len, 0), 0);
    cport_event ev = cts_next(port, &op);
    CHECK_EQ(ev.result, CPORT_ECONNREFUSED);
    CHECK(ev.aux != 0);
    cts_close_wait(h, 0);
    cts_sock_close(bound);

    /* The loopback network's own broadcast address: no stream goes there. */
    CHECK_EQ(cport_address("127.255.255.255", 9, &address, &len), 0);
    h = unconnected(port);
    CHECK_EQ(connect_now(port, h, &address, len), CPORT_ENETUNREACH);
    cts_close_wait(h, 0);
    cts_port_close(port);
}

/* user_timeout_ms, and with it this way to time out on loopback, is Linux's. */
void s43_timed_out_is_told_apart(void)
{
    cport_socket_options opt = {.size = sizeof opt, .user_timeout_ms = 200};
    struct sockaddr_storage address;
    cport_socklen len;
    cport_os_handle fillers[IO_FILLERS], s;
    cport_port *port = cts_port_open();
    cport_os_handle listener = io_listen_full(&address, &len, fillers);
    CHECK_EQ(cport_socket_tcp(AF_INET, &opt, &s), 0);
    cport_handle *h = cts_attach(port, s, CTS_KEY_A);
    CHECK_EQ(connect_now(port, h, &address, len), CPORT_ETIMEDOUT);
    cts_close_wait(h, 0);
    for (int i = 0; i < IO_FILLERS; i++)
        cts_sock_close(fillers[i]);
    cts_sock_close(listener);
    cts_port_close(port);
}

void s43_an_address_of_another_family_is_an_error(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cport_handle *h = unconnected(port);
    CHECK_EQ(cport_address("::1", 9, &address, &len), 0);
    int ret = cts_connect(h, &op, (struct sockaddr *)&address, len, 0);
    if (ret == 0)
        CHECK(cts_result(port, &op) < 0);
    CHECK(ret <= 0);
    cts_close_wait(h, 0);
    cts_port_close(port);
}

void s43_connect_checks_its_arguments(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cport_handle *h = unconnected(port);
    CHECK_EQ(cport_address("127.0.0.1", 9, &address, &len), 0);
    const struct sockaddr *a = (struct sockaddr *)&address;
    CHECK_EQ(cts_connect(h, &op, NULL, len, 0), CPORT_EINVAL);
    CHECK_EQ(cts_connect(h, &op, a, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_connect(h, &op, a, sizeof address + 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_connect(h, &op, a, len, CPORT_MULTISHOT), CPORT_EINVAL);
    CHECK_EQ(cts_connect(NULL, &op, a, len, 0), CPORT_EINVAL);
    cts_close_wait(h, 0);
    cts_port_close(port);
}

/* ---- Connects that stay pending ---- */

typedef struct full_listener {
    cport_port *port;
    cport_os_handle listener;
    cport_os_handle fillers[IO_FILLERS];
    struct sockaddr_storage address;
    cport_socklen len;
} full_listener;

static void full_open(full_listener *f)
{
    f->port = cts_port_open();
    f->listener = io_listen_full(&f->address, &f->len, f->fillers);
}

static void full_close(full_listener *f)
{
    for (int i = 0; i < IO_FILLERS; i++)
        cts_sock_close(f->fillers[i]);
    cts_sock_close(f->listener);
    cts_port_close(f->port);
}

void s43_a_pending_connect_can_be_cancelled(void)
{
    full_listener f;
    cport_op op = {0}, send = {0};
    full_open(&f);
    cport_handle *h = unconnected(f.port);
    CHECK_EQ(cts_connect(h, &op, (struct sockaddr *)&f.address, f.len, 0), 0);
    CHECK_EQ(cts_send(h, &send, "behind", 6, 0), 0);
    io_check_still_pending(f.port, &op);
    CHECK_EQ(cts_cancel(&op), 0);
    CHECK_EQ(cts_result(f.port, &op), CPORT_ECANCELED);
    CHECK_EQ(cts_cancel(&op), CPORT_ENOENT);
    cts_close_wait(h, 0);
    CHECK(cts_result(f.port, &send) < 0);
    full_close(&f);
}

void s43_a_pending_connect_ends_when_its_handle_closes(void)
{
    full_listener f;
    full_open(&f);
    for (int abort = 0; abort < 2; abort++) {
        cport_op op = {0}, send = {0}, poll = {0}, close = {0};
        cport_handle *h = unconnected(f.port);
        CHECK_EQ(cts_connect(h, &op, (struct sockaddr *)&f.address, f.len, 0), 0);
        CHECK_EQ(cts_send(h, &send, "behind", 6, 0), 0);
        CHECK_EQ(cts_poll(h, &poll, CPORT_POLL_OUT), 0);
        io_check_still_pending(f.port, &op);
        CHECK(cts_pending(&poll));
        CHECK_EQ(cts_close(h, &close, abort ? CPORT_ABORT : 0), 0);
        CHECK_EQ(cts_result(f.port, &close), 0);
        CHECK_EQ(cts_result(f.port, &op), CPORT_ECANCELED);
        CHECK_EQ(cts_result(f.port, &send), CPORT_ECANCELED);
        CHECK_EQ(cts_result(f.port, &poll), CPORT_ECANCELED);
    }
    full_close(&f);
}

/* Accepts until somebody says "behind": those that filled the queue are gone, and say nothing. */
typedef struct door {
    cport_os_handle listener, in;
} door;

static void let_in(void *arg)
{
    door *d = arg;
    char data[6];
    for (;;) {
        d->in = cts_sock_accept(d->listener);
        if (cts_sock_recv(d->in, data, 6) == 6)
            break;
        cts_sock_close(d->in);
    }
    CHECK(memcmp(data, "behind", 6) == 0);
}

/* The system tries again after about a second. The address was copied at the call. */
void s43_a_pending_connect_succeeds_when_there_is_room(void)
{
    full_listener f;
    struct sockaddr_storage address;
    cport_op op = {0}, send = {0};
    full_open(&f);
    cport_handle *h = unconnected(f.port);
    memcpy(&address, &f.address, sizeof address);
    CHECK_EQ(cts_connect(h, &op, (struct sockaddr *)&address, f.len, 0), 0);
    memset(&address, 0xEE, sizeof address);
    CHECK_EQ(cts_send(h, &send, "behind", 6, 0), 0);
    io_check_still_pending(f.port, &op);
    for (int i = 0; i < IO_FILLERS; i++) {
        cts_sock_reset(f.fillers[i]);
        f.fillers[i] = cts_sock_tcp();
    }
    door d = {f.listener, CPORT_OS_HANDLE_INVALID};
    cts_thread *thread = cts_thread_start(let_in, &d, 0);
    CHECK_EQ(cts_result(f.port, &op), 0);
    CHECK_EQ(cts_result(f.port, &send), 6);
    cts_thread_join(thread);
    cts_sock_close(d.in);
    cts_close_wait(h, 0);
    full_close(&f);
}

/* ---- Operations around a connect ---- */

void s43_sends_and_receives_can_be_queued_behind_a_connect(void)
{
    enum { COUNT = 5 };
    struct sockaddr_storage address;
    cport_socklen len;
    unsigned char sent[COUNT * 100], got[COUNT * 100];
    cport_op connect = {0}, send[COUNT] = {0}, recv[COUNT] = {0};
    cport_port *port = cts_port_open();
    cport_os_handle listener = cts_sock_listen(4, &address, &len);
    io_fill(sent, sizeof sent, 0);
    cport_handle *h = unconnected(port);
    CHECK_EQ(cts_connect(h, &connect, (struct sockaddr *)&address, len, 0), 0);
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(cts_send(h, &send[i], sent + i * 100, 100, 0), 0);
        CHECK_EQ(cts_recv(h, &recv[i], got + i * 100, 100, CPORT_RECV_ALL), 0);
    }
    CHECK_EQ(cts_result(port, &connect), 0);
    cport_os_handle accepted = cts_sock_accept(listener);
    unsigned char echo[sizeof sent];
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &send[i]), 100);
    cts_sock_recv_all(accepted, echo, sizeof echo);
    cts_sock_send_all(accepted, echo, sizeof echo);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &recv[i]), 100);
    io_check(got, sizeof got, 0);
    cts_close_wait(h, 0);
    cts_sock_close(accepted);
    cts_sock_close(listener);
    cts_port_close(port);
}

void s43_sends_behind_a_refused_connect_fail(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_op connect = {0}, send[2] = {0}, shutdown = {0};
    cport_port *port = cts_port_open();
    cport_os_handle bound = bound_only(&address, &len);
    cport_handle *h = unconnected(port);
    CHECK_EQ(cts_connect(h, &connect, (struct sockaddr *)&address, len, 0), 0);
    CHECK_EQ(cts_send(h, &send[0], "a", 1, 0), 0);
    CHECK_EQ(cts_send(h, &send[1], "b", 1, 0), 0);
    CHECK_EQ(cts_shutdown(h, &shutdown, CPORT_SHUT_SEND), 0);
    CHECK_EQ(cts_result(port, &connect), CPORT_ECONNREFUSED);
    CHECK(cts_result(port, &send[0]) < 0);
    CHECK(cts_result(port, &send[1]) < 0);
    CHECK(cts_result(port, &shutdown) < 0);
    cts_close_wait(h, 0);
    cts_sock_close(bound);
    cts_port_close(port);
}

/* An unconnected socket that the system may report as hung up; the connection made afterwards is none the worse. */
void s43_a_socket_may_wait_before_it_connects(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    char byte;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cport_os_handle listener = cts_sock_listen(4, &address, &len);
    cport_handle *h = unconnected(port);
    cts_settle(port);
    cts_settle(port);
    CHECK_EQ(connect_now(port, h, &address, len), 0);
    cport_os_handle accepted = cts_sock_accept(listener);
    CHECK_EQ(cts_recv(h, &op, &byte, 1, 0), 0);
    io_check_still_pending(port, &op);
    cts_sock_send_all(accepted, "x", 1);
    CHECK_EQ(cts_result(port, &op), 1);
    cts_close_wait(h, 0);
    cts_sock_close(accepted);
    cts_sock_close(listener);
    cts_port_close(port);
}

void s43_many_connects_at_once(void)
{
    enum { COUNT = 100 };
    static cport_op ops[COUNT];
    cport_handle *handles[COUNT];
    struct sockaddr_storage address;
    cport_socklen len;
    cport_port *port = cts_port_open();
    cport_os_handle listener = cts_sock_listen(COUNT, &address, &len);
    for (int i = 0; i < COUNT; i++) {
        handles[i] = unconnected(port);
        CHECK_EQ(cts_connect(handles[i], &ops[i], (struct sockaddr *)&address, len, 0), 0);
    }
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_result(port, &ops[i]), 0);
    for (int i = 0; i < COUNT; i++)
        cts_sock_close(cts_sock_accept(listener));
    for (int i = 0; i < COUNT; i++)
        cts_close_wait(handles[i], 0);
    cts_sock_close(listener);
    cts_port_close(port);
}

void s43_cancel_races_with_connects(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_port *port = cts_port_open();
    cport_os_handle listener = cts_sock_listen(512, &address, &len);
    for (int round = 0; round < 200; round++) {
        cport_op op = {0}, close = {0};
        cport_handle *h = unconnected(port);
        CHECK_EQ(cts_connect(h, &op, (struct sockaddr *)&address, len, 0), 0);
        if (round % 4 == 0)
            cts_settle(port);
        int ret = cts_cancel(&op);
        CHECK(ret == 0 || ret == CPORT_ENOENT);
        CHECK_EQ(cts_close(h, &close, CPORT_ABORT), 0);
        int64_t r = cts_result(port, &op);
        CHECK(r == 0 || r == CPORT_ECANCELED);
        CHECK_EQ(cts_result(port, &close), 0);
    }
    cts_sock_close(listener);
    cts_port_close(port);
}
