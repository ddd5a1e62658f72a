#include "e2e.h"
#include "fields.h"
#include "users.h"

#include <stdio.h>
#include <stdlib.h>

#define COMMAND_WORDS_MAX 32

static const char *backend;
static char **command;
static int command_words;

#define CHILDREN_MAX 4
static struct child *alive[CHILDREN_MAX];

int e2e_run(const char *name, const struct CMUnitTest *tests, size_t count, int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s BACKEND SERVER [ARGUMENT...]\n", argv[0]);
        return 2;
    }
    backend = argv[1];
    command = argv + 2;
    command_words = argc - 2;
    peer_start();
    return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}

const char *e2e_backend(void)
{
    return backend;
}

struct child *e2e_child(const char *const *options)
{
    const char *words[COMMAND_WORDS_MAX + 1] = {0};
    int count = 0;
    for (int i = 0; i < command_words; i++)
        words[count++] = command[i];
    for (; *options; options++) {
        assert_true(count < COMMAND_WORDS_MAX);
        words[count++] = *options;
    }
    struct child *child = child_start(words);
    assert_non_null(child);
    int slot = 0;
    while (slot < CHILDREN_MAX && alive[slot])
        slot++;
    assert_true(slot < CHILDREN_MAX);
    alive[slot] = child;
    return child;
}

int e2e_wait(struct child *child, char *errors, size_t size)
{
    for (int i = 0; i < CHILDREN_MAX; i++) {
        if (alive[i] == child)
            alive[i] = NULL;
    }
    return child_wait(child, errors, size);
}

static char users_file[64];

const char *e2e_users(void)
{
    static const struct user people[] = {
        {.name = "ann", .role = ROLE_ADMIN}, {.name = "bob", .role = ROLE_USER}};
    char error[USERS_ERROR_BYTES];
    assert_true(password_prepare());
    snprintf(users_file, sizeof(users_file), "e2e-%s-%p.tmp", backend, (void *)&error);
    (void)remove(users_file);
    for (size_t i = 0; i < sizeof(people) / sizeof(people[0]); i++) {
        struct user user = people[i];
        char md5_text[MD5_HEX_BYTES + 1];
        md5_hex(text_bytes(user.name), md5_text);
        assert_true(password_hash(md5_text, PASSWORD_COST_LEAST, user.record));
        if (!users_edit(users_file, &user, error))
            fail_msg("%s", error);
    }
    return users_file;
}

int e2e_clean(void **state)
{
    (void)state;
    if (users_file[0] != '\0')
        (void)remove(users_file);
    users_file[0] = '\0';
    char errors[8192];
    for (int i = 0; i < CHILDREN_MAX; i++) {
        if (!alive[i])
            continue;
        child_kill(alive[i]);
        (void)e2e_wait(alive[i], errors, sizeof(errors));
        fprintf(stderr, "the server's errors:\n%s", errors);
    }
    return 0;
}

void e2e_start(struct e2e_server *server, const char *const *options)
{
    const char *all[COMMAND_WORDS_MAX] = {"--listen", "127.0.0.1:0", "--backend", backend};
    size_t count = 4;
    for (; *options; options++) {
        assert_true(count < COMMAND_WORDS_MAX - 1);
        all[count++] = *options;
    }
    memset(server, 0, sizeof(*server));
    server->child = e2e_child(all);
    if (!child_line(server->child, server->line, sizeof(server->line))) {
        e2e_wait(server->child, server->errors, sizeof(server->errors));
        fail_msg("the server did not start: %s", server->errors);
    }
    static const char admin[] = "cport-server: admin on 127.0.0.1:";
    if (strncmp(server->line, admin, sizeof(admin) - 1) == 0) {
        server->admin_port = (uint16_t)strtoul(server->line + sizeof(admin) - 1, NULL, 10);
        assert_true(child_line(server->child, server->line, sizeof(server->line)));
    }
    static const char said[] = "cport-server: listening on 127.0.0.1:";
    assert_memory_equal(server->line, said, sizeof(said) - 1);
    server->tcp_port = (uint16_t)strtoul(server->line + sizeof(said) - 1, NULL, 10);
    assert_int_not_equal(server->tcp_port, 0);
}

