/* Topics: texts sent to them, and what comes. */
#include "cport-cli-message.h"
#include "cport-cli-output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool topic_sound(const char *topic)
{
    size_t len = strlen(topic);
    if (len >= 1 && len <= 255)
        return true;
    fputs("cport-cli: a topic has 1 to 255 bytes\n", stderr);
    return false;
}

int cli_topic_publish(
    struct cli_session *session, const char *topic, struct bytes data, uint32_t *ret_receivers)
{
    struct message reply;
    size_t topic_len = strlen(topic);
    if (!topic_sound(topic))
        return CLI_USAGE;
    uint8_t *payload = malloc(1 + topic_len + data.len);
    if (!payload)
        return cli_lost(CPORT_ENOMEM);
    payload[0] = (uint8_t)topic_len;
    memcpy(payload + 1, topic, topic_len);
    memcpy(payload + 1 + topic_len, data.data, data.len);
    int status =
        cli_message_ask(session, 0, VERB_PUBLISH, payload, 1 + topic_len + data.len, &reply);
    if (status == CLI_OK)
        *ret_receivers = reply.payload.len == 4 ? load_u32(reply.payload.data) : 0;
    free(payload);
    return status;
}

int cli_topic_subscribe(struct cli_session *session, const char *topic)
{
    struct message reply;
    return topic_sound(topic)
               ? cli_message_ask(session, 0, VERB_SUBSCRIBE, topic, strlen(topic), &reply)
               : CLI_USAGE;
}

int cli_topic_follow(struct cli_session *session, cli_topic_print *print, void *ctx)
{
    session->patient = true;
    for (;;) {
        struct message message;
        int status = cli_message_receive(session, &message);
        if (session->ended || (status == CLI_OK && message.type == MESSAGE_GOAWAY))
            return CLI_OK;
        if (status != CLI_OK)
            return status;
        if (message.type != MESSAGE_PUSH || message.payload.len == 0 ||
            message.payload.len < 1u + message.payload.data[0])
            continue;
        size_t skip = 1 + (size_t)message.payload.data[0];
        if (!print(ctx, message.id,
                (struct bytes){message.payload.data + skip, message.payload.len - skip}))
            return CLI_OK;
        fflush(stdout);
    }
}

int cli_publish(const struct cli_options *options, const char *topic, const char *text)
{
    struct cli_session session;
    uint32_t receivers = 0;
    int status = cli_message_open(&session, options);
    if (status == CLI_OK)
        status = cli_topic_publish(
            &session, topic, (struct bytes){(const uint8_t *)text, strlen(text)}, &receivers);
    if (status == CLI_OK)
        printf(options->json ? "{\"receivers\": %u}\n" : "%u receivers\n", receivers);
    cli_session_close(&session);
    return status;
}

struct following {
    const struct cli_options *options;
    int64_t count;
};

static bool push_print(void *ctx, uint32_t number, struct bytes data)
{
    struct following *following = ctx;
    if (following->options->json) {
        printf("{\"number\": %u, \"data\": ", number);
        output_json(data);
        puts("}");
    } else {
        printf("%u ", number);
        output_text(data);
        putchar('\n');
    }
    return ++following->count != following->options->count;
}

/* Prints what comes, a line each, until --count of them have come or the server ends. */
int cli_subscribe(const struct cli_options *options, const char *topic)
{
    struct cli_session session;
    struct following following = {.options = options};
    int status = cli_message_open(&session, options);
    if (status == CLI_OK)
        status = cli_topic_subscribe(&session, topic);
    if (status == CLI_OK) {
        if (!options->json)
            puts("subscribed");
        fflush(stdout);
        status = cli_topic_follow(&session, push_print, &following);
    }
    cli_session_close(&session);
    return status;
}
