/* Broken frames, slow clients, full houses: a clear answer or a clear end, and nobody else notices. */
#include "e2e.h"

#include <stdio.h>
#include <stdlib.h>

/* The server has answered and shut its side. What the client goes on sending must not turn that into a reset. */
static void send_junk(cport_os_handle fd)
{
    uint8_t *junk = e2e_bytes(300000, 9);
    (void)net_send(fd, junk, 300000);
    free(junk);
}

static void goaway_after(
    const struct e2e_server *server, uint32_t length, uint8_t type, uint16_t status)
{
    uint8_t head[MESSAGE_HEAD_BYTES] = {0};
    store_u32(head, length);
    head[4] = type;
    cport_os_handle fd = e2e_connect(server, 0x10);
    e2e_message_send(fd, MESSAGE_REQUEST, 0, VERB_ECHO, 1, "owed", 4);
    e2e_send(fd, head, sizeof(head));
    send_junk(fd);
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_OK, 1, "owed", 4);
    e2e_message_expect(fd, MESSAGE_GOAWAY, 0, status, 0, "", 0);
    e2e_expect_end(fd);
    net_close(fd);
}

static void broken_messages_end_in_goaway(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START(&server, "--max-frame", "64K");
    cport_os_handle other = e2e_connect(&server, 0x10);
    e2e_echo(other, 1, "before", 6);
    goaway_after(&server, 65537, MESSAGE_REQUEST, STATUS_TOO_LONG);
    goaway_after(&server, 0xFFFFFFFFu, MESSAGE_REQUEST, STATUS_TOO_LONG);
    goaway_after(&server, 7, MESSAGE_REQUEST, STATUS_MALFORMED);
    goaway_after(&server, 0, MESSAGE_REQUEST, STATUS_MALFORMED);
    goaway_after(&server, 8, 0, STATUS_MALFORMED);
    goaway_after(&server, 8, 7, STATUS_MALFORMED);
    goaway_after(&server, 8, MESSAGE_REPLY, STATUS_MALFORMED);
    goaway_after(&server, 8, MESSAGE_PUSH, STATUS_MALFORMED);
    e2e_echo(other, 2, "after", 5);
    net_close(other);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "broken_frame"), 8);
}

static void code_after(
    const struct e2e_server *server, uint32_t packet_len, uint32_t command_len, const char *reply)
{
    uint8_t head[PACKET_HEAD_BYTES];
    store_u32(head, packet_len);
    store_u32(head + 4, command_len);
    cport_os_handle fd = e2e_connect(server, 0x05);
    e2e_packet_send(fd, "[Request]\r\nCommand=Active", "", 0);
    e2e_send(fd, head, sizeof(head));
    send_junk(fd);
    e2e_packet_expect(fd, "[Response]\r\nCommand=Active\r\nCode=0", "", 0);
    e2e_packet_expect(fd, reply, "", 0);
    e2e_expect_end(fd);
    net_close(fd);
}

static void broken_packets_end_in_a_code(void **state)
{
    (void)state;
    static const char too_long[] = "[Response]\r\nCommand=\r\nCode=2\r\nMessage=Packet too long";
    static const char malformed[] =
        "[Response]\r\nCommand=\r\nCode=3\r\nMessage=Malformed packet or command text";
    struct e2e_server server;
    E2E_START_PLAIN(&server);
    code_after(&server, (10u << 20) + 1, 10, too_long);
    code_after(&server, 0xFFFFFFFFu, 10, too_long);
    code_after(&server, 3, 0, malformed);
    code_after(&server, 0, 0, malformed);
    code_after(&server, 100, 97, malformed);
    code_after(&server, 100, 0xFFFFFFFFu, malformed);
    code_after(&server, 1000, 500, malformed); /* the junk is no text of two lines */
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "broken_frame"), 7);
}