void e2e_join(struct e2e_server *server)
{
    int status = e2e_wait(server->child, server->errors, sizeof(server->errors));
    if (status != 0)
        fail_msg("the server ended with %d:\n%s", status, server->errors);
}

void e2e_stop(struct e2e_server *server)
{
    child_stop(server->child);
    e2e_join(server);
}

unsigned long e2e_count(const struct e2e_server *server, const char *name)
{
    char wanted[64];
    snprintf(wanted, sizeof(wanted), " %s=", name);
    const char *line = strstr(server->errors, "event=stopped");
    const char *at = line ? strstr(line, wanted) : NULL;
    if (!at)
        fail_msg("no %s in the server's last words:\n%s", name, server->errors);
    return strtoul(at + strlen(wanted), NULL, 10);
}

cport_os_handle e2e_connect(const struct e2e_server *server, uint8_t preface)
{
    cport_os_handle fd = net_connect(server->tcp_port);
    assert_true(fd != CPORT_OS_HANDLE_INVALID);
    if (preface != 0)
        e2e_send(fd, &preface, 1);
    return fd;
}

void e2e_send(cport_os_handle fd, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len > 0) {
        int64_t sent = net_send(fd, at, len);
        assert_true(sent > 0);
        at += sent;
        len -= (size_t)sent;
    }
}

void e2e_recv(cport_os_handle fd, void *data, size_t len)
{
    uint8_t *at = data;
    while (len > 0) {
        int64_t received = net_recv(fd, at, len);
        if (received <= 0)
            fail_msg(
                "%s with %zu bytes still to come", received == 0 ? "the end" : "an error", len);
        at += received;
        len -= (size_t)received;
    }
}

void e2e_expect_end(cport_os_handle fd)
{
    uint8_t byte;
    assert_int_equal(net_recv(fd, &byte, 1), 0);
}

void e2e_message_send(cport_os_handle fd, uint8_t type, uint8_t flags, uint16_t code, uint32_t id,
    const void *payload, size_t len)
{
    uint8_t head[MESSAGE_HEAD_BYTES];
    struct message message = {.type = type, .flags = flags, .code = code, .id = id};
    message_head_store(head, &message, len);
    e2e_send(fd, head, sizeof(head));
    e2e_send(fd, payload, len);
}

static void expect_bytes(cport_os_handle fd, const void *expected, size_t len)
{
    uint8_t *received = malloc(len + 1);
    assert_non_null(received);
    e2e_recv(fd, received, len);
    int differs = len > 0 && memcmp(received, expected, len) != 0;
    free(received);
    assert_false(differs);
}

void e2e_message_expect(cport_os_handle fd, uint8_t type, uint8_t flags, uint16_t code, uint32_t id,
    const void *payload, size_t len)
{
    uint8_t expected[MESSAGE_HEAD_BYTES], head[MESSAGE_HEAD_BYTES];
    struct message message = {.type = type, .flags = flags, .code = code, .id = id};
    message_head_store(expected, &message, len);
    e2e_recv(fd, head, sizeof(head));
    assert_memory_equal(head, expected, sizeof(head));
    expect_bytes(fd, payload, len);
}

void e2e_echo(cport_os_handle fd, uint32_t id, const void *payload, size_t len)
{
    e2e_message_send(fd, MESSAGE_REQUEST, 0, VERB_ECHO, id, payload, len);
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_OK, id, payload, len);
}

