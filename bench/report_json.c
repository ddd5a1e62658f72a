/* The report's shape in JSON, written and read side by side so that neither forgets a field. */
#include "json.h"
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (64L * 1024 * 1024)
#define SCHEMA         1

static void write_system(struct json_writer *w, const struct sys_facts *facts)
{
    json_write_open(w, "system", '{');
    json_write_string(w, "os", facts->os);
    json_write_string(w, "kernel", facts->kernel);
    if (facts->emulation[0] != '\0') {
        json_write_string(w, "emulation", facts->emulation);
        json_write_string(w, "host", facts->host);
    }
    json_write_string(w, "machine", facts->machine);
    json_write_bool(w, "virtual", facts->is_virtual);
    json_write_string(w, "cpu", facts->cpu);
    json_write_number(w, "cpus", facts->cpus);
    json_write_string(w, "mitigations", facts->mitigations);
    json_write_close(w, '{');
}

static void write_parameters(struct json_writer *w, const struct report *r)
{
    json_write_open(w, "parameters", '{');
    json_write_string(w, "client", r->client);
    json_write_number(w, "seconds", r->seconds);
    json_write_number(w, "warmup_seconds", r->warmup_seconds);
    json_write_number(w, "messages", r->messages);
    json_write_number(w, "foreign_max", r->foreign_max);
    json_write_number(w, "server_core", r->server_core);
    json_write_number(w, "client_core", r->client_core);
    json_write_bool(w, "verify", r->verify);
    json_write_close(w, '{');
}

static void write_metric(struct json_writer *w, const struct report_row *row, unsigned metric)
{
    const double *values = row->values[metric];
    struct summary s = summary_of(values, row->rounds);
    json_write_open(w, metric_table[metric].key, '{');
    json_write_number(w, "median", s.median);
    json_write_number(w, "min", s.min);
    json_write_number(w, "max", s.max);
    json_write_open(w, "rounds", '[');
    for (unsigned i = 0; i < row->rounds; i++)
        json_write_number(w, NULL, values[i]);
    json_write_close(w, '[');
    json_write_close(w, '{');
}

static void write_row(struct json_writer *w, const struct report_row *row)
{
    json_write_open(w, NULL, '{');
    json_write_string(w, "peer", row->peer);
    json_write_string(w, "backend", row->engine);
    json_write_string(w, "why", row->remark);
    if (row->handlers[0] != '\0')
        json_write_string(w, "handlers", row->handlers);
    if (row->mode[0] != '\0')
        json_write_string(w, "mode", row->mode);
    if (row->subject[0] != '\0') {
        json_write_string(w, "subject", row->subject);
    } else {
        json_write_number(w, "connections", row->connections);
        json_write_number(w, "message_bytes", row->message_bytes);
        json_write_number(w, "depth", row->depth);
    }
    json_write_number(w, "rounds", row->rounds);
    json_write_number(w, "rounds_repeated", row->repeated);
    json_write_open(w, "metrics", '{');
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        if ((row->metrics & 1u << m) != 0)
            write_metric(w, row, m);
    }
    json_write_close(w, '{');
    json_write_close(w, '{');
}

static void write_report(FILE *out, const struct report *r)
{
    struct json_writer w;
    json_write_start(&w, out);
    json_write_open(&w, NULL, '{');
    json_write_number(&w, "schema", SCHEMA);
    json_write_string(&w, "bench", r->bench);
    json_write_string(&w, "date", r->date);
    json_write_string(&w, "commit", r->commit);
    json_write_string(&w, "compiler", r->compiler);
    write_system(&w, &r->facts);
    write_parameters(&w, r);
    json_write_open(&w, "results", '[');
    for (unsigned i = 0; i < r->row_count; i++)
        write_row(&w, &r->rows[i]);
    json_write_close(&w, '[');
    json_write_close(&w, '{');
}

int report_write(const struct report *r, const char *path)
{
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    write_report(out, r);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        fprintf(stderr, "%s: could not be written\n", path);
        return -1;
    }
    return 0;
}

static void copy_text(const struct json *object, const char *key, char *ret_text, size_t size)
{
    snprintf(ret_text, size, "%s", json_get_string(object, key));
}

static void read_system(const struct json *system, struct sys_facts *ret_facts)
{
    copy_text(system, "os", ret_facts->os, sizeof ret_facts->os);
    copy_text(system, "kernel", ret_facts->kernel, sizeof ret_facts->kernel);
    copy_text(system, "emulation", ret_facts->emulation, sizeof ret_facts->emulation);
    copy_text(system, "host", ret_facts->host, sizeof ret_facts->host);
    copy_text(system, "machine", ret_facts->machine, sizeof ret_facts->machine);
    copy_text(system, "cpu", ret_facts->cpu, sizeof ret_facts->cpu);
    copy_text(system, "mitigations", ret_facts->mitigations, sizeof ret_facts->mitigations);
    ret_facts->is_virtual = json_get_number(system, "virtual") != 0;
    ret_facts->cpus = (unsigned)json_get_number(system, "cpus");
}

