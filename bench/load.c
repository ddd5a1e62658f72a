#include "load.h"

#include "os.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An echo's content repeats with a prime period, so that no message size lines up with it; a dialogue's is its request. */
#define PATTERN_PERIOD 65521
#define INBOX_MAX      ((size_t)64 * 1024)

static const struct talk_kind echo_kind, dialogue_kind;

static void pattern_fill(struct load *load)
{
    const struct dialogue *dialogue = load->options->dialogue;
    uint32_t state = 1;
    assert(load->period > 0);
    for (size_t i = 0; i < load->period; i++) {
        state = state * 1664525u + 1013904223u;
        load->pattern[i] = dialogue != NULL ? dialogue->request[i] : (unsigned char)(state >> 24);
    }
    for (size_t i = load->period; i < load->period + LOAD_PIECE_BYTES; i++)
        load->pattern[i] = load->pattern[i - load->period];
}

static void streams_prepare(struct load *load)
{
    const struct client_options *o = load->options;
    for (unsigned i = 0; i < o->connections; i++) {
        struct stream *s = &load->streams[i];
        s->started_ns = load->stamps + (size_t)i * o->depth;
        s->messages_left = o->messages_per_connection > 0 ? o->messages_per_connection : UINT64_MAX;
        if (o->dialogue != NULL) {
            s->hello_bytes = o->dialogue->hello_bytes;
            s->splitter = &load->splitters[i];
            continue;
        }
        /* Each starts elsewhere in the pattern: an answer to the wrong connection does not pass. */
        s->send_phase = s->receive_phase = i * 97u % PATTERN_PERIOD;
    }
}

int load_open(
    const struct client_options *options, struct client_result *result, struct load *ret_load)
{
    const struct dialogue *dialogue = options->dialogue;
    struct load load = {.options = options,
        .result = result,
        .period = dialogue != NULL ? dialogue->request_bytes : PATTERN_PERIOD,
        .request_bytes = dialogue != NULL ? dialogue->request_bytes : options->message_bytes};
    size_t most = options->depth * load.request_bytes; /* that can come at once */

    load.talk = (struct talk){.kind = dialogue != NULL ? &dialogue_kind : &echo_kind,
        .port = options->port,
        .connections = options->connections,
        .inbox_bytes = dialogue != NULL || most > INBOX_MAX ? INBOX_MAX : most};
    memset(result, 0, sizeof *result);
    load.streams = calloc(options->connections, sizeof *load.streams);
    load.stamps = calloc((size_t)options->connections * options->depth, sizeof *load.stamps);
    load.pattern = malloc(load.period + LOAD_PIECE_BYTES);
    if (dialogue != NULL)
        load.splitters = calloc(options->connections, sizeof *load.splitters);
    if (load.streams == NULL || load.stamps == NULL || load.pattern == NULL ||
        (dialogue != NULL && load.splitters == NULL)) {
        fprintf(stderr, "client: no memory\n");
        load_free(&load);
        return -1;
    }
    pattern_fill(&load);
    streams_prepare(&load);
    *ret_load = load;
    return 0;
}

void load_free(struct load *load)
{
    free(load->splitters);
    free(load->pattern);
    free(load->stamps);
    free(load->streams);
}

/* The order of the samples keeps the slow ones outside the window. */
static int window_open(struct load *load)
{
    const struct client_options *o = load->options;
    if (o->on_window != NULL && o->on_window(o->context, true) != 0)
        return -1;
    load->result->cpu_ns = -sys_self_cpu_ns();
    load->opened_ns = sys_now_ns();
    load->is_measuring = true;
    return 0;
}

static int window_close(struct load *load)
{
    const struct client_options *o = load->options;
    load->is_measuring = false;
    load->is_draining = true;
    load->result->elapsed_ns = sys_now_ns() - load->opened_ns;
    load->result->cpu_ns += sys_self_cpu_ns();
    return o->on_window != NULL ? o->on_window(o->context, false) : 0;
}

int load_start(struct load *load)
{
    if (load->options->messages_per_connection > 0)
        return window_open(load);
    load->open_at_ns = sys_now_ns() + load->options->warmup_ns;
    return 0;
}

int load_advance(struct load *load, int64_t now_ns)
{
    if (load->options->messages_per_connection > 0 || load->is_draining)
        return 0;
    if (!load->is_measuring && now_ns >= load->open_at_ns && window_open(load) != 0)
        return -1;
    if (load->is_measuring && now_ns >= load->opened_ns + load->options->measure_ns)
        return window_close(load);
    return 0;
}

int load_finish(struct load *load)
{
    return load->is_draining ? 0 : window_close(load);
}

void stream_start_messages(struct load *load, struct stream *s, int64_t now_ns)
{
    unsigned depth = load->options->depth;
    while (!load->is_draining && s->outstanding < depth && s->messages_left > 0) {
        s->started_ns[(s->head + s->outstanding) % depth] = now_ns;
        s->outstanding++;
        s->messages_left--;
        s->unsent_bytes += load->request_bytes;
        load->outstanding++;
    }
}

