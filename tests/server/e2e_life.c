/* Starting, stopping, and saying what is wrong with the command line. */
#include "e2e.h"

#include <stdio.h>
#include <stdlib.h>

static void stopping_says_goodbye(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START_PLAIN(&server);
    cport_os_handle message = e2e_connect(&server, 0x10);
    cport_os_handle throughput = e2e_connect(&server, 0x05);
    cport_os_handle silent = e2e_connect(&server, 0);
    e2e_echo(message, 1, "hello", 5);
    e2e_packet_send(throughput, "[Request]\r\nCommand=Active", "", 0);
    e2e_packet_expect(throughput, "[Response]\r\nCommand=Active\r\nCode=0", "", 0);

    child_stop(server.child);
    e2e_message_expect(message, MESSAGE_GOAWAY, 0, STATUS_SHUTTING_DOWN, 0, "", 0);
    e2e_expect_end(message);
    e2e_expect_end(throughput);
    e2e_expect_end(silent);
    net_close(message);
    net_close(throughput);
    net_close(silent);
    e2e_join(&server);
    assert_true(net_connect(server.tcp_port) == CPORT_OS_HANDLE_INVALID);
}

/* Replies that are queued when the server is told to stop still go out. */
static void stopping_sends_what_is_owed(void **state)
{
    (void)state;
    enum { SIZE = 900000, REQUESTS = 8 };
    struct e2e_server server;
    E2E_START(&server, "--drain-timeout", "60s", "--send-queue", "16M");
    uint8_t *bytes = e2e_bytes(SIZE, 3);
    cport_os_handle fd = e2e_connect(&server, 0x10);
    net_small_buffers(fd);
    for (uint32_t i = 0; i < REQUESTS; i++)
        e2e_message_send(fd, MESSAGE_REQUEST, 0, VERB_ECHO, i, bytes, SIZE);
    e2e_message_expect(fd, MESSAGE_REPLY, 0, STATUS_OK, 0, bytes, SIZE);

    child_stop(server.child);
    uint32_t id = 1;
    for (;; id++) {
        uint8_t head[MESSAGE_HEAD_BYTES];
        e2e_recv(fd, head, sizeof(head));
        if (head[4] == MESSAGE_GOAWAY)
            break;
        assert_int_equal(head[4], MESSAGE_REPLY);
        assert_int_equal(load_u32(head + 8), id);
        uint8_t *payload = malloc(SIZE);
        e2e_recv(fd, payload, SIZE);
        assert_memory_equal(payload, bytes, SIZE);
        free(payload);
    }
    assert_true(id <= REQUESTS);
    e2e_expect_end(fd);
    net_close(fd);
    free(bytes);
    e2e_join(&server);
}

/* The rest of a long frame is received straight into the connection's memory. It may come when the server has lost interest
 * in it, and finds that memory still there. */
static void stopping_amid_a_long_frame(void **state)
{
    (void)state;
    enum { SIZE = 900000, PART = 300000 };
    struct e2e_server server;
    E2E_START(&server, "--workers", "1");
    uint8_t *bytes = e2e_bytes(SIZE, 5);
    uint8_t head[MESSAGE_HEAD_BYTES];
    struct message request = {.type = MESSAGE_REQUEST, .code = VERB_ECHO, .id = 1};
    message_head_store(head, &request, SIZE);
    cport_os_handle fd = e2e_connect(&server, 0x10);
    e2e_send(fd, head, sizeof(head));
    e2e_send(fd, bytes, PART);
    /* Another connection of the one worker: when it is answered, the part has been received. */
    cport_os_handle other = e2e_connect(&server, 0x10);
    e2e_echo(other, 1, "hello", 5);
    net_close(other);

    child_stop(server.child);
    e2e_message_expect(fd, MESSAGE_GOAWAY, 0, STATUS_SHUTTING_DOWN, 0, "", 0);
    e2e_send(fd, bytes, SIZE - PART);
    e2e_expect_end(fd);
    net_close(fd);
    free(bytes);
    e2e_join(&server);
}

/* A client that does not take what it is owed, more than the system holds for it, is not waited for beyond the deadline: without it
 * this would last an hour. What is under way before it comes to its end: a_drain_lasts_until_its_deadline. */
static void draining_ends(void **state)
{
    (void)state;
    enum { SIZE = 900000, REQUESTS = 8 };
    struct e2e_server server;
    E2E_START(&server, "--drain-timeout", "200ms", "--write-timeout", "1h", "--send-queue", "16M");
    uint8_t *bytes = e2e_bytes(SIZE, 3);
    cport_os_handle fd = e2e_connect(&server, 0x10), idle = e2e_connect(&server, 0x10);
    net_small_buffers(fd);
    for (uint32_t i = 0; i < REQUESTS; i++)
        e2e_message_send(fd, MESSAGE_REQUEST, 0, VERB_ECHO, i, bytes, SIZE);
    e2e_echo(idle, 1, "hello", 5);
    child_stop(server.child);
    e2e_message_expect(idle, MESSAGE_GOAWAY, 0, STATUS_SHUTTING_DOWN, 0, "", 0);
    e2e_expect_end(idle);
    net_close(idle);
    e2e_join(&server);
    assert_non_null(strstr(server.errors, "event=drain_timeout"));

    int64_t got, all = 0;
    while ((got = net_recv(fd, bytes, SIZE)) > 0)
        all += got;
    assert_true(all < (int64_t)REQUESTS * SIZE);
    net_close(fd);
    free(bytes);
}

