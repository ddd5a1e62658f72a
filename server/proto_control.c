/* Control: who is connected, what has been counted, and an end for one of them. */
#include "family.h"
#include "log.h"
#include "os.h"
#include "shared.h"

#include <stdlib.h>

/* A job that makes its answer elsewhere: a list of all clients takes its time. */
struct listing {
    struct job job;
    struct shared *shared;
    struct buffer_pool pool; /* its own: the worker's belongs to the worker's thread */
    struct buffer packet;
    struct response response;
    bool failed;
};

static void date_text(int64_t unix_ns, char text[SYS_TIME_TEXT_BYTES])
{
    sys_time_text(unix_ns, text);
    text[10] =
        ' '; /* "2026-01-31 23:59:59", as people and the first clients of this protocol read it */
    text[19] = '\0';
}

static bool client_item(void *ctx, const struct client *client)
{
    struct listing *listing = ctx;
    char item[3 * CLIENT_ADDRESS_BYTES + USER_NAME_BYTES_MAX + 3 * SYS_TIME_TEXT_BYTES];
    char connected[SYS_TIME_TEXT_BYTES], active[SYS_TIME_TEXT_BYTES];
    date_text(client->connected_ns, connected);
    date_text(atomic_load_explicit(&client->active_ns, memory_order_relaxed), active);
    snprintf(item, sizeof(item), "%s\t%s\t%s\t%s\t%s\t%s", client->local, client->remote,
        client->protocol, client->user, connected, active);
    response_text(&listing->response, "Item", item);
    return !listing->response.failed;
}

static void listing_run(struct job *job)
{
    struct listing *listing = (struct listing *)job;
    (void)clients_each(listing->shared->clients, client_item, listing);
    listing->failed = !response_end(&listing->response, (struct bytes){0});
}

static enum proto_step listing_done(struct peer *peer, struct job *job, struct buffer *out)
{
    (void)peer;
    struct listing *listing = (struct listing *)job;
    struct bytes packet = buffer_bytes(&listing->packet);
    return !listing->failed && buffer_append(out, packet.data, packet.len) ? PROTO_NEXT
                                                                           : PROTO_NO_MEMORY;
}

static void listing_free(struct job *job)
{
    struct listing *listing = (struct listing *)job;
    buffer_clear(&listing->packet);
    buffer_pool_drain(&listing->pool);
    free(listing);
}

#define LISTING_BYTES_MAX ((size_t)64 << 20)

static enum proto_step get_clients(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    (void)out;
    struct listing *listing = calloc(1, sizeof(*listing));
    if (!listing)
        return PROTO_NO_MEMORY;
    listing->job = (struct job){.run = listing_run, .done = listing_done, .free = listing_free};
    listing->shared = peer->context->shared;
    buffer_pool_init(&listing->pool, LISTING_BYTES_MAX);
    buffer_init(&listing->packet, &listing->pool);
    response_begin(&listing->response, &listing->packet, request->command->name, CODE_OK);
    peer->job = &listing->job;
    return PROTO_WAIT;
}

static bool stats_line(void *ctx, const char *name, uint64_t value)
{
    response_i64(ctx, name, (int64_t)value);
    return true;
}

static enum proto_step get_stats(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    const struct shared *shared = peer->context->shared;
    struct stats stats;
    struct response response;
    shared->stats(shared->stats_ctx, &stats);
    response_begin(&response, out, request->command->name, CODE_OK);
    (void)stats_each(&stats, stats_line, &response);
    return response_end(&response, (struct bytes){0}) ? PROTO_NEXT : PROTO_NO_MEMORY;
}

static enum proto_step kick(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    struct bytes remote;
    if (!command_value(request->command, "Remote", 0, &remote))
        return family_fail(request, out, CODE_PARAMETER);
    if (peer->role != ROLE_ADMIN)
        return family_fail(request, out, CODE_NOT_COMPLETED);
    if (!shared_kick(peer->context->shared, remote))
        return family_fail(request, out, CODE_PARAMETER);
    log_line(LOG_INFO, "kick", "remote=%s by=%s whom=%.*s", peer->client->remote,
        peer->client->user, (int)remote.len, (const char *)remote.data);
    return family_ok(request, out);
}

static const struct family_command commands[] = {
    {"GetClients", false, get_clients}, {"Stats", false, get_stats}, {"Kick", false, kick}};
static const struct family family = {commands, sizeof(commands) / sizeof(commands[0]), true};

static enum proto_step control_step(
    struct peer *peer, struct bytes run, struct buffer *out, size_t *ret_count)
{
    return family_step(peer, &family, run, out, ret_count);
}

const struct proto proto_control = {
    .name = "control", .preface = 0x08, .wants_login = true, .step = control_step};
