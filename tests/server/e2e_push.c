/* Logins, topics and pushes, over real connections on several workers. */
#include "e2e.h"
#include "fields.h"

#include <stdio.h>
#include <stdlib.h>

static void put_push(uint8_t *payload, size_t *len, const char *topic, uint32_t number)
{
    payload[0] = (uint8_t)strlen(topic);
    memcpy(payload + 1, topic, payload[0]);
    store_u32(payload + 1 + payload[0], number);
    *len = 1 + (size_t)payload[0] + 4;
}

static void verbs_want_a_login(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START(&server, "--users", e2e_users());
    cport_os_handle fd = e2e_connect(&server, 0x10);
    e2e_message_send(fd, MESSAGE_REQUEST, 0, VERB_SUBSCRIBE, 1, "news", 4);
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_NOT_LOGGED_IN, 1, "", 0);
    e2e_message_login(fd, "ann");
    e2e_subscribe(fd, "news");
    e2e_publish(fd, 4, "news", "x", 1);
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_OK, 4, "\x01\0\0\0", 4);
    e2e_message_expect(fd, MESSAGE_PUSH, 0, 0, 1, "\x04newsx", 6);
    e2e_message_send(fd, MESSAGE_REQUEST, 0, VERB_LOGOUT, 5, "", 0);
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_OK, 5, "", 0);
    e2e_message_send(fd, MESSAGE_REQUEST, 0, VERB_STATS, 6, "", 0);
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_NOT_LOGGED_IN, 6, "", 0);
    net_close(fd);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "logins"), 1);
    assert_int_equal(e2e_count(&server, "login_failed"), 0);
}

/* Two publishers on two workers, many subscribers on all: everybody gets every push once, numbered without a gap, and all agree
 * which number is which. */
static void subscribers_agree_on_the_order(void **state)
{
    (void)state;
    enum { SUBSCRIBERS = 20, PUBLISHERS = 4, EACH = 250, ALL = PUBLISHERS * EACH };
    static uint32_t order[ALL + 1];
    struct e2e_server server;
    cport_os_handle subscribers[SUBSCRIBERS], publishers[PUBLISHERS];
    E2E_START(&server, "--workers", "3", "--message-anonymous", "yes", "--acceptor", "one");
    for (int i = 0; i < SUBSCRIBERS; i++) {
        subscribers[i] = e2e_connect(&server, 0x10);
        e2e_subscribe(subscribers[i], "news");
    }
    for (int i = 0; i < PUBLISHERS; i++)
        publishers[i] = e2e_connect(&server, 0x10);
    for (uint32_t n = 0; n < EACH; n++) {
        for (uint32_t i = 0; i < PUBLISHERS; i++) {
            uint32_t content = i * EACH + n;
            e2e_publish(publishers[i], n, "news", &content, sizeof(content));
        }
    }
    for (int i = 0; i < PUBLISHERS; i++) {
        uint8_t receivers[4];
        store_u32(receivers, SUBSCRIBERS);
        for (uint32_t n = 0; n < EACH; n++)
            e2e_message_expect(publishers[i], MESSAGE_REPLY, 0, STATUS_OK, n, receivers, 4);
    }
    memset(order, 0xFF, sizeof(order));
    for (int i = 0; i < SUBSCRIBERS; i++) {
        uint32_t next[PUBLISHERS] = {0};
        for (uint32_t number = 1; number <= ALL; number++) {
            struct message push = e2e_message_next(subscribers[i]);
            assert_int_equal(push.type, MESSAGE_PUSH);
            assert_int_equal(push.id, number);
            assert_int_equal(push.payload.len, 9);
            uint32_t content = load_u32(push.payload.data + 5);
            free((void *)(uintptr_t)push.payload.data);
            if (i == 0)
                order[number] = content;
            assert_int_equal(order[number], content);
            assert_int_equal(content % EACH, next[content / EACH]++); /* each one's own order */
        }
    }
    for (int i = 0; i < SUBSCRIBERS; i++)
        net_close(subscribers[i]);
    for (int i = 0; i < PUBLISHERS; i++)
        net_close(publishers[i]);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "pushes"), ALL * SUBSCRIBERS);
}

