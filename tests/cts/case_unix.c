/* Unix sockets: streams like TCP's, datagrams like UDP's, by path and by name. */
#include "datagram.h"

#include <stdlib.h>
#include <string.h>

/* An address of this process alone, as a path or an abstract name; the path is the caller's to remove. */
static void address_of(bool is_path, char *ret_path, size_t size, dg_socket *ret_socket)
{
    static unsigned count;
    const char *folder = is_path ? "/tmp/" : "@";
    snprintf(
        ret_path, size, "%scport-cts-%llx-%u", folder, (unsigned long long)cts_now_ns(), count++);
    *ret_socket = (dg_socket){0};
    CHECK_EQ(cport_address_unix(ret_path, &ret_socket->address, &ret_socket->len), 0);
}

static void remove_path(const char *path)
{
    if (path[0] == '/')
        CHECK_EQ(remove(path), 0);
}

void unix_addresses_are_read_and_written(void)
{
    static const char *const good[] = {"/tmp/x", "x", "./@x", "@x", "@a longer name/with all"};
    struct sockaddr_storage address;
    cport_socklen len;
    char text[128], path[200];
    for (size_t i = 0; i < CTS_COUNT_OF(good); i++) {
        CHECK_EQ(cport_address_unix(good[i], &address, &len), 0);
        CHECK_EQ(cport_address_text((struct sockaddr *)&address, len, text, sizeof text), 0);
        CHECK(strcmp(text, good[i]) == 0);
        size_t fits = strlen(good[i]) + 1;
        CHECK_EQ(cport_address_text((struct sockaddr *)&address, len, text, fits), 0);
        CHECK_EQ(
            cport_address_text((struct sockaddr *)&address, len, text, fits - 1), CPORT_ENOBUFS);
    }
    /* The longest path has 107 bytes and its end; the longest name 107 and its beginning. */
    for (int is_path = 0; is_path < 2; is_path++) {
        memset(path, 'p', sizeof path);
        path[0] = is_path ? '/' : '@';
        size_t most = is_path ? 107 : 108;
        path[most] = '\0';
        CHECK_EQ(cport_address_unix(path, &address, &len), 0);
        CHECK_EQ(cport_address_text((struct sockaddr *)&address, len, text, sizeof text), 0);
        CHECK(strcmp(text, path) == 0);
        path[most] = 'p';
        path[most + 1] = '\0';
        CHECK_EQ(cport_address_unix(path, &address, &len), CPORT_EINVAL);
    }
    CHECK_EQ(cport_address_unix("", &address, &len), CPORT_EINVAL);
    CHECK_EQ(cport_address_unix(NULL, &address, &len), CPORT_EINVAL);
    CHECK_EQ(cport_address_unix("/x", NULL, &len), CPORT_EINVAL);
    CHECK_EQ(cport_address_unix("/x", &address, NULL), CPORT_EINVAL);
    memset(&address, 0, sizeof address);
    address.ss_family = AF_UNIX;
    CHECK_EQ(cport_address_text(
                 (struct sockaddr *)&address, sizeof address.ss_family, text, sizeof text),
        0);
    CHECK(strcmp(text, "unnamed") == 0);
}

