/* What the server answers, over real connections. */
#include "e2e.h"

#include <stdio.h>
#include <stdlib.h>

static void echo_and_ping(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START_PLAIN(&server);
    assert_non_null(strstr(server.line, e2e_backend()));
    cport_os_handle fd = e2e_connect(&server, 0x10);
    e2e_echo(fd, 1, "hello", 5);
    e2e_echo(fd, 0xFFFFFFFFu, "", 0);
    e2e_message_send(fd, MESSAGE_PING, 0, 0, 3, "are you there", 13);
    e2e_message_expect(fd, MESSAGE_PONG, 0, 0, 3, "are you there", 13);
    e2e_message_send(fd, MESSAGE_REQUEST, 0, 77, 4, "", 0);
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_UNKNOWN_VERB, 4, "", 0);
    e2e_echo(fd, 5, "still here", 10);
    net_close(fd);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "accepted"), 1);
    assert_int_equal(e2e_count(&server, "broken_frame"), 0);
}

static void throughput_gives_back_every_byte(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        0, 1, 63, 64, 1000, 16383, 16384, 16385, 65536, 1000000, (10u << 20) - 4 - 42};
    struct e2e_server server;
    E2E_START_PLAIN(&server);
    cport_os_handle fd = e2e_connect(&server, 0x05);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *bytes = e2e_bytes(sizes[i], (uint32_t)i);
        e2e_packet_send(fd, "[Request]\r\nCommand=CyclePacket\r\nCount=41\r\n", bytes, sizes[i]);
        e2e_packet_expect(
            fd, "[Response]\r\nCommand=CyclePacket\r\nCode=0\r\nCount=42", bytes, sizes[i]);
        free(bytes);
    }
    e2e_packet_send(fd, "[Request]\r\nCommand=Active", "", 0);
    e2e_packet_expect(fd, "[Response]\r\nCommand=Active\r\nCode=0", "", 0);
    net_close(fd);
    e2e_stop(&server);
}

static void large_messages_come_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {16384 - 12, 16384, 100000, (1u << 20) - 8};
    struct e2e_server server;
    E2E_START_PLAIN(&server);
    cport_os_handle fd = e2e_connect(&server, 0x10);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *bytes = e2e_bytes(sizes[i], (uint32_t)i);
        e2e_echo(fd, (uint32_t)i, bytes, sizes[i]);
        free(bytes);
    }
    net_close(fd);
    e2e_stop(&server);
}

/* Many requests in one write: replies in their order, whatever segments they travelled in. */
static void pipelined_requests_keep_their_order(void **state)
{
    (void)state;
    enum { REQUESTS = 5000, PAYLOAD = 16 };
    static uint8_t all[REQUESTS * (MESSAGE_HEAD_BYTES + PAYLOAD)];
    uint8_t *at = all;
    for (uint32_t i = 0; i < REQUESTS; i++) {
        struct message request = {
            .type = i % 3 ? MESSAGE_REQUEST : MESSAGE_PING, .code = i % 3 ? VERB_ECHO : 0, .id = i};
        message_head_store(at, &request, PAYLOAD);
        memset(at + MESSAGE_HEAD_BYTES, (int)i, PAYLOAD);
        at += MESSAGE_HEAD_BYTES + PAYLOAD;
    }

    struct e2e_server server;
    E2E_START_PLAIN(&server);
    cport_os_handle fd = e2e_connect(&server, 0x10);
    e2e_send(fd, all, sizeof(all));
    for (uint32_t i = 0; i < REQUESTS; i++) {
        uint8_t payload[PAYLOAD];
        memset(payload, (int)i, sizeof(payload));
        e2e_message_expect(
            fd, i % 3 ? MESSAGE_REPLY : MESSAGE_PONG, 0, 0, i, payload, sizeof(payload));
    }
    net_close(fd);
    e2e_stop(&server);
}

/* Answered in their own receive, thousands of them at a time: a server that called itself for each, or for each send that is done
 * at once, would run out of stack. */
static void a_million_requests_on_one_connection(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    enum { REQUESTS = 100000, BATCH = 5000 }; /* ten times as slow */
#else
    enum { REQUESTS = 1000000, BATCH = 5000 };
#endif
    static uint8_t all[BATCH * MESSAGE_HEAD_BYTES], replies[BATCH * MESSAGE_HEAD_BYTES];
    struct e2e_server server;
    E2E_START(&server, "--workers", "1");
    cport_os_handle fd = e2e_connect(&server, 0x10);
    for (uint32_t first = 0; first < REQUESTS; first += BATCH) {
        for (uint32_t i = 0; i < BATCH; i++) {
            struct message request = {.type = MESSAGE_PING, .id = first + i};
            message_head_store(all + (size_t)i * MESSAGE_HEAD_BYTES, &request, 0);
        }
        e2e_send(fd, all, sizeof(all));
        e2e_recv(fd, replies, sizeof(replies));
        for (uint32_t i = 0; i < BATCH; i++)
            all[(size_t)i * MESSAGE_HEAD_BYTES + 4] = MESSAGE_PONG;
        assert_memory_equal(replies, all, sizeof(all));
    }
    net_close(fd);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "frames"), REQUESTS);
}

