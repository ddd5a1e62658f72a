/* Both frames. Whatever is taken lies within the run, and a run that is cut short asks for no less than it has. */
#include "frame.h"

#include <stdbool.h>
#include <stdlib.h>

#define FRAME_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void require_within(struct bytes inner, struct bytes run)
{
    require(inner.data >= run.data && inner.len <= (size_t)(run.data + run.len - inner.data));
}

static enum frame_result packet_at(struct bytes run, size_t *ret_bytes, size_t *ret_need)
{
    struct packet packet;
    enum frame_result result = packet_parse(run, &packet, ret_need);
    if (result == FRAME_OK) {
        require_within(packet.command, run);
        require_within(packet.data, run);
        require(packet.bytes <= run.len &&
                packet.bytes == PACKET_HEAD_BYTES + packet.command.len + packet.data.len);
        *ret_bytes = packet.bytes;
    }
    return result;
}

static enum frame_result message_at(struct bytes run, size_t *ret_bytes, size_t *ret_need)
{
    struct message message;
    enum frame_result result = message_parse(run, FRAME_MAX, &message, ret_need);
    if (result == FRAME_OK) {
        require_within(message.payload, run);
        require(
            message.bytes <= run.len && message.bytes == MESSAGE_HEAD_BYTES + message.payload.len);
        require(message.type >= MESSAGE_REQUEST && message.type <= MESSAGE_GOAWAY);
        *ret_bytes = message.bytes;
    }
    return result;
}

/* A longer run never changes a verdict that a shorter one has got. */
static void check(enum frame_result (*parse)(struct bytes, size_t *, size_t *), struct bytes run)
{
    size_t bytes = 0, need = 0, least = 0;
    enum frame_result verdict = FRAME_PARTIAL;
    for (size_t len = 0; len <= run.len && len <= 64; len++) {
        enum frame_result result = parse((struct bytes){run.data, len}, &bytes, &need);
        require(verdict == FRAME_PARTIAL || result == verdict);
        require(result != FRAME_PARTIAL || need > len);
        require(result != FRAME_PARTIAL || need >= least);
        least = need;
        verdict = result;
    }
    enum frame_result whole = parse(run, &bytes, &need);
    require(verdict == FRAME_PARTIAL || whole == verdict);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes run = {data, size};
    check(packet_at, run);
    check(message_at, run);
    return 0;
}
