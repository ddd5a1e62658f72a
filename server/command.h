/*
 * command: the text of the command family, read in place: lines joined by CRLF, a first line in brackets, then
 * Key=Value. No I/O and no memory: a value is found by walking the text again, which for texts of this size is
 * cheaper than a table.
 *
 * Ownership: a command borrows the text. Threading: any.
 */
#ifndef CPORT_SERVER_COMMAND_H
#define CPORT_SERVER_COMMAND_H

#include "bytes.h"

#include <stdbool.h>

/* The codes of the wire. */
enum command_code {
    CODE_OK = 0,
    CODE_UNKNOWN_COMMAND = 1,
    CODE_LENGTH = 2,
    CODE_FORMAT = 3,
    CODE_UNKNOWN_ERROR = 4,
    CODE_NOT_COMPLETED = 5,
    CODE_PARAMETER = 6,
    CODE_LOGIN = 7,
    CODE_NOT_LOGGED_IN = 8,
    CODE_NO_FILE = 9,
    CODE_NOT_OPEN = 10,
    CODE_IN_USE = 11,
    CODE_NO_DIRECTORY = 0x02000001,
    CODE_CREATE_DIRECTORY = 0x02000002,
    CODE_DELETE_DIRECTORY = 0x02000003,
    CODE_DELETE_FILE = 0x02000007,
    CODE_SIZE = 0x02000008
};

const char *command_code_text(enum command_code code); /* for people */

struct command {
    struct bytes text;
    struct bytes name; /* the value of Command=, empty without one */
};

/* False: a format error. That is a line with more than one '=', fewer than two lines, a CR or LF that is not part of
 * a line's end. Empty lines do not count. */
bool command_parse(struct bytes text, struct command *ret_command);

bool command_is(
    const struct command *command, const char *name); /* without regard to case, as the keys */

/* The value of the index-th line with this key, counted from 0. */
bool command_value(
    const struct command *command, const char *key, unsigned index, struct bytes *ret_value);

/* The values of all lines with this key, one after the other: *rest is the command's text at first. */
bool command_next(struct bytes *rest, const char *key, struct bytes *ret_value);

/* A whole value as a signed decimal number. False: absent, not a number, or one that does not fit. */
bool command_i64(const struct command *command, const char *key, int64_t *ret_value);

#endif