void unix_sockets_check_their_arguments(void)
{
    char path[100];
    dg_socket name, tcp = {0};
    cport_os_handle s = 0x5A5A, other = 0x5A5A;
    const cport_socket_options bad[] = {{.size = 0},
        {.size = sizeof(cport_socket_options), .flags = CPORT_SOCKET_NODELAY},
        {.size = sizeof(cport_socket_options), .flags = CPORT_SOCKET_BROADCAST},
        {.size = sizeof(cport_socket_options), .user_timeout_ms = 1}};
    const cport_socket_options queue = {.size = sizeof queue, .backlog = 3};
    cport_port *port = cts_port_open();
    uint64_t allowed = cts_config_now()->allow_caps;
    CHECK_EQ((dg_caps(port) & CPORT_CAP_UNIX) != 0, allowed == 0 || (allowed & CPORT_CAP_UNIX));
    address_of(false, path, sizeof path, &name);
    CHECK_EQ(cport_address("127.0.0.1", 0, &tcp.address, &tcp.len), 0);
    const struct sockaddr *a = (struct sockaddr *)&name.address;
    for (size_t i = 0; i < CTS_COUNT_OF(bad); i++) {
        CHECK_EQ(cport_socket_unix_stream(&bad[i], &s), CPORT_EINVAL);
        CHECK_EQ(cport_socket_unix_listen(a, name.len, &bad[i], &s), CPORT_EINVAL);
        CHECK_EQ(cport_socket_unix_datagram(a, name.len, &bad[i], &s), CPORT_EINVAL);
    }
    CHECK_EQ(cport_socket_unix_stream(&queue, &s), CPORT_EINVAL);
    CHECK_EQ(cport_socket_unix_datagram(a, name.len, &queue, &s), CPORT_EINVAL);
    CHECK_EQ(cport_socket_unix_listen(NULL, 0, NULL, &s), CPORT_EINVAL);
    CHECK_EQ(
        cport_socket_unix_listen((struct sockaddr *)&tcp.address, tcp.len, NULL, &s), CPORT_EINVAL);
    CHECK_EQ(cport_socket_unix_datagram(a, name.len, NULL, NULL), CPORT_EINVAL);
    CHECK_EQ(s, 0x5A5A);
    CHECK_EQ(cport_socket_unix_listen(a, name.len, &queue, &s), 0);
    CHECK_EQ(cport_socket_unix_listen(a, name.len, &queue, &other), CPORT_EADDRINUSE);
    CHECK_EQ(cport_socket_close(s), 0);
    cts_port_close(port);
}

/* A connection from a to b, both attached. */
static void connect_pair(cport_port *port, bool is_path, cport_handle **ret_a, cport_handle **ret_b)
{
    char path[100];
    dg_socket name;
    cport_os_handle fd;
    cport_op accept = {0}, connect = {0};
    address_of(is_path, path, sizeof path, &name);
    const struct sockaddr *a = (struct sockaddr *)&name.address;
    CHECK_EQ(cport_socket_unix_listen(a, name.len, NULL, &fd), 0);
    cport_handle *listener = cts_attach(port, fd, CTS_KEY_A);
    CHECK_EQ(cport_socket_unix_stream(NULL, &fd), 0);
    *ret_a = cts_attach(port, fd, CTS_KEY_A);
    CHECK_EQ(cts_accept(listener, &accept, CPORT_MULTISHOT), 0);
    CHECK_EQ(cts_connect(*ret_a, &connect, a, name.len, 0), 0);
    CHECK_EQ(cts_result(port, &connect), 0);
    cport_event ev = cts_next(port, &accept);
    CHECK(ev.result >= 0);
    *ret_b = cts_attach(port, (cport_os_handle)ev.result, CTS_KEY_B);
    cts_close_wait(listener, 0);
    CHECK_EQ(cts_result(port, &accept), CPORT_ECANCELED);
    remove_path(path);
}

void unix_streams_are_streams_like_any_other(void)
{
    enum { LEN = 1000000 };
    char *out = io_stream(LEN), *in = io_memory(LEN);
    cport_port *port = cts_port_open();
    cport_bufs *pool;
    CHECK_EQ(cts_bufs_open(port, 4096, 16, &pool), 0);
    for (int is_path = 0; is_path < 2; is_path++) {
        cport_handle *a, *b;
        cport_op send = {0}, recv = {0};
        connect_pair(port, is_path, &a, &b);
        CHECK_EQ(cts_recv(b, &recv, in, LEN, CPORT_RECV_ALL), 0);
        CHECK_EQ(cts_send(a, &send, out, LEN, 0), 0);
        CHECK_EQ(cts_result(port, &recv), LEN);
        CHECK_EQ(cts_result(port, &send), LEN);
        io_check(in, LEN, 0);
        /* And back, through a pool, to the end. */
        cport_op shut = {0};
        CHECK_EQ(cts_recv_pooled(a, &recv, pool, CPORT_MULTISHOT), 0);
        CHECK_EQ(cts_send(b, &send, out, LEN, 0), 0);
        CHECK_EQ(cts_shutdown(b, &shut, CPORT_SHUT_SEND), 0);
        size_t at = 0;
        cport_event ev;
        while ((ev = cts_next(port, &recv)).result > 0 || ev.result == CPORT_ENOBUFS) {
            if (ev.result < 0) {
                CHECK_EQ(cts_recv_pooled(a, &recv, pool, CPORT_MULTISHOT), 0);
                continue;
            }
            io_check(cport_bufs_data(pool, ev.aux), (size_t)ev.result, at);
            at += (size_t)ev.result;
            CHECK_EQ(cts_bufs_return(pool, ev.aux), 0);
        }
        CHECK_EQ(ev.result, 0);
        CHECK_EQ(at, LEN);
        CHECK_EQ(cts_result(port, &send), LEN);
        CHECK_EQ(cts_result(port, &shut), 0);
        cts_close_wait(a, 0);
        cts_close_wait(b, 0);
    }
    cts_bufs_close(pool);
    cts_port_close(port);
    free(out);
    free(in);
}

