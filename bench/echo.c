/*
 * The echo benchmark. A round of one server is: start it on its core, connect, warm up, measure, stop it. Every round is a new
 * process, so that an unlucky layout of memory is one round's and not the median's; and all servers take their first
 * round before any takes its second, so that a machine that drifts drifts under all of them.
 */
#include "client.h"
#include "commands.h"
#include "options.h"
#include "report.h"

#include <string.h>

#define REPEATS_MAX   5
#define TIMED_METRICS ((1u << METRIC_INSTRUCTIONS) - 1)

struct workload {
    const char *handlers; /* NULL: of an echo */
    unsigned connections;
    unsigned message_bytes;
    unsigned depth;
};

/* The server's clocks around the measured window: ends minus beginnings. */
struct window {
    const struct options *options;
    const struct server *server;
    int64_t server_cpu_ns;
    int64_t busy_ns;
};

static int on_window(void *context, bool is_open)
{
    struct window *w = context;
    int64_t cpu_ns, busy_ns;
    if (sys_process_cpu_ns(&w->server->process, &cpu_ns) != 0 ||
        sys_cores_busy_ns(w->options->server_core, w->options->client_core, &busy_ns) != 0)
        return -1;
    w->server_cpu_ns = is_open ? cpu_ns : cpu_ns - w->server_cpu_ns;
    w->busy_ns = is_open ? busy_ns : busy_ns - w->busy_ns;
    return 0;
}

static void store_round(
    struct report_row *row, const struct window *w, const struct client_result *c, bool is_counted)
{
    double messages = (double)c->messages, elapsed_ns = (double)c->elapsed_ns;
    double foreign_ns = (double)(w->busy_ns - w->server_cpu_ns - c->cpu_ns);
    double values[METRIC_COUNT] = {
        [METRIC_RATE] = messages * 1e9 / elapsed_ns,
        [METRIC_P50] = (double)hist_quantile(&c->latency_ns, 0.5),
        [METRIC_P99] = (double)hist_quantile(&c->latency_ns, 0.99),
        [METRIC_P999] = (double)hist_quantile(&c->latency_ns, 0.999),
        [METRIC_SERVER_CPU] = (double)w->server_cpu_ns / messages,
        [METRIC_CLIENT_CPU] = (double)c->cpu_ns / messages,
        /* The system's clock ticks coarsely, so a quiet round may come out below zero. */
        [METRIC_FOREIGN] = foreign_ns > 0 ? foreign_ns / elapsed_ns : 0,
    };
    row->metrics = TIMED_METRICS;
    if (!sys_tells_process_cpu())
        row->metrics &= ~(1u << METRIC_SERVER_CPU | 1u << METRIC_FOREIGN);
    if (is_counted)
        row->metrics &=
            ~(1u << METRIC_FOREIGN); /* such a round is shorter than a tick of that clock */
    for (unsigned m = 0; m < METRIC_INSTRUCTIONS; m++)
        row->values[m][row->rounds] = values[m];
}

/* Writes the values of the row's next round without counting it. */
static int measure(const struct options *o, const struct workload *load, const struct peer *peer,
    struct report_row *row)
{
    static struct client_result result; /* too large for a stack */
    struct server server;
    struct window window = {.options = o, .server = &server};
    struct client_options client = {.transport = o->transport,
        .connections = load->connections,
        .depth = load->depth,
        .message_bytes = load->message_bytes,
        .warmup_ns = (int64_t)(o->warmup_seconds * 1e9),
        .measure_ns = (int64_t)(o->seconds * 1e9),
        .messages_per_connection = (o->messages + load->connections - 1) / load->connections,
        .verify = o->verify,
        .on_window = on_window,
        .context = &window};

    if (server_start(peer, NULL, load->handlers, o->server_core, &server) != 0)
        return -1;
    client.port = server.port;
    int status = client_run(&client, &result);
    if (status == 0)
        status = server_wait(&server);
    else
        server_kill(&server);
    if (status == 0 && result.messages == 0) {
        fprintf(stderr, "no message came back within the round: --seconds is too short\n");
        status = -1;
    }
    if (status != 0) {
        fprintf(stderr, "%s failed\n", peer->name);
        return -1;
    }
    snprintf(row->engine, sizeof row->engine, "%s", server.engine);
    snprintf(row->remark, sizeof row->remark, "%s", server.remark);
    store_round(row, &window, &result, o->messages > 0);
    return 0;
}

