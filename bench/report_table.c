#include "report.h"

#include <string.h>

#define CELL_BYTES        64
#define LABEL_COLUMNS     26
#define FOREIGN_TOLERATED 0.1

static bool is_same_workload(const struct report_row *a, const struct report_row *b)
{
    return a->connections == b->connections && a->message_bytes == b->message_bytes &&
           a->depth == b->depth && strcmp(a->handlers, b->handlers) == 0 &&
           strcmp(a->mode, b->mode) == 0 && strcmp(a->subject, b->subject) == 0 &&
           ((a->metrics ^ b->metrics) & 1u << METRIC_INSTRUCTIONS) == 0;
}

static bool has_metric(const struct report_row *row, unsigned metric)
{
    return row->rounds > 0 && (row->metrics & 1u << metric) != 0;
}

/* What a row is judged by: the first of these that it has. */
static unsigned cost_metric(const struct report_row *row)
{
    static const unsigned costs[] = {METRIC_INSTRUCTIONS, METRIC_SERVER_CPU, METRIC_REARM,
        METRIC_POST_CPU, METRIC_TURN_P50, METRIC_DOWNLOAD_CPU, METRIC_CONNECTION_CPU,
        METRIC_CONNECTION_BYTES};
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        if (has_metric(row, costs[i]))
            return costs[i];
    }
    return METRIC_SERVER_CPU;
}

/* 0 when the system did not tell. */
static double cost_of(const struct report_row *row)
{
    unsigned metric = cost_metric(row);
    return has_metric(row, metric) ? summary_of(row->values[metric], row->rounds).median : 0;
}

/* The cheaper of the loops without a library in the same run; 0 when the run has none. */
static double best_raw_cost(const struct report *r, const struct report_row *like)
{
    double best = 0;
    for (unsigned i = 0; i < r->row_count; i++) {
        const struct report_row *row = &r->rows[i];
        if (!is_same_workload(row, like) || strncmp(row->peer, "raw-", 4) != 0)
            continue;
        double cost = cost_of(row);
        if (best == 0 || (cost > 0 && cost < best))
            best = cost;
    }
    return best;
}

static void print_metric(const struct report_row *row, unsigned metric, FILE *out)
{
    const struct metric_info *info = &metric_table[metric];
    struct summary s = summary_of(row->values[metric], row->rounds);
    char cell[CELL_BYTES];
    int n = snprintf(cell, sizeof cell, "%.*f", info->decimals, s.median * info->scale);
    if (info->has_range && row->rounds > 1)
        snprintf(cell + n, sizeof cell - (size_t)n, " [%.*f-%.*f]", info->decimals,
            s.min * info->scale, info->decimals, s.max * info->scale);
    fprintf(out, " %*s", info->has_range ? 24 : 13, cell);
}

/* Bit 1 << metric: those that any row of the workload has. Systems differ in what they tell. */
static unsigned metrics_of_workload(
    const struct report *reports, unsigned count, const struct report_row *like)
{
    unsigned metrics = 0;
    for (unsigned n = 0; n < count; n++) {
        for (unsigned i = 0; i < reports[n].row_count; i++) {
            const struct report_row *row = &reports[n].rows[i];
            if (is_same_workload(row, like) && row->rounds > 0)
                metrics |= row->metrics;
        }
    }
    return metrics;
}

static void print_heading(
    const struct report_row *like, unsigned metrics, bool has_label, FILE *out)
{
    if (like->mode[0] != '\0')
        fprintf(out, "\nreads, %s, %u B, depth %u (a message is a block)", like->mode,
            like->message_bytes, like->depth);
    else if (like->subject[0] != '\0')
        fprintf(out, "\n%s", like->subject);
    else
        fprintf(out, "\n%u connections, %u B, depth %u", like->connections, like->message_bytes,
            like->depth);
    if (like->handlers[0] != '\0')
        fprintf(out, ", handlers: %s", like->handlers);
    fputc('\n', out);
    if (has_label)
        fprintf(out, "%-*s", LABEL_COLUMNS, "run");
    fprintf(out, "%-24s", "server");
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if ((metrics & 1u << m) != 0)
            fprintf(out, " %*s", metric_table[m].has_range ? 24 : 13, metric_table[m].title);
    }
    fprintf(out, " %9s\n", "x raw");
}

