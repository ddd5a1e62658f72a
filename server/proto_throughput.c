/* Throughput: CyclePacket gives back the bytes and the count plus one, to measure a connection with. */
#include "family.h"

static enum proto_step cycle_packet(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    (void)peer;
    int64_t count;
    if (!command_i64(request->command, "Count", &count) || count == INT64_MAX)
        return family_fail(request, out, CODE_PARAMETER);

    struct response response;
    response_begin(&response, out, request->command->name, CODE_OK);
    response_i64(&response, "Count", count + 1);
    return response_end(&response, request->data) ? PROTO_NEXT : PROTO_NO_MEMORY;
}

static const struct family_command commands[] = {{"CyclePacket", true, cycle_packet}};
static const struct family family = {commands, sizeof(commands) / sizeof(commands[0]), false};

static enum proto_step throughput_step(
    struct peer *peer, struct bytes run, struct buffer *out, size_t *ret_count)
{
    return family_step(peer, &family, run, out, ret_count);
}

const struct proto proto_throughput = {
    .name = "throughput", .preface = 0x05, .step = throughput_step};
