/*
 * session: drives a protocol as a connection does, without a socket: bytes come in segments, frames are taken off
 * the front, answers pile up.
 */
#ifndef CPORT_TESTS_SERVER_SESSION_H
#define CPORT_TESTS_SERVER_SESSION_H

#include "check.h"
#include "proto.h"

struct session {
    const struct proto *proto;
    struct proto_context context;
    struct buffer_pool pool;
    struct buffer in;
    struct buffer out;
    bool closed;
};

static inline void session_open(
    struct session *session, const struct proto *proto, uint32_t frame_max)
{
    memset(session, 0, sizeof(*session));
    session->proto = proto;
    session->context.frame_max = frame_max;
    payload_reader_init(&session->context.payloads, frame_max);
    buffer_pool_init(&session->pool, (size_t)64 << 20);
    buffer_init(&session->in, &session->pool);
    buffer_init(&session->out, &session->pool);
}

static inline void session_close(struct session *session)
{
    buffer_clear(&session->in);
    buffer_clear(&session->out);
    assert_int_equal(session->pool.held, 0);
    buffer_pool_drain(&session->pool);
    payload_reader_clear(&session->context.payloads);
}

static inline void session_feed(struct session *session, const uint8_t *data, size_t len)
{
    if (session->closed)
        return;
    assert_true(buffer_append(&session->in, data, len));
    while (buffer_len(&session->in) > 0 && !session->closed) {
        struct bytes run = buffer_bytes(&session->in);
        size_t answered = buffer_len(&session->out);
        size_t count = 0;
        switch (session->proto->step(&session->context, run, &session->out, &count)) {
        case PROTO_NEXT:
            assert_in_range(count, 1, run.len);
            buffer_take(&session->in, count);
            break;
        case PROTO_PARTIAL:
            /* It must ask for more than there is, or nobody would ever come back, and answer nothing yet. */
            assert_true(count > run.len);
            assert_int_equal(buffer_len(&session->out), answered);
            return;
        case PROTO_CLOSE:
            session->closed = true;
            break;
        case PROTO_NO_MEMORY:
            fail_msg("no memory");
        }
    }
}

#endif
