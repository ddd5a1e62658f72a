/*
 * cport-cli-os: the little that differs between systems for the client. One file per system, os_posix.c and os_windows.c.
 *
 * Threading: one thread.
 */
#ifndef CPORT_TOOLS_CPORT_CLI_OS_H
#define CPORT_TOOLS_CPORT_CLI_OS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

void cli_binary_streams(void); /* standard input and output carry bytes as they are */
bool cli_shows_progress(void); /* somebody looks at standard error */
bool cli_file_size(FILE *file, int64_t *ret_size);
bool cli_file_seek(FILE *file, int64_t offset);

#endif
