/*
 * User-space instructions per echoed message: what a server and its library do themselves, the kernel left out. Each server
 * runs under callgrind twice, for few and for many messages; the difference of the totals over the difference of the messages
 * is free of start-up, connecting and shutting down.
 *
 * The servers end by themselves when the last connection has closed. They have to: valgrind holds signals back during
 * io_uring_enter, and a server that waits there would never see one.
 */
#include "client.h"
#include "commands.h"
#include "options.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

#define FEW_PER_CONNECTION  50
#define MANY_PER_CONNECTION 250
#define PATH_BYTES          512

/* The line "totals: N" of callgrind's output. */
static int read_total(const char *path, double *ret_total)
{
    static const char name[] = "totals:";
    char line[512];
    int status = -1;
    FILE *in = fopen(path, "r");
    while (in != NULL && status != 0 && fgets(line, sizeof line, in) != NULL) {
        if (strncmp(line, name, sizeof name - 1) == 0) {
            *ret_total = strtod(line + sizeof name - 1, NULL);
            status = 0;
        }
    }
    if (in != NULL)
        fclose(in);
    if (status != 0)
        fprintf(stderr, "callgrind left no total\n");
    return status;
}

static int count_instructions(const struct options *o, const struct peer *peer,
    uint64_t per_connection, struct report_row *row, double *ret_total)
{
    static struct client_result result; /* too large for a stack */
    char path[PATH_BYTES], output[PATH_BYTES + 32];
    struct server server;
    struct client_options client = {.transport = o->transport,
        .connections = row->connections,
        .depth = row->depth,
        .message_bytes = row->message_bytes,
        .messages_per_connection = per_connection,
        .verify = true};

    if (sys_temporary_file(path, sizeof path) != 0)
        return -1;
    snprintf(output, sizeof output, "--callgrind-out-file=%s", path);
    const char *prefix[] = {"valgrind", "-q", "--tool=callgrind", output, NULL};
    int status = server_start(peer, prefix, NULL, o->server_core, &server);
    if (status == 0) {
        client.port = server.port;
        status = client_run(&client, &result);
        if (status == 0)
            status = server_wait(&server);
        else
            server_kill(&server);
        snprintf(row->engine, sizeof row->engine, "%s", server.engine);
        snprintf(row->remark, sizeof row->remark, "%s", server.remark);
    }
    if (status == 0)
        status = read_total(path, ret_total);
    remove(path);
    if (status != 0)
        fprintf(stderr, "%s failed\n", peer->name);
    return status;
}

static int run_round(const struct options *o, const struct peer *peer, struct report_row *row)
{
    double few, many;
    if (count_instructions(o, peer, FEW_PER_CONNECTION, row, &few) != 0 ||
        count_instructions(o, peer, MANY_PER_CONNECTION, row, &many) != 0)
        return -1;
    double messages = (double)row->connections * (MANY_PER_CONNECTION - FEW_PER_CONNECTION);
    row->values[METRIC_INSTRUCTIONS][row->rounds] = (many - few) / messages;
    row->metrics = 1u << METRIC_INSTRUCTIONS;
    row->rounds++;
    return 0;
}

static int run_workload(const struct options *o, unsigned connections, unsigned message_bytes,
    unsigned depth, struct report *report)
{
    unsigned first = report->row_count;
    for (unsigned p = 0; p < o->peer_count; p++) {
        struct report_row *row = report_add_row(report);
        if (row == NULL)
            return -1;
        snprintf(row->peer, sizeof row->peer, "%s", o->peers[p]->name);
        row->connections = connections;
        row->message_bytes = message_bytes;
        row->depth = depth;
        for (unsigned round = 0; round < o->rounds; round++) {
            if (run_round(o, o->peers[p], row) != 0)
                return -1;
        }
    }
    report_print_workload(report, 1, &report->rows[first], stdout);
    fflush(stdout);
    return 0;
}

static int run_all(const struct options *o, struct report *report)
{
    for (unsigned c = 0; c < o->connections.count; c++) {
        for (unsigned s = 0; s < o->message_bytes.count; s++) {
            for (unsigned d = 0; d < o->depths.count; d++) {
                if (run_workload(o, o->connections.values[c], o->message_bytes.values[s],
                        o->depths.values[d], report) != 0)
                    return -1;
            }
        }
    }
    return o->json != NULL ? report_write(report, o->json) : 0;
}

int command_instructions(int argc, char **argv)
{
    struct options o = {.connections = {1, {32}},
        .message_bytes = {1, {64}},
        .depths = {2, {1, 16}},
        .rounds = 3,
        .server_core = 0,
        .client_core = 1};
    struct report report;

    if (options_parse(argc, argv, &o) != 0)
        return 2;
    report_start(&report, "instructions"); /* before pinning: it counts the processors */
    if (sys_pin_self(o.client_core) != 0)
        return 1;
    client_describe(o.transport, report.client, sizeof report.client);
    report.server_core = o.server_core;
    report.client_core = o.client_core;
    report.verify = true;
    int status = run_all(&o, &report);
    report_free(&report);
    return status == 0 ? 0 : 1;
}
