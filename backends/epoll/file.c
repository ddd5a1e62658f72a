/*
 * file.c: files, for which there is no readiness: threads of the port wait for the disk.
 */
#include "epoll.h"
#include "file_job.h"

int epoll_start_file(struct op *op)
{
    return offload_run(op->handle->port, op, &file_job);
}

/* What the system has in its cache is copied at once: cheaper than handing it to a thread. */
int epoll_start_read(struct op *op)
{
    struct cport_handle *h = op->handle;
    if (!h->direct && !(h->engine_bits & WAITS)) {
        int r = file_try(op);
        if (r == START_DONE)
            return r;
        if (r == CPORT_ENOTSUP)
            set_bits(h, WAITS);
    }
    return epoll_start_file(op);
}
