/* Functions of an embedding program (embed.c), called over Message. */
#include "e2e.h"
#include "fields.h"

#include <stdlib.h>

static struct buffer_pool pool;

/* Sends a CALL of group and function with one field as its arguments, or none. */
static void call(
    cport_os_handle fd, uint32_t id, const char *group, const char *function, const char *argument)
{
    struct buffer fields;
    size_t start;
    buffer_pool_init(&pool, 1 << 20);
    buffer_init(&fields, &pool);
    assert_true(field_put_string(&fields, "group", text_bytes(group)));
    assert_true(field_put_string(&fields, "function", text_bytes(function)));
    if (argument) {
        assert_true(field_record_begin(&fields, "args", &start));
        assert_true(field_put_string(&fields, "argument", text_bytes(argument)));
        field_record_end(&fields, start);
    }
    struct bytes payload = buffer_bytes(&fields);
    e2e_message_send(fd, MESSAGE_REQUEST, MESSAGE_FIELDS, VERB_CALL, id, payload.data, payload.len);
    buffer_clear(&fields);
    buffer_pool_drain(&pool);
}

static void functions_answer_with_fields(void **state)
{
    (void)state;
    struct e2e_server server;
    struct field field;
    E2E_START(&server, "--users", e2e_users());
    cport_os_handle fd = e2e_connect(&server, 0x10);
    call(fd, 1, "test", "give_back", "hello");
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_NOT_LOGGED_IN, 1, "", 0);
    e2e_message_login(fd, "bob");

    call(fd, 2, "test", "give_back", "hello");
    struct message reply = e2e_message_next(fd);
    assert_int_equal(reply.id, 2);
    assert_int_equal(reply.code, STATUS_OK);
    assert_int_equal(reply.flags, MESSAGE_FIELDS);
    assert_true(fields_check(reply.payload));
    assert_true(field_find(reply.payload, "argument", FIELD_STRING, &field));
    assert_bytes(field.value, "hello", 5);
    free((void *)(uintptr_t)reply.payload.data);

    call(fd, 3, "test", "who_am_i", NULL);
    reply = e2e_message_next(fd);
    assert_true(field_find(reply.payload, "user", FIELD_STRING, &field));
    assert_bytes(field.value, "bob", 3);
    free((void *)(uintptr_t)reply.payload.data);

    call(fd, 4, "test", "admins_only", NULL);
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_NOT_ALLOWED, 4, "", 0);
    call(fd, 5, "test", "no_such", NULL);
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_NOT_FOUND, 5, "", 0);
    call(fd, 6, "nowhere", "give_back", NULL);
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_NOT_FOUND, 6, "", 0);
    net_close(fd);
    e2e_stop(&server);
}

/* More functions block than there are threads for them: nobody but their callers waits, on the same worker or elsewhere, and
 * logins go on once one comes back. Replies keep their order behind a blocked one. */
static void a_blocked_function_stalls_nobody(void **state)
{
    (void)state;
    enum { BLOCKED = 8 };
    struct e2e_server server;
    cport_os_handle fds[BLOCKED];
    E2E_START(&server, "--workers", "1", "--business-threads", "3", "--message-anonymous", "yes");
    unsigned threads = child_threads(server.child);
    for (uint32_t i = 0; i < BLOCKED; i++) {
        fds[i] = e2e_connect(&server, 0x10);
        call(fds[i], i, "gate", "block", NULL);
        e2e_message_send(fds[i], MESSAGE_PING, 0, 0, 100, "", 0);
    }
    cport_os_handle other = e2e_connect(&server, 0x10);
    for (uint32_t i = 0; i < 100; i++)
        e2e_echo(other, i, "hello", 5);
    e2e_subscribe(other, "news");
    e2e_message_send(other, MESSAGE_REQUEST, 0, VERB_WHO, 5, "", 0); /* a quick job */
    struct message reply = e2e_message_next(other);
    assert_int_equal(reply.code, STATUS_OK);
    free((void *)(uintptr_t)reply.payload.data);

    assert_int_equal(child_threads(server.child), threads);

    /* One of those that wait has gone meanwhile: its answer finds nobody. */
    net_reset(fds[BLOCKED - 1]);
    child_stop(server.child);
    e2e_message_expect(other, MESSAGE_GOAWAY, 0, STATUS_SHUTTING_DOWN, 0, "", 0);
    net_close(other);
    for (uint32_t i = 0; i < BLOCKED - 1; i++)
        net_close(fds[i]);
    child_kill(server.child);
    char errors[8192];
    (void)e2e_wait(server.child, errors, sizeof(errors));
}

static void blocked_functions_come_back(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START(&server, "--workers", "2", "--business-threads", "4", "--message-anonymous", "yes");
    cport_os_handle one = e2e_connect(&server, 0x10), two = e2e_connect(&server, 0x10);
    call(one, 1, "gate", "block", NULL);
    e2e_message_send(one, MESSAGE_PING, 0, 0, 2, "behind", 6);
    call(two, 3, "gate", "release", NULL);
    e2e_message_expect(two, MESSAGE_REPLY, MESSAGE_FIELDS, STATUS_OK, 3, "", 0);
    e2e_message_expect(one, MESSAGE_REPLY, MESSAGE_FIELDS, STATUS_OK, 1, "", 0);
    e2e_message_expect(one, MESSAGE_PONG, 0, 0, 2, "behind", 6);
    net_close(one);
    net_close(two);
    e2e_stop(&server);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(functions_answer_with_fields),
        E2E_TEST(a_blocked_function_stalls_nobody),
        E2E_TEST(blocked_functions_come_back),
    };
    return e2e_run("e2e_call", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
