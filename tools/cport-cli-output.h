/*
 * output: what is printed, made fit for a terminal or for JSON: names and texts of others may hold anything.
 *
 * Threading: one thread at a time writes to standard output; errors come from any.
 */
#ifndef CPORT_TOOLS_CPORT_CLI_OUTPUT_H
#define CPORT_TOOLS_CPORT_CLI_OUTPUT_H

#include "bytes.h"

#include <stdio.h>
#include <string.h>

static inline struct bytes output_bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

/* As it is, but `?` for a control character other than TAB, and for what is no UTF-8: nobody's text moves the cursor. */
void output_text(FILE *to, struct bytes text);

/* A string in quotes, to standard output; bytes that are no UTF-8 become U+FFFD. */
void output_json(struct bytes text);

/* One line on standard error: "cport-cli: ", and the text as output_text writes it. A progress bar ends before. */
#if defined(__MINGW_PRINTF_FORMAT)
__attribute__((format(__MINGW_PRINTF_FORMAT, 1, 2)))
#elif defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
void output_error(const char *format, ...);

/* What has been printed goes out. Returns a cli_status: if standard output does not take it, that has been said, once. */
int output_flush(void);

/* Says so if something that was printed did not get out. Returns the exit status: the one given, if that is a failure already. */
int output_end(int status);

#endif
