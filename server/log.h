/*
 * log: structured lines: time, level, event, then name=value pairs; to standard error or a file, and to whoever listens.
 *
 * A thread of its own writes them: whoever logs only copies a line into a queue, and is never held up by a disk or a terminal. A
 * queue that is full loses lines and says how many. Before log_start and after log_stop lines are written at once.
 *
 * Threading: log_line and log_level_set from any thread; the rest from the main one. Whatever the pairs hold, a line has only
 * printable ASCII: what a client sent cannot forge a line or steer a terminal.
 */
#ifndef CPORT_SERVER_LOG_H
#define CPORT_SERVER_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

#define LOG_LINE_BYTES 1024u

/* file "": standard error. False: the file cannot be written. Before any thread is started. */
bool log_open(enum log_level least, const char *file);

/* From here on a thread writes. listen gets each line, without its end, on that thread; it must not log. False: no thread. */
bool log_start(void (*listen)(void *ctx, const char *line, size_t len), void *ctx);
void log_stop(void); /* once all is written */

void log_level_set(enum log_level least);

/* Opens the file anew, by its name, before the next line: whoever rotates it has renamed the old one. */
void log_reopen(void);

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void log_line(enum log_level level, const char *event, const char *format, ...);

/* text with every other byte as \xNN, always terminated, cut where it does not fit. Returns the length. */
size_t log_escape(const char *text, size_t len, char *ret_text, size_t size);

#endif
