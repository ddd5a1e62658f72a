/* What operators do: look at the admin port, reload, wait for the end. */
#include "e2e.h"
#include "users.h"

#include <stdio.h>
#include <stdlib.h>

/* One request in pieces of that size; the whole answer, terminated. */
static void get(uint16_t tcp_port, const char *request, size_t piece, char *answer, size_t size)
{
    cport_os_handle fd = net_connect(tcp_port);
    assert_true(fd != CPORT_OS_HANDLE_INVALID);
    size_t len = strlen(request), used = 0;
    for (size_t at = 0; at < len; at += piece)
        e2e_send(fd, request + at, piece < len - at ? piece : len - at);
    int64_t got;
    while ((got = net_recv(fd, answer + used, size - 1 - used)) > 0)
        used += (size_t)got;
    assert_int_equal(got, 0);
    answer[used] = '\0';
    net_close(fd);
}

static char answer[65536];

static const char *body(void)
{
    const char *end = strstr(answer, "\r\n\r\n");
    const char *len = strstr(answer, "Content-Length: ");
    assert_non_null(end);
    assert_non_null(len);
    assert_int_equal(strtoul(len + 16, NULL, 10), strlen(end + 4));
    return end + 4;
}

static void monitors_are_answered(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START(&server, "--admin", "127.0.0.1:0", "--workers", "2");
    cport_os_handle fd = e2e_connect(&server, 0x10);
    e2e_echo(fd, 1, "hello", 5);
    get(server.admin_port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 1000, answer,
        sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 200 OK\r\n", 17);
    assert_string_equal(body(), "ok\n");
    get(server.admin_port, "GET /readyz HTTP/1.0\r\n\r\n", 1, answer, sizeof(answer));
    assert_string_equal(body(), "ready\n");
    get(server.admin_port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 7, answer, sizeof(answer));
    assert_non_null(strstr(body(), "# TYPE cport_server_accepted_total counter\n"));
    assert_non_null(strstr(body(), "\ncport_server_bytes_in_total "));
    assert_non_null(strstr(body(), "\n# TYPE cport_server_connections gauge\n"));
    get(server.admin_port, "GET / HTTP/1.1\r\n\r\n", 100, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 404 ", 13);
    get(server.admin_port, "POST /metrics HTTP/1.1\r\n\r\n", 100, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 405 ", 13);
    static char endless[10000];
    memset(endless, 'x', sizeof(endless) - 1);
    get(server.admin_port, endless, 1000, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 431 ", 13);
    e2e_echo(fd, 2, "still here", 10);
    net_close(fd);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "broken_frame"), 1);
}

/* Replies that a client is slow to take hold the server up: meanwhile who monitors sees that it stops. */
static void monitors_see_the_server_drain(void **state)
{
    (void)state;
    enum { SIZE = 900000, REQUESTS = 8 };
    struct e2e_server server;
    E2E_START(&server, "--admin", "127.0.0.1:0", "--workers", "2", "--drain-timeout", "60s",
        "--send-queue", "16M");
    uint8_t *bytes = e2e_bytes(SIZE, 3);
    cport_os_handle fd = e2e_connect(&server, 0x10);
    cport_os_handle silent = net_connect(server.admin_port);
    net_small_buffers(fd);
    for (uint32_t i = 0; i < REQUESTS; i++)
        e2e_message_send(fd, MESSAGE_REQUEST, 0, VERB_ECHO, i, bytes, SIZE);
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_OK, 0, bytes, SIZE);

    child_stop(server.child);
    do
        get(server.admin_port, "GET /readyz HTTP/1.1\r\n\r\n", 100, answer, sizeof(answer));
    while (strcmp(body(), "ready\n") == 0);
    assert_memory_equal(answer, "HTTP/1.1 503 ", 13);
    cport_os_handle late;
    while ((late = net_connect(server.tcp_port)) != CPORT_OS_HANDLE_INVALID)
        net_close(late);
    get(server.admin_port, "GET /readyz HTTP/1.1\r\n\r\n", 100, answer, sizeof(answer));
    assert_string_equal(body(), "stopping\n");
    get(server.admin_port, "GET /healthz HTTP/1.1\r\n\r\n", 100, answer, sizeof(answer));
    assert_string_equal(body(), "ok\n");
    get(server.admin_port, "GET /metrics HTTP/1.1\r\n\r\n", 100, answer, sizeof(answer));
    assert_non_null(strstr(body(), "\ncport_server_connections "));

    for (uint8_t type = MESSAGE_REPLY; type != MESSAGE_GOAWAY;) {
        struct message message = e2e_message_next(fd);
        type = message.type;
        assert_true(type == MESSAGE_REPLY || type == MESSAGE_GOAWAY);
        free((void *)message.payload.data);
    }
    e2e_expect_end(fd);
    net_close(fd);
    free(bytes);
    e2e_join(&server); /* whoever has said nothing on the admin port holds nothing up */
    net_close(silent);
    assert_true(net_connect(server.admin_port) == CPORT_OS_HANDLE_INVALID);
}

static bool login(const struct e2e_server *server, const char *user, const char *password)
{
    char md5_text[MD5_HEX_BYTES + 1], text[256];
    cport_os_handle fd = e2e_connect(server, 0x08);
    md5_hex(text_bytes(password), md5_text);
    snprintf(text, sizeof(text), "[Request]\r\nCommand=Login\r\nUserName=%s\r\nPassword=%s", user,
        md5_text);
    e2e_packet_send(fd, text, "", 0);
    char *reply = e2e_packet_next(fd);
    bool good = strstr(reply, "Code=0") != NULL;
    free(reply);
    net_close(fd);
    return good;
}

static void reloading_takes_new_users(void **state)
{
    (void)state;
    struct e2e_server server;
    struct user carl = {.name = "carl", .role = ROLE_USER};
    char md5_text[MD5_HEX_BYTES + 1], error[USERS_ERROR_BYTES];
    const char *users = e2e_users();
    E2E_START(&server, "--users", users);
    assert_true(login(&server, "bob", "bob"));
    assert_false(login(&server, "carl", "carl"));
    cport_os_handle fd = e2e_connect(&server, 0x10);
    e2e_message_login(fd, "bob");

    md5_hex(text_bytes("carl"), md5_text);
    assert_true(password_hash(md5_text, PASSWORD_COST_LEAST, carl.record));
    assert_true(users_edit(users, &carl, error));
    struct user bob = {.name = "bob", .role = ROLE_NONE};
    assert_true(users_edit(users, &bob, error));
    if (child_reload(server.child)) {
        while (!login(&server, "carl", "carl"))
            continue;
        assert_false(login(&server, "bob", "bob"));

        /* A file that is not good leaves what is in force. */
        FILE *file = fopen(users, "wb");
        assert_non_null(file);
        assert_true(fputs("rubbish\n", file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_true(child_reload(server.child));
        for (int i = 0; i < 5; i++)
            assert_true(login(&server, "carl", "carl"));
    }
    e2e_subscribe(fd, "news"); /* who is logged in stays so */
    net_close(fd);
    e2e_stop(&server);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(monitors_are_answered),
        E2E_TEST(monitors_see_the_server_drain),
        E2E_TEST(reloading_takes_new_users),
    };
    return e2e_run("e2e_operate", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