static void ports_are_free_again_at_once(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START_PLAIN(&server);
    uint16_t tcp_port = server.tcp_port;
    cport_os_handle fd = e2e_connect(&server, 0x10);
    e2e_echo(fd, 1, "hello", 5);
    net_close(fd);
    e2e_stop(&server);

    char listen[32];
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", tcp_port);
    for (int i = 0; i < 10; i++) {
        E2E_START(&server, "--listen", listen);
        assert_int_equal(server.tcp_port, tcp_port);
        fd = e2e_connect(&server, 0x10);
        e2e_echo(fd, 1, "hello", 5);
        /* Half of the times the client closes first, half of the times the server. */
        if (i % 2)
            net_close(fd);
        child_stop(server.child);
        if (i % 2 == 0) {
            e2e_message_expect(fd, MESSAGE_GOAWAY, 0, STATUS_SHUTTING_DOWN, 0, "", 0);
            net_close(fd);
        }
        e2e_join(&server);
    }
}

static int run(const char *const *options, char *output, char *errors, size_t size)
{
    struct child *child = e2e_child(options);
    size_t used = 0;
    while (used + 1 < size && child_line(child, output + used, size - used)) {
        used += strlen(output + used);
        output[used++] = '\n';
    }
    output[used] = '\0';
    return e2e_wait(child, errors, size);
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL}, output, errors, sizeof(output))

static void a_port_in_use_is_told(void **state)
{
    (void)state;
    char output[8192], errors[8192], listen[32];
    struct e2e_server server;
    E2E_START(&server, "--workers", "2");
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", server.tcp_port);
    assert_int_equal(RUN("--listen", listen, "--workers", "2"), 1);
    assert_string_equal(output, "");
    assert_non_null(strstr(errors, listen));
    assert_non_null(strstr(errors, "--listen HOST:PORT"));
    assert_int_equal(RUN("--listen", listen, "--workers", "1"), 1);
    e2e_stop(&server);
}

static void wrong_options_are_told(void **state)
{
    (void)state;
    char output[8192], errors[8192];
    assert_int_equal(RUN("--nonsense"), 2);
    assert_non_null(strstr(errors, "unknown option --nonsense"));
    assert_non_null(strstr(errors, "--help"));
    assert_int_equal(RUN("nonsense"), 2);
    assert_int_equal(RUN("-x"), 2);
    assert_int_equal(RUN("--"), 2);
    assert_int_equal(RUN("--workers"), 2);
    assert_non_null(strstr(errors, "--workers needs N"));
    assert_int_equal(RUN("--workers", "many"), 2);
    assert_int_equal(RUN("--workers=-1"), 2);
    assert_int_equal(RUN("--backend", "kqueue"), 2);
    assert_non_null(strstr(errors, "kqueue"));
    assert_int_equal(RUN("--max-frame", "99999999999999999999"), 2);
    assert_int_equal(RUN("--max-frame", "1"), 2);
    assert_int_equal(RUN("--preface-timeout", "6 s"), 2);
    assert_int_equal(RUN("--listen", "127.0.0.1"), 2);
    assert_int_equal(RUN("--listen", "127.0.0.1:65536"), 2);
    assert_int_equal(RUN("--listen", ":9999"), 2);
    assert_int_equal(RUN("--help=yes"), 2);
    assert_string_equal(output, "");
}

static void help_and_version_are_told(void **state)
{
    (void)state;
    char output[8192], errors[8192];
    assert_int_equal(RUN("--help"), 0);
    assert_non_null(strstr(output, "--preface-timeout TIME"));
    assert_string_equal(errors, "");
    assert_int_equal(RUN("--version"), 0);
    assert_non_null(strstr(output, "cport-server "));
    assert_int_equal(RUN("--check-config"), 0);
    assert_non_null(strstr(output, "the options are good"));
    assert_int_equal(RUN("--check-config", "--config", "no/such/file"), 2);
    assert_true(strstr(errors, "no/such/file") || strstr(errors, "made without inih"));
    assert_int_equal(RUN("--print-config"), 0);
    assert_non_null(strstr(output, "\n[limits]"));
}

static void a_backend_that_is_not_there_is_told(void **state)
{
    (void)state;
    char output[8192], errors[8192];
    const char *foreign = strcmp(e2e_backend(), "iocp") == 0 ? "epoll" : "iocp";
    assert_int_equal(RUN("--listen", "127.0.0.1:0", "--backend", foreign), 1);
    assert_string_equal(output, "");
    assert_non_null(strstr(errors, "cannot open a port"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(stopping_says_goodbye),
        E2E_TEST(stopping_sends_what_is_owed),
        E2E_TEST(stopping_amid_a_long_frame),
        E2E_TEST(draining_ends),
        E2E_TEST(ports_are_free_again_at_once),
        E2E_TEST(a_port_in_use_is_told),
        E2E_TEST(wrong_options_are_told),
        E2E_TEST(help_and_version_are_told),
        E2E_TEST(a_backend_that_is_not_there_is_told),
    };
    return e2e_run("e2e_life", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
