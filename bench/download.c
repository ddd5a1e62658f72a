/*
 * The benchmark of files to sockets: each connection asks for the whole file with a byte and reads it. A round of one server is a
 * new process, a first download of each connection to warm up, and one that is measured.
 */
#include "commands.h"
#include "options.h"
#include "report.h"

#include <cport/cport.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MIB            (1u << 20)
#define INBOX_BYTES    ((size_t)256 * 1024)
#define SILENCE_MAX_NS INT64_C(30000000000)
/* A place's byte repeats after so many: no divisor of any buffer's size, so that displaced bytes show. */
#define PERIOD         65521u
#define EVENTS_MAX     64

static const struct peer servers[] = {
    {"cport-uring", "peer-download-cport-uring", NULL, true, false},
    {"cport-epoll", "peer-download-cport-epoll", NULL, true, false},
    {"cport-iocp", "peer-download-cport-iocp", NULL, true, false},
    {"raw-sendfile", "peer-download-raw-sendfile", NULL, true, false},
    {"raw-io_uring", "peer-download-raw-io_uring", NULL, true, false},
    {"libuv", "peer-download-libuv", NULL, true, false},
    {NULL, NULL, NULL, false, false},
};

struct connection {
    cport_handle *handle;
    cport_op op;      /* connects, receives, closes */
    cport_op send_op; /* asks */
    uint64_t at;      /* bytes of this download so far */
    unsigned char *inbox;
};

struct download {
    const struct options *options;
    cport_port *port;
    struct connection *connections;
    unsigned count;
    unsigned busy; /* connections with a download, or a connect or close, under way */
    uint64_t file_bytes;
    unsigned char *pattern; /* of PERIOD and INBOX_BYTES */
};

static int fail(const char *what, int64_t error)
{
    fprintf(stderr, "client: %s: %s\n", what, cport_strerror((int)error));
    return -1;
}

static int receive(struct connection *x)
{
    int error = cport_recv(x->handle, &x->op, x->inbox, INBOX_BYTES, 0);
    return error < 0 ? fail("receive", error) : 0;
}

static int received(struct download *d, struct connection *x, int64_t bytes)
{
    if (bytes <= 0 || x->at + (uint64_t)bytes > d->file_bytes)
        return fail("the download broke off", bytes);
    if (d->options->verify && memcmp(x->inbox, d->pattern + x->at % PERIOD, (size_t)bytes) != 0) {
        fprintf(stderr, "client: wrong bytes after %" PRIu64 "\n", x->at);
        return -1;
    }
    x->at += (uint64_t)bytes;
    if (x->at < d->file_bytes)
        return receive(x);
    d->busy--;
    return 0;
}

/* Dequeues until no connection is busy. is_data: the events are of receives. */
static int run(struct download *d, bool is_data)
{
    cport_event events[EVENTS_MAX];
    while (d->busy > 0) {
        int n = cport_wait(d->port, events, EVENTS_MAX, SILENCE_MAX_NS);
        if (n <= 0)
            return fail("wait", n == 0 ? CPORT_ETIMEDOUT : n);
        for (int i = 0; i < n; i++) {
            struct connection *x = &d->connections[events[i].key];
            if (events[i].op == &x->send_op)
                continue;
            if (is_data && received(d, x, events[i].result) != 0)
                return -1;
            if (!is_data && events[i].result < 0)
                return fail("connect", events[i].result);
            d->busy -= !is_data;
        }
    }
    return 0;
}

static int connect_all(struct download *d, uint16_t port)
{
    struct sockaddr_storage address;
    cport_socklen length;
    int error = cport_address("127.0.0.1", port, &address, &length);
    for (unsigned i = 0; i < d->count && error >= 0; i++) {
        struct connection *x = &d->connections[i];
        cport_os_handle fd;
        error = cport_socket_tcp(AF_INET, NULL, &fd);
        if (error >= 0)
            error = cport_attach(d->port, fd, i, 0, &x->handle);
        if (error >= 0)
            error = cport_connect(x->handle, &x->op, (struct sockaddr *)&address, length, 0);
        d->busy += error >= 0;
    }
    return error < 0 ? fail("connect", error) : run(d, false);
}

