#include "load.h"

#include "os.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The stream's content repeats with a prime period, so that no message size lines up with it. */
#define PATTERN_PERIOD 65521

static void pattern_fill(unsigned char *pattern)
{
    uint32_t state = 1;
    for (size_t i = 0; i < PATTERN_PERIOD; i++) {
        state = state * 1664525u + 1013904223u;
        pattern[i] = (unsigned char)(state >> 24);
    }
    for (size_t i = PATTERN_PERIOD; i < PATTERN_PERIOD + LOAD_PIECE_BYTES; i++)
        pattern[i] = pattern[i - PATTERN_PERIOD];
}

static void streams_prepare(struct load *load)
{
    const struct client_options *o = load->options;
    for (unsigned i = 0; i < o->connections; i++) {
        struct stream *s = &load->streams[i];
        s->started_ns = load->stamps + (size_t)i * o->depth;
        s->messages_left = o->messages_per_connection > 0 ? o->messages_per_connection : UINT64_MAX;
        /* Each starts elsewhere in the pattern: an answer to the wrong connection does not pass. */
        s->send_phase = s->receive_phase = i * 97u % PATTERN_PERIOD;
    }
}

int load_open(
    const struct client_options *options, struct client_result *result, struct load *ret_load)
{
    struct load load = {.options = options, .result = result};

    memset(result, 0, sizeof *result);
    load.streams = calloc(options->connections, sizeof *load.streams);
    load.stamps = calloc((size_t)options->connections * options->depth, sizeof *load.stamps);
    load.pattern = malloc(PATTERN_PERIOD + LOAD_PIECE_BYTES);
    if (load.streams == NULL || load.stamps == NULL || load.pattern == NULL) {
        fprintf(stderr, "client: no memory\n");
        load_free(&load);
        return -1;
    }
    pattern_fill(load.pattern);
    streams_prepare(&load);
    *ret_load = load;
    return 0;
}

void load_free(struct load *load)
{
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
        s->unsent_bytes += load->options->message_bytes;
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

size_t stream_piece(const struct load *load, const struct stream *s, const unsigned char **ret_data)
{
    *ret_data = load->pattern + s->send_phase;
    return s->unsent_bytes < LOAD_PIECE_BYTES ? s->unsent_bytes : LOAD_PIECE_BYTES;
}

void stream_sent(struct stream *s, size_t bytes)
{
    s->unsent_bytes -= bytes;
    s->send_phase = (uint32_t)((s->send_phase + bytes) % PATTERN_PERIOD);
}

static int stream_check(
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

int stream_received(
    struct load *load, struct stream *s, const unsigned char *data, size_t bytes, int64_t now_ns)
{
    if (stream_check(load, s, data, bytes) != 0)
        return -1;
    s->receive_phase = (uint32_t)((s->receive_phase + bytes) % PATTERN_PERIOD);
    s->partial_bytes += bytes;
    for (; s->partial_bytes >= load->options->message_bytes;
         s->partial_bytes -= load->options->message_bytes)
        stream_finish_message(load, s, now_ns);
    stream_start_messages(load, s, now_ns);
    return 0;
}
