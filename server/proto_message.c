/* Message: binary frames. This file takes them apart and answers ECHO and PING; every other verb is in verbs.c. */
#include "shared.h"
#include "verbs.h"

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

/* The frame as it came, compressed as it came: a checksum alone is made anew, since it covers the head. */
static bool reply_same(struct buffer *out, uint8_t type, const struct message *message)
{
    if (!buffer_reserve(out, message->bytes))
        return false;
    uint8_t *frame = out->memory + out->end;
    out->end += message->bytes;
    /* Length, flags and id are the request's. */
    memcpy(frame, message->payload.data - MESSAGE_HEAD_BYTES, message->bytes);
    frame[4] = type;
    if (type == MESSAGE_REPLY)
        store_u16(frame + 6, STATUS_OK);

    if (message->flags & MESSAGE_CHECKSUM) {
        uint8_t *checksum = out->memory + out->end - MESSAGE_CHECKSUM_BYTES;
        size_t covered = message->bytes - 4 - MESSAGE_CHECKSUM_BYTES;
        payload_checksum_store(checksum, checksum - covered, covered);
    }
    return true;
}

static bool message_goodbye(struct buffer *out, enum message_status why)
{
    return reply_status(out, MESSAGE_GOAWAY, 0, why, "");
}

static enum proto_step stepped(bool appended)
{
    return appended ? PROTO_NEXT : PROTO_NO_MEMORY;
}

static enum proto_step answer_verb(
    struct peer *peer, const struct message *message, struct bytes content, struct buffer *out)
{
    const struct verb *verb = verb_find(message->code);
    bool has_fields = (message->flags & MESSAGE_FIELDS) != 0;
    enum message_status status = STATUS_OK;
    if (!verb)
        status = STATUS_UNKNOWN_VERB;
    else if (!verb->anonymous && peer->role == ROLE_NONE &&
             !peer->context->shared->message_anonymous)
        status = STATUS_NOT_LOGGED_IN;
    else if (verb->fields && !has_fields)
        status = STATUS_MALFORMED;
    if (status != STATUS_OK)
        return stepped(reply_status(out, MESSAGE_REPLY, message->id, status, ""));
    struct verb_request request = {.message = message, .content = content};
    return verb->run(peer, &request, out);
}

static enum proto_step answer(struct peer *peer, const struct message *message, struct buffer *out)
{
    /* Only a request and a ping are answered: the peer's own PONG and GOAWAY ask for nothing. */
    if (message->type != MESSAGE_REQUEST && message->type != MESSAGE_PING)
        return PROTO_NEXT;

    struct bytes content = message->payload;
    enum message_status status = STATUS_OK;
    if (message->flags)
        status = payload_read(&peer->context->payloads, message, &content);
    if (status == STATUS_NOT_ALLOWED)
        return stepped(
            reply_status(out, MESSAGE_REPLY, message->id, status, payload_lacks(message->flags)));
    if (status != STATUS_OK)
        return stepped(reply_status(out, MESSAGE_REPLY, message->id, status, ""));
    if (message->type == MESSAGE_PING)
        return stepped(reply_same(out, MESSAGE_PONG, message));
    if (message->code == VERB_ECHO)
        return stepped(reply_same(out, MESSAGE_REPLY, message));
    return answer_verb(peer, message, content, out);
}

static enum proto_step refuse(struct buffer *out, enum message_status status)
{
    return message_goodbye(out, status) ? PROTO_CLOSE : PROTO_NO_MEMORY;
}

static enum proto_step message_step(
    struct peer *peer, struct bytes run, struct buffer *out, size_t *ret_count)
{
    struct message message;
    switch (message_parse(run, peer->context->frame_max, &message, ret_count)) {
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
    *ret_count = message.bytes;
    return answer(peer, &message, out);
}

static void message_close(struct peer *peer)
{
    struct message_state *own = peer->state;
    hub_leave(peer->context->shared->hub, peer->context->worker, &own->subscriptions);
}

const struct proto proto_message = {.name = "message",
    .preface = 0x10,
    .state_bytes = sizeof(struct message_state),
    .step = message_step,
    .close = message_close,
    .goodbye = message_goodbye};