/* The run's number, and on what: who compares systems must not have to look up which run was which. */
static void print_label(const struct report *r, unsigned number, FILE *out)
{
    const struct sys_facts *f = &r->facts;
    char label[LABEL_COLUMNS];
    snprintf(
        label, sizeof label, "%u %s", number, f->emulation[0] != '\0' ? f->emulation : f->kernel);
    fprintf(out, "%-*s", LABEL_COLUMNS, label);
}

static void print_row(
    const struct report *r, const struct report_row *row, unsigned metrics, FILE *out)
{
    fprintf(out, "%-24s", row->peer);
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if ((metrics & 1u << m) == 0)
            continue;
        if (has_metric(row, m))
            print_metric(row, m, out);
        else
            fprintf(out, " %*s", metric_table[m].has_range ? 24 : 13, "-");
    }
    double raw = best_raw_cost(r, row);
    if (raw > 0 && has_metric(row, cost_metric(row)))
        fprintf(out, " %9.3f", cost_of(row) / raw);
    fputc('\n', out);
}

static void count_disturbed(const struct report_row *row, unsigned *rounds, unsigned *disturbed)
{
    for (unsigned i = 0; has_metric(row, METRIC_FOREIGN) && i < row->rounds; i++) {
        (*rounds)++;
        *disturbed += row->values[METRIC_FOREIGN][i] > FOREIGN_TOLERATED;
    }
}

void report_print_workload(
    const struct report *reports, unsigned count, const struct report_row *like, FILE *out)
{
    unsigned rounds = 0, disturbed = 0;
    unsigned metrics = metrics_of_workload(reports, count, like);
    print_heading(like, metrics, count > 1, out);
    for (unsigned n = 0; n < count; n++) {
        for (unsigned i = 0; i < reports[n].row_count; i++) {
            const struct report_row *row = &reports[n].rows[i];
            if (!is_same_workload(row, like) || row->rounds == 0)
                continue;
            if (count > 1)
                print_label(&reports[n], n + 1, out);
            print_row(&reports[n], row, metrics, out);
            count_disturbed(row, &rounds, &disturbed);
        }
    }
    if (disturbed > 0)
        fprintf(out,
            "(in %u of %u rounds other work took more than %.0f %% of a core: read with care)\n",
            disturbed, rounds, FOREIGN_TOLERATED * 100);
}

static bool is_first_of_workload(const struct report *reports, unsigned n, unsigned i)
{
    const struct report_row *row = &reports[n].rows[i];
    for (unsigned a = 0; a <= n; a++) {
        unsigned end = a < n ? reports[a].row_count : i;
        for (unsigned b = 0; b < end; b++) {
            if (is_same_workload(&reports[a].rows[b], row))
                return false;
        }
    }
    return true;
}

void report_print_system(const struct report *r, FILE *out)
{
    const struct sys_facts *f = &r->facts;
    fprintf(out, "%s, %s", f->os, f->kernel);
    if (f->emulation[0] != '\0')
        fprintf(out, " (that is %s on %s)", f->emulation, f->host);
    fprintf(out, ", %s%s, %u CPUs", f->cpu, f->is_virtual ? " (virtual)" : "", f->cpus);
}

static void print_origin(const struct report *r, unsigned number, FILE *out)
{
    fprintf(out, "run %u: %s on ", number, r->bench);
    report_print_system(r, out);
    fprintf(out, "; commit %s, %s, %s; client %s\n", r->commit, r->compiler, r->date, r->client);
    if (r->facts.emulation[0] != '\0')
        fprintf(out, "       (%s: that it works is shown, how fast is not)\n", r->facts.emulation);
}

void report_print(const struct report *reports, unsigned count, FILE *out)
{
    for (unsigned n = 0; n < count; n++)
        print_origin(&reports[n], n + 1, out);
    for (unsigned n = 0; n < count; n++) {
        for (unsigned i = 0; i < reports[n].row_count; i++) {
            if (is_first_of_workload(reports, n, i))
                report_print_workload(reports, count, &reports[n].rows[i], out);
        }
    }
}
