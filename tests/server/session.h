/*
 * session: drives a protocol as a connection does, without a socket: bytes come in segments, frames are taken off the front, jobs
 * run at once, answers and pushes pile up.
 *
 * For tests and fuzzers alike: what must hold is checked by SESSION_REQUIRE.
 */
#ifndef CPORT_TESTS_SERVER_SESSION_H
#define CPORT_TESTS_SERVER_SESSION_H

#include "os.h"
#include "proto.h"
#include "shared.h"
#include "uploads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn static inline void session_fail(const char *what)
{
    fprintf(stderr, "session: %s\n", what);
    abort();
}
#define SESSION_REQUIRE(condition) ((condition) ? (void)0 : session_fail(#condition))

/* What all sessions share: one worker. */
struct world {
    struct shared shared;
    struct mailbox box;
    struct counters counters;
    struct proto_context context;
};

struct session {
    struct world *world;
    const struct proto *proto;
    struct peer peer;
    struct client client;
    struct buffer_pool pool;
    struct buffer in;
    struct buffer out;
    bool closed;
    bool kicked;
};

static inline void session_push(void *who, struct bytes frames, unsigned count)
{
    struct session *session = who;
    (void)count;
    SESSION_REQUIRE(buffer_append(&session->out, frames.data, frames.len));
}

static inline void session_kick(void *who)
{
    ((struct session *)who)->kicked = true;
}

static inline void world_stats(void *ctx, struct stats *ret_stats)
{
    (void)ctx;
    *ret_stats = (struct stats){.workers = 1, .connections = 1};
}

static inline void world_open(struct world *world, uint32_t frame_max)
{
    memset(world, 0, sizeof(*world));
    struct shared *shared = &world->shared;
    SESSION_REQUIRE(mailbox_init(&world->box));
    shared->boxes = &world->box;
    shared->workers = 1;
    shared->users_lock = sys_lock_new();
    shared->clients = clients_open();
    shared->hub = hub_open(&world->box, 1, (size_t)1 << 30, session_push);
    shared->stats = world_stats;
    shared->kick = session_kick;
    shared->drop = session_kick;
    shared->uploads = uploads_open();
    SESSION_REQUIRE(shared->uploads && shared->users_lock && shared->clients && shared->hub);
    world->context.frame_max = frame_max;
    world->context.counters = &world->counters;
    world->context.shared = shared;
    payload_reader_init(&world->context.payloads, frame_max);
}

static inline void world_close(struct world *world)
{
    struct shared *shared = &world->shared;
    hub_close(shared->hub);
    clients_close(shared->clients);
    users_release(shared->users);
    uploads_close(shared->uploads);
    files_close(shared->files);
    sys_lock_free(shared->users_lock);
    mailbox_free(&world->box);
    payload_reader_clear(&world->context.payloads);
}

static inline void session_open(
    struct session *session, struct world *world, const struct proto *proto)
{
    memset(session, 0, sizeof(*session));
    session->world = world;
    session->proto = proto;
    buffer_pool_init(&session->pool, (size_t)256 << 20);
    buffer_init(&session->in, &session->pool);
    buffer_init(&session->out, &session->pool);
    struct client *client = &session->client;
    client->conn = session;
    client->protocol = proto->name;
    snprintf(client->local, sizeof(client->local), "127.0.0.1:9999");
    snprintf(client->remote, sizeof(client->remote), "127.0.0.1:50000");
    SESSION_REQUIRE(client_add(world->shared.clients, client));
    session->peer = (struct peer){.context = &world->context, .who = session, .client = client};
    if (proto->state_bytes > 0)
        session->peer.state = calloc(1, proto->state_bytes);
    SESSION_REQUIRE(proto->state_bytes == 0 || session->peer.state);
    SESSION_REQUIRE(!proto->open || proto->open(&session->peer, &session->out));
}

/* As if it had logged in. */
static inline void session_login(struct session *session, const char *user, enum role role)
{
    session->peer.role = role;
    client_set_user(session->world->shared.clients, &session->client,
        (struct bytes){(const uint8_t *)user, strlen(user)}, role);
}

static inline void session_close(struct session *session)
{
    if (session->proto->close)
        session->proto->close(&session->peer);
    free(session->peer.state);
    client_remove(session->world->shared.clients, &session->client);
    buffer_clear(&session->in);
    buffer_clear(&session->out);
    SESSION_REQUIRE(session->pool.held == 0);
    buffer_pool_drain(&session->pool);
}

/* The jobs of a step, one after the other, until there is an answer. */
static inline enum proto_step session_work(struct session *session)
{
    enum proto_step step = PROTO_WAIT;
    while (step == PROTO_WAIT) {
        struct job *job = session->peer.job;
        SESSION_REQUIRE(job != NULL);
        session->peer.job = NULL;
        job->run(job);
        step = job->done(&session->peer, job, &session->out);
        if (session->peer.job != job && job->free)
            job->free(job);
    }
    return step;
}

static inline void session_feed(struct session *session, const uint8_t *data, size_t len)
{
    if (session->closed)
        return;
    SESSION_REQUIRE(buffer_append(&session->in, data, len));
    while (buffer_len(&session->in) > 0 && !session->closed) {
        struct bytes run = buffer_bytes(&session->in);
        size_t answered = buffer_len(&session->out);
        size_t count = 0;
        enum proto_step step = session->proto->step(&session->peer, run, &session->out, &count);
        SESSION_REQUIRE(step == PROTO_WAIT || !session->peer.job);
        if (step == PROTO_NEXT || step == PROTO_WAIT) {
            SESSION_REQUIRE(count >= 1 && count <= run.len);
            buffer_take(&session->in, count);
        }
        if (step == PROTO_WAIT)
            step = session_work(session);
        if (step == PROTO_PARTIAL) {
            /* It must ask for more than there is, or nobody would ever come back, and answer nothing yet. */
            SESSION_REQUIRE(count > run.len);
            SESSION_REQUIRE(buffer_len(&session->out) == answered);
            return;
        }
        session->closed = step == PROTO_END || step == PROTO_CLOSE || step == PROTO_NO_MEMORY;
        mail_read(&session->world->box, session, SIZE_MAX);
    }
}

#endif
