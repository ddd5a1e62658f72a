#include "response.h"

#include "frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void add(struct response *response, const void *data, size_t len)
{
    if (!response->failed && !buffer_append(response->out, data, len))
        response->failed = true;
}

void response_begin(struct response *response, struct buffer *out, struct bytes command_name,
    enum command_code code)
{
    static const uint8_t head[PACKET_HEAD_BYTES];
    static const char title[] = "[Response]\r\nCommand=";

    *response = (struct response){.out = out, .head = buffer_len(out)};
    add(response, head, sizeof(head));
    add(response, title, sizeof(title) - 1);
    add(response, command_name.data, command_name.len);
    response_i64(response, "Code", code);
}

void response_text(struct response *response, const char *key, const char *value)
{
    add(response, "\r\n", 2);
    add(response, key, strlen(key));
    add(response, "=", 1);
    add(response, value, strlen(value));
}

void response_i64(struct response *response, const char *key, int64_t value)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%" PRId64, value);
    response_text(response, key, digits);
}

bool response_end(struct response *response, struct bytes data)
{
    size_t text_len = buffer_len(response->out) - response->head - PACKET_HEAD_BYTES;
    add(response, data.data, data.len);
    if (response->failed) {
        buffer_truncate(response->out, response->head);
        return false;
    }
    packet_head_store(
        response->out->memory + response->out->start + response->head, text_len, data.len);
    return true;
}

static const char *code_text(enum command_code code)
{
    switch (code) {
    case CODE_OK:
        return "";
    case CODE_UNKNOWN_COMMAND:
        return "No such command";
    case CODE_LENGTH:
        return "Packet too long";
    case CODE_FORMAT:
        return "Malformed packet or command text";
    case CODE_PARAMETER:
        return "Parameter missing or malformed";
    }
    return "";
}

bool response_failure(struct buffer *out, struct bytes command_name, enum command_code code)
{
    struct response response;
    response_begin(&response, out, command_name, code);
    response_text(&response, "Message", code_text(code));
    return response_end(&response, (struct bytes){0});
}
