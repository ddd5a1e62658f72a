/* Message: binary frames. This file answers ECHO and PING; every other verb is one that it does not know. */
#include "proto.h"

#include <string.h>

/* A frame without flags; text may be empty. */
static bool reply_status(
    struct buffer *out, uint8_t type, uint32_t id, enum message_status status, const char *text)
{
    uint8_t head[MESSAGE_HEAD_BYTES];
    struct message reply = {.type = type, .code = (uint16_t)status, .id = id};
    size_t len = strlen(text);
    if (!buffer_reserve(out, sizeof(head) + len))
        return false;
    message_head_store(head, &reply, len);
    return buffer_append(out, head, sizeof(head)) && buffer_append(out, text, len);
}

/* The payload as it came, compressed as it came: a checksum alone is made anew, since it covers the head. */
static bool reply_same(struct buffer *out, uint8_t type, const struct message *message)
{
    uint8_t head[MESSAGE_HEAD_BYTES];
    struct message reply = {.type = type, .flags = message->flags, .id = message->id};
    size_t len = message->payload.len;
    if (type == MESSAGE_PONG)
        reply.code = message->code;
    if (!buffer_reserve(out, sizeof(head) + len))
        return false;
    message_head_store(head, &reply, len);
    if (!buffer_append(out, head, sizeof(head)) || !buffer_append(out, message->payload.data, len))
        return false;

    if (message->flags & MESSAGE_CHECKSUM) {
        uint8_t *checksum = out->memory + out->end - MESSAGE_CHECKSUM_BYTES;
        size_t covered = MESSAGE_LENGTH_MIN + len - MESSAGE_CHECKSUM_BYTES;
        payload_checksum_store(checksum, checksum - covered, covered);
    }
    return true;
}

static bool message_goodbye(struct buffer *out, enum message_status why)
{
    return reply_status(out, MESSAGE_GOAWAY, 0, why, "");
}

static bool answer(struct proto_context *context, const struct message *message, struct buffer *out)
{
    /* Only a request and a ping are answered: the peer's own PONG and GOAWAY ask for nothing. */
    if (message->type != MESSAGE_REQUEST && message->type != MESSAGE_PING)
        return true;

    struct bytes content;
    enum message_status status = payload_read(&context->payloads, message, &content);
    if (status == STATUS_NOT_ALLOWED)
        return reply_status(out, MESSAGE_REPLY, message->id, status, payload_lacks(message->flags));
    if (status != STATUS_OK)
        return reply_status(out, MESSAGE_REPLY, message->id, status, "");
    if (message->type == MESSAGE_PING)
        return reply_same(out, MESSAGE_PONG, message);
    if (message->code == VERB_ECHO)
        return reply_same(out, MESSAGE_REPLY, message);
    return reply_status(out, MESSAGE_REPLY, message->id, STATUS_UNKNOWN_VERB, "");
}

static enum proto_step refuse(struct buffer *out, enum message_status status)
{
    return message_goodbye(out, status) ? PROTO_CLOSE : PROTO_NO_MEMORY;
}

static enum proto_step message_step(
    struct proto_context *context, struct bytes run, struct buffer *out, size_t *ret_count)
{
    struct message message;
    switch (message_parse(run, context->frame_max, &message, ret_count)) {
    case FRAME_PARTIAL:
        return PROTO_PARTIAL;
    case FRAME_TOO_LONG:
        return refuse(out, STATUS_TOO_LONG);
    case FRAME_MALFORMED:
        return refuse(out, STATUS_MALFORMED);
    case FRAME_OK:
        break;
    }

    /* A client sends neither replies nor pushes. */
    if (message.type == MESSAGE_REPLY || message.type == MESSAGE_PUSH)
        return refuse(out, STATUS_MALFORMED);
    if (!answer(context, &message, out))
        return PROTO_NO_MEMORY;
    *ret_count = message.bytes;
    return PROTO_NEXT;
}

const struct proto proto_message = {
    .name = "message", .preface = 0x10, .step = message_step, .goodbye = message_goodbye};
