/* libuv: uv_fs_read with a callback, on its pool of threads, whose number is set as its
 * documentation says. */
#include "reader.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static uv_fs_t requests[READER_DEPTH_MAX];
static unsigned bytes;
static uv_file file;

static void read_start(unsigned slot);

static void on_read(uv_fs_t *request)
{
    unsigned slot = (unsigned)(request - requests);
    ssize_t result = request->result;
    uv_fs_req_cleanup(request);
    if (reader_end(slot, result))
        read_start(slot);
}

static void read_start(unsigned slot)
{
    uv_buf_t buffer = uv_buf_init(reader_memory(slot), bytes);
    int error = uv_fs_read(
        uv_default_loop(), &requests[slot], file, &buffer, 1, (int64_t)reader_begin(slot), on_read);
    if (error < 0)
        reader_die(uv_strerror(error), 0);
}

void read_file(const struct reader *r)
{
    uv_fs_t opened;
    setenv("UV_THREADPOOL_SIZE", READER_THREADS, 1);
    file = (uv_file)uv_fs_open(
        uv_default_loop(), &opened, r->path, O_RDONLY | (r->direct ? O_DIRECT : 0), 0, NULL);
    if (file < 0)
        reader_die(uv_strerror(file), 0);
    bytes = r->block_bytes;
    reader_ready("threads", READER_THREADS " threads");
    for (unsigned slot = 0; slot < r->depth; slot++)
        read_start(slot);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
