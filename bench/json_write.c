#include "json.h"

#include <float.h>
#include <math.h>

void json_write_start(struct json_writer *w, FILE *out)
{
    *w = (struct json_writer){.out = out};
}

static void write_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void write_item_start(struct json_writer *w, const char *key)
{
    if (w->has_item[w->depth])
        fputc(',', w->out);
    w->has_item[w->depth] = true;
    if (w->depth > 0)
        fprintf(w->out, "\n%*s", (int)(2 * w->depth), "");
    if (key != NULL) {
        write_quoted(w->out, key);
        fputs(": ", w->out);
    }
}

void json_write_open(struct json_writer *w, const char *key, char bracket)
{
    write_item_start(w, key);
    fputc(bracket, w->out);
    if (w->depth < JSON_DEPTH_MAX)
        w->depth++;
    w->has_item[w->depth] = false;
}

void json_write_close(struct json_writer *w, char bracket)
{
    bool empty = !w->has_item[w->depth];
    w->depth--;
    if (!empty)
        fprintf(w->out, "\n%*s", (int)(2 * w->depth), "");
    fputc(bracket == '{' ? '}' : ']', w->out);
    if (w->depth == 0)
        fputc('\n', w->out);
}

void json_write_string(struct json_writer *w, const char *key, const char *text)
{
    write_item_start(w, key);
    write_quoted(w->out, text);
}

void json_write_number(struct json_writer *w, const char *key, double number)
{
    write_item_start(w, key);
    /* As a comparison: mingw-w64's isfinite warns of the float that it also tries. */
    if (!(fabs(number) <= DBL_MAX))
        fputs("null", w->out); /* JSON has no infinities */
    else if (number == floor(number) && fabs(number) < 1e15)
        fprintf(w->out, "%.0f", number);
    else
        fprintf(w->out, "%.6g", number);
}

void json_write_bool(struct json_writer *w, const char *key, bool value)
{
    write_item_start(w, key);
    fputs(value ? "true" : "false", w->out);
}
