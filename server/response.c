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

void response_bytes(struct response *response, const char *key, struct bytes value)
{
    add(response, "\r\n", 2);
    add(response, key, strlen(key));
    add(response, "=", 1);
    add(response, value.data, value.len);
}

void response_lines(struct response *response, struct bytes lines)
{
    add(response, lines.data, lines.len);
}

void response_text(struct response *response, const char *key, const char *value)
{
    response_bytes(response, key, (struct bytes){(const uint8_t *)value, strlen(value)});
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

bool response_ok(struct buffer *out, struct bytes command_name)
{
    struct response response;
    response_begin(&response, out, command_name, CODE_OK);
    return response_end(&response, (struct bytes){0});
}

bool response_failure(struct buffer *out, struct bytes command_name, enum command_code code)
{
    struct response response;
    response_begin(&response, out, command_name, code);
    response_text(&response, "Message", command_code_text(code));
    return response_end(&response, (struct bytes){0});
}