static void illegal_prefaces_are_closed_and_counted(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x00, 0x01, 0x06, 0x07, 0x0A, 'G', 0x16, 0x80, 0xFF};
    struct e2e_server server;
    E2E_START_PLAIN(&server);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        cport_os_handle fd = e2e_connect(&server, 0);
        e2e_send(fd, &bytes[i], 1);
        e2e_expect_end(fd);
        net_close(fd);
    }
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "illegal_preface"), sizeof(bytes));
    assert_non_null(strstr(server.errors, "event=illegal_preface remote=127.0.0.1:"));
}

static void silent_clients_are_closed_and_counted(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START(&server, "--preface-timeout", "50ms");
    cport_os_handle talker = e2e_connect(&server, 0x10);
    e2e_echo(talker, 1, "in time", 7);
    for (int i = 0; i < 3; i++) {
        cport_os_handle fd = e2e_connect(&server, 0);
        e2e_expect_end(fd);
        net_close(fd);
    }
    /* By now the first one's 50 ms are over as well. */
    e2e_echo(talker, 2, "still here", 10);
    net_close(talker);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "preface_timeout"), 3);
}

/* Sends echo requests without reading a reply until the server takes no more. Returns the bytes that went out. */
static size_t fill(cport_os_handle fd, const uint8_t *stream, size_t len)
{
    size_t sent = 0;
    while (sent < len) {
        int64_t n = net_send_now(fd, stream + sent, len - sent);
        if (n < 0 || (n == 0 && !net_wait_room(fd)))
            break;
        sent += (size_t)n;
    }
    return sent;
}

enum { STREAM_FRAMES = 16384, STREAM_PAYLOAD = 4096 - MESSAGE_HEAD_BYTES };

static uint8_t *echo_stream(void)
{
    uint8_t *stream = e2e_bytes((size_t)STREAM_FRAMES * 4096, 4);
    for (uint32_t i = 0; i < STREAM_FRAMES; i++) {
        struct message request = {.type = MESSAGE_REQUEST, .code = VERB_ECHO, .id = i};
        message_head_store(stream + (size_t)i * 4096, &request, STREAM_PAYLOAD);
    }
    return stream;
}

/* 64 MiB of replies for a client that does not read, in a server that has 1 MiB for its buffers: without the high watermark
 * it would run out of memory and say so; without the low one it would never read on. */
static void slow_readers_stop_the_server_from_reading(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START(&server, "--workers", "1", "--memory", "1M", "--send-queue", "64K");
    cport_os_handle fd = e2e_connect(&server, 0x10);
    net_small_buffers(fd);
    uint8_t *stream = echo_stream();
    size_t len = (size_t)STREAM_FRAMES * 4096;
    size_t sent = fill(fd, stream, len);
    assert_true(sent < len);

    /* The other connections of that worker do not notice. */
    cport_os_handle other = e2e_connect(&server, 0x10);
    e2e_echo(other, 1, "hello", 5);
    net_close(other);

    /* Read what is owed, then send the frame that was cut off: the other way round both sides would wait. */
    uint32_t whole = (uint32_t)(sent / 4096);
    for (uint32_t i = 0; i <= whole; i++) {
        const uint8_t *frame = stream + (size_t)i * 4096;
        if (i == whole)
            e2e_send(fd, stream + sent, (size_t)(whole + 1) * 4096 - sent);
        e2e_message_expect(
            fd, MESSAGE_REPLY, 0, STATUS_OK, i, frame + MESSAGE_HEAD_BYTES, STREAM_PAYLOAD);
    }
    e2e_echo(fd, 77, "recovered", 9);
    net_close(fd);
    free(stream);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "memory"), 0);
    assert_int_equal(e2e_count(&server, "write_timeout"), 0);
}

static void stalled_readers_are_dropped_and_counted(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START(&server, "--workers", "1", "--write-timeout", "100ms", "--send-queue", "64K");
    cport_os_handle fd = e2e_connect(&server, 0x10);
    net_small_buffers(fd);
    uint8_t *stream = echo_stream();
    /* It ends in an error: the connection is reset under the writer's hands. */
    size_t len = (size_t)STREAM_FRAMES * 4096, sent = 0;
    while (sent < len) {
        int64_t n = net_send(fd, stream + sent, len - sent);
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    assert_true(sent < len);
    net_close(fd);
    free(stream);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "write_timeout"), 1);
}

