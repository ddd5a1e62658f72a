#include "cport-cli-message.h"

#include "cport-cli-output.h"
#include "fields.h"

#include <stdlib.h>

#define MESSAGE           0x10
#define ANSWER_LENGTH_MAX ((uint32_t)64 << 20) /* of any server's max-frame */

static int refused(const struct cli_session *session, const struct message *reply)
{
    static const char *const texts[] = {"ok", "unknown verb", "too long", "wrong checksum",
        "malformed", "not logged in: --user NAME does it", "not allowed", "no such user or topic",
        "too busy, retry", "shutting down"};
    output_error("%s: %s (status %u)", session->about ? session->about : "the server says",
        reply->code < sizeof(texts) / sizeof(texts[0]) ? texts[reply->code]
                                                       : "a status that this client does not know",
        reply->code);
    return CLI_REFUSED;
}

int cli_message_receive(struct cli_session *session, struct message *ret_message)
{
    size_t need = MESSAGE_HEAD_BYTES;
    for (;;) {
        int status = cli_need(session, need);
        if (status != CLI_OK)
            return status;
        switch (message_parse(cli_have(session), ANSWER_LENGTH_MAX, ret_message, &need)) {
        case FRAME_OK:
            cli_take(session, ret_message->bytes);
            return CLI_OK;
        case FRAME_PARTIAL:
            break;
        case FRAME_TOO_LONG:
            return cli_stranger(session, "it says that it is longer than any");
        case FRAME_MALFORMED:
            return cli_stranger(session, "it has not the form of one");
        }
    }
}

static int message_send(
    struct cli_session *session, const struct message *question, const void *payload, size_t len)
{
    uint8_t *frame = malloc(MESSAGE_HEAD_BYTES + len);
    if (!frame)
        return cli_no_memory();
    message_head_store(frame, question, len);
    if (payload)
        memcpy(frame + MESSAGE_HEAD_BYTES, payload, len);
    int status = cli_send(session, frame, MESSAGE_HEAD_BYTES + len);
    free(frame);
    return status;
}

int cli_message_ask(struct cli_session *session, uint8_t flags, uint16_t verb, const void *payload,
    size_t len, struct message *ret_reply)
{
    struct message question = {.type = MESSAGE_REQUEST, .flags = flags, .code = verb, .id = verb};
    int status = message_send(session, &question, payload, len);
    do {
        if (status == CLI_OK)
            status = cli_message_receive(session, ret_reply);
    } while (status == CLI_OK && ret_reply->type == MESSAGE_PUSH);
    if (status != CLI_OK)
        return status;
    if (ret_reply->code != STATUS_OK &&
        (ret_reply->type == MESSAGE_REPLY || ret_reply->type == MESSAGE_GOAWAY))
        return refused(session, ret_reply);
    if (ret_reply->type != MESSAGE_REPLY || ret_reply->id != question.id)
        return cli_stranger(session, "it answers something else than was asked");
    return CLI_OK;
}

static int login(struct cli_session *session, const char *user, const char *password)
{
    struct buffer_pool pool;
    struct buffer fields;
    struct message reply;
    const char *about = session->about;
    int status = CLI_NO_ANSWER;
    buffer_pool_init(&pool, 1 << 20);
    buffer_init(&fields, &pool);
    if (field_put_string(&fields, "user", output_bytes(user)) &&
        field_put_string(&fields, "password", output_bytes(password))) {
        struct bytes payload = buffer_bytes(&fields);
        session->about = user;
        status =
            cli_message_ask(session, MESSAGE_FIELDS, VERB_LOGIN, payload.data, payload.len, &reply);
        session->about = about;
    } else {
        status = cli_no_memory();
    }
    buffer_clear(&fields);
    buffer_pool_drain(&pool);
    return status;
}

int cli_message_open(struct cli_session *session, const struct cli_options *options)
{
    char password[CLI_PASSWORD_BYTES];
    int status = options->user ? cli_password(options, password) : CLI_OK;
    if (status == CLI_OK)
        status = cli_session_open(session, options, MESSAGE);
    return status == CLI_OK && options->user ? login(session, options->user, password) : status;
}

/* ---- One question, one answer ---- */

int cli_echo(const struct cli_options *options, const char *text)
{
    struct cli_session session = {0};
    struct message answer;
    int status = cli_message_open(&session, options);
    if (status == CLI_OK)
        status = cli_message_ask(&session, 0, VERB_ECHO, text, strlen(text), &answer);
    if (status == CLI_OK && (answer.payload.len != strlen(text) ||
                                memcmp(answer.payload.data, text, answer.payload.len) != 0))
        status = cli_stranger(&session, "what came back is not what was sent");
    if (status == CLI_OK && options->json) {
        printf("{\"text\": ");
        output_json(answer.payload);
        puts("}");
    } else if (status == CLI_OK) {
        puts(text); /* one's own: as it is */
    }
    cli_session_close(&session);
    return status;
}

int cli_ping(const struct cli_options *options)
{
    static const char text[] = "ping";
    const struct message question = {.type = MESSAGE_PING, .id = 1};
    struct cli_session session = {0};
    struct message answer = {0};
    int status = cli_message_open(&session, options);
    int64_t before = status == CLI_OK ? cport_now_ns(session.port) : 0;
    if (status == CLI_OK)
        status = message_send(&session, &question, text, sizeof(text) - 1);
    if (status == CLI_OK)
        status = cli_message_receive(&session, &answer);
    if (status == CLI_OK && answer.type == MESSAGE_GOAWAY)
        status = refused(&session, &answer);
    if (status == CLI_OK && (answer.type != MESSAGE_PONG || answer.id != question.id))
        status = cli_stranger(&session, "it is no pong");
    if (status == CLI_OK) {
        long long us = (long long)(cport_now_ns(session.port) - before) / 1000;
        long long tcp_port = (long long)options->tcp_port;
        if (options->json) {
            printf("{\"host\": ");
            output_json(output_bytes(options->host));
            printf(", \"port\": %lld, \"us\": %lld}\n", tcp_port, us);
        } else {
            printf("pong from %s port %lld in %lld us\n", options->host, tcp_port, us);
        }
    }
    cli_session_close(&session);
    return status;
}
