/* Sockets and addresses before there is a port: what the helpers of cport.h promise. */
#include "io.h"

#include <string.h>

/* ---- Addresses ---- */

void socket_addresses_are_read_and_written(void)
{
    static const struct {
        const char *host;
        uint16_t port;
        const char *text;
    } good[] = {{"127.0.0.1", 80, "127.0.0.1:80"}, {"0.0.0.0", 0, "0.0.0.0:0"},
        {"*", 9, "0.0.0.0:9"}, {"255.255.255.255", 65535, "255.255.255.255:65535"},
        {"::1", 80, "[::1]:80"}, {"[::1]", 443, "[::1]:443"}, {"::", 1, "[::]:1"},
        {"[2001:db8::a:b]", 7, "[2001:db8::a:b]:7"},
        {"1111:2222:3333:4444:5555:6666:7777:8888", 65535,
            "[1111:2222:3333:4444:5555:6666:7777:8888]:65535"}};
    for (size_t i = 0; i < CTS_COUNT_OF(good); i++) {
        struct sockaddr_storage address;
        cport_socklen len = 0;
        char text[64];
        CHECK_EQ(cport_address(good[i].host, good[i].port, &address, &len), 0);
        CHECK(len > 0);
        const struct sockaddr *a = (struct sockaddr *)&address;
        CHECK_EQ(cport_address_text(a, len, text, sizeof text), 0);
        if (strcmp(text, good[i].text) != 0)
            cts_fail(__FILE__, __LINE__, "%s is written %s", good[i].host, text);
        size_t fits = strlen(good[i].text) + 1;
        CHECK_EQ(cport_address_text(a, len, text, fits), 0);
        for (size_t size = 1; size < fits; size++) {
            memset(text, 'x', sizeof text);
            CHECK_EQ(cport_address_text(a, len, text, size), CPORT_ENOBUFS);
            CHECK(memchr(text, '\0', size) != NULL);
            CHECK_EQ(text[size], 'x');
        }
    }
}

void socket_addresses_that_are_none_are_refused(void)
{
    static const char too_long[] =
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000";
    static const char *const bad[] = {"", " ", "localhost", "127.0.0.1 ", " 127.0.0.1", "127.0.0",
        "256.0.0.1", "127.0.0.1:80", "[::1", "::1]", "[]", "[", "]", ":::1", "**", "g::1",
        "1.2.3.4.5", too_long};
    struct sockaddr_storage address, before;
    cport_socklen len = 77;
    char text[8] = "as it is";
    memset(&address, 0x5A, sizeof address);
    memcpy(&before, &address, sizeof before);
    for (size_t i = 0; i < CTS_COUNT_OF(bad); i++)
        if (cport_address(bad[i], 1, &address, &len) != CPORT_EINVAL)
            cts_fail(__FILE__, __LINE__, "\"%s\" is taken for an address", bad[i]);
    CHECK_EQ(cport_address(NULL, 1, &address, &len), CPORT_EINVAL);
    CHECK_EQ(cport_address("::1", 1, NULL, &len), CPORT_EINVAL);
    CHECK_EQ(cport_address("::1", 1, &address, NULL), CPORT_EINVAL);
    CHECK_EQ(len, 77);
    CHECK(memcmp(&address, &before, sizeof address) == 0);

    const struct sockaddr *a = (struct sockaddr *)&address;
    CHECK_EQ(cport_address_text(a, sizeof address, text, 0), CPORT_EINVAL);
    CHECK_EQ(text[0], 'a');
    CHECK_EQ(cport_address_text(a, sizeof address, text, sizeof text), CPORT_EINVAL);
    CHECK_EQ(text[0], '\0');
    CHECK_EQ(cport_address_text(NULL, sizeof address, text, sizeof text), CPORT_EINVAL);
    CHECK_EQ(cport_address_text(a, sizeof address, NULL, 8), CPORT_EINVAL);
    CHECK_EQ(cport_address("::1", 1, &address, &len), 0);
    CHECK_EQ(cport_address_text(a, 4, text, sizeof text), CPORT_EINVAL);
}

