/*
 * Connections by the thousand: churn, which come, exchange one message and go; and idle, which exchange one and stay. The
 * servers are those of the echo. The visitors are this library's, whatever the server is.
 *
 * A server ends with its last connection: one visitor, the host, stays from first to last.
 */
#include "commands.h"
#include "options.h"
#include "report.h"

#include <cport/cport.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES  64
#define SILENCE_MAX_NS INT64_C(30000000000)
#define EVENTS_MAX     128

struct visitor {
    cport_handle *handle; /* NULL: not there */
    cport_op op;
    enum { CONNECTING, SENDING, RECEIVING, STAYING, LEAVING } step;
    char message[MESSAGE_BYTES];
};

struct crowd {
    cport_port *port;
    struct sockaddr_storage address;
    cport_socklen address_len;
    struct visitor *visitors;
    unsigned count;
    uint64_t to_come; /* visits that have not begun */
    uint64_t done;
    bool stay;
};

static int fail(const char *what, int64_t error)
{
    fprintf(stderr, "client: %s: %s\n", what, cport_strerror((int)error));
    return -1;
}

static int visitor_come(struct crowd *c, struct visitor *v)
{
    cport_socket_options no_delay = {.size = sizeof no_delay, .flags = CPORT_SOCKET_NODELAY};
    cport_os_handle fd;
    int error = cport_socket_tcp(c->address.ss_family, &no_delay, &fd);
    if (error < 0)
        return fail("socket", error);
    error = cport_attach(c->port, fd, (uintptr_t)v, 0, &v->handle);
    if (error < 0) {
        cport_socket_close(fd);
        return fail("attach", error);
    }
    v->step = CONNECTING;
    error =
        cport_connect(v->handle, &v->op, (const struct sockaddr *)&c->address, c->address_len, 0);
    return error < 0 ? fail("connect", error) : 0;
}

/* The next step after the one that has ended well. */
static int visitor_go_on(struct crowd *c, struct visitor *v)
{
    int error = 0;
    switch (v->step) {
    case CONNECTING:
        v->step = SENDING;
        error = cport_send(v->handle, &v->op, v->message, sizeof v->message, 0);
        break;
    case SENDING:
        v->step = RECEIVING;
        error = cport_recv(v->handle, &v->op, v->message, sizeof v->message, CPORT_RECV_ALL);
        break;
    case RECEIVING:
        v->step = c->stay ? STAYING : LEAVING;
        if (c->stay)
            c->done++;
        else
            error = cport_close(v->handle, &v->op, 0);
        break;
    case STAYING:
        break;
    case LEAVING:
        v->handle = NULL;
        c->done++;
        break;
    }
    if (error < 0)
        return fail("visit", error);
    bool is_free = v->handle == NULL || v->step == STAYING;
    if (!is_free || c->to_come == 0)
        return 0;
    /* Who stays makes room for nobody: the next one is another. */
    struct visitor *next = c->stay ? &c->visitors[c->count - c->to_come] : v;
    c->to_come--;
    return visitor_come(c, next);
}

static int crowd_wait(struct crowd *c, uint64_t until)
{
    while (c->done < until) {
        cport_event events[EVENTS_MAX];
        int count = cport_wait(c->port, events, EVENTS_MAX, SILENCE_MAX_NS);
        if (count <= 0)
            return fail("wait", count < 0 ? count : CPORT_ETIMEDOUT);
        for (int i = 0; i < count; i++) {
            struct visitor *v = (struct visitor *)events[i].key;
            bool is_whole = v->step != RECEIVING || events[i].result == MESSAGE_BYTES;
            if (events[i].result < 0 || !is_whole)
                return fail("visit", is_whole ? events[i].result : CPORT_ECONNRESET);
            if (visitor_go_on(c, v) != 0)
                return -1;
        }
    }
    return 0;
}

/* `visits` visits, at_once of them at a time. */
static int crowd_visit(struct crowd *c, uint64_t visits, unsigned at_once)
{
    c->done = 0;
    c->to_come = visits;
    for (unsigned i = 0; i < at_once && c->to_come > 0; i++) {
        c->to_come--;
        if (visitor_come(c, &c->visitors[i]) != 0)
            return -1;
    }
    return crowd_wait(c, visits);
}

static int crowd_open(struct crowd *c, uint16_t number, unsigned count)
{
    cport_port_options options = {.size = sizeof options, .flags = CPORT_PORT_SINGLE};
    *c = (struct crowd){.count = count};
    c->visitors = calloc(count, sizeof *c->visitors);
    if (c->visitors == NULL)
        return fail("start", CPORT_ENOMEM);
    int error = cport_address("127.0.0.1", number, &c->address, &c->address_len);
    if (error == 0)
        error = cport_port_open(&options, &c->port);
    return error < 0 ? fail("port", error) : 0;
}

static int crowd_close(struct crowd *c)
{
    uint64_t leaving = 0;
    int status = 0;
    c->done = 0;
    c->to_come = 0;
    for (unsigned i = 0; c->port != NULL && i < c->count; i++) {
        struct visitor *v = &c->visitors[i];
        if (v->handle == NULL || v->step != STAYING)
            continue;
        v->step = LEAVING;
        if (cport_close(v->handle, &v->op, 0) == 0)
            leaving++;
    }
    if (c->port != NULL) {
        status = crowd_wait(c, leaving);
        if (cport_port_close(c->port) < 0)
            return -1; /* after a failure: what is in flight keeps its memory */
    }
    free(c->visitors);
    return status;
}

/* ---- What is measured of a server, between the arrival of the host and its leaving ---- */

struct visit {
    const struct options *options;
    unsigned connections;
    bool is_idle;
};

