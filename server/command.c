#include "command.h"

#include <string.h>

struct line {
    struct bytes key;
    struct bytes value;
    bool has_value;
};

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static bool equals(struct bytes bytes, const char *text)
{
    for (size_t i = 0; i < bytes.len; i++) {
        /* The terminator ends a text that is shorter: it equals no byte but NUL, which no key holds. */
        if (text[i] == '\0' || lower(bytes.data[i]) != lower((uint8_t)text[i]))
            return false;
    }
    return text[bytes.len] == '\0';
}

/* Takes the next line that is not empty off the front of *rest. */
static bool line_next(struct bytes *rest, struct bytes *ret_line)
{
    while (rest->len > 0) {
        const uint8_t *start = rest->data;
        const uint8_t *end = memchr(start, '\r', rest->len);
        size_t len = end ? (size_t)(end - start) : rest->len;
        size_t taken = end ? len + 1 : len;
        if (end && taken < rest->len && start[taken] == '\n')
            taken++;
        rest->data += taken;
        rest->len -= taken;
        if (len > 0) {
            *ret_line = (struct bytes){start, len};
            return true;
        }
    }
    return false;
}

static struct line line_split(struct bytes bytes)
{
    struct line line = {.key = bytes};
    const uint8_t *equal = memchr(bytes.data, '=', bytes.len);
    if (equal) {
        line.key.len = (size_t)(equal - bytes.data);
        line.value = (struct bytes){equal + 1, bytes.len - line.key.len - 1};
        line.has_value = true;
    }
    return line;
}

/* Every CR is followed by LF and every LF goes after CR: what line_next relies on. */
static bool line_ends_sound(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\r') {
            if (i + 1 == text.len || text.data[i + 1] != '\n')
                return false;
            i++;
        } else if (text.data[i] == '\n') {
            return false;
        }
    }
    return true;
}

bool command_parse(struct bytes text, struct command *ret_command)
{
    if (!line_ends_sound(text))
        return false;

    struct command command = {.text = text, .name = {text.data, 0}};
    struct bytes rest = text, bytes;
    size_t lines = 0;
    while (line_next(&rest, &bytes)) {
        lines++;
        struct line line = line_split(bytes);
        if (!line.has_value)
            continue;
        if (memchr(line.value.data, '=', line.value.len))
            return false;
        if (equals(line.key, "Command"))
            command.name = line.value;
    }
    if (lines < 2)
        return false;
    *ret_command = command;
    return true;
}

bool command_is(const struct command *command, const char *name)
{
    return equals(command->name, name);
}

bool command_value(
    const struct command *command, const char *key, unsigned index, struct bytes *ret_value)
{
    struct bytes rest = command->text, bytes;
    while (line_next(&rest, &bytes)) {
        struct line line = line_split(bytes);
        if (!line.has_value || !equals(line.key, key))
            continue;
        if (index == 0) {
            *ret_value = line.value;
            return true;
        }
        index--;
    }
    return false;
}

bool command_next(struct bytes *rest, const char *key, struct bytes *ret_value)
{
    struct bytes bytes;
    while (line_next(rest, &bytes)) {
        struct line line = line_split(bytes);
        if (line.has_value && equals(line.key, key)) {
            *ret_value = line.value;
            return true;
        }
    }
    return false;
}

bool command_i64(const struct command *command, const char *key, int64_t *ret_value)
{
    struct bytes value;
    if (!command_value(command, key, 0, &value))
        return false;

    bool negative = value.len > 0 && value.data[0] == '-';
    size_t i = negative || (value.len > 0 && value.data[0] == '+') ? 1 : 0;
    if (i == value.len)
        return false;

    /* Summed below zero: INT64_MIN has no positive counterpart. */
    int64_t sum = 0;
    for (; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
        int digit = value.data[i] - '0';
        if (sum < (INT64_MIN + digit) / 10)
            return false;
        sum = sum * 10 - digit;
    }
    if (!negative && sum == INT64_MIN)
        return false;
    *ret_value = negative ? sum : -sum;
    return true;
}

const char *command_code_text(enum command_code code)
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
    case CODE_UNKNOWN_ERROR:
        return "Unknown error";
    case CODE_NOT_COMPLETED:
        return "Not completed";
    case CODE_PARAMETER:
        return "Parameter missing or malformed";
    case CODE_LOGIN:
        return "Wrong user or password";
    case CODE_NOT_LOGGED_IN:
        return "Not logged in";
    case CODE_NO_FILE:
        return "No such file";
    case CODE_NOT_OPEN:
        return "No file is open";
    case CODE_IN_USE:
        return "The file is in use";
    case CODE_NO_DIRECTORY:
        return "No such directory";
    case CODE_CREATE_DIRECTORY:
        return "The directory cannot be created";
    case CODE_DELETE_DIRECTORY:
        return "The directory cannot be deleted";
    case CODE_DELETE_FILE:
        return "The file cannot be deleted";
    case CODE_SIZE:
        return "Size or offset out of range";
    }
    return "";
}
