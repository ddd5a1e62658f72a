/*
 * A whole session of one protocol: byte 0 chooses it as on the wire, byte 1 the size of the segments, the rest is
 * what the client sends. Beyond not crashing: the answers are the same in segments as in one piece.
 */
#include "proto.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_MAX  4096u
#define MEMORY_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Feeds the stream in segments and appends what is answered to out; the count of segments is the caller's choice. */
static void play(const struct proto *proto, struct bytes stream, size_t segment, struct buffer *out)
{
    struct proto_context context = {.frame_max = FRAME_MAX};
    struct buffer in;
    payload_reader_init(&context.payloads, FRAME_MAX);
    buffer_init(&in, out->pool);

    bool closed = false;
    for (size_t at = 0; at < stream.len && !closed; at += segment) {
        size_t len = stream.len - at < segment ? stream.len - at : segment;
        require(buffer_append(&in, stream.data + at, len));
        bool partial = false;
        while (buffer_len(&in) > 0 && !closed && !partial) {
            size_t count = 0;
            switch (proto->step(&context, buffer_bytes(&in), out, &count)) {
            case PROTO_NEXT:
                require(count > 0 && count <= buffer_len(&in));
                buffer_take(&in, count);
                break;
            case PROTO_PARTIAL:
                require(count > buffer_len(&in));
                partial = true;
                break;
            case PROTO_CLOSE:
                closed = true;
                break;
            case PROTO_NO_MEMORY:
                abort();
            }
        }
    }
    buffer_clear(&in);
    payload_reader_clear(&context.payloads);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const struct proto *proto = proto_by_preface(data[0]);
    if (!proto)
        return 0;

    struct buffer_pool pool;
    struct buffer whole, cut;
    buffer_pool_init(&pool, MEMORY_MAX);
    buffer_init(&whole, &pool);
    buffer_init(&cut, &pool);

    struct bytes stream = {data + 2, size - 2};
    play(proto, stream, stream.len + 1, &whole);
    play(proto, stream, (size_t)data[1] + 1, &cut);
    require(buffer_len(&whole) == buffer_len(&cut));
    require(buffer_len(&whole) == 0 ||
            memcmp(buffer_bytes(&whole).data, buffer_bytes(&cut).data, buffer_len(&whole)) == 0);

    buffer_clear(&whole);
    buffer_clear(&cut);
    require(pool.held == 0);
    buffer_pool_drain(&pool);
    return 0;
}
