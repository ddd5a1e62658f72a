/* cport-cli against the server: what it prints and how it exits. Its path is in the environment's CPORT_CLI. */
#include "client.h"
#include "e2e.h"

#include <stdio.h>
#include <stdlib.h>

#define RUN(status, tcp_port, ...) client_run(&outcome, status, tcp_port, CLIENT_WORDS(__VA_ARGS__))

static void echo_prints_the_reply(void **state)
{
    (void)state;
    struct outcome outcome;
    struct e2e_server server;
    E2E_START_PLAIN(&server);
    RUN(0, server.tcp_port, "echo", "hello there");
    assert_string_equal(outcome.errors, "");
    assert_string_equal(outcome.output, "hello there\n");
    RUN(0, server.tcp_port, "echo", "");
    assert_string_equal(outcome.output, "\n");
    RUN(0, server.tcp_port, "--host=localhost", "--", "echo", "--help");
    assert_string_equal(outcome.output, "--help\n");
    RUN(0, server.tcp_port, "ping");
    assert_memory_equal(outcome.output, "pong from 127.0.0.1", 19);
    RUN(0, server.tcp_port, "--json", "echo", "a \\ in it");
    assert_string_equal(outcome.output, "{\"text\": \"a \\\\ in it\"}\n");
    RUN(0, server.tcp_port, "ping", "--json");
    assert_memory_equal(outcome.output, "{\"host\": \"127.0.0.1\", \"port\": ", 30);
    assert_non_null(strstr(outcome.output, ", \"us\": "));
    e2e_stop(&server);
}

static void throughput_prints_a_rate(void **state)
{
    (void)state;
    struct outcome outcome;
    struct e2e_server server;
    E2E_START_PLAIN(&server);
    struct child *programs = client_start(server.tcp_port,
        CLIENT_WORDS("throughput", "--seconds", "1", "--connections", "2", "--json"));
    RUN(0, server.tcp_port, "throughput", "--seconds", "1", "--connections", "5", "--depth", "7",
        "--size", "100");
    assert_string_equal(outcome.errors, "");
    assert_non_null(strstr(outcome.output, "5 connections, depth 7, 100 bytes"));
    const char *messages = strchr(outcome.output, '\n');
    assert_non_null(messages);
    assert_true(strtoul(messages + 1, NULL, 10) > 0);
    assert_non_null(strstr(outcome.output, "latency us: p50 "));
    client_wait(programs, &outcome);
    assert_non_null(strstr(outcome.output, "{\"connections\": 2, \"depth\": 1, \"size\": 64, "));
    assert_non_null(strstr(outcome.output, ", \"latency_us\": {\"p50\": "));
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "accepted"), 7);
}

static void refusals_have_their_own_status(void **state)
{
    (void)state;
    struct outcome outcome;
    struct e2e_server server;
    char text[200];
    E2E_START(&server, "--max-frame", "64");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    RUN(1, server.tcp_port, "echo", text);
    assert_non_null(strstr(outcome.errors, "too long"));
    e2e_stop(&server);

    RUN(3, server.tcp_port, "echo", "nobody there");
    assert_non_null(strstr(outcome.errors, "no server there"));
    RUN(3, server.tcp_port, "throughput");
}

static void wrong_usage_has_its_own_status(void **state)
{
    (void)state;
    struct outcome outcome;
    RUN(2, 1, "echo");
    assert_non_null(strstr(outcome.errors, "cport-cli: echo takes TEXT, not 0 words"));
    assert_non_null(strstr(outcome.errors, "\nusage: cport-cli [OPTION]... echo TEXT"));
    RUN(2, 1, "echo", "two", "words", "or", "more");
    RUN(2, 1, "sing");
    assert_non_null(strstr(outcome.errors, "no command is called sing"));
    RUN(2, 1, "--loudly", "1", "ping");
    assert_non_null(strstr(outcome.errors, "no option is called --loudly"));
    RUN(2, 1, "--depth", "0", "throughput");
    assert_non_null(strstr(outcome.errors, "--depth takes 1 to 1024, not 0"));
    RUN(2, 1, "--count", "99999999999999999999", "subscribe", "news");
    RUN(2, 1, "--json=yes", "ping");
    RUN(2, 1, "ping", "--timeout");
    assert_non_null(strstr(outcome.errors, "--timeout needs a value: SECONDS"));
    RUN(2, 1, "ls", "--depth", "1");
    assert_non_null(strstr(outcome.errors, "ls takes no --depth"));
    RUN(2, 1, "--host", "", "ping");
}

static void every_command_has_its_help(void **state)
{
    (void)state;
    static const char *const names[] = {"echo", "ping", "throughput", "ls", "mkdir", "rmdir", "rm",
        "upload", "download", "cat", "put", "clients", "stats", "kick", "log", "publish",
        "subscribe", "chat"};
    struct outcome all, outcome;
    char text[64];
    client_run(&all, 0, 1, CLIENT_WORDS("--help"));
    assert_memory_equal(all.output, "usage: cport-cli", 16);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(text, sizeof(text), "\n  %s ", names[i]);
        assert_non_null(strstr(all.output, text));
        RUN(0, 1, names[i], "--help");
        snprintf(text, sizeof(text), "usage: cport-cli [OPTION]... %s", names[i]);
        assert_memory_equal(outcome.output, text, strlen(text));
        assert_non_null(strstr(outcome.output, "\nWith --json it prints\n"));
    }
    RUN(0, 1, "upload", "--help");
    assert_non_null(strstr(outcome.output, "\n  --verify "));
}

int main(int argc, char **argv)
{
    if (!getenv("CPORT_CLI")) {
        fputs("CPORT_CLI must hold the path of cport-cli\n", stderr);
        return 2;
    }
    const struct CMUnitTest tests[] = {
        E2E_TEST(echo_prints_the_reply),
        E2E_TEST(throughput_prints_a_rate),
        E2E_TEST(refusals_have_their_own_status),
        E2E_TEST(wrong_usage_has_its_own_status),
        E2E_TEST(every_command_has_its_help),
    };
    return e2e_run("e2e_client", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
