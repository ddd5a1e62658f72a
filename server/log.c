#include "log.h"

#include "os.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 1024u

static enum log_level log_least = LOG_INFO; /* constant after log_open */

void log_open(enum log_level least)
{
    log_least = least;
}

size_t log_escape(const char *text, size_t len, char *ret_text, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        /* A backslash too, or it could not be told from our own. */
        size_t needed = c < 0x20 || c > 0x7E || c == '\\' ? 4 : 1;
        if (used + needed >= size)
            break;
        if (needed == 1) {
            ret_text[used++] = (char)c;
        } else {
            ret_text[used++] = '\\';
            ret_text[used++] = 'x';
            ret_text[used++] = digits[c >> 4];
            ret_text[used++] = digits[c & 15];
        }
    }
    if (size > 0)
        ret_text[used] = '\0';
    return used;
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    if (level < log_least)
        return;

    char pairs[LINE_BYTES / 2];
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(pairs, sizeof(pairs), format, arguments);
    va_end(arguments);
    size_t len = wanted < 0                       ? 0
                 : (size_t)wanted < sizeof(pairs) ? (size_t)wanted
                                                  : sizeof(pairs) - 1;

    char line[LINE_BYTES];
    char time[SYS_TIME_TEXT_BYTES];
    sys_time_text(time);
    size_t used =
        (size_t)snprintf(line, sizeof(line), "%s %s event=%s ", time, names[level], event);
    used += log_escape(pairs, len, line + used, sizeof(line) - 1 - used);
    line[used++] = '\n';
    fwrite(line, 1, used, stderr);
}