static void a_full_house_closes_the_door(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START(&server, "--max-connections", "2");
    cport_os_handle a = e2e_connect(&server, 0x10);
    cport_os_handle b = e2e_connect(&server, 0x10);
    e2e_echo(a, 1, "a", 1);
    e2e_echo(b, 1, "b", 1);

    uint8_t byte;
    cport_os_handle c = e2e_connect(&server, 0);
    assert_true(net_recv(c, &byte, 1) <= 0);
    net_close(c);

    /* A place that becomes free is given away again: some connect gets through. */
    net_close(a);
    bool served = false;
    while (!served) {
        a = e2e_connect(&server, 0);
        static const uint8_t ping[] = {0x10, 8, 0, 0, 0, MESSAGE_PING, 0, 0, 0, 9, 0, 0, 0};
        (void)net_send(a, ping, sizeof(ping));
        served = net_recv(a, &byte, 1) == 1;
        if (!served)
            net_close(a);
    }
    e2e_echo(b, 2, "b", 1);
    net_close(a);
    net_close(b);
    e2e_stop(&server);
    assert_true(e2e_count(&server, "refused_full") >= 1);
}

static void one_address_has_so_many_connections(void **state)
{
    (void)state;
    struct e2e_server server;
    uint8_t byte;
    E2E_START(&server, "--max-per-address", "2", "--workers", "2");
    cport_os_handle a = e2e_connect(&server, 0x10), b = e2e_connect(&server, 0x10);
    e2e_echo(a, 1, "a", 1);
    e2e_echo(b, 1, "b", 1);
    cport_os_handle c = e2e_connect(&server, 0);
    assert_true(net_recv(c, &byte, 1) <= 0);
    net_close(c);
    net_close(a);
    for (bool served = false; !served;) {
        static const uint8_t ping[] = {0x10, 8, 0, 0, 0, MESSAGE_PING, 0, 0, 0, 9, 0, 0, 0};
        a = e2e_connect(&server, 0);
        (void)net_send(a, ping, sizeof(ping));
        served = net_recv(a, &byte, 1) == 1;
        if (!served)
            net_close(a);
    }
    e2e_echo(b, 2, "b", 1);
    net_close(a);
    net_close(b);
    e2e_stop(&server);
    assert_true(e2e_count(&server, "refused_address") >= 1);
    assert_int_equal(e2e_count(&server, "refused_full"), 0);
}

/* Frames as long as allowed, but more of them than there is memory for: the last one gets "busy", the others stay. */
static void memory_runs_out_for_one_alone(void **state)
{
    (void)state;
    enum { HALF = 300000, WHOLE = 400000 };
    struct e2e_server server;
    E2E_START(&server, "--workers", "1", "--memory", "1M");
    uint8_t *bytes = e2e_bytes(WHOLE, 1);
    uint8_t head[MESSAGE_HEAD_BYTES];
    struct message request = {.type = MESSAGE_REQUEST, .code = VERB_ECHO, .id = 7};
    message_head_store(head, &request, WHOLE);

    cport_os_handle witness = e2e_connect(&server, 0x10);
    cport_os_handle fds[8];
    unsigned refused = 0;
    for (unsigned i = 0; i < 8; i++) {
        fds[i] = e2e_connect(&server, 0x10);
        e2e_send(fds[i], head, sizeof(head));
        (void)net_send(fds[i], bytes, HALF);
        e2e_echo(witness, i, "hello", 5);
    }
    /* Whoever was refused has been told. The rest of the frame brings the others their echo, or the same end. */
    for (unsigned i = 0; i < 8; i++) {
        uint8_t reply[MESSAGE_HEAD_BYTES];
        (void)net_send(fds[i], bytes + HALF, WHOLE - HALF);
        e2e_recv(fds[i], reply, sizeof(reply));
        if (reply[4] == MESSAGE_GOAWAY) {
            assert_int_equal(load_u16(reply + 6), STATUS_BUSY);
            e2e_expect_end(fds[i]);
            refused++;
        } else {
            assert_int_equal(reply[4], MESSAGE_REPLY);
            uint8_t *payload = malloc(WHOLE);
            e2e_recv(fds[i], payload, WHOLE);
            assert_memory_equal(payload, bytes, WHOLE);
            free(payload);
        }
        net_close(fds[i]);
    }
    assert_true(refused > 0);
    e2e_echo(witness, 99, "hello", 5);
    net_close(witness);
    free(bytes);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "memory"), refused);
}

