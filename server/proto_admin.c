/* Admin: what monitors ask over HTTP: /metrics in Prometheus' text format, /healthz, /readyz. One request, one answer, the end. */
#include "http.h"
#include "proto.h"
#include "shared.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool add_text(struct buffer *out, const char *text)
{
    return buffer_append(out, text, strlen(text));
}

static bool metric(
    struct buffer *out, const char *name, const char *help, const char *kind, uint64_t value)
{
    char text[384];
    const char *suffix = strcmp(kind, "counter") == 0 ? "_total" : "";
    snprintf(text, sizeof(text),
        "# HELP cport_server_%s%s %s\n# TYPE cport_server_%s%s %s\ncport_server_%s%s %" PRIu64 "\n",
        name, suffix, help, name, suffix, kind, name, suffix, value);
    return add_text(out, text);
}

static bool metrics(const struct shared *shared, struct buffer *out)
{
    struct stats stats;
    shared->stats(shared->stats_ctx, &stats);
    bool good = true;
    for (unsigned i = 0; i < COUNTER_COUNT; i++)
        good = good && metric(out, counter_names[i], counter_helps[i], "counter", stats.counter[i]);
    return good && metric(out, "connections", "connections now", "gauge", stats.connections) &&
           metric(out, "workers", "worker threads", "gauge", stats.workers) &&
           metric(out, "uptime_seconds", "since the start", "gauge", stats.uptime_s);
}

/* The length of a body is known when it is written: it goes into room that the head left for it. */
static enum proto_step respond(
    struct buffer *out, const char *status, const struct shared *metrics_of, const char *body)
{
    char head[256];
    size_t start = buffer_len(out);
    int len = snprintf(head, sizeof(head),
        "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        "Connection: close\r\nContent-Length: ",
        status);
    if (!buffer_append(out, head, (size_t)len) || !add_text(out, "0000000000\r\n\r\n"))
        return PROTO_NO_MEMORY;
    size_t body_start = buffer_len(out);
    if (metrics_of ? !metrics(metrics_of, out) : !add_text(out, body ? body : "")) {
        buffer_truncate(out, start);
        return PROTO_NO_MEMORY;
    }
    char digits[16];
    snprintf(digits, sizeof(digits), "%010zu", buffer_len(out) - body_start);
    memcpy(out->memory + out->start + start + (size_t)len, digits, 10);
    return PROTO_END;
}

static bool is(struct bytes run, const char *text)
{
    return run.len == strlen(text) && memcmp(run.data, text, run.len) == 0;
}

static enum proto_step answer(
    const struct shared *shared, const struct http_request *request, struct buffer *out)
{
    if (!is(request->method, "GET"))
        return respond(out, "405 Method Not Allowed\r\nAllow: GET", NULL, "only GET\n");
    if (is(request->path, "/metrics"))
        return respond(out, "200 OK", shared, NULL);
    if (is(request->path, "/healthz"))
        return respond(out, "200 OK", NULL, "ok\n");
    if (!is(request->path, "/readyz"))
        return respond(out, "404 Not Found", NULL, "/metrics, /healthz, /readyz\n");
    /* relaxed: a flag for people */
    if (atomic_load_explicit(&shared->stopping, memory_order_relaxed))
        return respond(out, "503 Service Unavailable", NULL, "stopping\n");
    return respond(out, "200 OK", NULL, "ready\n");
}

static enum proto_step refuse(struct buffer *out, const char *status, const char *body)
{
    return respond(out, status, NULL, body) == PROTO_END ? PROTO_CLOSE : PROTO_NO_MEMORY;
}

static enum proto_step admin_step(
    struct peer *peer, struct bytes run, struct buffer *out, size_t *ret_count)
{
    struct http_request request;
    switch (http_parse(run, &request)) {
    case HTTP_PARTIAL:
        *ret_count = run.len + 1;
        return PROTO_PARTIAL;
    case HTTP_WHOLE:
        *ret_count = request.len;
        return answer(peer->context->shared, &request, out);
    case HTTP_VERSION:
        return refuse(out, "505 HTTP Version Not Supported", "only HTTP/1.1\n");
    case HTTP_TOO_LONG:
        return refuse(out, "431 Request Header Fields Too Large", "too long\n");
    case HTTP_MALFORMED:
        break;
    }
    return refuse(out, "400 Bad Request", "malformed\n");
}

const struct proto proto_admin = {.name = "admin", .step = admin_step};
