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

/* Neither do clients take the monitors' room, nor those that say nothing theirs for long. */
static void monitors_have_room_of_their_own(void **state)
{
    (void)state;
    enum { SILENT = 100 };
    static cport_os_handle silent[SILENT];
    struct e2e_server server;
    char byte;
    E2E_START(&server, "--admin", "127.0.0.1:0", "--max-connections", "1", "--max-per-address", "1",
        "--preface-timeout", "500ms");
    cport_os_handle fd = e2e_connect(&server, 0x10);
    e2e_echo(fd, 1, "hello", 5);
    get(server.admin_port, "GET /metrics HTTP/1.1\r\n\r\n", 100, answer, sizeof(answer));
    assert_non_null(strstr(body(), "\ncport_server_connections 1\n"));
    for (int i = 0; i < SILENT; i++)
        silent[i] = net_connect(server.admin_port);
    for (int i = 0; i < SILENT; i++) {
        assert_true(net_recv(silent[i], &byte, 1) <= 0);
        net_close(silent[i]);
    }
    e2e_echo(fd, 2, "hello", 5);
    net_close(fd);
    e2e_stop(&server);
    assert_true(
        e2e_count(&server, "refused_full") + e2e_count(&server, "preface_timeout") == SILENT);
    assert_true(e2e_count(&server, "preface_timeout") >= 1);
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

/* ---- What signals ask for; a system without them has nothing to test ---- */

static void file_write(const char *name, const char *text)
{
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* False: there is no such file, or not that text in it. */
static bool file_has(const char *name, const char *text)
{
    FILE *file = fopen(name, "rb");
    if (!file)
        return false;
    answer[fread(answer, 1, sizeof(answer) - 1, file)] = '\0';
    (void)fclose(file);
    return strstr(answer, text) != NULL;
}

/* Whether LogOutput is served: one that is not is ended without a word. */
static bool logs_are_served(const struct e2e_server *server)
{
    char first;
    cport_os_handle fd = e2e_connect(server, 0x09);
    bool served = net_recv(fd, &first, 1) == 1;
    net_close(fd);
    return served;
}

static char log_name[64], old_log_name[64], config_name[64];

static int clean(void **state)
{
    int status = e2e_clean(state);
    (void)remove(log_name);
    (void)remove(old_log_name);
    (void)remove(config_name);
    return status;
}

static void names_make(void **state)
{
    snprintf(log_name, sizeof(log_name), "e2e-%s-%p.log", e2e_backend(), (void *)state);
    snprintf(old_log_name, sizeof(old_log_name), "e2e-%s-%p.log.1", e2e_backend(), (void *)state);
    snprintf(config_name, sizeof(config_name), "e2e-%s-%p.ini", e2e_backend(), (void *)state);
    (void)remove(log_name);
    (void)remove(old_log_name);
}

/* Limits that are good do not come with users that are not, nor the other way round. */
static void reloading_is_all_or_nothing(void **state)
{
    struct e2e_server server;
    if (!CPORT_SERVER_CONFIG_FILE)
        return;
    const char *users = e2e_users();
    names_make(state);
    file_write(config_name, "[log]\nlog_output = yes\n");
    E2E_START(&server, "--config", config_name, "--users", users, "--log-file", log_name);
    assert_true(logs_are_served(&server));
    file_write(config_name, "[log]\nlog_output = no\n");
    struct user carl = {.name = "carl", .role = ROLE_USER};
    struct user bob = {.name = "bob", .role = ROLE_NONE};
    char md5_text[MD5_HEX_BYTES + 1], error[USERS_ERROR_BYTES];
    static char good[16384];
    md5_hex(text_bytes("carl"), md5_text);
    assert_true(password_hash(md5_text, PASSWORD_COST_LEAST, carl.record));
    assert_true(users_edit(users, &carl, error) && users_edit(users, &bob, error));
    assert_true(file_has(users, "carl:"));
    memcpy(good, answer, sizeof(good));

    file_write(users, "rubbish\n");
    if (child_reload(server.child)) {
        while (!file_has(log_name, "event=reload_failed why="))
            continue;
        assert_non_null(strstr(answer, users));
        assert_true(logs_are_served(&server));
        assert_true(login(&server, "bob", "bob"));

        file_write(users, good);
        file_write(config_name, "[log]\nlog_output = perhaps\n");
        assert_true(child_reload(server.child));
        while (!file_has(log_name, "does not take this value: log_output"))
            continue;
        assert_true(logs_are_served(&server));
        assert_true(login(&server, "bob", "bob"));

        file_write(config_name, "[log]\nlog_output = no\n");
        assert_true(child_reload(server.child));
        while (!file_has(log_name, "event=reloaded users=2"))
            continue;
        while (logs_are_served(&server))
            continue;
        assert_true(login(&server, "carl", "carl"));
        assert_false(login(&server, "bob", "bob"));
    }
    e2e_stop(&server);
}

/* Answered, or ended before its answer. */
static bool is_served(const struct e2e_server *server, cport_os_handle *ret_fd)
{
    static const uint8_t ping[] = {0x10, 8, 0, 0, 0, MESSAGE_PING, 0, 0, 0, 9, 0, 0, 0};
    uint8_t pong[MESSAGE_HEAD_BYTES];
    cport_os_handle fd = e2e_connect(server, 0);
    (void)net_send(fd, ping, sizeof(ping));
    bool served = net_recv(fd, pong, 1) == 1;
    if (served)
        e2e_recv(fd, pong + 1, sizeof(pong) - 1);
    if (served && ret_fd)
        *ret_fd = fd;
    else
        net_close(fd);
    return served;
}

static void reloading_moves_the_limits(void **state)
{
    enum { FRAME = 900000 };
    struct e2e_server server;
    if (!CPORT_SERVER_CONFIG_FILE)
        return;
    names_make(state);
    file_write(config_name, "[limits]\nmax_connections = 1\nmemory = 1M\n");
    E2E_START(&server, "--config", config_name, "--workers", "1");
    cport_os_handle first = e2e_connect(&server, 0x10), second, third;
    e2e_echo(first, 1, "hello", 5);
    assert_false(is_served(&server, NULL));
    file_write(config_name, "[limits]\nmax_connections = 100\nmemory = 64M\n");
    if (child_reload(server.child)) {
        while (!is_served(&server, &second))
            continue;
        /* Its frame and the reply to it would not have fitted. */
        uint8_t *bytes = e2e_bytes(FRAME, 1);
        e2e_echo(second, 1, bytes, FRAME);

        file_write(
            config_name, "[limits]\nmax_connections = 100\nmax_per_address = 1\nmemory = 1M\n");
        assert_true(child_reload(server.child));
        for (;;) { /* who was there is not counted; from now on there is room for one */
            if (!is_served(&server, &third))
                continue;
            if (!is_served(&server, NULL))
                break;
            net_close(third);
        }
        e2e_message_send(second, MESSAGE_REQUEST, 0, VERB_ECHO, 2, "", 0);
        e2e_message_expect(second, MESSAGE_REPLY, 0, STATUS_OK, 2, "", 0);
        e2e_message_send(second, MESSAGE_REQUEST, 0, VERB_ECHO, 3, bytes, FRAME);
        e2e_message_expect(second, MESSAGE_GOAWAY, 0, STATUS_BUSY, 0, "", 0);
        e2e_expect_end(second);
        e2e_echo(first, 2, "hello", 5);
        e2e_echo(third, 2, "hello", 5);
        net_close(second);
        net_close(third);
        free(bytes);
    }
    net_close(first);
    e2e_stop(&server);
    assert_true(e2e_count(&server, "refused_full") >= 1);
}

static void logs_are_rotated(void **state)
{
    struct e2e_server server;
    names_make(state);
    E2E_START(&server, "--log-file", log_name);
    net_close(e2e_connect(&server, 'A'));
    while (!file_has(log_name, "event=illegal_preface"))
        continue;
    if (child_reopen(server.child)) {
        assert_int_equal(rename(log_name, old_log_name), 0);
        assert_true(child_reopen(server.child));
        while (!file_has(log_name, ""))
            continue;
        net_close(e2e_connect(&server, 'B'));
        while (!file_has(log_name, "byte=66\n"))
            continue;
        assert_false(file_has(log_name, "byte=65\n"));
        assert_true(file_has(old_log_name, "byte=65\n"));
        assert_false(file_has(old_log_name, "byte=66\n"));
    }
    child_stop(server.child);
    e2e_join(&server);
}

/* Who does not want to wait for clients asks again. */
static void asking_twice_ends_at_once(void **state)
{
    (void)state;
    enum { SIZE = 900000, REQUESTS = 8 };
    struct e2e_server server;
    E2E_START(&server, "--admin", "127.0.0.1:0", "--drain-timeout", "1h", "--write-timeout", "1h",
        "--send-queue", "16M");
    uint8_t *bytes = e2e_bytes(SIZE, 3);
    cport_os_handle fd = e2e_connect(&server, 0x10);
    net_small_buffers(fd);
    for (uint32_t i = 0; i < REQUESTS; i++)
        e2e_message_send(fd, MESSAGE_REQUEST, 0, VERB_ECHO, i, bytes, SIZE);
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_OK, 0, bytes, SIZE);
    if (child_reopen(server.child)) {
        child_stop(server.child);
        do
            get(server.admin_port, "GET /readyz HTTP/1.1\r\n\r\n", 100, answer, sizeof(answer));
        while (strcmp(body(), "ready\n") == 0);
        child_stop(server.child);
        assert_int_equal(e2e_wait(server.child, server.errors, sizeof(server.errors)), -1);
        net_close(fd);
    } else {
        net_close(fd);
        e2e_stop(&server);
    }
    free(bytes);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(monitors_are_answered),
        E2E_TEST(monitors_have_room_of_their_own),
        E2E_TEST(monitors_see_the_server_drain),
        E2E_TEST(reloading_takes_new_users),
        cmocka_unit_test_teardown(reloading_is_all_or_nothing, clean),
        cmocka_unit_test_teardown(reloading_moves_the_limits, clean),
        cmocka_unit_test_teardown(logs_are_rotated, clean),
        E2E_TEST(asking_twice_ends_at_once),
    };
    return e2e_run("e2e_operate", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