struct message e2e_message_next(cport_os_handle fd)
{
    uint8_t head[MESSAGE_HEAD_BYTES];
    struct message message;
    size_t need;
    e2e_recv(fd, head, sizeof(head));
    size_t len = load_u32(head) - MESSAGE_LENGTH_MIN;
    uint8_t *whole = malloc(sizeof(head) + len);
    assert_non_null(whole);
    memcpy(whole, head, sizeof(head));
    e2e_recv(fd, whole + sizeof(head), len);
    assert_int_equal(
        message_parse((struct bytes){whole, sizeof(head) + len}, 1u << 30, &message, &need),
        FRAME_OK);
    uint8_t *payload = malloc(len + 1);
    assert_non_null(payload);
    memcpy(payload, message.payload.data, len);
    free(whole);
    message.payload.data = payload;
    return message;
}

void e2e_message_login(cport_os_handle fd, const char *user)
{
    struct buffer_pool pool;
    struct buffer fields;
    buffer_pool_init(&pool, 1 << 20);
    buffer_init(&fields, &pool);
    assert_true(field_put_string(&fields, "user", text_bytes(user)));
    assert_true(field_put_string(&fields, "password", text_bytes(user)));
    struct bytes payload = buffer_bytes(&fields);
    e2e_message_send(fd, MESSAGE_REQUEST, MESSAGE_FIELDS, VERB_LOGIN, 1, payload.data, payload.len);
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_OK, 1, "", 0);
    buffer_clear(&fields);
    buffer_pool_drain(&pool);
}

void e2e_subscribe(cport_os_handle fd, const char *topic)
{
    e2e_message_send(fd, MESSAGE_REQUEST, 0, VERB_SUBSCRIBE, 2, topic, strlen(topic));
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_OK, 2, "", 0);
}

void e2e_publish(cport_os_handle fd, uint32_t id, const char *topic, const void *data, size_t len)
{
    size_t topic_len = strlen(topic);
    uint8_t *payload = malloc(1 + topic_len + len);
    assert_non_null(payload);
    payload[0] = (uint8_t)topic_len;
    memcpy(payload + 1, topic, topic_len);
    memcpy(payload + 1 + topic_len, data, len);
    e2e_message_send(fd, MESSAGE_REQUEST, 0, VERB_PUBLISH, id, payload, 1 + topic_len + len);
    free(payload);
}

char *e2e_packet_next(cport_os_handle fd)
{
    uint8_t head[PACKET_HEAD_BYTES];
    e2e_recv(fd, head, sizeof(head));
    size_t len = load_u32(head) - 4, text_len = load_u32(head + 4);
    char *text = malloc(len + 1);
    assert_non_null(text);
    e2e_recv(fd, text, len);
    text[text_len] = '\0';
    return text;
}

void e2e_login(cport_os_handle fd, const char *user)
{
    char md5_text[MD5_HEX_BYTES + 1], text[256];
    md5_hex(text_bytes(user), md5_text);
    snprintf(text, sizeof(text), "[Request]\r\nCommand=Login\r\nUserName=%s\r\nPassword=%s", user,
        md5_text);
    e2e_packet_send(fd, text, "", 0);
    e2e_packet_expect(fd, "[Response]\r\nCommand=Login\r\nCode=0", "", 0);
}

void e2e_packet_send(cport_os_handle fd, const char *text, const void *data, size_t len)
{
    uint8_t head[PACKET_HEAD_BYTES];
    packet_head_store(head, strlen(text), len);
    e2e_send(fd, head, sizeof(head));
    e2e_send(fd, text, strlen(text));
    e2e_send(fd, data, len);
}

void e2e_packet_expect(cport_os_handle fd, const char *reply, const void *data, size_t len)
{
    uint8_t expected[PACKET_HEAD_BYTES], head[PACKET_HEAD_BYTES];
    packet_head_store(expected, strlen(reply), len);
    e2e_recv(fd, head, sizeof(head));
    assert_memory_equal(head, expected, sizeof(head));
    expect_bytes(fd, reply, strlen(reply));
    expect_bytes(fd, data, len);
}

uint8_t *e2e_bytes(size_t len, uint32_t seed)
{
    uint8_t *bytes = malloc(len + 1);
    assert_non_null(bytes);
    uint32_t x = seed * 2654435761u + 1;
    for (size_t i = 0; i < len; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(x >> 24);
    }
    return bytes;
}
