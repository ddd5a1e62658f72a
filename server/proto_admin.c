/* Admin: what monitors ask over HTTP: /metrics in Prometheus' text format, /healthz, /readyz. One request, one answer, the end. */
#include "proto.h"
#include "shared.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HEAD_BYTES_MAX 8192u

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
    if (metrics_of ? !metrics(metrics_of, out) : !add_text(out, body)) {
        buffer_truncate(out, start);
        return PROTO_NO_MEMORY;
    }
    char digits[16];
    snprintf(digits, sizeof(digits), "%010zu", buffer_len(out) - body_start);
    memcpy(out->memory + out->start + start + (size_t)len, digits, 10);
    return PROTO_END;
}

static bool starts_with(struct bytes run, const char *text)
{
    size_t len = strlen(text);
    return run.len >= len && memcmp(run.data, text, len) == 0;
}

static enum proto_step answer(const struct shared *shared, struct bytes head, struct buffer *out)
{
    if (!starts_with(head, "GET /"))
        return respond(out, "405 Method Not Allowed", NULL, "only GET\n");
    if (starts_with(head, "GET /metrics "))
        return respond(out, "200 OK", shared, NULL);
    if (starts_with(head, "GET /healthz "))
        return respond(out, "200 OK", NULL, "ok\n");
    if (!starts_with(head, "GET /readyz "))
        return respond(out, "404 Not Found", NULL, "/metrics, /healthz, /readyz\n");
    /* relaxed: a flag for people */
    if (atomic_load_explicit(&shared->stopping, memory_order_relaxed))
        return respond(out, "503 Service Unavailable", NULL, "stopping\n");
    return respond(out, "200 OK", NULL, "ready\n");
}

static enum proto_step admin_step(
    struct peer *peer, struct bytes run, struct buffer *out, size_t *ret_count)
{
    for (size_t i = 3; i < run.len; i++) {
        if (memcmp(run.data + i - 3, "\r\n\r\n", 4) != 0)
            continue;
        *ret_count = i + 1;
        return answer(peer->context->shared, run, out);
    }
    if (run.len >= HEAD_BYTES_MAX)
        return respond(out, "431 Request Header Fields Too Large", NULL, "too long\n") == PROTO_END
                   ? PROTO_CLOSE
                   : PROTO_NO_MEMORY;
    *ret_count = run.len + 1;
    return PROTO_PARTIAL;
}

const struct proto proto_admin = {.name = "admin", .step = admin_step};