static void read_parameters(const struct json *parameters, struct report *ret_report)
{
    copy_text(parameters, "client", ret_report->client, sizeof ret_report->client);
    ret_report->seconds = json_get_number(parameters, "seconds");
    ret_report->warmup_seconds = json_get_number(parameters, "warmup_seconds");
    ret_report->messages = (unsigned)json_get_number(parameters, "messages");
    ret_report->foreign_max = json_get_number(parameters, "foreign_max");
    ret_report->server_core = (int)json_get_number(parameters, "server_core");
    ret_report->client_core = (int)json_get_number(parameters, "client_core");
    ret_report->verify = json_get_number(parameters, "verify") != 0;
}

/* A metric counts as present when it has a value for every round. */
static void read_metrics(const struct json *metrics, struct report_row *ret_row)
{
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        const struct json *rounds = json_get(json_get(metrics, metric_table[m].key), "rounds");
        const struct json *item = rounds != NULL ? rounds->child : NULL;
        unsigned count = 0;
        for (; item != NULL && count < ret_row->rounds; item = item->next)
            ret_row->values[m][count++] = item->number;
        if (count > 0 && count == ret_row->rounds)
            ret_row->metrics |= 1u << m;
    }
}

static int read_row(const struct json *item, struct report *ret_report)
{
    struct report_row *row = report_add_row(ret_report);
    if (row == NULL)
        return -1;
    copy_text(item, "peer", row->peer, sizeof row->peer);
    copy_text(item, "backend", row->engine, sizeof row->engine);
    copy_text(item, "why", row->remark, sizeof row->remark);
    copy_text(item, "handlers", row->handlers, sizeof row->handlers);
    copy_text(item, "mode", row->mode, sizeof row->mode);
    copy_text(item, "subject", row->subject, sizeof row->subject);
    row->connections = (unsigned)json_get_number(item, "connections");
    row->message_bytes = (unsigned)json_get_number(item, "message_bytes");
    row->depth = (unsigned)json_get_number(item, "depth");
    row->repeated = (unsigned)json_get_number(item, "rounds_repeated");
    double rounds = json_get_number(item, "rounds");
    if (rounds < 1 || rounds > REPORT_ROUNDS_MAX)
        return -1;
    row->rounds = (unsigned)rounds;
    read_metrics(json_get(item, "metrics"), row);
    return 0;
}

static int read_report(const struct json *root, struct report *ret_report)
{
    const struct json *results = json_get(root, "results");
    if (json_get_number(root, "schema") != SCHEMA || results == NULL || results->kind != JSON_ARRAY)
        return -1;
    copy_text(root, "bench", ret_report->bench, sizeof ret_report->bench);
    copy_text(root, "date", ret_report->date, sizeof ret_report->date);
    copy_text(root, "commit", ret_report->commit, sizeof ret_report->commit);
    copy_text(root, "compiler", ret_report->compiler, sizeof ret_report->compiler);
    read_system(json_get(root, "system"), &ret_report->facts);
    read_parameters(json_get(root, "parameters"), ret_report);
    for (const struct json *item = results->child; item != NULL; item = item->next) {
        if (read_row(item, ret_report) != 0)
            return -1;
    }
    return 0;
}

static char *read_file(const char *path, size_t *ret_length)
{
    FILE *in = fopen(path, "rb");
    char *text = NULL;
    long length = -1;
    if (in == NULL)
        return NULL;
    if (fseek(in, 0, SEEK_END) == 0)
        length = ftell(in);
    if (length >= 0 && length <= FILE_BYTES_MAX && fseek(in, 0, SEEK_SET) == 0)
        text = malloc((size_t)length + 1);
    if (text != NULL)
        *ret_length = fread(text, 1, (size_t)length, in);
    fclose(in);
    return text;
}

int report_read(const char *path, struct report *ret_report)
{
    struct report r = {.row_count = 0};
    size_t length = 0;
    char *text = read_file(path, &length);
    if (text == NULL) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return -1;
    }
    struct json *root = json_parse(text, length);
    int status = root != NULL ? read_report(root, &r) : -1;
    json_free(root);
    free(text);
    if (status != 0) {
        fprintf(stderr, "%s: not a result of cport-bench\n", path);
        report_free(&r);
        return -1;
    }
    *ret_report = r;
    return 0;
}
