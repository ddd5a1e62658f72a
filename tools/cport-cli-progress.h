/*
 * progress: a bar on standard error, for somebody who looks: none where that is no terminal.
 *
 * Threading: one thread.
 */
#ifndef CPORT_TOOLS_CPORT_CLI_PROGRESS_H
#define CPORT_TOOLS_CPORT_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    bool shown; /* constant after begin */
    int64_t all;
    int64_t first; /* where it begins: the rate is of what comes after */
    int64_t started_ns;
    int64_t drawn_ns;
};

void progress_begin(
    struct progress *progress, bool wanted, int64_t first, int64_t all, int64_t now_ns);
void progress_show(struct progress *progress, int64_t done, int64_t now_ns);

/* Ends the bar's line, if there is one: before anything else is written. */
void progress_end(void);

#define PROGRESS_TEXT_BYTES 96u
void progress_text(char text[PROGRESS_TEXT_BYTES], int64_t done, int64_t all, double bytes_per_s);

#endif
