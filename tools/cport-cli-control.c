/* What operators ask: clients, stats, kick, log; and topics. */
#include "cport-cli-os.h"
#include "cport-cli-session.h"

#include "fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTROL 0x08
#define LOG     0x09
#define MESSAGE 0x10

void cli_json_text(struct bytes text)
{
    putchar('"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c < 0x20 || c == '"' || c == '\\')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_client(struct bytes item, bool json, bool first)
{
    static const char *const names[] = {
        "local", "remote", "protocol", "user", "connected", "active"};
    if (!json) {
        printf("%.*s\n", (int)item.len, (const char *)item.data);
        return;
    }
    printf("%s\n  {", first ? "" : ",");
    for (size_t i = 0, start = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t end = start;
        while (end < item.len && item.data[end] != '\t')
            end++;
        printf("%s\"%s\": ", i > 0 ? ", " : "", names[i]);
        cli_json_text((struct bytes){item.data + start, end - start});
        start = end < item.len ? end + 1 : end;
    }
    printf("}");
}

int cli_clients(const struct cli_options *options)
{
    struct cli_session session;
    struct cli_reply reply;
    struct bytes rest, item;
    int status = cli_session_login(&session, options, CONTROL);
    if (status == CLI_OK)
        status = cli_ask(&session, "Command=GetClients", NULL, 0, &reply);
    if (status == CLI_OK) {
        bool first = true;
        rest = reply.command.text;
        printf("%s", options->json ? "[" : "");
        for (; command_next(&rest, "Item", &item); first = false)
            print_client(item, options->json, first);
        printf("%s", options->json ? "\n]\n" : "");
    }
    cli_session_close(&session);
    return status;
}

int cli_stats(const struct cli_options *options)
{
    struct cli_session session;
    struct cli_reply reply;
    int status = cli_session_login(&session, options, CONTROL);
    if (status == CLI_OK)
        status = cli_ask(&session, "Command=Stats", NULL, 0, &reply);
    if (status == CLI_OK) {
        /* The lines behind [Response], Command and Code are the counters, as name=value. */
        char *text = malloc(reply.command.text.len + 1);
        if (!text)
            abort();
        memcpy(text, reply.command.text.data, reply.command.text.len);
        text[reply.command.text.len] = '\0';
        unsigned number = 0;
        printf("%s", options->json ? "{" : "");
        for (char *line = strtok(text, "\r\n"); line; line = strtok(NULL, "\r\n")) {
            char *equal = strchr(line, '=');
            if (number++ < 3 || !equal)
                continue;
            *equal = '\0';
            printf(options->json ? "%s\n  \"%s\": %s" : "%s%s=%s\n",
                options->json && number > 4 ? "," : "", line, equal + 1);
        }
        printf("%s", options->json ? "\n}\n" : "");
        free(text);
    }
    cli_session_close(&session);
    return status;
}

int cli_kick(const struct cli_options *options, const char *remote)
{
    struct cli_session session;
    struct cli_reply reply;
    char text[256];
    snprintf(text, sizeof(text), "Command=Kick\r\nRemote=%.100s", remote);
    int status = cli_session_login(&session, options, CONTROL);
    if (status == CLI_OK)
        status = cli_ask(&session, text, NULL, 0, &reply);
    cli_session_close(&session);
    return status;
}

/* Until the server ends it, or whoever started this. */
int cli_log(const struct cli_options *options)
{
    struct cli_session session;
    int status = cli_session_open(&session, options, LOG);
    session.patient = true;
    while (status == CLI_OK && (status = cli_need(&session, 1)) == CLI_OK) {
        struct bytes have = cli_have(&session);
        fwrite(have.data, 1, have.len, stdout);
        fflush(stdout);
        cli_take(&session, have.len);
    }
    if (session.ended)
        status = CLI_OK;
    cli_session_close(&session);
    return status;
}

/* ---- Topics ---- */

static int message_send(
    struct cli_session *session, uint8_t flags, uint16_t verb, const uint8_t *payload, size_t len)
{
    uint8_t head[MESSAGE_HEAD_BYTES];
    struct message request = {.type = MESSAGE_REQUEST, .flags = flags, .code = verb, .id = verb};
    message_head_store(head, &request, len);
    int status = cli_send(session, head, sizeof(head));
    return status == CLI_OK ? cli_send(session, payload, len) : status;
}

/* The next frame; its payload is good until the next receive. */
static int message_receive(struct cli_session *session, struct message *ret_message)
{
    size_t need = MESSAGE_HEAD_BYTES;
    for (;;) {
        int status = cli_need(session, need);
        if (status != CLI_OK)
            return status;
        switch (message_parse(cli_have(session), 1u << 30, ret_message, &need)) {
        case FRAME_OK:
            cli_take(session, ret_message->bytes);
            return CLI_OK;
        case FRAME_PARTIAL:
            break;
        case FRAME_TOO_LONG:
        case FRAME_MALFORMED:
            fputs("cport-cli: that is no answer of a cport-server\n", stderr);
            return CLI_REFUSED;
        }
    }
}

static int message_ask(struct cli_session *session, uint8_t flags, uint16_t verb,
    const void *payload, size_t len, struct message *ret_reply)
{
    int status = message_send(session, flags, verb, payload, len);
    if (status == CLI_OK)
        status = message_receive(session, ret_reply);
    if (status == CLI_OK && (ret_reply->type != MESSAGE_REPLY || ret_reply->code != STATUS_OK)) {
        fprintf(stderr, "cport-cli: the server says: status %u\n", ret_reply->code);
        status = CLI_REFUSED;
    }
    return status;
}

static int message_open(struct cli_session *session, const struct cli_options *options)
{
    const char *password = getenv("CPORT_PASSWORD");
    struct message reply;
    int status = cli_session_open(session, options, MESSAGE);
    if (status != CLI_OK || !options->user)
        return status;
    if (!password) {
        fputs("cport-cli: no password: set CPORT_PASSWORD\n", stderr);
        return CLI_USAGE;
    }
    struct buffer_pool pool;
    struct buffer fields;
    buffer_pool_init(&pool, 1 << 20);
    buffer_init(&fields, &pool);
    struct bytes user = {(const uint8_t *)options->user, strlen(options->user)};
    struct bytes secret = {(const uint8_t *)password, strlen(password)};
    if (field_put_string(&fields, "user", user) && field_put_string(&fields, "password", secret)) {
        struct bytes payload = buffer_bytes(&fields);
        status =
            message_ask(session, MESSAGE_FIELDS, VERB_LOGIN, payload.data, payload.len, &reply);
    } else {
        status = CLI_USAGE;
    }
    buffer_clear(&fields);
    buffer_pool_drain(&pool);
    return status;
}

int cli_publish(const struct cli_options *options, const char *topic, const char *text)
{
    struct cli_session session;
    struct message reply;
    size_t topic_len = strlen(topic), len = strlen(text);
    if (topic_len == 0 || topic_len > 255) {
        fputs("cport-cli: a topic has 1 to 255 bytes\n", stderr);
        return CLI_USAGE;
    }
    uint8_t *payload = malloc(1 + topic_len + len);
    if (!payload)
        return CLI_USAGE;
    payload[0] = (uint8_t)topic_len;
    memcpy(payload + 1, topic, topic_len);
    memcpy(payload + 1 + topic_len, text, len);
    int status = message_open(&session, options);
    if (status == CLI_OK)
        status = message_ask(&session, 0, VERB_PUBLISH, payload, 1 + topic_len + len, &reply);
    if (status == CLI_OK && reply.payload.len == 4)
        printf(options->json ? "{\"receivers\": %u}\n" : "%u receivers\n",
            load_u32(reply.payload.data));
    cli_session_close(&session);
    free(payload);
    return status;
}

/* Prints what comes, a line each, until --count of them have come or the server ends. */
int cli_subscribe(const struct cli_options *options, const char *topic)
{
    struct cli_session session;
    struct message message;
    int status = message_open(&session, options);
    if (status == CLI_OK)
        status = message_ask(&session, 0, VERB_SUBSCRIBE, topic, strlen(topic), &message);
    if (status == CLI_OK) {
        puts("subscribed");
        fflush(stdout);
    }
    session.patient = true;
    for (int64_t count = 0; status == CLI_OK && (options->count == 0 || count < options->count);) {
        status = message_receive(&session, &message);
        if (status != CLI_OK || message.type == MESSAGE_GOAWAY)
            break;
        if (message.type != MESSAGE_PUSH || message.payload.len < 1u + message.payload.data[0])
            continue;
        size_t skip = 1 + (size_t)message.payload.data[0];
        printf("%u ", message.id);
        fwrite(message.payload.data + skip, 1, message.payload.len - skip, stdout);
        putchar('\n');
        fflush(stdout);
        count++;
    }
    if (session.ended)
        status = CLI_OK;
    cli_session_close(&session);
    return status;
}