static int measure_churn(
    const struct visit *visit, struct crowd *c, const struct server *s, struct report_row *row)
{
    int64_t before, after;
    uint64_t visits = visit->options->messages;
    unsigned at_once = visit->connections;
    c->visitors++; /* the host is the first, and stays */
    c->count--;
    c->stay = false;
    int status = crowd_visit(c, visits / 10 + 1, at_once); /* to warm up */
    int64_t start = sys_now_ns();
    if (status == 0)
        status = sys_process_cpu_ns(&s->process, &before);
    if (status == 0)
        status = crowd_visit(c, visits, at_once);
    if (status == 0)
        status = sys_process_cpu_ns(&s->process, &after);
    int64_t elapsed = sys_now_ns() - start;
    c->visitors--;
    c->count++;
    if (status != 0)
        return -1;
    row->values[METRIC_CONNECTION_RATE][row->rounds] = (double)visits * 1e9 / (double)elapsed;
    row->values[METRIC_CONNECTION_CPU][row->rounds] = (double)(after - before) / (double)visits;
    row->metrics = 1u << METRIC_CONNECTION_RATE;
    if (sys_tells_process_cpu())
        row->metrics |= 1u << METRIC_CONNECTION_CPU;
    return 0;
}

static int measure_idle(
    const struct visit *visit, struct crowd *c, const struct server *s, struct report_row *row)
{
    int64_t before, after;
    c->visitors++;
    c->count--;
    /* What a server makes for all of them, a pool of buffers perhaps, it makes now. */
    c->stay = false;
    int status = crowd_visit(c, 2000, 16);
    c->stay = true;
    if (status == 0)
        status = sys_process_memory(&s->process, &before);
    if (status == 0)
        status = crowd_visit(c, visit->connections, 16);
    if (status == 0)
        status = sys_process_memory(&s->process, &after);
    c->visitors--;
    c->count++;
    if (status != 0)
        return -1;
    row->values[METRIC_CONNECTION_BYTES][row->rounds] =
        (double)(after - before) / visit->connections;
    row->metrics = 1u << METRIC_CONNECTION_BYTES;
    return 0;
}

static int measure(const struct visit *visit, const struct peer *peer, struct report_row *row)
{
    struct server s;
    struct crowd c;
    if (server_start(peer, NULL, NULL, visit->options->server_core, &s) != 0)
        return -1;
    snprintf(row->engine, sizeof row->engine, "%s", s.engine);
    snprintf(row->remark, sizeof row->remark, "%s", s.remark);
    int status = crowd_open(&c, s.port, visit->connections + 1);
    c.stay = true;
    if (status == 0)
        status = crowd_visit(&c, 1, 1);
    if (status == 0)
        status =
            visit->is_idle ? measure_idle(visit, &c, &s, row) : measure_churn(visit, &c, &s, row);
    if (crowd_close(&c) != 0 || status != 0) {
        server_kill(&s);
        fprintf(stderr, "%s failed\n", peer->name);
        return -1;
    }
    row->rounds++;
    return server_wait(&s);
}

static int run_workload(const struct visit *visit, const char *subject, struct report *report)
{
    const struct options *o = visit->options;
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
            if (measure(visit, o->peers[p], &report->rows[first + p]) != 0)
                return -1;
        }
    }
    report_print_workload(report, 1, &report->rows[first], stdout);
    fflush(stdout);
    return o->json != NULL ? report_write(report, o->json) : 0;
}

static int run(struct options *o, const char *name, bool is_idle)
{
    struct report report;
    char subject[64];
    report_start(&report, name); /* before pinning: it counts the processors */
    if (sys_pin_self(o->client_core) != 0)
        return 1;
    sys_files_raise();
    snprintf(report.client, sizeof report.client, "cport");
    report.messages = o->messages;
    report.server_core = o->server_core;
    report.client_core = o->client_core;
    printf("%s on ", name);
    report_print_system(&report, stdout);
    printf("; commit %s; %u rounds, median [min-max]\n", report.commit, o->rounds);
    int status = 0;
    for (unsigned i = 0; status == 0 && i < o->connections.count; i++) {
        struct visit visit = {o, o->connections.values[i], is_idle};
        if (is_idle)
            snprintf(subject, sizeof subject, "%u idle connections", visit.connections);
        else
            snprintf(subject, sizeof subject, "connections that come and go, %u at a time",
                visit.connections);
        status = run_workload(&visit, subject, &report);
    }
    report_free(&report);
    return status == 0 ? 0 : 1;
}

int command_churn(int argc, char **argv)
{
    struct options o = {.connections = {1, {32}},
        .rounds = 5,
        .messages = 20000,
        .server_core = 0,
        .client_core = 1};
    if (options_parse(argc, argv, &o) != 0)
        return 2;
    return run(&o, "churn", false);
}

int command_idle(int argc, char **argv)
{
    static const struct peer idle_peers[] = {
        {"cport-uring-pooled", "peer-cport-uring", "pooled", true, false},
        {"cport-epoll-pooled", "peer-cport-epoll", "pooled", true, false},
        {"cport-iocp-pooled", "peer-cport-iocp", "pooled", true, false},
        {"raw-epoll", "peer-raw-epoll", NULL, true, false},
        {"libuv-guide", "peer-libuv", "guide", true, false},
        {"libevent", "peer-libevent", NULL, true, false},
        {"asio", "peer-asio", "1", true, false},
        {NULL, NULL, NULL, false, false},
    };
    struct options o = {.table = idle_peers,
        .connections = {1, {4000}},
        .rounds = 3,
        .server_core = 0,
        .client_core = 1};
    if (options_parse(argc, argv, &o) != 0)
        return 2;
    return run(&o, "idle", true);
}
