/*
 * The echo benchmark, and what is one but for the heads around its messages. A round of one server is: start it on its core,
 * connect, warm up, measure, stop it. Every round is a new process, so that an unlucky layout of memory is one round's and not the
 * median's.
 */
#include "client.h"
#include "commands.h"
#include "rounds.h"

#include <string.h>

struct workload {
    const struct options *options;
    bool is_framed;       /* the servers are spoken to as dialogue.h says */
    const char *handlers; /* NULL: of an echo */
    unsigned connections;
    unsigned message_bytes;
    unsigned depth;
};

static int on_window(void *context, bool is_open)
{
    return window_mark(context, is_open);
}

static void store_round(
    struct report_row *row, const struct window *w, const struct client_result *c, bool is_counted)
{
    const double quantiles[] = {[METRIC_P50] = 0.5, [METRIC_P99] = 0.99, [METRIC_P999] = 0.999};
    row->metrics = 1u << METRIC_P50 | 1u << METRIC_P99 | 1u << METRIC_P999;
    for (unsigned m = METRIC_P50; m <= METRIC_P999; m++)
        row->values[m][row->rounds] = (double)hist_quantile(&c->latency_ns, quantiles[m]);
    window_store(w, c->messages, c->elapsed_ns, c->cpu_ns, row);
    if (is_counted)
        row->metrics &=
            ~(1u << METRIC_FOREIGN); /* such a round is shorter than a tick of that clock */
}

static int measure(void *context, const struct peer *peer, struct report_row *row)
{
    const struct workload *load = context;
    const struct options *o = load->options;
    static struct client_result result; /* too large for a stack */
    struct server server;
    struct dialogue dialogue = {.parse = NULL};
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

    if (load->is_framed && dialogue_open(peer, load->message_bytes, &dialogue) != 0)
        return -1;
    if (load->is_framed)
        client.dialogue = &dialogue;
    if (server_start(peer, NULL, load->handlers, o->server_core, &server) != 0) {
        dialogue_close(&dialogue);
        return -1;
    }
    client.port = server.port;
    int status = client_run(&client, &result);
    dialogue_close(&dialogue);
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

static int run_workload(struct workload *load, struct report *report)
{
    struct report_row like = {.connections = load->connections,
        .message_bytes = load->message_bytes,
        .depth = load->depth};
    snprintf(
        like.handlers, sizeof like.handlers, "%s", load->handlers != NULL ? load->handlers : "");
    return rounds_run(load->options, &like, measure, load, report);
}

static int run_all(
    const struct options *o, bool is_framed, const char *handlers, struct report *report)
{
    for (unsigned c = 0; c < o->connections.count; c++) {
        for (unsigned s = 0; s < o->message_bytes.count; s++) {
            for (unsigned d = 0; d < o->depths.count; d++) {
                struct workload load = {o, is_framed, handlers, o->connections.values[c],
                    o->message_bytes.values[s], o->depths.values[d]};
                if (run_workload(&load, report) != 0)
                    return -1;
            }
        }
    }
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
    if (rounds_begin(&o, "echo", &report) != 0)
        return 1;
    int status = run_all(&o, false, NULL, &report);
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
    if (rounds_begin(&o, "blocked", &report) != 0)
        return 1;
    for (unsigned i = 0; status == 0 && i < sizeof handlers / sizeof *handlers; i++) {
        if (o.handlers == NULL || strcmp(o.handlers, handlers[i]) == 0)
            status = run_all(&o, false, handlers[i], &report);
    }
    report_free(&report);
    return status == 0 ? 0 : 1;
}

int command_framed(int argc, char **argv)
{
    static const struct peer servers[] = {
        {"cport-server-uring", "cport-server", "io_uring", true, false},
        {"cport-server-epoll", "cport-server", "epoll", true, false},
        {"cport-server-iocp", "cport-server", "iocp", true, false},
        {"cport-server-throughput", "cport-server", "epoll", false, false},
        {"raw-epoll", "peer-message-raw-epoll", NULL, true, false},
        {"raw-io_uring", "peer-message-raw-io_uring", NULL, true, false},
        {"libuv", "peer-message-libuv", NULL, true, false},
        {"asio", "peer-message-asio", NULL, true, false},
        {"redis", "redis-server", NULL, true, false},
        {NULL, NULL, NULL, false, false},
    };
    struct options o = {.table = servers,
        .connections = {1, {32}},
        .message_bytes = {1, {64}},
        .depths = {1, {16}},
        .keeps_workloads = true,
        .rounds = 5,
        .seconds = 2,
        .warmup_seconds = 0.5,
        .server_core = 0,
        .client_core = 1};
    struct report report;

    if (options_parse(argc, argv, &o) != 0)
        return 2;
    if (rounds_begin(&o, "framed", &report) != 0)
        return 1;
    int status = run_all(&o, true, NULL, &report);
    report_free(&report);
    return status == 0 ? 0 : 1;
}