static void a_slow_subscriber_is_dropped_alone(void **state)
{
    (void)state;
    enum { BYTES = 60000 };
    struct e2e_server server;
    E2E_START(&server, "--workers", "2", "--message-anonymous", "yes", "--push-queue", "200K");
    cport_os_handle slow = e2e_connect(&server, 0x10), good = e2e_connect(&server, 0x10);
    cport_os_handle publisher = e2e_connect(&server, 0x10);
    net_small_buffers(slow);
    e2e_subscribe(slow, "news");
    e2e_subscribe(good, "news");
    uint8_t *bytes = e2e_bytes(BYTES, 3);
    uint8_t *expected = malloc(BYTES + 5);
    memcpy(expected, "\x04news", 5);
    memcpy(expected + 5, bytes, BYTES);
    /* Until the count of receivers tells that it has gone. */
    for (uint32_t number = 1, receivers = 2; receivers == 2; number++) {
        assert_true(number < 1000);
        e2e_publish(publisher, number, "news", bytes, BYTES);
        struct message reply = e2e_message_next(publisher);
        assert_int_equal(reply.code, STATUS_OK);
        receivers = load_u32(reply.payload.data);
        free((void *)(uintptr_t)reply.payload.data);
        e2e_message_expect(good, MESSAGE_PUSH, 0, 0, number, expected, BYTES + 5);
    }
    net_close(slow);
    e2e_echo(good, 1, "still here", 10);
    net_close(good);
    net_close(publisher);
    free(expected);
    free(bytes);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "slow_subscriber"), 1);
}

static void users_send_to_each_other(void **state)
{
    (void)state;
    struct e2e_server server;
    struct field field;
    E2E_START(&server, "--users", e2e_users(), "--workers", "2", "--acceptor", "one");
    cport_os_handle ann = e2e_connect(&server, 0x10), bob = e2e_connect(&server, 0x10);
    cport_os_handle bob_too = e2e_connect(&server, 0x10);
    e2e_message_login(ann, "ann");
    e2e_message_login(bob, "bob");
    e2e_message_login(bob_too, "bob");
    static const char to_bob[] = "\x07\x04user\x03\0\0\0bob\x08\x04"
                                 "data\x02\0\0\0hi";
    for (uint32_t i = 1; i <= 3; i++) {
        e2e_message_send(
            ann, MESSAGE_REQUEST, MESSAGE_FIELDS, VERB_SEND_TO, i, to_bob, sizeof(to_bob) - 1);
        e2e_message_expect(ann, MESSAGE_REPLY, 0, STATUS_OK, i, "", 0);
        e2e_message_expect(bob, MESSAGE_PUSH, 0, 0, i, "\x04@annhi", 7);
        e2e_message_expect(bob_too, MESSAGE_PUSH, 0, 0, i, "\x04@annhi", 7);
    }

    e2e_message_send(bob, MESSAGE_REQUEST, 0, VERB_WHO, 9, "", 0);
    struct message reply = e2e_message_next(bob);
    assert_int_equal(reply.flags, MESSAGE_FIELDS);
    assert_true(fields_check(reply.payload));
    struct bytes run = reply.payload;
    unsigned clients = 0;
    char victim[64] = "";
    while (field_next(&run, &field)) {
        struct field user, remote;
        assert_bytes(field.name, "client", 6);
        assert_true(field_find(field.value, "user", FIELD_STRING, &user));
        assert_true(field_find(field.value, "remote", FIELD_STRING, &remote));
        if (user.value.len == 3 && memcmp(user.value.data, "ann", 3) == 0)
            memcpy(victim, remote.value.data, remote.value.len);
        clients++;
    }
    free((void *)(uintptr_t)reply.payload.data);
    assert_int_equal(clients, 3);
    assert_string_not_equal(victim, "");

    /* Bob may not kick, Ann may: herself. */
    uint8_t kick[128] = "\x07\x06remote";
    store_u32(kick + 8, (uint32_t)strlen(victim));
    memcpy(kick + 12, victim, strlen(victim));
    size_t len = 12 + strlen(victim);
    e2e_message_send(bob, MESSAGE_REQUEST, MESSAGE_FIELDS, VERB_KICK, 10, kick, len);
    e2e_message_expect(bob, MESSAGE_REPLY, 0, STATUS_NOT_ALLOWED, 10, "", 0);
    e2e_message_send(ann, MESSAGE_REQUEST, MESSAGE_FIELDS, VERB_KICK, 11, kick, len);
    e2e_message_expect(ann, MESSAGE_REPLY, 0, STATUS_OK, 11, "", 0);
    e2e_message_expect(ann, MESSAGE_GOAWAY, 0, STATUS_NOT_ALLOWED, 0, "", 0);
    e2e_expect_end(ann);
    net_close(ann);
    e2e_echo(bob, 12, "still here", 10);
    net_close(bob);
    net_close(bob_too);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "kicked"), 1);
}

/* Connections come and go on all workers while pushes are on their way to them: generations and quiet ends, for the sanitizers to
 * look at. */