static int download_all(struct download *d)
{
    for (unsigned i = 0; i < d->count; i++) {
        struct connection *x = &d->connections[i];
        int error = cport_send(x->handle, &x->send_op, "", 1, 0);
        if (error < 0)
            return fail("send", error);
        x->at = 0;
        d->busy++;
        if (receive(x) != 0)
            return -1;
    }
    return run(d, true);
}

static int close_all(struct download *d)
{
    for (unsigned i = 0; i < d->count; i++) {
        if (d->connections[i].handle == NULL)
            continue;
        int error = cport_close(d->connections[i].handle, &d->connections[i].op, 0);
        if (error < 0)
            return fail("close", error);
        d->busy++;
    }
    return run(d, false);
}

/* A port and connections for one round. */
static int client_open(struct download *d)
{
    cport_port_options opt = {.size = sizeof opt, .flags = CPORT_PORT_SINGLE};
    int error = cport_port_open(&opt, &d->port);
    if (error < 0)
        return fail("port", error);
    d->busy = 0;
    for (unsigned i = 0; i < d->count; i++)
        d->connections[i] = (struct connection){.inbox = d->connections[i].inbox};
    return 0;
}

static int measure_downloads(struct download *d, const struct server *s, struct report_row *row)
{
    int64_t server_ns, server_end_ns;
    if (connect_all(d, s->port) != 0 || download_all(d) != 0 ||
        sys_process_cpu_ns(&s->process, &server_ns) != 0)
        return -1;
    int64_t client_ns = sys_self_cpu_ns(), begin_ns = sys_now_ns();
    if (download_all(d) != 0 || sys_process_cpu_ns(&s->process, &server_end_ns) != 0)
        return -1;
    double gigabytes = (double)d->file_bytes * d->count / 1e9;
    double server = (double)(server_end_ns - server_ns) / 1e9;
    double client = (double)(sys_self_cpu_ns() - client_ns) / 1e9;
    row->values[METRIC_DOWNLOAD_CPU][row->rounds] = (server + client) / gigabytes;
    row->values[METRIC_DOWNLOAD_SERVER][row->rounds] = server / gigabytes;
    row->values[METRIC_DOWNLOAD_RATE][row->rounds] =
        gigabytes * 1e9 / (double)(sys_now_ns() - begin_ns);
    row->metrics = 1u << METRIC_DOWNLOAD_RATE;
    if (sys_tells_process_cpu())
        row->metrics |= 1u << METRIC_DOWNLOAD_CPU | 1u << METRIC_DOWNLOAD_SERVER;
    return close_all(d);
}

static int measure(
    struct download *d, const struct peer *peer, const char *path, struct report_row *row)
{
    struct server s;
    if (server_start(peer, NULL, path, d->options->server_core, &s) != 0)
        return -1;
    snprintf(row->engine, sizeof row->engine, "%s", s.engine);
    snprintf(row->remark, sizeof row->remark, "%s", s.remark);
    int status = client_open(d);
    if (status == 0)
        status = measure_downloads(d, &s, row);
    if (status == 0)
        status = cport_port_close(d->port);
    if (status == 0)
        status = server_wait(&s);
    else
        server_kill(&s);
    if (status != 0)
        fprintf(stderr, "%s failed\n", peer->name);
    row->rounds++;
    return status;
}

