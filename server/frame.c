#include "frame.h"

enum frame_result packet_parse(struct bytes run, struct packet *ret_packet, size_t *ret_need)
{
    *ret_need = PACKET_HEAD_BYTES;
    if (run.len < 4)
        return FRAME_PARTIAL;

    uint32_t packet_len = load_u32(run.data);
    if (packet_len > PACKET_LEN_MAX)
        return FRAME_TOO_LONG;
    if (packet_len < 4)
        return FRAME_MALFORMED;
    if (run.len < PACKET_HEAD_BYTES) {
        *ret_need = 4 + (size_t)packet_len;
        return FRAME_PARTIAL;
    }

    uint32_t command_len = load_u32(run.data + 4);
    if (command_len > packet_len - 4)
        return FRAME_MALFORMED;
    size_t total = 4 + (size_t)packet_len;
    if (run.len < total) {
        *ret_need = total;
        return FRAME_PARTIAL;
    }

    const uint8_t *command = run.data + PACKET_HEAD_BYTES;
    ret_packet->command = (struct bytes){command, command_len};
    ret_packet->data = (struct bytes){command + command_len, packet_len - 4 - command_len};
    ret_packet->bytes = total;
    return FRAME_OK;
}

void packet_head_store(uint8_t *head, size_t command_len, size_t data_len)
{
    store_u32(head, (uint32_t)(4 + command_len + data_len));
    store_u32(head + 4, (uint32_t)command_len);
}

enum frame_result message_parse(
    struct bytes run, uint32_t frame_max, struct message *ret_message, size_t *ret_need)
{
    *ret_need = MESSAGE_HEAD_BYTES;
    if (run.len < 4)
        return FRAME_PARTIAL;

    uint32_t length = load_u32(run.data);
    if (length > frame_max)
        return FRAME_TOO_LONG;
    if (length < MESSAGE_LENGTH_MIN)
        return FRAME_MALFORMED;

    size_t total = 4 + (size_t)length;
    *ret_need = total;
    if (run.len < 5)
        return FRAME_PARTIAL;
    uint8_t type = run.data[4];
    if (type < MESSAGE_REQUEST || type > MESSAGE_GOAWAY)
        return FRAME_MALFORMED;
    if (run.len < total)
        return FRAME_PARTIAL;

    ret_message->type = type;
    ret_message->flags = run.data[5];
    ret_message->code = load_u16(run.data + 6);
    ret_message->id = load_u32(run.data + 8);
    ret_message->payload =
        (struct bytes){run.data + MESSAGE_HEAD_BYTES, length - MESSAGE_LENGTH_MIN};
    ret_message->bytes = total;
    return FRAME_OK;
}

void message_head_store(uint8_t *head, const struct message *message, size_t payload_len)
{
    store_u32(head, (uint32_t)(MESSAGE_LENGTH_MIN + payload_len));
    head[4] = message->type;
    head[5] = message->flags;
    store_u16(head + 6, message->code);
    store_u32(head + 8, message->id);
}
