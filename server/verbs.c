#include "verbs.h"

#include "log.h"
#include "login.h"
#include "shared.h"
#include "verbs_jobs.h"

#include <stdio.h>
#include <string.h>

static enum proto_step stepped(bool appended)
{
    return appended ? PROTO_NEXT : PROTO_NO_MEMORY;
}

bool verb_reply(struct buffer *out, uint32_t id, enum message_status status, struct bytes payload)
{
    uint8_t head[MESSAGE_HEAD_BYTES];
    struct message reply = {.type = MESSAGE_REPLY, .code = (uint16_t)status, .id = id};
    if (!buffer_reserve(out, sizeof(head) + payload.len))
        return false;
    message_head_store(head, &reply, payload.len);
    return buffer_append(out, head, sizeof(head)) && buffer_append(out, payload.data, payload.len);
}

static enum proto_step reply_status(
    const struct verb_request *request, enum message_status status, struct buffer *out)
{
    return stepped(verb_reply(out, request->message->id, status, (struct bytes){0}));
}

/* ---- Login ---- */

static bool login_reply(struct login *login, struct buffer *out)
{
    enum message_status status = login->role != ROLE_NONE ? STATUS_OK : STATUS_NOT_ALLOWED;
    return verb_reply(out, (uint32_t)login->tag, status, (struct bytes){0});
}

static enum proto_step run_login(
    struct peer *peer, const struct verb_request *request, struct buffer *out)
{
    struct field user, password;
    if (!field_find(request->content, "user", FIELD_STRING, &user) ||
        !field_find(request->content, "password", FIELD_STRING, &password))
        return reply_status(request, STATUS_MALFORMED, out);
    char md5_text[MD5_HEX_BYTES + 1];
    md5_hex(password.value, md5_text);
    struct login *login = login_new(peer, user.value, md5_text, login_reply);
    password_wipe(md5_text, sizeof(md5_text));
    if (!login)
        return reply_status(request, STATUS_BUSY, out);
    login->tag = request->message->id;
    peer->job = &login->job;
    return PROTO_WAIT;
}

static enum proto_step run_logout(
    struct peer *peer, const struct verb_request *request, struct buffer *out)
{
    struct message_state *own = peer->state;
    /* Who is nobody any more listens to nothing that only somebody may. */
    if (!peer->context->shared->message_anonymous)
        hub_leave(peer->context->shared->hub, peer->context->worker, &own->subscriptions);
    logout(peer);
    return reply_status(request, STATUS_OK, out);
}

/* ---- Topics ---- */

static bool topic_is_sound(struct bytes topic)
{
    return topic.len >= 1 && topic.len <= TOPIC_BYTES_MAX && utf8_check(topic);
}

static enum proto_step run_subscribe(
    struct peer *peer, const struct verb_request *request, struct buffer *out)
{
    struct message_state *own = peer->state;
    if (!topic_is_sound(request->content))
        return reply_status(request, STATUS_MALFORMED, out);
    return reply_status(request,
        hub_subscribe(peer->context->shared->hub, peer->context->worker, &own->subscriptions,
            SUBSCRIPTIONS_MAX, request->content, peer->who),
        out);
}

static enum proto_step run_unsubscribe(
    struct peer *peer, const struct verb_request *request, struct buffer *out)
{
    struct message_state *own = peer->state;
    if (!topic_is_sound(request->content))
        return reply_status(request, STATUS_MALFORMED, out);
    return reply_status(request,
        hub_unsubscribe(peer->context->shared->hub, peer->context->worker, &own->subscriptions,
            request->content),
        out);
}

static enum proto_step run_publish(
    struct peer *peer, const struct verb_request *request, struct buffer *out)
{
    struct bytes content = request->content;
    if (content.len < 1 || content.data[0] > content.len - 1)
        return reply_status(request, STATUS_MALFORMED, out);
    struct bytes topic = {content.data + 1, content.data[0]};
    struct bytes data = {topic.data + topic.len, content.len - 1 - topic.len};
    if (!topic_is_sound(topic))
        return reply_status(request, STATUS_MALFORMED, out);
    /* "@name" says who has sent something; nobody may say it of somebody else. */
    if (topic.data[0] == '@')
        return reply_status(request, STATUS_NOT_ALLOWED, out);

