/* Throughput: CyclePacket gives back the bytes and the count plus one, to measure a connection with. */
#include "proto.h"
#include "response.h"

static bool cycle_packet(const struct command *command, struct bytes data, struct buffer *out)
{
    int64_t count;
    if (!command_i64(command, "Count", &count) || count == INT64_MAX)
        return response_failure(out, command->name, CODE_PARAMETER);

    struct response response;
    response_begin(&response, out, command->name, CODE_OK);
    response_i64(&response, "Count", count + 1);
    return response_end(&response, data);
}

static bool heartbeat(const struct command *command, struct buffer *out)
{
    struct response response;
    response_begin(&response, out, command->name, CODE_OK);
    return response_end(&response, (struct bytes){0});
}

static bool answer(const struct command *command, struct bytes data, struct buffer *out)
{
    if (command_is(command, "CyclePacket"))
        return cycle_packet(command, data, out);
    if (command_is(command, "Active"))
        return heartbeat(command, out);
    return response_failure(out, command->name, CODE_UNKNOWN_COMMAND);
}

/* What cannot be read has no command to name in the reply. */
static enum proto_step refuse(struct buffer *out, enum command_code code)
{
    return response_failure(out, (struct bytes){0}, code) ? PROTO_CLOSE : PROTO_NO_MEMORY;
}

static enum proto_step throughput_step(
    struct proto_context *context, struct bytes run, struct buffer *out, size_t *ret_count)
{
    (void)context;
    struct packet packet;
    switch (packet_parse(run, &packet, ret_count)) {
    case FRAME_PARTIAL:
        return PROTO_PARTIAL;
    case FRAME_TOO_LONG:
        return refuse(out, CODE_LENGTH);
    case FRAME_MALFORMED:
        return refuse(out, CODE_FORMAT);
    case FRAME_OK:
        break;
    }

    struct command command;
    if (!command_parse(packet.command, &command))
        return refuse(out, CODE_FORMAT);
    if (!answer(&command, packet.data, out))
        return PROTO_NO_MEMORY;
    *ret_count = packet.bytes;
    return PROTO_NEXT;
}

const struct proto proto_throughput = {
    .name = "throughput", .preface = 0x05, .step = throughput_step};
