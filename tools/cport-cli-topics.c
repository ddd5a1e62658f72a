/* Topics: texts sent to them, and what comes. */
#include "cport-cli-message.h"
#include "cport-cli-output.h"

#include <stdlib.h>

static bool topic_sound(const char *topic)
{
    size_t len = strlen(topic);
    if (len >= 1 && len <= 255)
        return true;
    output_error("%s: a topic has 1 to 255 bytes, not %zu", topic, len);
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
        return cli_no_memory();
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

bool cli_push_parse(const struct message *message, const char *topic, struct bytes *ret_data)
{
    struct bytes payload = message->payload;
    size_t len = strlen(topic);
    if (message->type != MESSAGE_PUSH || payload.len < 1 + len || payload.data[0] != len ||
        memcmp(payload.data + 1, topic, len) != 0)
        return false;
    *ret_data = (struct bytes){payload.data + 1 + len, payload.len - 1 - len};
    return true;
}

void cli_push_json(uint32_t number, struct bytes data)
{
    printf("{\"number\": %u, \"data\": ", number);
    output_json(data);
    puts("}");
}

int cli_topic_follow(
    struct cli_session *session, const char *topic, cli_topic_print *print, void *ctx)
{
    static const uint8_t ping[MESSAGE_HEAD_BYTES] = {MESSAGE_LENGTH_MIN, [4] = MESSAGE_PING};
    session->heartbeat = (struct bytes){ping, sizeof(ping)};
    session->patient = true;
    for (;;) {
        struct message message;
        struct bytes data;
        int status = cli_message_receive(session, &message);
        if (cli_ended(session) || (status == CLI_OK && message.type == MESSAGE_GOAWAY))
            return CLI_OK;
        if (status != CLI_OK)
            return status;
        if (!cli_push_parse(&message, topic, &data))
            continue;
        bool on = print(ctx, message.id, data);
        status = output_flush();
        if (!on || status != CLI_OK)
            return status;
    }
}

int cli_publish(const struct cli_options *options, const char *topic, const char *text)
{
    struct cli_session session = {.about = topic};
    uint32_t receivers = 0;
    int status = cli_message_open(&session, options);
    if (status == CLI_OK)
        status = cli_topic_publish(&session, topic, output_bytes(text), &receivers);
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
        cli_push_json(number, data);
    } else {
        printf("%u ", number);
        output_text(stdout, data);
        putchar('\n');
    }
    return ++following->count != following->options->count;
}

/* Prints what comes, a line each, until --count of them have come or the server ends. */
int cli_subscribe(const struct cli_options *options, const char *topic)
{
    struct cli_session session = {.about = topic};
    struct following following = {.options = options};
    int status = cli_message_open(&session, options);
    if (status == CLI_OK)
        status = cli_topic_subscribe(&session, topic);
    if (status == CLI_OK && !options->json)
        puts("subscribed");
    if (status == CLI_OK)
        status = output_flush();
    if (status == CLI_OK)
        status = cli_topic_follow(&session, topic, push_print, &following);
    if (status == CLI_OK && following.count < options->count) {
        output_error("%s: the server ended after %lld of %lld pushes", topic,
            (long long)following.count, (long long)options->count);
        status = CLI_NO_ANSWER;
    }
    cli_session_close(&session);
    return status;
}