static int measure_round(const struct options *o, const struct workload *load,
    const struct peer *peer, struct report_row *row)
{
    for (unsigned repeat = 0;; repeat++) {
        if (measure(o, load, peer, row) != 0)
            return -1;
        bool is_told = o->foreign_max > 0 && (row->metrics & 1u << METRIC_FOREIGN) != 0;
        bool is_quiet = !is_told || row->values[METRIC_FOREIGN][row->rounds] <= o->foreign_max;
        if (is_quiet || repeat == REPEATS_MAX)
            break;
        row->repeated++;
    }
    row->rounds++;
    return 0;
}

static int run_workload(const struct options *o, const struct workload *load, struct report *report)
{
    unsigned first = report->row_count;
    for (unsigned p = 0; p < o->peer_count; p++) {
        struct report_row *row = report_add_row(report);
        if (row == NULL)
            return -1;
        snprintf(row->peer, sizeof row->peer, "%s", o->peers[p]->name);
        snprintf(row->handlers, sizeof row->handlers, "%s",
            load->handlers != NULL ? load->handlers : "");
        row->connections = load->connections;
        row->message_bytes = load->message_bytes;
        row->depth = load->depth;
    }
    for (unsigned round = 0; round < o->rounds; round++) {
        for (unsigned p = 0; p < o->peer_count; p++) {
            if (measure_round(o, load, o->peers[p], &report->rows[first + p]) != 0)
                return -1;
        }
    }
    report_print_workload(report, 1, &report->rows[first], stdout);
    fflush(stdout);
    return 0;
}

static int run_all(const struct options *o, const char *handlers, struct report *report)
{
    for (unsigned c = 0; c < o->connections.count; c++) {
        for (unsigned s = 0; s < o->message_bytes.count; s++) {
            for (unsigned d = 0; d < o->depths.count; d++) {
                struct workload load = {handlers, o->connections.values[c],
                    o->message_bytes.values[s], o->depths.values[d]};
                if (run_workload(o, &load, report) != 0)
                    return -1;
                /* After each workload: a run takes minutes, and what is measured is kept. */
                if (o->json != NULL && report_write(report, o->json) != 0)
                    return -1;
            }
        }
    }
    return 0;
}

static int begin(const struct options *o, const char *name, struct report *ret_report)
{
    report_start(ret_report, name); /* before pinning: it counts the processors */
    if (sys_pin_self(o->client_core) != 0)
        return -1;
    client_describe(o->transport, ret_report->client, sizeof ret_report->client);
    ret_report->seconds = o->messages > 0 ? 0 : o->seconds;
    ret_report->warmup_seconds = o->messages > 0 ? 0 : o->warmup_seconds;
    ret_report->messages = o->messages;
    ret_report->foreign_max = o->foreign_max;
    ret_report->server_core = o->server_core;
    ret_report->client_core = o->client_core;
    ret_report->verify = o->verify;
    printf("%s on ", name);
    report_print_system(ret_report, stdout);
    printf("; commit %s; client %s; %u rounds, median [min-max]\n", ret_report->commit,
        ret_report->client, o->rounds);
    return 0;
}

int command_echo(int argc, char **argv)
{
    struct options o = {.connections = {2, {32, 256}},
        .message_bytes = {2, {64, 1024}},
        .depths = {2, {1, 16}},
        .rounds = 5,
        .seconds = 2,
        .warmup_seconds = 0.5,
        .server_core = 0,
        .client_core = 1};
    struct report report;

    if (options_parse(argc, argv, &o) != 0)
        return 2;
    if (begin(&o, "echo", &report) != 0)
        return 1;
    int status = run_all(&o, NULL, &report);
    report_free(&report);
    return status == 0 ? 0 : 1;
}

int command_blocked(int argc, char **argv)
{
    static const char *const handlers[] = {"none", "sleep", "burn"};
    struct options o = {.has_handlers = true,
        .connections = {1, {32}},
        .message_bytes = {1, {64}},
        .depths = {1, {1}},
        .rounds = 5,
        .seconds = 2,
        .warmup_seconds = 0.5,
        .server_core = 0,
        .client_core = 1};
    struct report report;
    int status = 0;

    if (options_parse(argc, argv, &o) != 0)
        return 2;
    if (begin(&o, "blocked", &report) != 0)
        return 1;
    for (unsigned i = 0; status == 0 && i < sizeof handlers / sizeof *handlers; i++) {
        if (o.handlers == NULL || strcmp(o.handlers, handlers[i]) == 0)
            status = run_all(&o, handlers[i], &report);
    }
    report_free(&report);
    return status == 0 ? 0 : 1;
}
