#include "path.h"

#include <string.h>

static uint8_t upper(uint8_t c)
{
    return c >= 'a' && c <= 'z' ? (uint8_t)(c - ('a' - 'A')) : c;
}

static bool equals(struct bytes bytes, const char *text)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (text[i] == '\0' || upper(bytes.data[i]) != (uint8_t)text[i])
            return false;
    }
    return text[bytes.len] == '\0';
}

static bool is_divider(uint8_t c)
{
    return c == '/' || c == '\\';
}

/* COM1, LPT9, and their twins with a superscript digit, in Latin-1 and in UTF-8. */
static bool is_numbered_device(struct bytes base)
{
    if (base.len < 4 || !(equals((struct bytes){base.data, 3}, "COM") ||
                            equals((struct bytes){base.data, 3}, "LPT")))
        return false;
    const uint8_t *digit = base.data + 3;
    if (base.len == 4)
        return (digit[0] >= '0' && digit[0] <= '9') || digit[0] == 0xB9 || digit[0] == 0xB2 ||
               digit[0] == 0xB3;
    return base.len == 5 && digit[0] == 0xC2 &&
           (digit[1] == 0xB9 || digit[1] == 0xB2 || digit[1] == 0xB3);
}

/* Windows looks at what goes before the first dot or colon, without the spaces at its end. */
static bool is_device(struct bytes part)
{
    static const char *const names[] = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"};
    struct bytes base = {part.data, 0};
    while (base.len < part.len && part.data[base.len] != '.' && part.data[base.len] != ':')
        base.len++;
    while (base.len > 0 && base.data[base.len - 1] == ' ')
        base.len--;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (equals(base, names[i]))
            return true;
    }
    return is_numbered_device(base);
}

static bool has_drive(struct bytes part)
{
    uint8_t c = part.len >= 2 ? upper(part.data[0]) : 0;
    return c >= 'A' && c <= 'Z' && part.data[1] == ':';
}

static bool is_dots(struct bytes part)
{
    for (size_t i = 0; i < part.len; i++) {
        if (part.data[i] != '.' && part.data[i] != ' ')
            return false;
    }
    return true;
}

bool path_is_listable(struct bytes part)
{
    for (size_t i = 0; i < part.len; i++) {
        uint8_t c = part.data[i];
        if (c == '\0' || c == '\r' || c == '\n' || c == '=')
            return false;
    }
    return true;
}

bool path_append(struct path *path, struct bytes part)
{
    if (part.len == 0 || part.len > PATH_PART_BYTES_MAX || !path_is_listable(part))
        return false;
    for (size_t i = 0; i < part.len; i++) {
        if (is_divider(part.data[i]))
            return false;
    }
    if (is_dots(part) || has_drive(part) || is_device(part))
        return false;

    size_t divider = path->len > 0 ? 1 : 0;
    if (part.len + divider >= sizeof(path->text) - path->len)
        return false;
    if (divider)
        path->text[path->len++] = '/';
    memcpy(path->text + path->len, part.data, part.len);
    path->len += part.len;
    path->text[path->len] = '\0';
    return true;
}

bool path_parse(struct bytes name, struct path *ret_path)
{
    ret_path->len = 0;
    ret_path->text[0] = '\0';
    if (name.len > 0 && is_divider(name.data[0]))
        return false;

    size_t start = 0;
    while (start < name.len) {
        size_t end = start;
        while (end < name.len && !is_divider(name.data[end]))
            end++;
        struct bytes part = {name.data + start, end - start};
        /* "a//b" and "a/./b" are "a/b" wherever paths are read. */
        bool says_nothing = part.len == 0 || (part.len == 1 && part.data[0] == '.');
        if (!says_nothing && !path_append(ret_path, part))
            return false;
        start = end + 1;
    }
    return true;
}
