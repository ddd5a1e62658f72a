/* Files of a case. */
#include "file.h"

#include <stdlib.h>

void file_open(cport_port *port, file *ret_file, uint32_t flags)
{
    file *f = ret_file;
    f->port = port;
    cts_file_name(f->path, "");
    flags |= CPORT_FILE_READ | CPORT_FILE_WRITE | CPORT_FILE_CREATE | CPORT_FILE_EXCLUSIVE;
    CHECK_EQ(cport_file_open(f->path, flags, 0600, &f->fd), 0);
    f->h = cts_attach(port, f->fd, CTS_KEY_F);
}

void file_close(file *f)
{
    if (f->h != NULL)
        cts_close_wait(f->h, 0);
    cts_file_remove(f->path);
    f->h = NULL;
}

int64_t file_read(file *f, void *data, size_t len, uint64_t at)
{
    cport_op op = {0};
    CHECK_EQ(cts_read(f->h, &op, data, len, at, 0), 0);
    return cts_result(f->port, &op);
}

void file_write(file *f, size_t len, uint64_t at)
{
    cport_op op = {0};
    void *data = io_memory(len);
    io_fill(data, len, (size_t)at);
    CHECK_EQ(cts_write(f->h, &op, data, len, at, 0), 0);
    CHECK_EQ(cts_result(f->port, &op), len);
    free(data);
}

void file_check(file *f, size_t len, uint64_t at)
{
    void *data = io_memory(len);
    CHECK_EQ(file_read(f, data, len, at), len);
    io_check(data, len, (size_t)at);
    free(data);
}
