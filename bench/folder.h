/* A temporary folder, on systems with POSIX. Returns: 0, or -1 after a message on standard error. */
#ifndef BENCH_FOLDER_H
#define BENCH_FOLDER_H

#include <stddef.h>

/* A new one in `parent`, or where the system has its temporary files when that is NULL. */
int folder_make(const char *parent, char *ret_path, size_t size);
/* With all that is in it; of what was made by folder_make alone. */
void folder_remove(const char *path);

#endif
