/*
 * log: structured lines on standard error: time, level, event, then name=value pairs.
 *
 * Threading: any; a line is written in one piece. Whatever the pairs hold, a line has only printable ASCII: what a
 * client sent cannot forge a line or steer a terminal.
 */
#ifndef CPORT_SERVER_LOG_H
#define CPORT_SERVER_LOG_H

#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_open(enum log_level least); /* before any thread is started */

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void log_line(enum log_level level, const char *event, const char *format, ...);

/* text with every other byte as \xNN, always terminated, cut where it does not fit. Returns the length. */
size_t log_escape(const char *text, size_t len, char *ret_text, size_t size);

#endif