/* ---- Options ---- */

void socket_options_are_checked(void)
{
    cport_os_handle s = 0x5A5A;
    cport_socket_options good = {.size = sizeof good};
    const cport_socket_options bad[] = {{.size = 0}, {.size = 4}, {.size = 1u << 20},
        {.size = sizeof good, .flags = 0x10}, {.size = sizeof good, .flags = 0x80000000u}};
    struct sockaddr_storage address;
    cport_socklen len;
    CHECK_EQ(cport_address("127.0.0.1", 0, &address, &len), 0);
    const struct sockaddr *a = (struct sockaddr *)&address;
    for (size_t i = 0; i < CTS_COUNT_OF(bad); i++) {
        CHECK_EQ(cport_socket_tcp(AF_INET, &bad[i], &s), CPORT_EINVAL);
        CHECK_EQ(cport_socket_tcp_listen(a, len, &bad[i], &s), CPORT_EINVAL);
    }
    CHECK_EQ(cport_socket_tcp(AF_INET, &good, NULL), CPORT_EINVAL);
    CHECK_EQ(cport_socket_tcp(12345, &good, &s), CPORT_EINVAL);
    CHECK_EQ(cport_socket_tcp_listen(NULL, len, &good, &s), CPORT_EINVAL);
    CHECK_EQ(cport_socket_tcp_listen(a, 0, &good, &s), CPORT_EINVAL);
    CHECK_EQ(cport_socket_tcp_listen(a, len, &good, NULL), CPORT_EINVAL);
    CHECK_EQ(s, 0x5A5A);
    CHECK_EQ(cport_socket_tcp(AF_INET, NULL, &s), 0);
    CHECK_EQ(cport_socket_configure(s, NULL), CPORT_EINVAL);
    for (size_t i = 0; i < CTS_COUNT_OF(bad); i++)
        CHECK_EQ(cport_socket_configure(s, &bad[i]), CPORT_EINVAL);
    CHECK_EQ(cport_socket_close(s), 0);
    CHECK(cport_socket_close(CPORT_OS_HANDLE_INVALID) < 0);
}

static int option_of(cport_os_handle s, int name)
{
    int value = 0;
    cport_socklen len = sizeof value;
    CHECK_EQ(getsockopt(s, SOL_SOCKET, name, (char *)&value, &len), 0);
    return value;
}

void socket_options_take_effect(void)
{
    cport_os_handle s;
    cport_socket_options opt = {.size = sizeof opt,
        .flags = CPORT_SOCKET_NODELAY | CPORT_SOCKET_KEEPALIVE,
        .send_buffer = 70000,
        .recv_buffer = 80000};
    CHECK_EQ(cport_socket_tcp(AF_INET, NULL, &s), 0);
    CHECK(!io_sock_nodelay(s));
    CHECK_EQ(option_of(s, SO_KEEPALIVE), 0);
    CHECK_EQ(cport_socket_configure(s, &opt), 0);
    for (int given_at_first = 0; given_at_first < 2; given_at_first++) {
        CHECK(io_sock_nodelay(s));
        CHECK(option_of(s, SO_KEEPALIVE) != 0);
        CHECK(option_of(s, SO_SNDBUF) >= 70000);
        CHECK(option_of(s, SO_RCVBUF) >= 80000);
        CHECK_EQ(cport_socket_close(s), 0);
        CHECK_EQ(cport_socket_tcp(AF_INET, &opt, &s), 0);
    }
    /* Flags that are not given are left as they are. */
    cport_socket_options none = {.size = sizeof none};
    CHECK_EQ(cport_socket_configure(s, &none), 0);
    CHECK(io_sock_nodelay(s));
    CHECK(option_of(s, SO_KEEPALIVE) != 0);
    CHECK_EQ(cport_socket_close(s), 0);
}

