/*
 * The benchmark of pushes: one connection publishes, all the others have subscribed. So many are published at once, and the next
 * when every subscriber has all of them; every push is counted, at the subscriber that it came to.
 *
 * The window opens and closes between two such bursts. A round ends when the burst is through in which its time is over.
 */
#include "client.h"
#include "commands.h"
#include "rounds.h"
#include "speech.h"
#include "talk.h"
#include "transport.h"

#include <stdlib.h>
#include <string.h>

/* What one connection has said and heard. The first is the publisher. */
struct member {
    size_t unsent_bytes; /* of its first words, then of a burst */
    bool has_greeted;
    unsigned pongs;                            /* owed */
    size_t pong_bytes;                         /* of the one under way, still to be sent */
    uint64_t received;                         /* pushes */
    uint64_t body_bytes;                       /* of the push that is coming in */
    unsigned char number[SPEECH_NUMBER_BYTES]; /* its number, as far as it is there */
    struct splitter splitter;
};

struct fanout {
    struct talk talk;
    const struct options *options;
    const struct speech *speech;
    struct member *members;
    unsigned char *burst; /* what is published at once */
    size_t burst_bytes;
    unsigned depth; /* pushes of a burst, to each */
    uint64_t published;
    uint64_t awaited; /* pushes and replies of the burst under way, and answers to first words */
};

/* ---- What is said ---- */

static bool is_publisher(const struct fanout *f, const struct member *m)
{
    return m == f->members;
}

static size_t piece(const struct talk *talk, unsigned connection, const unsigned char **ret_data)
{
    const struct fanout *f = (const struct fanout *)talk;
    const struct member *m = &f->members[connection];
    const struct speech *s = f->speech;
    const unsigned char *all = m->has_greeted ? f->burst : is_publisher(f, m) ? s->hello : s->join;
    size_t bytes = m->has_greeted       ? f->burst_bytes
                   : is_publisher(f, m) ? s->hello_bytes
                                        : s->join_bytes;
    if (m->unsent_bytes > 0) {
        *ret_data = all + bytes - m->unsent_bytes;
        return m->unsent_bytes;
    }
    if (m->pong_bytes == 0)
        return 0;
    *ret_data = (const unsigned char *)s->pong + strlen(s->pong) - m->pong_bytes;
    return m->pong_bytes;
}

static void sent(struct talk *talk, unsigned connection, size_t bytes)
{
    struct fanout *f = (struct fanout *)talk;
    struct member *m = &f->members[connection];
    if (m->unsent_bytes > 0) {
        m->unsent_bytes -= bytes;
        m->has_greeted = m->has_greeted || m->unsent_bytes == 0;
        return;
    }
    m->pong_bytes -= bytes;
    if (m->pong_bytes == 0 && --m->pongs > 0)
        m->pong_bytes = strlen(f->speech->pong);
}

static void burst_begin(struct fanout *f)
{
    const struct speech *s = f->speech;
    for (unsigned i = 0; i < f->depth; i++)
        speech_number_store(f->burst + i * s->publish_bytes + s->data_at, f->published + i);
    f->published += f->depth;
    f->members[0].unsent_bytes = f->burst_bytes;
    f->awaited = (uint64_t)f->depth * (f->talk.connections - 1) + (s->replies ? f->depth : 0);
}

/* ---- What is heard ---- */

struct listening {
    struct fanout *fanout;
    struct member *member;
};

static int complain(const char *what)
{
    fprintf(stderr, "client: %s\n", what);
    return -1;
}

/* Replies have bodies too, which nobody looks at. */
static int on_body(void *context, const unsigned char *data, size_t bytes)
{
    const struct listening *l = context;
    const struct speech *s = l->fanout->speech;
    struct member *m = l->member;
    uint64_t at = m->body_bytes;
    m->body_bytes += bytes;
    if (m->splitter.item.kind != WIRE_PUSH || !l->fanout->options->verify)
        return 0;
    if (m->body_bytes > s->data_bytes)
        return complain("more data came than was published");
    for (; bytes > 0 && at < SPEECH_NUMBER_BYTES; at++, data++, bytes--)
        m->number[at] = *data;
    if (memcmp(data, s->publish + s->data_at + at, bytes) != 0)
        return complain("other data came than was published");
    return 0;
}

