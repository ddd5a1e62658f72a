#include "cport-cli-message.h"

#include "fields.h"

#include <stdio.h>
#include <string.h>

#define MESSAGE 0x10

int cli_message_refused(const struct message *reply)
{
    static const char *const texts[] = {"ok", "unknown verb", "too long", "wrong checksum",
        "malformed", "not logged in", "not allowed", "no such user or topic", "too busy, retry",
        "shutting down"};
    fprintf(stderr, "cport-cli: the server says: %s (status %u)\n",
        reply->code < sizeof(texts) / sizeof(texts[0]) ? texts[reply->code]
                                                       : "a status this client does not know",
        reply->code);
    return CLI_REFUSED;
}

static int message_send(
    struct cli_session *session, uint8_t flags, uint16_t verb, const uint8_t *payload, size_t len)
{
    uint8_t head[MESSAGE_HEAD_BYTES];
    struct message request = {.type = MESSAGE_REQUEST, .flags = flags, .code = verb, .id = verb};
    message_head_store(head, &request, len);
    int status = cli_send(session, head, sizeof(head));
    return status == CLI_OK ? cli_send(session, payload, len) : status;
}

int cli_message_receive(struct cli_session *session, struct message *ret_message)
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

int cli_message_ask(struct cli_session *session, uint8_t flags, uint16_t verb, const void *payload,
    size_t len, struct message *ret_reply)
{
    int status = message_send(session, flags, verb, payload, len);
    if (status == CLI_OK)
        status = cli_message_receive(session, ret_reply);
    if (status == CLI_OK && (ret_reply->type != MESSAGE_REPLY || ret_reply->code != STATUS_OK)) {
        status = cli_message_refused(ret_reply);
    }
    return status;
}

int cli_message_open(struct cli_session *session, const struct cli_options *options)
{
    char password[CLI_PASSWORD_BYTES];
    struct message reply;
    *session = (struct cli_session){0};
    int status = options->user ? cli_password(options, password) : CLI_OK;
    if (status == CLI_OK)
        status = cli_session_open(session, options, MESSAGE);
    if (status != CLI_OK || !options->user)
        return status;
    struct buffer_pool pool;
    struct buffer fields;
    buffer_pool_init(&pool, 1 << 20);
    buffer_init(&fields, &pool);
    struct bytes user = {(const uint8_t *)options->user, strlen(options->user)};
    struct bytes secret = {(const uint8_t *)password, strlen(password)};
    if (field_put_string(&fields, "user", user) && field_put_string(&fields, "password", secret)) {
        struct bytes payload = buffer_bytes(&fields);
        status =
            cli_message_ask(session, MESSAGE_FIELDS, VERB_LOGIN, payload.data, payload.len, &reply);
    } else {
        status = CLI_USAGE;
    }
    buffer_clear(&fields);
    buffer_pool_drain(&pool);
    return status;
}