    uint32_t receivers;
    enum message_status status = hub_publish(peer->context->shared->hub, topic, data, &receivers);
    if (status != STATUS_OK)
        return reply_status(request, status, out);
    uint8_t count[4];
    store_u32(count, receivers);
    return stepped(
        verb_reply(out, request->message->id, STATUS_OK, (struct bytes){count, sizeof(count)}));
}

struct targets {
    struct hub_target list[HUB_SEND_MAX];
    unsigned count;
};

static bool target_add(void *ctx, const struct client *client)
{
    struct targets *targets = ctx;
    /* A user who is logged in over another protocol has no frames to get one in. */
    if (client->protocol == proto_message.name)
        targets->list[targets->count++] =
            (struct hub_target){.worker = client->worker, .number = client->number};
    return targets->count < HUB_SEND_MAX;
}

static void *resolve(void *ctx, uint64_t number)
{
    struct shared *shared = ctx;
    return client_conn(shared->clients, number);
}

static enum proto_step run_send_to(
    struct peer *peer, const struct verb_request *request, struct buffer *out)
{
    struct shared *shared = peer->context->shared;
    struct field user, data;
    if (!field_find(request->content, "user", FIELD_STRING, &user) ||
        !(field_find(request->content, "data", FIELD_BYTES, &data) ||
            field_find(request->content, "data", FIELD_STRING, &data)))
        return reply_status(request, STATUS_MALFORMED, out);
    struct targets targets = {.count = 0};
    if (user.value.len > 0 && user.value.len <= USER_NAME_BYTES_MAX)
        (void)clients_of_user(shared->clients, user.value, target_add, &targets);
    if (targets.count == 0)
        return reply_status(request, STATUS_NOT_FOUND, out);
    struct bytes sender = {(const uint8_t *)peer->client->user, strlen(peer->client->user)};
    return reply_status(request,
        hub_send(shared->hub, sender, data.value, targets.list, targets.count, resolve, shared),
        out);
}

/* ---- Who is there ---- */

static enum proto_step run_kick(
    struct peer *peer, const struct verb_request *request, struct buffer *out)
{
    struct field remote;
    if (!field_find(request->content, "remote", FIELD_STRING, &remote))
        return reply_status(request, STATUS_MALFORMED, out);
    if (peer->role != ROLE_ADMIN)
        return reply_status(request, STATUS_NOT_ALLOWED, out);
    if (!shared_kick(peer->context->shared, remote.value))
        return reply_status(request, STATUS_NOT_FOUND, out);
    log_line(LOG_INFO, "kick", "remote=%s by=%s whom=%.*s", peer->client->remote,
        peer->client->user, (int)remote.value.len, (const char *)remote.value.data);
    return reply_status(request, STATUS_OK, out);
}

static bool stats_field(void *ctx, const char *name, uint64_t value)
{
    return field_put_i64(ctx, name, (int64_t)value);
}

static enum proto_step run_stats(
    struct peer *peer, const struct verb_request *request, struct buffer *out)
{
    const struct shared *shared = peer->context->shared;
    struct stats stats;
    shared->stats(shared->stats_ctx, &stats);

    uint8_t head[MESSAGE_HEAD_BYTES] = {0};
    size_t start = buffer_len(out);
    if (!buffer_append(out, head, sizeof(head)) || !stats_each(&stats, stats_field, out)) {
        buffer_truncate(out, start);
        return PROTO_NO_MEMORY;
    }
    struct message reply = {
        .type = MESSAGE_REPLY, .flags = MESSAGE_FIELDS, .id = request->message->id};
    message_head_store(
        out->memory + out->start + start, &reply, buffer_len(out) - start - sizeof(head));
    return PROTO_NEXT;
}

static const struct verb verbs[] = {{VERB_LOGIN, true, true, run_login},
    {VERB_LOGOUT, false, false, run_logout}, {VERB_SUBSCRIBE, false, false, run_subscribe},
    {VERB_UNSUBSCRIBE, false, false, run_unsubscribe}, {VERB_PUBLISH, false, false, run_publish},
    {VERB_SEND_TO, false, true, run_send_to}, {VERB_WHO, false, false, verb_who},
    {VERB_KICK, false, true, run_kick}, {VERB_STATS, false, false, run_stats},
    {VERB_CALL, false, true, verb_call}};

const struct verb *verb_find(uint16_t code)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (verbs[i].code == code)
            return &verbs[i];
    }
    return NULL;
}