static int on_push(struct fanout *f, struct member *m)
{
    unsigned char number[SPEECH_NUMBER_BYTES];
    speech_number_store(number, m->received);
    if (is_publisher(f, m) || m->received == f->published)
        return complain("a push to who does not await one");
    if (m->body_bytes != f->speech->data_bytes)
        return complain("a push without all of its data");
    if (f->options->verify && memcmp(number, m->number, sizeof number) != 0)
        return complain("a push out of order");
    m->received++;
    f->awaited--;
    return 0;
}

static int on_item(void *context, enum wire_kind kind)
{
    const struct listening *l = context;
    struct fanout *f = l->fanout;
    struct member *m = l->member;
    int status = 0;
    switch (kind) {
    case WIRE_PUSH:
        status = on_push(f, m);
        break;
    case WIRE_REPLY:
        if (f->awaited == 0)
            return complain("an answer to nothing");
        f->awaited--;
        break;
    case WIRE_PING:
        if (f->speech->pong != NULL && m->pongs++ == 0)
            m->pong_bytes = strlen(f->speech->pong);
        break;
    case WIRE_NOTE:
        break;
    }
    m->body_bytes = 0;
    return status;
}

static int received(
    struct talk *talk, unsigned connection, const unsigned char *data, size_t bytes, int64_t now_ns)
{
    struct fanout *f = (struct fanout *)talk;
    struct listening l = {f, &f->members[connection]};
    const struct wire_sink sink = {on_body, on_item, &l};
    (void)now_ns;
    return splitter_feed(&l.member->splitter, f->speech->parse, data, bytes, &sink);
}

/* ---- A round ---- */

/* Until all that is awaited has come. What has come may still have to be told as sent. */
static int await(struct fanout *f, void *client)
{
    int64_t now_ns;
    while (f->awaited > 0 || f->members[0].unsent_bytes > 0) {
        if (f->options->transport->turn(client, &now_ns) != 0)
            return -1;
    }
    return 0;
}

/* The publisher comes last: when its bursts begin, everybody has subscribed. */
static int join_all(struct fanout *f, void *client)
{
    f->awaited = f->talk.connections - 1;
    for (unsigned i = f->talk.connections; i-- > 0;) {
        struct member *m = &f->members[i];
        m->unsent_bytes = i > 0 ? f->speech->join_bytes : f->speech->hello_bytes;
        m->has_greeted = m->unsent_bytes == 0;
        if (f->options->transport->flush(client, i) != 0 || (i == 1 && await(f, client) != 0))
            return -1;
    }
    return await(f, client);
}

static int publish_once(struct fanout *f, void *client)
{
    burst_begin(f);
    return f->options->transport->flush(client, 0) == 0 ? await(f, client) : -1;
}

/* Bursts for so long, one at the least. */
static int publish_for(struct fanout *f, void *client, double seconds, struct hist *latency_ns)
{
    int64_t now_ns = sys_now_ns(), end_ns = now_ns + (int64_t)(seconds * 1e9);
    do {
        int64_t begin_ns = now_ns;
        if (publish_once(f, client) != 0)
            return -1;
        now_ns = sys_now_ns();
        if (latency_ns != NULL)
            hist_add(latency_ns, (uint64_t)(now_ns - begin_ns));
    } while (now_ns < end_ns);
    return 0;
}

static int measure_window(
    struct fanout *f, void *client, const struct server *server, struct report_row *row)
{
    static struct hist latency_ns; /* too large for a stack */
    struct window w = {.options = f->options, .server = server};
    unsigned n = row->rounds;
    if (join_all(f, client) != 0 || publish_for(f, client, f->options->warmup_seconds, NULL) != 0 ||
        window_mark(&w, true) != 0)
        return -1;
    hist_reset(&latency_ns);
    uint64_t published = f->published;
    int64_t cpu_ns = sys_self_cpu_ns(), begin_ns = sys_now_ns();
    if (publish_for(f, client, f->options->seconds, &latency_ns) != 0)
        return -1;
    int64_t elapsed_ns = sys_now_ns() - begin_ns;
    cpu_ns = sys_self_cpu_ns() - cpu_ns;
    if (window_mark(&w, false) != 0)
        return -1;
    uint64_t pushes = (f->published - published) * (f->talk.connections - 1);
    row->metrics = 1u << METRIC_P50 | 1u << METRIC_P99;
    row->values[METRIC_P50][n] = (double)hist_quantile(&latency_ns, 0.5);
    row->values[METRIC_P99][n] = (double)hist_quantile(&latency_ns, 0.99);
    window_store(&w, pushes, elapsed_ns, cpu_ns, row);
    return 0;
}