/* ---- Listeners ---- */

static cport_os_handle listen_on(
    const struct sockaddr_storage *address, cport_socklen len, uint32_t flags)
{
    cport_os_handle s;
    cport_socket_options opt = {.size = sizeof opt, .flags = flags, .backlog = 128};
    CHECK_EQ(cport_socket_tcp_listen((const struct sockaddr *)address, len, &opt, &s), 0);
    return s;
}

void socket_of_a_second_listener_is_refused(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_os_handle other = 0x5A5A;
    CHECK_EQ(cport_address("127.0.0.1", 0, &address, &len), 0);
    cport_os_handle first = listen_on(&address, len, 0);
    CHECK_EQ(cport_socket_local(first, &address, &len), 0);
    const struct sockaddr *a = (struct sockaddr *)&address;
    CHECK_EQ(cport_socket_tcp_listen(a, len, NULL, &other), CPORT_EADDRINUSE);
    CHECK_EQ(other, 0x5A5A);
    CHECK_EQ(cport_socket_close(first), 0);
    /* An address of documentation, which no machine has. */
    CHECK_EQ(cport_address("192.0.2.1", 0, &address, &len), 0);
    CHECK_EQ(cport_socket_tcp_listen(a, len, NULL, &other), CPORT_EADDRNOTAVAIL);
}

/* The server closes first, so that its address is still in the system's books when it starts again. */
void socket_of_a_listener_can_be_bound_again_at_once(void)
{
    char byte;
    struct sockaddr_storage address;
    cport_socklen len;
    CHECK_EQ(cport_address("127.0.0.1", 0, &address, &len), 0);
    for (int round = 0; round < 3; round++) {
        cport_os_handle listener = listen_on(&address, len, 0);
        CHECK_EQ(cport_socket_local(listener, &address, &len), 0);
        cport_os_handle client = cts_sock_tcp();
        CHECK(cts_sock_connect(client, (struct sockaddr *)&address, len));
        cport_os_handle server = cts_sock_accept(listener);
        CHECK_EQ(cport_socket_close(server), 0);
        CHECK_EQ(cts_sock_recv(client, &byte, 1), 0);
        cts_sock_close(client);
        CHECK_EQ(cport_socket_close(listener), 0);
    }
}

