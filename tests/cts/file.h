/*
 * What the cases of files share: files that go with their case, and the pattern of io.h in them.
 *
 * Ownership: a file's name is gone as soon as it is open, or as soon as the system lets it go.
 */
#ifndef CTS_FILE_H
#define CTS_FILE_H

#include "io.h"

#define CTS_KEY_F ((uintptr_t)0xF0)

typedef struct file {
    cport_port *port;
    cport_handle *h;
    cport_os_handle fd;
    char path[CTS_PATH_MOST];
} file;

/* A new file, to be read and written, with further CPORT_FILE_… */
void file_open(cport_port *port, file *ret_file, uint32_t flags);
void file_close(file *f);

/* What must work, and waits: the bytes of the pattern, from place `at` on. */
void file_write(file *f, size_t len, uint64_t at);
void file_check(file *f, size_t len, uint64_t at);
int64_t file_read(file *f, void *data, size_t len, uint64_t at);

#endif