static int measure_server(struct fanout *f, const struct peer *peer, struct report_row *row)
{
    struct server server;
    void *client;
    if (server_start(peer, NULL, NULL, f->options->server_core, &server) != 0)
        return -1;
    snprintf(row->engine, sizeof row->engine, "%s", server.engine);
    snprintf(row->remark, sizeof row->remark, "%s", server.remark);
    f->talk.port = server.port;
    int status = f->options->transport->open(&f->talk, &client);
    if (status == 0) {
        status = measure_window(f, client, &server, row);
        f->options->transport->close(client);
    }
    if (status == 0)
        return server_wait(&server);
    server_kill(&server);
    return -1;
}

struct workload {
    const struct options *options;
    unsigned receivers;
    unsigned data_bytes;
    unsigned depth;
};

static int measure(void *context, const struct peer *peer, struct report_row *row)
{
    static const struct talk_kind kind = {piece, sent, received};
    const struct workload *load = context;
    struct speech speech;
    if (speech_open(peer, load->data_bytes, &speech) != 0)
        return -1;
    struct fanout f = {
        .talk = {.kind = &kind, .connections = load->receivers + 1, .inbox_bytes = 64 * 1024},
        .options = load->options,
        .speech = &speech,
        .burst_bytes = load->depth * speech.publish_bytes,
        .depth = load->depth};
    f.members = calloc(f.talk.connections, sizeof *f.members);
    f.burst = malloc(f.burst_bytes);
    int status = f.members != NULL && f.burst != NULL ? 0 : complain("no memory");
    for (unsigned i = 0; status == 0 && i < f.depth; i++)
        memcpy(f.burst + i * speech.publish_bytes, speech.publish, speech.publish_bytes);
    if (status == 0)
        status = measure_server(&f, peer, row);
    free(f.burst);
    free(f.members);
    speech_close(&speech);
    if (status != 0)
        fprintf(stderr, "%s failed\n", peer->name);
    return status;
}

static int run_workload(struct workload *load, struct report *report)
{
    struct report_row like = {.rounds = 0};
    snprintf(like.subject, sizeof like.subject, "pushes of %u B to %u receivers, %u at once",
        load->data_bytes, load->receivers, load->depth);
    return rounds_run(load->options, &like, measure, load, report);
}

static int run_all(const struct options *o, struct report *report)
{
    for (unsigned c = 0; c < o->connections.count; c++) {
        for (unsigned s = 0; s < o->message_bytes.count; s++) {
            for (unsigned d = 0; d < o->depths.count; d++) {
                struct workload load = {
                    o, o->connections.values[c], o->message_bytes.values[s], o->depths.values[d]};
                if (run_workload(&load, report) != 0)
                    return -1;
            }
        }
    }
    return 0;
}

int command_fanout(int argc, char **argv)
{
    static const struct peer servers[] = {
        {"cport-server-uring", "cport-server", "io_uring", true, false},
        {"cport-server-epoll", "cport-server", "epoll", true, false},
        {"cport-server-iocp", "cport-server", "iocp", true, false},
        {"raw-epoll", "peer-message-raw-epoll", NULL, true, false},
        {"raw-io_uring", "peer-message-raw-io_uring", NULL, true, false},
        {"libuv", "peer-message-libuv", NULL, true, false},
        {"asio", "peer-message-asio", NULL, true, false},
        {"redis", "redis-server", NULL, true, false},
        {"nats", "nats-server", NULL, true, false},
        {"mosquitto", "mosquitto", NULL, true, false},
        {NULL, NULL, NULL, false, false},
    };
    struct options o = {.table = servers,
        .connections = {1, {1000}},
        .message_bytes = {1, {128}},
        .bytes_max = 32768,
        .depths = {2, {64, 1}},
        .keeps_workloads = true,
        .rounds = 5,
        .seconds = 2,
        .warmup_seconds = 0.5,
        .server_core = 0,
        .client_core = 1};
    struct report report;

    if (options_parse(argc, argv, &o) != 0)
        return 2;
    sys_files_raise();
    if (rounds_begin(&o, "fanout", &report) != 0)
        return 1;
    int status = run_all(&o, &report);
    report_free(&report);
    return status == 0 ? 0 : 1;
}