/* Balancing listeners is Linux's; each connection goes to one of them. */
void socket_of_several_listeners_that_share_an_address(void)
{
    enum { COUNT = 60 };
    struct sockaddr_storage address;
    cport_socklen len;
    cport_os_handle clients[COUNT];
    cport_handle *listeners[2];
    cport_op ops[2] = {0};
    unsigned accepted[2] = {0};
    cport_port *port = cts_port_open();
    CHECK_EQ(cport_address("127.0.0.1", 0, &address, &len), 0);
    for (uintptr_t i = 0; i < 2; i++) {
        cport_os_handle s = listen_on(&address, len, CPORT_SOCKET_REUSE_PORT);
        CHECK_EQ(cport_socket_local(s, &address, &len), 0);
        listeners[i] = cts_attach(port, s, i);
        CHECK_EQ(cts_accept(listeners[i], &ops[i], CPORT_MULTISHOT), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        clients[i] = cts_sock_tcp();
        CHECK(cts_sock_connect(clients[i], (struct sockaddr *)&address, len));
    }
    while (accepted[0] + accepted[1] < COUNT) {
        cport_event ev;
        CHECK_EQ(cts_wait(port, &ev, 1, CTS_PATIENCE_NS), 1);
        CHECK(ev.op == &ops[ev.key] && ev.result >= 0);
        accepted[ev.key]++;
        cts_sock_close((cport_os_handle)ev.result);
    }
    CHECK(accepted[0] > 0 && accepted[1] > 0);
    for (int i = 0; i < COUNT; i++)
        cts_sock_close(clients[i]);
    for (int i = 0; i < 2; i++)
        cts_close_wait(listeners[i], 0);
    cts_drain(port);
    cts_port_close(port);
}

static bool system_has_v6(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_os_handle s;
    CHECK_EQ(cport_address("::1", 0, &address, &len), 0);
    if (cport_socket_tcp_listen((struct sockaddr *)&address, len, NULL, &s) != 0)
        return false;
    CHECK_EQ(cport_socket_close(s), 0);
    return true;
}

static void try_v6_listener(cport_port *port, bool v6only)
{
    struct sockaddr_storage any, to;
    cport_socklen any_len, to_len;
    char text[64];
    cport_op accept = {0}, connect = {0};
    CHECK_EQ(cport_address("::", 0, &any, &any_len), 0);
    cport_os_handle s = listen_on(&any, any_len, v6only ? CPORT_SOCKET_V6ONLY : 0);
    CHECK_EQ(cport_socket_local(s, &any, &any_len), 0);
    CHECK_EQ(cport_address_text((struct sockaddr *)&any, any_len, text, sizeof text), 0);
    uint16_t number = 0;
    for (const char *digit = strrchr(text, ':') + 1; *digit != '\0'; digit++)
        number = (uint16_t)(number * 10 + (*digit - '0'));
    cport_handle *listener = cts_attach(port, s, CTS_KEY_A);
    for (int v6 = 0; v6 < 2; v6++) {
        CHECK_EQ(cport_address(v6 ? "::1" : "127.0.0.1", number, &to, &to_len), 0);
        CHECK_EQ(cport_socket_tcp(v6 ? AF_INET6 : AF_INET, NULL, &s), 0);
        cport_handle *client = cts_attach(port, s, CTS_KEY_B);
        CHECK_EQ(cts_connect(client, &connect, (struct sockaddr *)&to, to_len, 0), 0);
        if (v6 || !v6only) {
            CHECK_EQ(cts_result(port, &connect), 0);
            CHECK_EQ(cts_accept(listener, &accept, 0), 0);
            s = (cport_os_handle)cts_result(port, &accept);
            struct sockaddr_storage peer;
            CHECK_EQ(cport_accept_address(s, &peer, &to_len), 0);
            CHECK_EQ(peer.ss_family, AF_INET6);
            cts_sock_close(s);
        } else {
            CHECK_EQ(cts_result(port, &connect), CPORT_ECONNREFUSED);
        }
        cts_close_wait(client, 0);
    }
    cts_close_wait(listener, 0);
}

void socket_of_version_6_takes_both_unless_told_otherwise(void)
{
    if (!system_has_v6()) {
        printf("this system has no IPv6\n");
        return;
    }
    cport_port *port = cts_port_open();
    try_v6_listener(port, false);
    try_v6_listener(port, true);
    cts_port_close(port);
}

void socket_names_need_a_connection(void)
{
    struct sockaddr_storage address, before;
    cport_socklen len = 77;
    cport_os_handle s;
    CHECK_EQ(cport_socket_tcp(AF_INET, NULL, &s), 0);
    memset(&address, 0x5A, sizeof address);
    memcpy(&before, &address, sizeof before);
    CHECK_EQ(cport_accept_address(s, &address, &len), CPORT_ENOTCONN);
    CHECK(cport_accept_address(CPORT_OS_HANDLE_INVALID, &address, &len) < 0);
    CHECK(cport_socket_local(CPORT_OS_HANDLE_INVALID, &address, &len) < 0);
    CHECK_EQ(cport_accept_address(s, NULL, &len), CPORT_EINVAL);
    CHECK_EQ(cport_socket_local(s, &address, NULL), CPORT_EINVAL);
    CHECK_EQ(len, 77);
    CHECK(memcmp(&address, &before, sizeof address) == 0);
    CHECK_EQ(cport_socket_close(s), 0);
}