static void bytes_may_come_one_by_one(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START_PLAIN(&server);

    static const char packet[] = "\x05\x2E\0\0\0\x27\0\0\0"
                                 "[Request]\r\nCommand=CyclePacket\r\nCount=1"
                                 "abc";
    cport_os_handle fd = e2e_connect(&server, 0);
    for (size_t i = 0; i < sizeof(packet) - 1; i++)
        e2e_send(fd, packet + i, 1);
    e2e_packet_expect(fd, "[Response]\r\nCommand=CyclePacket\r\nCode=0\r\nCount=2", "abc", 3);
    net_close(fd);

    static const char message[] = "\x10\x0D\0\0\0\x01\0\x01\0\x07\0\0\0hello";
    fd = e2e_connect(&server, 0);
    for (size_t i = 0; i < sizeof(message) - 1; i++)
        e2e_send(fd, message + i, 1);
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_OK, 7, "hello", 5);
    net_close(fd);
    e2e_stop(&server);
}

static void half_closed_clients_get_their_replies(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START_PLAIN(&server);
    uint8_t *bytes = e2e_bytes(500000, 1);
    cport_os_handle fd = e2e_connect(&server, 0x10);
    for (uint32_t i = 0; i < 3; i++)
        e2e_message_send(fd, MESSAGE_REQUEST, 0, VERB_ECHO, i, bytes, 500000);
    net_shutdown_send(fd);
    for (uint32_t i = 0; i < 3; i++)
        e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_OK, i, bytes, 500000);
    e2e_expect_end(fd);
    net_close(fd);
    free(bytes);
    e2e_stop(&server);
}

static void many_connections_at_once(void **state)
{
    (void)state;
    enum { CONNECTIONS = 500 };
    static cport_os_handle fds[CONNECTIONS];
    struct e2e_server server;
    E2E_START_PLAIN(&server);
    for (uint32_t i = 0; i < CONNECTIONS; i++)
        fds[i] = e2e_connect(&server, i % 2 ? 0x10 : 0x05);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < CONNECTIONS; i++) {
            if (i % 2)
                e2e_message_send(fds[i], MESSAGE_REQUEST, 0, VERB_ECHO, i, &i, sizeof(i));
            else
                e2e_packet_send(
                    fds[i], "[Request]\r\nCommand=CyclePacket\r\nCount=7", &i, sizeof(i));
        }
        for (uint32_t i = 0; i < CONNECTIONS; i++) {
            if (i % 2)
                e2e_message_expect(fds[i], MESSAGE_REPLY, 0, STATUS_OK, i, &i, sizeof(i));
            else
                e2e_packet_expect(fds[i], "[Response]\r\nCommand=CyclePacket\r\nCode=0\r\nCount=8",
                    &i, sizeof(i));
        }
    }
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        if (i % 5 == 0)
            net_reset(fds[i]);
        else
            net_close(fds[i]);
    }
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "accepted"), CONNECTIONS);
}

static void one_acceptor_serves_all_workers(void **state)
{
    (void)state;
    enum { CONNECTIONS = 40 };
    cport_os_handle fds[CONNECTIONS];
    struct e2e_server server;
    E2E_START(&server, "--acceptor", "one", "--workers", "4");
    assert_non_null(strstr(server.line, "4 workers"));
    for (uint32_t i = 0; i < CONNECTIONS; i++)
        fds[i] = e2e_connect(&server, 0x10);
    for (uint32_t i = 0; i < CONNECTIONS; i++)
        e2e_echo(fds[i], i, "hello", 5);
    for (uint32_t i = 0; i < CONNECTIONS; i++)
        net_close(fds[i]);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "accepted"), CONNECTIONS);
    assert_int_equal(e2e_count(&server, "handed_on"), CONNECTIONS / 4 * 3);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(echo_and_ping),
        E2E_TEST(throughput_gives_back_every_byte),
        E2E_TEST(large_messages_come_back),
        E2E_TEST(pipelined_requests_keep_their_order),
        E2E_TEST(a_million_requests_on_one_connection),
        E2E_TEST(bytes_may_come_one_by_one),
        E2E_TEST(half_closed_clients_get_their_replies),
        E2E_TEST(many_connections_at_once),
        E2E_TEST(one_acceptor_serves_all_workers),
    };
    return e2e_run("e2e_protocol", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
