/*
 * What needs no client: timers, packets from thread to thread, and datagrams between two sockets. Each peer is a program that measures itself; it says "ready" as
 * the servers do, then a line for each figure, the metric's key and its value, then "end". A round of one peer is one process, and
 * rounds are interleaved as those of the echo are.
 */
#include "commands.h"
#include "options.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

static const struct peer timer_peers[] = {
    {"cport-uring", "timer-cport-uring", NULL, true, false},
    {"cport-epoll", "timer-cport-epoll", NULL, true, false},
    {"raw-wheel", "timer-raw", NULL, true, false},
    {"libev", "timer-libev", NULL, true, false},
    {"libevent", "timer-libevent", NULL, true, false},
    {"libuv", "timer-libuv", NULL, true, false},
    {"asio", "timer-asio", NULL, true, false},
    {NULL, NULL, NULL, false, false},
};

static const struct peer post_peers[] = {
    {"cport-uring", "post-cport-uring", NULL, true, false},
    {"cport-epoll", "post-cport-epoll", NULL, true, false},
    {"cport-epoll-shared", "post-cport-epoll", "shared", true, false},
    {"raw-eventfd", "post-raw", NULL, true, false},
    {"mutex-condition", "post-mutex", NULL, true, false},
    {"libuv", "post-libuv", NULL, true, false},
    {"libevent", "post-libevent", NULL, true, false},
    {"asio", "post-asio", NULL, true, false},
    {NULL, NULL, NULL, false, false},
};

static const struct peer udp_peers[] = {
    {"cport-uring", "udp-cport-uring", NULL, true, false},
    {"cport-epoll", "udp-cport-epoll", NULL, true, false},
    {"raw-epoll-mmsg", "udp-raw-epoll", NULL, true, false},
    {"raw-io_uring", "udp-raw-io_uring", NULL, true, false},
    {"libuv", "udp-libuv", NULL, true, false},
    {"asio", "udp-asio", NULL, true, false},
    {NULL, NULL, NULL, false, false},
};

/* A line of a peer: its figure goes into the row's next round. */
static int take_figure(char *line, struct report_row *row)
{
    char *tab = strchr(line, '\t');
    if (tab == NULL)
        return -1;
    *tab = '\0';
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if (strcmp(metric_table[m].key, line) == 0) {
            row->values[m][row->rounds] = strtod(tab + 1, NULL);
            row->metrics |= 1u << m;
            return 0;
        }
    }
    return -1;
}

static int measure(const struct peer *peer, const char *how, int core, struct report_row *row)
{
    struct server s;
    char line[256];
    if (server_start(peer, NULL, how, core, &s) != 0)
        return -1;
    snprintf(row->engine, sizeof row->engine, "%s", s.engine);
    snprintf(row->remark, sizeof row->remark, "%s", s.remark);
    int status;
    while ((status = sys_process_read_line(&s.process, line, sizeof line)) == 0 &&
           strcmp(line, "end") != 0) {
        if (take_figure(line, row) != 0) {
            status = -1;
            break;
        }
    }
    if (status != 0)
        server_kill(&s);
    else
        status = server_wait(&s);
    if (status != 0)
        fprintf(stderr, "%s failed\n", peer->name);
    row->rounds++;
    return status;
}

/* how: the programs' second argument; core -1: they choose. */
static int run_subject(
    const struct options *o, const char *subject, const char *how, int core, struct report *report)
{
    unsigned first = report->row_count;
    for (unsigned p = 0; p < o->peer_count; p++) {
        struct report_row *row = report_add_row(report);
        if (row == NULL)
            return -1;
        snprintf(row->peer, sizeof row->peer, "%s", o->peers[p]->name);
        snprintf(row->subject, sizeof row->subject, "%s", subject);
    }
    for (unsigned round = 0; round < o->rounds; round++) {
        for (unsigned p = 0; p < o->peer_count; p++) {
            if (measure(o->peers[p], how, core, &report->rows[first + p]) != 0)
                return -1;
        }
    }
    report_print_workload(report, 1, &report->rows[first], stdout);
    fflush(stdout);
    return o->json != NULL ? report_write(report, o->json) : 0;
}

static void begin(const struct options *o, const char *name, struct report *ret_report)
{
    report_start(ret_report, name);
    snprintf(ret_report->client, sizeof ret_report->client, "none");
    ret_report->messages = o->messages;
    ret_report->server_core = o->server_core;
    ret_report->client_core = o->client_core;
    printf("%s on ", name);
    report_print_system(ret_report, stdout);
    printf("; commit %s; %u rounds, median [min-max]\n", ret_report->commit, o->rounds);
}

int command_timer(int argc, char **argv)
{
    struct options o = {.table = timer_peers, .rounds = 5, .messages = 100000};
    struct report report;
    char subject[64], how[32];
    if (options_parse(argc, argv, &o) != 0)
        return 2;
    begin(&o, "timer", &report);
    snprintf(subject, sizeof subject, "1 of %u timers", o.messages);
    snprintf(how, sizeof how, "%u", o.messages);
    int status = run_subject(&o, subject, how, o.server_core, &report);
    report_free(&report);
    return status == 0 ? 0 : 1;
}

/* "KIND,MESSAGES,CORE,CORE" */
static int run_posts(const struct options *o, const char *kind, const char *subject,
    unsigned messages, int from, int to, struct report *report)
{
    char how[64];
    snprintf(how, sizeof how, "%s,%u,%d,%d", kind, messages, from, to);
    return run_subject(o, subject, how, -1, report);
}

int command_post(int argc, char **argv)
{
    struct options o = {
        .table = post_peers, .rounds = 5, .messages = 1000000, .server_core = 0, .client_core = 1};
    struct report report;
    if (options_parse(argc, argv, &o) != 0)
        return 2;
    begin(&o, "post", &report);
    unsigned turns = o.messages / 20 + 1;
    int status = run_posts(&o, "stream", "one producer, from core to core", o.messages,
        o.client_core, o.server_core, &report);
    if (status == 0)
        status = run_posts(&o, "turns", "there and back, from core to core", turns, o.client_core,
            o.server_core, &report);
    if (status == 0)
        status = run_posts(&o, "turns", "there and back, on one core", turns, o.server_core,
            o.server_core, &report);
    report_free(&report);
    return status == 0 ? 0 : 1;
}

/* "KIND,DATAGRAMS,BYTES" */
static int run_datagrams(const struct options *o, unsigned bytes, struct report *report)
{
    char subject[64], how[64];
    snprintf(subject, sizeof subject, "one way, %u bytes", bytes);
    snprintf(how, sizeof how, "burst,%u,%u", o->messages, bytes);
    int status = run_subject(o, subject, how, o->server_core, report);
    if (status != 0)
        return status;
    snprintf(subject, sizeof subject, "there and back, %u bytes", bytes);
    snprintf(how, sizeof how, "turns,%u,%u", o->messages, bytes);
    return run_subject(o, subject, how, o->server_core, report);
}

int command_udp(int argc, char **argv)
{
    struct options o = {
        .table = udp_peers, .rounds = 5, .messages = 500000, .message_bytes = {2, {64, 1400}}};
    struct report report;
    if (options_parse(argc, argv, &o) != 0)
        return 2;
    begin(&o, "udp", &report);
    int status = 0;
    for (unsigned i = 0; i < o.message_bytes.count && status == 0; i++)
        status = run_datagrams(&o, o.message_bytes.values[i], &report);
    report_free(&report);
    return status == 0 ? 0 : 1;
}
