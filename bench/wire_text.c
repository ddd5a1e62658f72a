/* Languages that are made of lines. */
#include "wire.h"

#include <string.h>

/* The bytes of the first line with its CR and LF; 0: it is not there whole. */
static size_t line_bytes(const unsigned char *data, size_t bytes)
{
    const unsigned char *end = bytes > 0 ? memchr(data, '\n', bytes) : NULL;
    return end != NULL ? (size_t)(end - data) + 1 : 0;
}

/* The digits from `at` to the line's end. */
static bool read_count(const unsigned char *data, size_t at, size_t line, uint64_t *ret_count)
{
    uint64_t count = 0;
    size_t end = line - 1;
    if (end > at && data[end - 1] == '\r')
        end--;
    if (end == at || end - at > 18)
        return false;
    for (; at < end; at++) {
        if (data[at] < '0' || data[at] > '9')
            return false;
        count = count * 10 + (data[at] - '0');
    }
    *ret_count = count;
    return true;
}

static bool starts_with(const unsigned char *data, size_t line, const char *word)
{
    size_t length = strlen(word);
    return line >= length && memcmp(data, word, length) == 0;
}

/* "$N" and what it counts: all of it within data, or only its line. Returns the bytes; 0: not there; *ret_broken tells why. */
static size_t bulk_bytes(
    const unsigned char *data, size_t bytes, uint64_t *ret_count, bool *ret_broken)
{
    size_t line = line_bytes(data, bytes);
    if (line == 0)
        return 0;
    *ret_broken = data[0] != '$' || !read_count(data, 1, line, ret_count);
    return *ret_broken ? 0 : line;
}

/* "*3", then two short strings, the first of which says what this is, and a string or a number. */
static enum wire_result redis_array(
    const unsigned char *data, size_t bytes, size_t at, struct wire_item *ret_item)
{
    bool is_push = false, is_broken = false;
    for (int i = 0; i < 2; i++) {
        uint64_t count = 0;
        size_t line = bulk_bytes(data + at, bytes - at, &count, &is_broken);
        if (line == 0 || count > WIRE_HEAD_MAX)
            return is_broken || line > 0 ? WIRE_BROKEN : WIRE_PARTIAL;
        at += line;
        if (bytes - at < count + 2)
            return WIRE_PARTIAL;
        if (i == 0)
            is_push = count == 7 && memcmp(data + at, "message", 7) == 0;
        at += (size_t)count + 2;
    }
    size_t line = line_bytes(data + at, bytes - at);
    if (line == 0)
        return WIRE_PARTIAL;
    uint64_t count = 0;
    bool is_bulk = data[at] == '$';
    if (!read_count(data, at + 1, at + line, &count) || is_push != is_bulk ||
        (!is_bulk && data[at] != ':'))
        return WIRE_BROKEN;
    *ret_item = (struct wire_item){.kind = is_push ? WIRE_PUSH : WIRE_REPLY,
        .head_bytes = at + line,
        .body_bytes = is_bulk ? count : 0,
        .tail_bytes = is_bulk ? 2 : 0};
    return WIRE_OK;
}

enum wire_result wire_redis(const unsigned char *data, size_t bytes, struct wire_item *ret_item)
{
    uint64_t count;
    size_t line = line_bytes(data, bytes);
    if (line == 0)
        return WIRE_PARTIAL;
    *ret_item = (struct wire_item){.kind = WIRE_REPLY, .head_bytes = line};
    switch (data[0]) {
    case '+':
        return WIRE_OK;
    case ':':
        return read_count(data, 1, line, &count) ? WIRE_OK : WIRE_BROKEN;
    case '$':
        if (!read_count(data, 1, line, &ret_item->body_bytes))
            return WIRE_BROKEN;
        ret_item->tail_bytes = 2;
        return WIRE_OK;
    case '*':
        if (!read_count(data, 1, line, &count) || count != 3)
            return WIRE_BROKEN;
        return redis_array(data, bytes, line, ret_item);
    default:
        return WIRE_BROKEN; /* an error, "-...", among others */
    }
}

/* "MSG topic id bytes" and what it counts; all else is a line. */
enum wire_result wire_nats(const unsigned char *data, size_t bytes, struct wire_item *ret_item)
{
    size_t line = line_bytes(data, bytes);
    if (line == 0)
        return WIRE_PARTIAL;
    *ret_item = (struct wire_item){.kind = WIRE_NOTE, .head_bytes = line};
    if (starts_with(data, line, "MSG ")) {
        size_t at = line;
        while (data[at - 1] != ' ')
            at--;
        ret_item->kind = WIRE_PUSH;
        ret_item->tail_bytes = 2;
        return read_count(data, at, line, &ret_item->body_bytes) ? WIRE_OK : WIRE_BROKEN;
    }
    if (starts_with(data, line, "PONG"))
        ret_item->kind = WIRE_REPLY;
    else if (starts_with(data, line, "PING"))
        ret_item->kind = WIRE_PING;
    else if (!starts_with(data, line, "INFO ") && !starts_with(data, line, "+OK"))
        return WIRE_BROKEN;
    return WIRE_OK;
}

static bool is_content_length(const unsigned char *data, size_t line)
{
    static const char name[] = "content-length:";
    if (line < sizeof name - 1)
        return false;
    for (size_t i = 0; i < sizeof name - 1; i++) {
        unsigned char c = data[i];
        if (c >= 'A' && c <= 'Z')
            c = (unsigned char)(c + ('a' - 'A'));
        if (c != (unsigned char)name[i])
            return false;
    }
    return true;
}

enum wire_result wire_http(const unsigned char *data, size_t bytes, struct wire_item *ret_item)
{
    bool is_first = true;
    *ret_item = (struct wire_item){.kind = WIRE_REPLY};
    for (size_t at = 0;;) {
        size_t line = line_bytes(data + at, bytes - at);
        if (line == 0)
            return WIRE_PARTIAL;
        if (is_first && !(line > 12 && starts_with(data, line, "HTTP/1.1 2")))
            return WIRE_BROKEN;
        is_first = false;
        if (is_content_length(data + at, line)) {
            size_t value = at + strlen("content-length:");
            while (value < at + line && data[value] == ' ')
                value++;
            if (!read_count(data, value, at + line, &ret_item->body_bytes))
                return WIRE_BROKEN;
        }
        at += line;
        if (line <= 2) {
            ret_item->head_bytes = at;
            return WIRE_OK;
        }
    }
}