static void stream_finish_message(struct load *load, struct stream *s, int64_t now_ns)
{
    if (load->is_measuring) {
        hist_add(&load->result->latency_ns, (uint64_t)(now_ns - s->started_ns[s->head]));
        load->result->messages++;
    }
    s->head = (s->head + 1) % load->options->depth;
    s->outstanding--;
    load->outstanding--;
}

/* The hello goes out alone, and once. */
static size_t stream_piece(
    const struct talk *talk, unsigned connection, const unsigned char **ret_data)
{
    const struct load *load = (const struct load *)talk;
    const struct stream *s = &load->streams[connection];
    if (s->hello_bytes > 0) {
        const struct dialogue *dialogue = load->options->dialogue;
        *ret_data = dialogue->hello + dialogue->hello_bytes - s->hello_bytes;
        return s->hello_bytes;
    }
    *ret_data = load->pattern + s->send_phase;
    return s->unsent_bytes < LOAD_PIECE_BYTES ? s->unsent_bytes : LOAD_PIECE_BYTES;
}

static void stream_sent(struct talk *talk, unsigned connection, size_t bytes)
{
    struct load *load = (struct load *)talk;
    struct stream *s = &load->streams[connection];
    if (s->hello_bytes > 0) {
        s->hello_bytes -= bytes;
        return;
    }
    s->unsent_bytes -= bytes;
    s->send_phase = (uint32_t)((s->send_phase + bytes) % load->period);
}

/* ---- An echo ---- */

static int echo_check(
    const struct load *load, const struct stream *s, const unsigned char *data, size_t bytes)
{
    if (bytes > s->outstanding * load->options->message_bytes - s->partial_bytes) {
        fprintf(stderr, "client: more bytes came back than were sent\n");
        return -1;
    }
    uint32_t phase = s->receive_phase;
    for (size_t done = 0; load->options->verify && done < bytes;) {
        size_t piece = bytes - done < LOAD_PIECE_BYTES ? bytes - done : LOAD_PIECE_BYTES;
        if (memcmp(data + done, load->pattern + phase, piece) != 0) {
            fprintf(stderr, "client: other bytes came back than were sent\n");
            return -1;
        }
        phase = (uint32_t)((phase + piece) % PATTERN_PERIOD);
        done += piece;
    }
    return 0;
}

static int echo_received(
    struct talk *talk, unsigned connection, const unsigned char *data, size_t bytes, int64_t now_ns)
{
    struct load *load = (struct load *)talk;
    struct stream *s = &load->streams[connection];
    if (echo_check(load, s, data, bytes) != 0)
        return -1;
    s->receive_phase = (uint32_t)((s->receive_phase + bytes) % PATTERN_PERIOD);
    s->partial_bytes += bytes;
    for (; s->partial_bytes >= load->options->message_bytes;
         s->partial_bytes -= load->options->message_bytes)
        stream_finish_message(load, s, now_ns);
    stream_start_messages(load, s, now_ns);
    return 0;
}

static const struct talk_kind echo_kind = {stream_piece, stream_sent, echo_received};

/* ---- A dialogue ---- */

struct answering {
    struct load *load;
    struct stream *stream;
    int64_t now_ns;
};

static int answer_body(void *context, const unsigned char *data, size_t bytes)
{
    const struct answering *a = context;
    const struct dialogue *dialogue = a->load->options->dialogue;
    struct stream *s = a->stream;
    if (s->partial_bytes + bytes > dialogue->body_bytes ||
        (a->load->options->verify &&
            memcmp(data, dialogue->request + dialogue->body_at + s->partial_bytes, bytes) != 0)) {
        fprintf(stderr, "client: another body came back than was sent\n");
        return -1;
    }
    s->partial_bytes += bytes;
    return 0;
}

static int answer_item(void *context, enum wire_kind kind)
{
    const struct answering *a = context;
    struct stream *s = a->stream;
    if (kind == WIRE_NOTE)
        return 0;
    if (kind != WIRE_REPLY || s->outstanding == 0 ||
        s->partial_bytes != a->load->options->dialogue->body_bytes) {
        fprintf(stderr, "client: an answer to nothing, or without its body\n");
        return -1;
    }
    s->partial_bytes = 0;
    stream_finish_message(a->load, s, a->now_ns);
    return 0;
}

static int dialogue_received(
    struct talk *talk, unsigned connection, const unsigned char *data, size_t bytes, int64_t now_ns)
{
    struct load *load = (struct load *)talk;
    struct answering a = {load, &load->streams[connection], now_ns};
    const struct wire_sink sink = {answer_body, answer_item, &a};
    if (splitter_feed(a.stream->splitter, load->options->dialogue->parse, data, bytes, &sink) != 0)
        return -1;
    stream_start_messages(load, a.stream, now_ns);
    return 0;
}

static const struct talk_kind dialogue_kind = {stream_piece, stream_sent, dialogue_received};
