/* cport-cli against the server: what it prints and how it exits. Its path is in the environment's CPORT_CLI. */
#include "e2e.h"

#include <stdio.h>
#include <stdlib.h>

struct outcome {
    int status;
    char output[1024]; /* lines, each ended by \n */
    char errors[4096];
};

static void run(struct outcome *outcome, uint16_t tcp_port, const char *const *words)
{
    char number[8];
    const char *argv[16] = {getenv("CPORT_CLI"), "--port", number};
    size_t count = 3, used = 0;
    snprintf(number, sizeof(number), "%u", tcp_port);
    for (; *words; words++)
        argv[count++] = *words;
    struct child *child = child_start(argv);
    assert_non_null(child);
    while (used + 1 < sizeof(outcome->output) &&
           child_line(child, outcome->output + used, sizeof(outcome->output) - used - 1)) {
        used += strlen(outcome->output + used);
        outcome->output[used++] = '\n';
    }
    outcome->output[used] = '\0';
    outcome->status = child_wait(child, outcome->errors, sizeof(outcome->errors));
}
#define RUN(outcome, tcp_port, ...) run(outcome, tcp_port, (const char *const[]){__VA_ARGS__, NULL})

static void echo_prints_the_reply(void **state)
{
    (void)state;
    struct outcome outcome;
    struct e2e_server server;
    E2E_START_PLAIN(&server);
    RUN(&outcome, server.tcp_port, "echo", "hello there");
    assert_string_equal(outcome.errors, "");
    assert_string_equal(outcome.output, "hello there\n");
    assert_int_equal(outcome.status, 0);
    RUN(&outcome, server.tcp_port, "echo", "");
    assert_string_equal(outcome.output, "\n");
    RUN(&outcome, server.tcp_port, "--host=localhost", "--", "echo", "--help");
    assert_string_equal(outcome.output, "--help\n");
    RUN(&outcome, server.tcp_port, "ping");
    assert_int_equal(outcome.status, 0);
    assert_memory_equal(outcome.output, "pong from 127.0.0.1", 19);
    e2e_stop(&server);
}

static void throughput_prints_a_rate(void **state)
{
    (void)state;
    struct outcome outcome;
    struct e2e_server server;
    E2E_START_PLAIN(&server);
    RUN(&outcome, server.tcp_port, "throughput", "--seconds", "1", "--connections", "5", "--depth",
        "7", "--size", "100");
    assert_string_equal(outcome.errors, "");
    assert_int_equal(outcome.status, 0);
    assert_non_null(strstr(outcome.output, "5 connections, depth 7, 100 bytes"));
    const char *messages = strchr(outcome.output, '\n');
    assert_non_null(messages);
    assert_true(strtoul(messages + 1, NULL, 10) > 0);
    assert_non_null(strstr(outcome.output, "latency us: p50 "));
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "accepted"), 5);
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
    RUN(&outcome, server.tcp_port, "echo", text);
    assert_int_equal(outcome.status, 1);
    assert_non_null(strstr(outcome.errors, "too long"));
    e2e_stop(&server);

    RUN(&outcome, server.tcp_port, "echo", "nobody there");
    assert_int_equal(outcome.status, 3);
    assert_non_null(strstr(outcome.errors, "no server there"));
    RUN(&outcome, server.tcp_port, "throughput");
    assert_int_equal(outcome.status, 3);
}

static void wrong_usage_has_its_own_status(void **state)
{
    (void)state;
    struct outcome outcome;
    RUN(&outcome, 1, "echo");
    assert_int_equal(outcome.status, 2);
    assert_non_null(strstr(outcome.errors, "usage: cport-cli"));
    RUN(&outcome, 1, "echo", "two", "words");
    assert_int_equal(outcome.status, 2);
    RUN(&outcome, 1, "sing");
    assert_int_equal(outcome.status, 2);
    RUN(&outcome, 1, "--loudly", "1", "ping");
    assert_int_equal(outcome.status, 2);
    RUN(&outcome, 1, "--depth", "0", "throughput");
    assert_int_equal(outcome.status, 2);
    RUN(&outcome, 1, "ping", "--timeout");
    assert_int_equal(outcome.status, 2);
    RUN(&outcome, 1, "--host", "no.such.host", "ping");
    assert_int_equal(outcome.status, 2);
    RUN(&outcome, 1, "--help");
    assert_int_equal(outcome.status, 0);
    assert_non_null(strstr(outcome.output, "usage: cport-cli"));
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
    };
    return e2e_run("e2e_client", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
