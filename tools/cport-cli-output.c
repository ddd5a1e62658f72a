#include "cport-cli-output.h"

#include "cport-cli-progress.h"
#include "cport-cli.h"
#include "fields.h"

#include <errno.h>
#include <stdarg.h>

#define ERROR_BYTES 4096

/* The bytes of the character in front, or 0. */
static size_t character(struct bytes text)
{
    for (size_t len = 1; len <= 4 && len <= text.len; len++) {
        if (utf8_check((struct bytes){text.data, len}))
            return len;
    }
    return 0;
}

/* Those of ASCII, and those that Unicode has from U+0080 on: a terminal obeys both. */
static bool is_control(const uint8_t *at, size_t len)
{
    return len == 1 ? (*at < 0x20 && *at != '\t') || *at == 0x7F
                    : len == 2 && at[0] == 0xC2 && at[1] < 0xA0;
}

void output_text(FILE *to, struct bytes text)
{
    while (text.len > 0) {
        size_t len = character(text);
        if (len == 0 || is_control(text.data, len))
            putc('?', to);
        else
            fwrite(text.data, 1, len, to);
        size_t taken = len > 0 ? len : 1;
        text = (struct bytes){text.data + taken, text.len - taken};
    }
}

void output_json(struct bytes text)
{
    putchar('"');
    while (text.len > 0) {
        size_t len = character(text);
        uint8_t c = text.data[0];
        if (len == 0)
            fputs("\\ufffd", stdout);
        else if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (is_control(text.data, len) || c == '\t')
            printf("\\u%04x", len == 1 ? c : text.data[1]);
        else
            fwrite(text.data, 1, len, stdout);
        size_t taken = len > 0 ? len : 1;
        text = (struct bytes){text.data + taken, text.len - taken};
    }
    putchar('"');
}

void output_error(const char *format, ...)
{
    char text[ERROR_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    progress_end();
    fputs("cport-cli: ", stderr);
    output_text(stderr, output_bytes(text));
    fputc('\n', stderr);
}

int output_flush(void)
{
    static bool said;
    int earlier = errno; /* of a write that has just failed, if the flush has nothing left to do */
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return CLI_OK;
    if (!said)
        output_error("cannot write to standard output: %s", strerror(errno != 0 ? errno : earlier));
    said = true;
    return CLI_USAGE;
}

int output_end(int status)
{
    int flushed = output_flush();
    return status == CLI_OK ? flushed : status;
}
