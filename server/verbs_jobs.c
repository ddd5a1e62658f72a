#include "verbs_jobs.h"

#include "shared.h"

#include <stdlib.h>
#include <string.h>

/* An answer of fields in memory of its own: the worker's belongs to the worker's thread. */
struct errand {
    struct job job;
    struct shared *shared;
    uint32_t id;
    uint32_t payload_max;
    enum message_status status;
    struct buffer_pool pool;
    struct buffer reply;
    uint32_t left_out; /* WHO: clients that did not fit */
    const struct call_entry *entry;
    struct call call;
    char user[USER_NAME_BYTES_MAX + 1];
    uint8_t args[]; /* CALL: a copy of the request's */
};

static enum proto_step errand_done(struct peer *peer, struct job *job, struct buffer *out)
{
    (void)peer;
    struct errand *errand = (struct errand *)job;
    struct bytes payload = buffer_bytes(&errand->reply);
    if (errand->status == STATUS_OK && payload.len > errand->payload_max)
        errand->status = STATUS_TOO_LONG;
    if (errand->status != STATUS_OK)
        return verb_reply(out, errand->id, errand->status, (struct bytes){0}) ? PROTO_NEXT
                                                                              : PROTO_NO_MEMORY;
    uint8_t head[MESSAGE_HEAD_BYTES];
    struct message reply = {.type = MESSAGE_REPLY, .flags = MESSAGE_FIELDS, .id = errand->id};
    if (!buffer_reserve(out, sizeof(head) + payload.len))
        return PROTO_NO_MEMORY;
    message_head_store(head, &reply, payload.len);
    return buffer_append(out, head, sizeof(head)) && buffer_append(out, payload.data, payload.len)
               ? PROTO_NEXT
               : PROTO_NO_MEMORY;
}

static void errand_free(struct job *job)
{
    struct errand *errand = (struct errand *)job;
    buffer_clear(&errand->reply);
    buffer_pool_drain(&errand->pool);
    free(errand);
}

static struct errand *errand_new(
    struct peer *peer, const struct verb_request *request, struct bytes args)
{
    struct errand *errand = calloc(1, sizeof(*errand) + args.len);
    if (!errand)
        return NULL;
    errand->job = (struct job){.done = errand_done, .free = errand_free};
    errand->shared = peer->context->shared;
    errand->id = request->message->id;
    errand->payload_max = peer->context->frame_max - MESSAGE_LENGTH_MIN;
    buffer_pool_init(&errand->pool, 4 * (size_t)peer->context->frame_max + BUFFER_BLOCK_BYTES);
    buffer_init(&errand->reply, &errand->pool);
    if (args.len > 0)
        memcpy(errand->args, args.data, args.len);
    errand->call.args = (struct bytes){errand->args, args.len};
    peer->job = &errand->job;
    return errand;
}

/* ---- WHO ---- */

static struct bytes text_bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

#define LEFT_OUT_BYTES 16u /* the field that tells how many were */

static bool client_field(void *ctx, const struct client *client)
{
    struct errand *errand = ctx;
    struct buffer *reply = &errand->reply;
    size_t before = buffer_len(reply), start;
    if (errand->left_out == 0 && field_record_begin(reply, "client", &start) &&
        field_put_string(reply, "remote", text_bytes(client->remote)) &&
        field_put_string(reply, "protocol", text_bytes(client->protocol)) &&
        field_put_string(reply, "user", text_bytes(client->user)) &&
        field_put_time(reply, "connected", client->connected_ns) &&
        field_put_time(
            reply, "active", atomic_load_explicit(&client->active_ns, memory_order_relaxed)) &&
        buffer_len(reply) + LEFT_OUT_BYTES <= errand->payload_max) {
        field_record_end(reply, start);
        return true;
    }
    buffer_truncate(reply, before);
    errand->left_out++;
    return true;
}

static void who_run(struct job *job)
{
    struct errand *errand = (struct errand *)job;
    (void)clients_each(errand->shared->clients, client_field, errand);
    if (errand->left_out > 0 && !field_put_u32(&errand->reply, "left_out", errand->left_out))
        errand->status = STATUS_BUSY;
}

enum proto_step verb_who(struct peer *peer, const struct verb_request *request, struct buffer *out)
{
    struct errand *errand = errand_new(peer, request, (struct bytes){0});
    if (!errand)
        return verb_reply(out, request->message->id, STATUS_BUSY, (struct bytes){0})
                   ? PROTO_NEXT
                   : PROTO_NO_MEMORY;
    errand->job.run = who_run;
    return PROTO_WAIT;
}

/* ---- CALL ---- */

static void call_run(struct job *job)
{
    struct errand *errand = (struct errand *)job;
    errand->status = errand->entry->run(errand->entry->ctx, &errand->call, &errand->reply);
}

enum proto_step verb_call(struct peer *peer, const struct verb_request *request, struct buffer *out)
{
    struct field group, function, args = {.kind = FIELD_NULL};
    enum message_status status = STATUS_OK;
    const struct call_entry *entry = NULL;
    struct errand *errand = NULL;
    if (!field_find(request->content, "group", FIELD_STRING, &group) ||
        !field_find(request->content, "function", FIELD_STRING, &function))
        status = STATUS_MALFORMED;
    else if (!(entry = calls_find(peer->context->shared->calls, group.value, function.value)))
        status = STATUS_NOT_FOUND;
    /* A call without arguments may leave them out. */
    (void)field_find(request->content, "args", FIELD_RECORD, &args);
    if (status == STATUS_OK && !(errand = errand_new(peer, request, args.value)))
        status = STATUS_BUSY;
    if (!errand)
        return verb_reply(out, request->message->id, status, (struct bytes){0}) ? PROTO_NEXT
                                                                                : PROTO_NO_MEMORY;
    errand->job.run = call_run;
    errand->job.slow = true;
    errand->entry = entry;
    memcpy(errand->user, peer->client->user, sizeof(errand->user));
    errand->call.user = errand->user;
    errand->call.role = peer->role;
    return PROTO_WAIT;
}
