#include "http.h"

#include <stdbool.h>
#include <string.h>

/* What a method and the name of a header field consist of. */
static bool is_token(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return text.len > 0;
}

/* Takes what goes before the separator, and it, off the front. False: there is none. */
static bool split(struct bytes *rest, char separator, struct bytes *ret_front)
{
    const uint8_t *at = rest->len > 0 ? memchr(rest->data, separator, rest->len) : NULL;
    if (!at)
        return false;
    *ret_front = (struct bytes){rest->data, (size_t)(at - rest->data)};
    *rest = (struct bytes){at + 1, rest->len - ret_front->len - 1};
    return true;
}

static bool is_visible(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] <= ' ' || text.data[i] >= 0x7F)
            return false;
    }
    return true;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static enum http_verdict request_line(struct bytes line, struct http_request *request)
{
    static const char http[] = "HTTP/";
    struct bytes target, path;
    if (!split(&line, ' ', &request->method) || !is_token(request->method) ||
        !split(&line, ' ', &target) || target.len == 0 || target.data[0] != '/' ||
        !is_visible(target))
        return HTTP_MALFORMED;
    /* line is the version now: "HTTP/1.1" */
    if (line.len != 8 || memcmp(line.data, http, 5) != 0 || !is_digit(line.data[5]) ||
        line.data[6] != '.' || !is_digit(line.data[7]))
        return HTTP_MALFORMED;
    request->path = split(&target, '?', &path) ? path : target;
    return line.data[5] == '1' ? HTTP_WHOLE : HTTP_VERSION;
}

/* A tab is the one control character that a value may have; a line folded into the next one has no name. */
static bool is_field(struct bytes line)
{
    struct bytes name;
    if (!split(&line, ':', &name) || !is_token(name))
        return false;
    for (size_t i = 0; i < line.len; i++) {
        if ((line.data[i] < ' ' && line.data[i] != '\t') || line.data[i] == 0x7F)
            return false;
    }
    return true;
}

static enum http_verdict head_parse(struct bytes head, struct http_request *request)
{
    struct bytes line;
    enum http_verdict verdict = HTTP_PARTIAL;
    while (split(&head, '\n', &line)) {
        if (line.len == 0 || line.data[line.len - 1] != '\r')
            return HTTP_MALFORMED;
        line.len--;
        if (verdict == HTTP_PARTIAL)
            verdict = request_line(line, request);
        else if (line.len > 0 && !is_field(line))
            return HTTP_MALFORMED;
        if (verdict != HTTP_WHOLE)
            return verdict;
    }
    return verdict;
}

enum http_verdict http_parse(struct bytes run, struct http_request *ret_request)
{
    for (size_t i = 3; i < run.len && i < HTTP_HEAD_BYTES_MAX; i++) {
        if (memcmp(run.data + i - 3, "\r\n\r\n", 4) != 0)
            continue;
        ret_request->len = i + 1;
        return head_parse((struct bytes){run.data, i + 1}, ret_request);
    }
    return run.len >= HTTP_HEAD_BYTES_MAX ? HTTP_TOO_LONG : HTTP_PARTIAL;
}
