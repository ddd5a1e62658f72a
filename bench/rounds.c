#include "rounds.h"

#include "client.h"

#define REPEATS_MAX 5

int rounds_begin(const struct options *o, const char *name, struct report *ret_report)
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

static int measure_round(const struct options *o, const struct peer *peer, rounds_measure *measure,
    void *context, struct report_row *row)
{
    for (unsigned repeat = 0;; repeat++) {
        if (measure(context, peer, row) != 0)
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

int rounds_run(const struct options *o, const struct report_row *like, rounds_measure *measure,
    void *context, struct report *report)
{
    unsigned first = report->row_count;
    for (unsigned p = 0; p < o->peer_count; p++) {
        struct report_row *row = report_add_row(report);
        if (row == NULL)
            return -1;
        *row = *like;
        snprintf(row->peer, sizeof row->peer, "%s", o->peers[p]->name);
    }
    for (unsigned round = 0; round < o->rounds; round++) {
        for (unsigned p = 0; p < o->peer_count; p++) {
            if (measure_round(o, o->peers[p], measure, context, &report->rows[first + p]) != 0)
                return -1;
        }
    }
    report_print_workload(report, 1, &report->rows[first], stdout);
    fflush(stdout);
    return o->json != NULL ? report_write(report, o->json) : 0;
}

int window_mark(struct window *w, bool is_open)
{
    int64_t cpu_ns, busy_ns;
    if (sys_process_cpu_ns(&w->server->process, &cpu_ns) != 0 ||
        sys_cores_busy_ns(w->options->server_core, w->options->client_core, &busy_ns) != 0)
        return -1;
    w->server_cpu_ns = is_open ? cpu_ns : cpu_ns - w->server_cpu_ns;
    w->busy_ns = is_open ? busy_ns : busy_ns - w->busy_ns;
    return 0;
}

void window_store(const struct window *w, uint64_t messages, int64_t elapsed_ns,
    int64_t client_cpu_ns, struct report_row *row)
{
    double count = (double)messages, elapsed = (double)elapsed_ns;
    double foreign_ns = (double)(w->busy_ns - w->server_cpu_ns - client_cpu_ns);
    unsigned n = row->rounds;
    row->values[METRIC_RATE][n] = count * 1e9 / elapsed;
    row->values[METRIC_CLIENT_CPU][n] = (double)client_cpu_ns / count;
    row->metrics |= 1u << METRIC_RATE | 1u << METRIC_CLIENT_CPU;
    if (!sys_tells_process_cpu())
        return;
    row->values[METRIC_SERVER_CPU][n] = (double)w->server_cpu_ns / count;
    /* The system's clock ticks coarsely, so a quiet round may come out below zero. */
    row->values[METRIC_FOREIGN][n] = foreign_ns > 0 ? foreign_ns / elapsed : 0;
    row->metrics |= 1u << METRIC_SERVER_CPU | 1u << METRIC_FOREIGN;
}
