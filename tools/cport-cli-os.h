/*
 * cport-cli-os: the little that differs between systems for the client. One file per system, os_posix.c and os_windows.c.
 *
 * Names are UTF-8 on Windows, and the system's bytes elsewhere.
 *
 * Threading: one thread.
 */
#ifndef CPORT_TOOLS_CPORT_CLI_OS_H
#define CPORT_TOOLS_CPORT_CLI_OS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Before anything else: makes the arguments UTF-8 where they are not, and a write that cannot be done an error and no end. */
void cli_os_start(int *argc, char ***argv);

void cli_binary_streams(void); /* standard input and output carry bytes as they are */
bool cli_shows_progress(void); /* somebody looks at standard error */

enum cli_path { CLI_PATH_NONE, CLI_PATH_FILE, CLI_PATH_FOLDER, CLI_PATH_OTHER };
enum cli_path cli_path_kind(const char *name);

const char *cli_path_base(
    const char *name); /* its last part; empty if the name ends in a separator */

/* As fopen, and without a buffer: what has been written is in the file. */
FILE *cli_file_open(const char *name, const char *mode);
bool cli_file_size(FILE *file, int64_t *ret_size);
bool cli_file_seek(FILE *file, int64_t offset);

#endif
