/*
 * script: a recorded session of a protocol, what a client sends and what it must get, played in every partition into segments.
 */
#ifndef CPORT_TESTS_SERVER_SCRIPT_H
#define CPORT_TESTS_SERVER_SCRIPT_H

#include "check.h"
#include "session.h"

struct script {
    uint8_t in[4096];
    size_t in_len;
    uint8_t out[4096];
    size_t out_len;
    bool closes;
    enum role role; /* ROLE_NONE: the client has to log in */
    bool anonymous;
    const char *users; /* a file; NULL: there are none */
    struct files *(*files)(
        void); /* opens what is served, as it is at the start of every run; NULL: nothing */
};

static inline void put(uint8_t *bytes, size_t *len, const void *data, size_t data_len)
{
    assert_true(*len + data_len <= 4096);
    memcpy(bytes + *len, data, data_len);
    *len += data_len;
}

static inline void put_packet(uint8_t *bytes, size_t *len, const char *command, const char *data)
{
    uint8_t head[8];
    store_u32(head, (uint32_t)(4 + strlen(command) + strlen(data)));
    store_u32(head + 4, (uint32_t)strlen(command));
    put(bytes, len, head, sizeof(head));
    put(bytes, len, command, strlen(command));
    put(bytes, len, data, strlen(data));
}

static inline void exchange(
    struct script *script, const char *command, const char *reply, const char *data)
{
    put_packet(script->in, &script->in_len, command, data);
    put_packet(script->out, &script->out_len, reply, data);
}

static inline void refused(struct script *script, const char *command, const char *reply)
{
    put_packet(script->in, &script->in_len, command, "");
    put_packet(script->out, &script->out_len, reply, "");
}

static inline void put_message(uint8_t *bytes, size_t *len, uint8_t type, uint8_t flags,
    uint16_t code, uint32_t id, struct bytes payload)
{
    uint8_t head[12];
    store_u32(head, (uint32_t)(8 + payload.len));
    head[4] = type;
    head[5] = flags;
    store_u16(head + 6, code);
    store_u32(head + 8, id);
    put(bytes, len, head, sizeof(head));
    put(bytes, len, payload.data, payload.len);
}

static inline void check_played(
    struct session *session, const struct script *script, const char *how, size_t a, size_t b)
{
    struct bytes out = buffer_bytes(&session->out);
    if (out.len != script->out_len ||
        (out.data != NULL && memcmp(out.data, script->out, out.len) != 0) ||
        session->closed != script->closes)
        fail_msg("%s %zu %zu: other answers (%zu bytes, expected %zu)", how, a, b, out.len,
            script->out_len);
}

/* Every run starts in a world of its own: numbers of pushes go on within one. */
static inline void play_cut(
    const struct proto *proto, const struct script *script, size_t a, size_t b, size_t size)
{
    static struct world world;
    struct session session;
    world_open(&world, 1024);
    world.shared.message_anonymous = script->anonymous;
    if (script->users) {
        char error[USERS_ERROR_BYTES];
        world.shared.users = users_load(script->users, error);
        assert_non_null(world.shared.users);
    }
    if (script->files)
        world.shared.files = script->files();
    session_open(&session, &world, proto);
    if (script->role != ROLE_NONE)
        session_login(&session, "ann", script->role);
    if (size > 0) {
        for (size_t at = 0; at < script->in_len; at += size)
            session_feed(
                &session, script->in + at, size < script->in_len - at ? size : script->in_len - at);
        check_played(&session, script, "pieces of", size, 0);
    } else {
        session_feed(&session, script->in, a);
        session_feed(&session, script->in + a, b - a);
        session_feed(&session, script->in + b, script->in_len - b);
        check_played(&session, script, "cut at", a, b);
    }
    session_close(&session);
    world_close(&world);
}

/* Every cut in two, and in three: all of them, or where a run costs a while those with a middle of a few bytes. */
static inline void play(const struct proto *proto, const struct script *script)
{
    size_t len = script->in_len;
    for (size_t a = 0; a <= len; a++) {
        size_t last = (script->files || script->users) && len - a > 2 ? a + 2 : len;
        for (size_t b = a; b <= last; b += b < a + 16 ? 1 : 7)
            play_cut(proto, script, a, b, 0);
    }
    for (size_t size = 1; size <= len; size++)
        play_cut(proto, script, 0, 0, size);
}

static inline struct script *script_new(void **state)
{
    struct script *script = calloc(1, sizeof(*script));
    assert_non_null(script);
    *state = script;
    return script;
}

static inline int script_free(void **state)
{
    free(*state);
    return 0;
}

#endif
