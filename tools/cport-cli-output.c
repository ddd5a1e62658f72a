#include "cport-cli-output.h"

#include "fields.h"

#include <stdio.h>

static bool is_control(uint8_t c)
{
    return (c < 0x20 && c != '\t') || c == 0x7F;
}

void output_text(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        putchar(is_control(text.data[i]) ? '?' : text.data[i]);
}

/* The bytes of the character in front, or 0. */
static size_t character(struct bytes text)
{
    for (size_t len = 1; len <= 4 && len <= text.len; len++) {
        if (utf8_check((struct bytes){text.data, len}))
            return len;
    }
    return 0;
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
        else if (c < 0x20)
            printf("\\u%04x", c);
        else
            fwrite(text.data, 1, len, stdout);
        size_t taken = len > 0 ? len : 1;
        text = (struct bytes){text.data + taken, text.len - taken};
    }
    putchar('"');
}