static void coming_and_going_amid_pushes(void **state)
{
    (void)state;
    enum { ROUNDS = 60, SUBSCRIBERS = 6 };
    struct e2e_server server;
    E2E_START(&server, "--workers", "3", "--message-anonymous", "yes", "--acceptor", "one");
    cport_os_handle publisher = e2e_connect(&server, 0x10), witness = e2e_connect(&server, 0x10);
    e2e_subscribe(witness, "news");
    uint32_t number = 0;
    for (int round = 0; round < ROUNDS; round++) {
        cport_os_handle fds[SUBSCRIBERS];
        for (int i = 0; i < SUBSCRIBERS; i++) {
            fds[i] = e2e_connect(&server, 0x10);
            e2e_message_send(fds[i], MESSAGE_REQUEST, 0, VERB_SUBSCRIBE, 2, "news", 4);
            if (i % 2)
                e2e_message_expect(fds[i], MESSAGE_REPLY, 0, STATUS_OK, 2, "", 0);
            e2e_publish(publisher, number++, "news", &number, sizeof(number));
        }
        for (int i = 0; i < SUBSCRIBERS; i++) {
            if (i % 3 == 0)
                net_reset(fds[i]);
            else
                net_close(fds[i]);
        }
    }
    for (uint32_t i = 0; i < number; i++) {
        uint8_t payload[16];
        size_t len;
        struct message reply = e2e_message_next(publisher);
        assert_int_equal(reply.id, i);
        assert_int_equal(reply.code, STATUS_OK);
        free((void *)(uintptr_t)reply.payload.data);
        put_push(payload, &len, "news", i + 1);
        e2e_message_expect(witness, MESSAGE_PUSH, 0, 0, i + 1, payload, len);
    }
    net_close(publisher);
    net_close(witness);
    e2e_stop(&server);
}

/* From the same address and port, again and again, while the server may still be busy with the end of the life before: nothing of
 * that is left to the next, neither login nor subscriptions nor the start of a frame. */
static void who_comes_again_is_somebody_new(void **state)
{
    (void)state;
    enum { LIVES = 100, HOST = 77 };
    struct e2e_server server;
    E2E_START(&server, "--users", e2e_users(), "--workers", "2");
    cport_os_handle publisher = e2e_connect(&server, 0x10);
    cport_os_handle fd = net_connect_from(HOST, 0, server.tcp_port);
    assert_true(fd != CPORT_OS_HANDLE_INVALID);
    uint16_t own_port = net_own_port(fd);
    e2e_send(fd, "\x10", 1);
    e2e_message_login(publisher, "ann");
    for (uint32_t life = 0; life < LIVES; life++) {
        e2e_message_send(fd, MESSAGE_REQUEST, 0, VERB_SUBSCRIBE, 1, "news", 4);
        e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_NOT_LOGGED_IN, 1, "", 0);
        e2e_message_login(fd, "bob");
        e2e_subscribe(fd, "news");
        e2e_publish(publisher, life, "news", &life, sizeof(life));
        free((void *)(uintptr_t)e2e_message_next(publisher).payload.data);
        struct message push = e2e_message_next(fd);
        assert_int_equal(push.type, MESSAGE_PUSH);
        assert_bytes((struct bytes){push.payload.data + 5, push.payload.len - 5}, &life, 4);
        free((void *)(uintptr_t)push.payload.data);
        e2e_publish(publisher, life, "news", "late", 4); /* on its way when the life ends */
        free((void *)(uintptr_t)e2e_message_next(publisher).payload.data);
        e2e_send(fd, "\x20\0\0", 3); /* the start of a frame, of which no more comes */
        net_reset(fd);
        fd = net_connect_from(HOST, own_port, server.tcp_port);
        if (fd == CPORT_OS_HANDLE_INVALID) { /* another process has taken the port */
            fd = net_connect_from(HOST, 0, server.tcp_port);
            own_port = net_own_port(fd);
        }
        assert_true(fd != CPORT_OS_HANDLE_INVALID);
        e2e_send(fd, "\x10", 1);
    }
    net_close(fd);
    net_close(publisher);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "accepted"), LIVES + 2);
    assert_int_equal(e2e_count(&server, "broken_frame"), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(verbs_want_a_login),
        E2E_TEST(subscribers_agree_on_the_order),
        E2E_TEST(a_slow_subscriber_is_dropped_alone),
        E2E_TEST(users_send_to_each_other),
        E2E_TEST(coming_and_going_amid_pushes),
        E2E_TEST(who_comes_again_is_somebody_new),
    };
    return e2e_run("e2e_push", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