void unix_streams_close_in_order(void)
{
    cport_handle *a, *b;
    cport_op op = {0}, connect = {0};
    char data[10];
    char path[100];
    dg_socket name;
    cport_os_handle fd;
    cport_port *port = cts_port_open();
    connect_pair(port, false, &a, &b);
    CHECK_EQ(cts_send(a, &op, "bye", 3, 0), 0);
    CHECK_EQ(cts_result(port, &op), 3);
    cts_close_wait(a, 0);
    CHECK_EQ(cts_recv(b, &op, data, sizeof data, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_result(port, &op), 3);
    CHECK_EQ(cts_recv(b, &op, data, sizeof data, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    CHECK_EQ(cts_send(b, &op, data, 3, 0), 0);
    io_check_broken(cts_result(port, &op));
    cts_close_wait(b, 0);
    /* Nobody there: by name, and by path. */
    for (int is_path = 0; is_path < 2; is_path++) {
        address_of(is_path, path, sizeof path, &name);
        CHECK_EQ(cport_socket_unix_stream(NULL, &fd), 0);
        a = cts_attach(port, fd, CTS_KEY_A);
        CHECK_EQ(cts_connect(a, &connect, (struct sockaddr *)&name.address, name.len, 0), 0);
        CHECK_EQ(cts_result(port, &connect), is_path ? CPORT_ENOENT : CPORT_ECONNREFUSED);
        cts_close_wait(a, 0);
    }
    cts_port_close(port);
}

void unix_listeners_with_a_full_queue_refuse(void)
{
    char path[100];
    dg_socket name;
    cport_os_handle listener, fd;
    cport_handle *clients[8];
    cport_op op = {0};
    const cport_socket_options one = {.size = sizeof one, .backlog = 1};
    cport_port *port = cts_port_open();
    address_of(false, path, sizeof path, &name);
    const struct sockaddr *a = (struct sockaddr *)&name.address;
    CHECK_EQ(cport_socket_unix_listen(a, name.len, &one, &listener), 0);
    unsigned n = 0;
    int64_t r = 0;
    while (r == 0) {
        CHECK(n < CTS_COUNT_OF(clients));
        CHECK_EQ(cport_socket_unix_stream(NULL, &fd), 0);
        clients[n] = cts_attach(port, fd, CTS_KEY_A);
        CHECK_EQ(cts_connect(clients[n++], &op, a, name.len, 0), 0);
        r = cts_result(port, &op);
    }
    CHECK_EQ(r, CPORT_ECONNREFUSED);
    CHECK(n > 1);
    /* When there is room again, the same socket gets it. */
    cts_sock_close(cts_sock_accept(listener));
    CHECK_EQ(cts_connect(clients[n - 1], &op, a, name.len, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    while (n > 0)
        cts_close_wait(clients[--n], 0);
    cts_sock_close(listener);
    cts_port_close(port);
}

static void open_datagram(cport_port *port, bool is_path, char *path, size_t size, dg_socket *ret)
{
    cport_os_handle fd;
    address_of(is_path, path, size, ret);
    CHECK_EQ(cport_socket_unix_datagram((struct sockaddr *)&ret->address, ret->len, NULL, &fd), 0);
    ret->h = cts_attach(port, fd, CTS_KEY_A);
}

static void check_sender(const cport_msg *msg, const dg_socket *from)
{
    CHECK_EQ(msg->address_len, from->len);
    CHECK(memcmp(msg->address, &from->address, (size_t)from->len) == 0);
}

void unix_datagrams_are_datagrams_like_any_other(void)
{
    cport_bufs *pool;
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_bufs_open(port, 500 + CPORT_MSG_HEAD, 4, &pool), 0);
    for (int is_path = 0; is_path < 2; is_path++) {
        char paths[2][100];
        dg_socket a, b;
        dg_msg m = {0};
        cport_msg got;
        cport_buf data;
        open_datagram(port, is_path, paths[0], sizeof paths[0], &a);
        open_datagram(port, is_path, paths[1], sizeof paths[1], &b);
        for (size_t len = 0; len < 1000; len += 250) {
            dg_recv(&b, &m, 500);
            dg_send(port, &a, &b, len, len);
            cport_event ev = cts_next(port, &m.op);
            CHECK_EQ(ev.result, len <= 500 ? (int64_t)len : CPORT_EMSGSIZE);
            io_check(m.data, cport_op_transferred(&m.op), len);
            check_sender(&m.msg, &a);

            CHECK_EQ(cts_recvmsg_pooled(b.h, &m.op, pool, 0), 0);
            dg_send(port, &a, &b, len, len);
            ev = cts_next(port, &m.op);
            CHECK_EQ(ev.result, len <= 500 ? (int64_t)len : CPORT_EMSGSIZE);
            CHECK_EQ(cport_bufs_msg(pool, ev.aux, &got, &data), 0);
            io_check(data.base, data.len, len);
            check_sender(&got, &a);
            CHECK_EQ(cts_bufs_return(pool, ev.aux), 0);
        }
        /* To somebody who has gone: that is told, and is no dead port. */
        dg_connect(port, &a, &b);
        cts_close_wait(b.h, 0);
        remove_path(paths[1]);
        dg_send_start(&a, &m, NULL, 10, 0);
        CHECK_EQ(cts_result(port, &m.op), CPORT_ECONNREFUSED);
        cts_close_wait(a.h, 0);
        remove_path(paths[0]);
    }
    cts_bufs_close(pool);
    cts_port_close(port);
}

/* With an address nobody would tell that there is room again; the connected socket is told. */
void unix_datagrams_to_somebody_who_does_not_keep_up(void)
{
    enum { MOST = 5000 };
    char paths[2][100];
    dg_socket a, b;
    dg_msg m = {0}, in = {0};
    unsigned sent = 0;
    int64_t r;
    cport_port *port = cts_port_open();
    open_datagram(port, false, paths[0], sizeof paths[0], &a);
    open_datagram(port, false, paths[1], sizeof paths[1], &b);
    do {
        dg_send_start(&a, &m, &b, 10, 0);
        r = cts_result(port, &m.op);
        CHECK(sent++ < MOST);
    } while (r == 10);
    CHECK_EQ(r, CPORT_ENOBUFS);
    dg_connect(port, &a, &b);
    dg_send_start(&a, &m, NULL, 20, 0);
    io_check_still_pending(port, &m.op);
    for (unsigned i = 0; i < sent; i++) {
        dg_recv(&b, &in, 100);
        CHECK_EQ(cts_result(port, &in.op), i + 1 < sent ? 10 : 20);
    }
    CHECK_EQ(cts_result(port, &m.op), 20);
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_port_close(port);
}

void unix_sockets_are_not_of_this_system(void)
{
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    const struct sockaddr *a = (struct sockaddr *)&address;
    cport_socklen len = 10;
    cport_os_handle s = 0x5A5A;
    cport_port *port = cts_port_open();
    CHECK_EQ(dg_caps(port) & CPORT_CAP_UNIX, 0);
    CHECK_EQ(cport_socket_unix_stream(NULL, &s), CPORT_ENOTSUP);
    CHECK_EQ(cport_socket_unix_listen(a, len, NULL, &s), CPORT_ENOTSUP);
    CHECK_EQ(cport_socket_unix_datagram(NULL, 0, NULL, &s), CPORT_ENOTSUP);
    CHECK_EQ(cport_address_unix("/x", &address, &len), CPORT_ENOTSUP);
    CHECK_EQ(s, 0x5A5A);
    cts_port_close(port);
}