static int run_workload(struct download *d, const char *path, struct report *report)
{
    const struct options *o = d->options;
    unsigned first = report->row_count;
    for (unsigned p = 0; p < o->peer_count; p++) {
        struct report_row *row = report_add_row(report);
        if (row == NULL)
            return -1;
        snprintf(row->peer, sizeof row->peer, "%s", o->peers[p]->name);
        snprintf(row->subject, sizeof row->subject, "%u x %" PRIu64 " MiB at once", d->count,
            d->file_bytes / MIB);
        row->connections = d->count;
        row->message_bytes = (unsigned)d->file_bytes;
    }
    for (unsigned round = 0; round < o->rounds; round++)
        for (unsigned p = 0; p < o->peer_count; p++)
            if (measure(d, o->peers[p], path, &report->rows[first + p]) != 0)
                return -1;
    report_print_workload(report, 1, &report->rows[first], stdout);
    fflush(stdout);
    return o->json != NULL ? report_write(report, o->json) : 0;
}

static int file_make(const struct download *d, const char *path)
{
    FILE *out = fopen(path, "wb");
    bool failed = out == NULL;
    for (uint64_t at = 0; !failed && at < d->file_bytes;) {
        uint64_t left = d->file_bytes - at;
        size_t n = left < INBOX_BYTES ? (size_t)left : INBOX_BYTES;
        failed = fwrite(d->pattern + at % PERIOD, n, 1, out) != 1;
        at += n;
    }
    if (out != NULL && fclose(out) != 0)
        failed = true;
    if (failed)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return failed ? -1 : 0;
}

static int run_connections(struct download *d, const char *path, struct report *report)
{
    const struct options_list *list = &d->options->connections;
    for (unsigned c = 0; c < list->count; c++) {
        d->count = list->values[c];
        d->connections = calloc(d->count, sizeof *d->connections);
        unsigned char *inboxes = malloc(d->count * INBOX_BYTES);
        int status = d->connections != NULL && inboxes != NULL ? 0 : -1;
        for (unsigned i = 0; status == 0 && i < d->count; i++)
            d->connections[i].inbox = inboxes + i * INBOX_BYTES;
        if (status == 0)
            status = run_workload(d, path, report);
        free(inboxes);
        free(d->connections);
        if (status != 0)
            return -1;
    }
    return 0;
}

static int run_sizes(struct download *d, struct report *report)
{
    const struct options_list *list = &d->options->message_bytes;
    char path[64];
    d->pattern = malloc(PERIOD + INBOX_BYTES);
    int status = d->pattern != NULL ? 0 : -1;
    for (size_t i = 0; status == 0 && i < PERIOD + INBOX_BYTES; i++)
        d->pattern[i] = (unsigned char)((i % PERIOD) * 2654435761u >> 13);
    for (unsigned s = 0; status == 0 && s < list->count; s++) {
        snprintf(path, sizeof path, "cport-bench-%" PRId64 ".file", sys_now_ns());
        d->file_bytes = list->values[s];
        status = file_make(d, path);
        if (status == 0)
            status = run_connections(d, path, report);
        remove(path);
    }
    free(d->pattern);
    return status;
}

int command_sendfile(int argc, char **argv)
{
    struct options o = {.table = servers,
        .connections = {2, {1, 16}},
        .message_bytes = {1, {256 * MIB}},
        .bytes_max = 1024 * MIB,
        .rounds = 5,
        .server_core = 0,
        .client_core = 1};
    struct report report;
    if (options_parse(argc, argv, &o) != 0)
        return 2;
    report_start(&report, "sendfile"); /* before pinning: it counts the processors */
    if (sys_pin_self(o.client_core) != 0)
        return 1;
    snprintf(report.client, sizeof report.client, "cport");
    report.server_core = o.server_core;
    report.client_core = o.client_core;
    report.verify = o.verify;
    printf("sendfile on ");
    report_print_system(&report, stdout);
    printf("; commit %s; %u rounds, median [min-max]\n", report.commit, o.rounds);
    struct download d = {.options = &o};
    int status = run_sizes(&d, &report);
    report_free(&report);
    return status == 0 ? 0 : 1;
}
