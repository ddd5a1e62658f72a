/* LogOutput: every line of the log as it is written, for people with telnet or nc. No frames: any byte repeats the banner, ESC
 * ends. */
#include "proto.h"
#include "shared.h"

#include <cport/cport.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ESCAPE 0x1Bu

struct log_output {
    struct subscriptions subscriptions;
};

static bool banner(struct buffer *out)
{
    char text[160];
    int len = snprintf(text, sizeof(text),
        "cport-server %s: its log, line by line as it is written. ESC ends, any other key shows "
        "this.\r\n",
        cport_version());
    return buffer_append(out, text, (size_t)len);
}

static bool log_output_open(struct peer *peer, struct buffer *out)
{
    struct log_output *own = peer->state;
    struct bytes topic = {(const uint8_t *)HUB_LOG_TOPIC, sizeof(HUB_LOG_TOPIC) - 1};
    return banner(out) && hub_subscribe(peer->context->shared->hub, peer->context->worker,
                              &own->subscriptions, 1, topic, peer->who) == STATUS_OK;
}

static void log_output_close(struct peer *peer)
{
    struct log_output *own = peer->state;
    hub_leave(peer->context->shared->hub, peer->context->worker, &own->subscriptions);
}

/* One byte at a time, so that bytes in one segment say the same as bytes in many. */
static enum proto_step log_output_step(
    struct peer *peer, struct bytes run, struct buffer *out, size_t *ret_count)
{
    (void)peer;
    if (run.data[0] == ESCAPE)
        return PROTO_END;
    *ret_count = 1;
    return banner(out) ? PROTO_NEXT : PROTO_NO_MEMORY;
}

static bool log_output_lost(struct buffer *out, uint64_t count)
{
    char text[80];
    int len =
        snprintf(text, sizeof(text), "*** %" PRIu64 " lines lost: too slow a reader\r\n", count);
    return buffer_append(out, text, (size_t)len);
}

const struct proto proto_log_output = {.name = "log",
    .preface = 0x09,
    .lossy = true,
    .listens = true,
    .state_bytes = sizeof(struct log_output),
    .open = log_output_open,
    .step = log_output_step,
    .close = log_output_close,
    .lost = log_output_lost};