/* Answered, or ended before its answer. */
static bool is_served(const struct e2e_server *server)
{
    static const uint8_t ping[] = {0x10, 8, 0, 0, 0, MESSAGE_PING, 0, 0, 0, 9, 0, 0, 0};
    uint8_t byte;
    cport_os_handle fd = e2e_connect(server, 0);
    (void)net_send(fd, ping, sizeof(ping));
    bool served = net_recv(fd, &byte, 1) == 1;
    net_close(fd);
    return served;
}

/* One that comes too often is refused until it comes less often. */
static void one_address_comes_so_often(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START(&server, "--rate-limit", "1", "--workers", "2");
    while (is_served(&server))
        continue;
    while (!is_served(&server))
        continue;
    e2e_stop(&server);
    assert_true(e2e_count(&server, "refused_rate") >= 1);
    assert_int_equal(e2e_count(&server, "bans"), 0);
}

static void bad_clients_are_banned(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START(&server, "--ban-after", "3", "--ban-time", "1h", "--workers", "2");
    cport_os_handle before = e2e_connect(&server, 0x10);
    e2e_echo(before, 1, "hello", 5);
    for (int i = 0; i < 2; i++) {
        cport_os_handle fd = e2e_connect(&server, 'G');
        e2e_expect_end(fd);
        net_close(fd);
    }
    assert_true(is_served(&server));
    goaway_after(&server, 7, MESSAGE_REQUEST, STATUS_MALFORMED);
    assert_false(is_served(&server));
    assert_false(is_served(&server));
    e2e_echo(before, 2, "hello", 5); /* who has done nothing wrong stays */
    if (child_reload(server.child)) {
        while (!is_served(&server))
            continue;
    }
    net_close(before);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "bans"), 1);
    assert_true(e2e_count(&server, "refused_banned") >= 2);
    assert_non_null(strstr(server.errors, "event=banned remote=127.0.0.1:"));
    assert_non_null(strstr(server.errors, " seconds=3600"));
}

/* One connection does not get as many guesses as it likes. */
static void guessing_passwords_is_banned(void **state)
{
    (void)state;
    static const char wrong[] = "[Request]\r\nCommand=Login\r\nUserName=bob\r\n"
                                "Password=00000000000000000000000000000000";
    struct e2e_server server;
    E2E_START(&server, "--ban-after", "2", "--users", e2e_users());
    cport_os_handle fd = e2e_connect(&server, 0x08);
    for (int i = 0; i < 2; i++) {
        e2e_packet_send(fd, wrong, "", 0);
        char *reply = e2e_packet_next(fd);
        assert_null(strstr(reply, "Code=0"));
        free(reply);
    }
    e2e_expect_end(fd);
    net_close(fd);
    assert_false(is_served(&server));
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "login_failed"), 2);
    assert_int_equal(e2e_count(&server, "bans"), 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(broken_messages_end_in_goaway),
        E2E_TEST(broken_packets_end_in_a_code),
        E2E_TEST(illegal_prefaces_are_closed_and_counted),
        E2E_TEST(silent_clients_are_closed_and_counted),
        E2E_TEST(slow_readers_stop_the_server_from_reading),
        E2E_TEST(stalled_readers_are_dropped_and_counted),
        E2E_TEST(a_full_house_closes_the_door),
        E2E_TEST(one_address_has_so_many_connections),
        E2E_TEST(memory_runs_out_for_one_alone),
        E2E_TEST(one_address_comes_so_often),
        E2E_TEST(bad_clients_are_banned),
        E2E_TEST(guessing_passwords_is_banned),
    };
    return e2e_run("e2e_limits", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
