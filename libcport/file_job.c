/*
 * file_job.c: reads, writes and syncs of files as POSIX has them.
 */
#include "file_job.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "error.h"
#include "port.h"

int file_attach(struct cport_handle *h)
{
    struct stat st;
    if (fstat(h->fd, &st) < 0)
        return error_from_errno(errno);
    if ((!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) || h->state == HANDLE_BORROWED)
        return CPORT_ENOTSUP;
    int flags = fcntl(h->fd, F_GETFL);
    if (flags < 0)
        return error_from_errno(errno);
    if (flags & O_APPEND) /* the kernel would write at the end, whatever the offset says */
        return CPORT_EINVAL;
    h->file = true;
    h->direct = (flags & O_DIRECT) != 0;
    return 0;
}

static bool is_write(const struct op *op)
{
    return op->kind == OP_WRITE || op->kind == OP_WRITEV;
}

static bool has_pieces(const struct op *op)
{
    return op->kind == OP_READV || op->kind == OP_WRITEV;
}

bool file_took(struct op *op, size_t n)
{
    size_t left = op->io.len - op->transferred;
    size_t asked = left < FILE_TRANSFER_MAX ? left : FILE_TRANSFER_MAX;
    op->transferred += n;
    op->result = (int64_t)op->transferred;
    if (n == left)
        return true;
    if (is_write(op) && n == 0) {
        op->result = CPORT_EIO; /* nothing went out, and nothing says why */
        return true;
    }
    /* A file ends where nothing more comes. Past the cache that cannot be asked: the rest has no
     * block's alignment. */
    if (!is_write(op) && (n == 0 || (n < asked && op->handle->direct)))
        return true;
    if (has_pieces(op))
        vec_advance(op->io.vec, n);
    return false;
}

void file_failed(struct op *op, int error)
{
    op->aux = (uint32_t)error;
    /* The descriptor is open: so it is not open for this. */
    op->result = error == EBADF ? CPORT_EACCES : error_from_errno(error);
}

static ssize_t transfer(struct op *op, int flags)
{
    struct iovec one;
    const struct iovec *pieces = &one;
    int count = 1;
    if (has_pieces(op)) {
        pieces = (struct iovec *)(void *)&op->io.vec->bufs[op->io.vec->first];
        count = (int)op->io.vec->count;
    } else {
        one.iov_base = (char *)op->io.base + op->transferred;
        one.iov_len = op->io.len - op->transferred;
    }
    off_t at = (off_t)(op->io.offset + op->transferred);
    return is_write(op) ? pwritev2(op->handle->fd, pieces, count, at, flags)
                        : preadv2(op->handle->fd, pieces, count, at, flags);
}

/* Until it is over: 0; or an error that may not be the op's end. */
static int transfer_all(struct op *op, int flags)
{
    ssize_t n;
    do {
        n = transfer(op, flags);
        if (n < 0 && errno != EINTR)
            return errno;
    } while (n < 0 || !file_took(op, (size_t)n));
    return 0;
}

int file_try(struct op *op)
{
    int error = transfer_all(op, RWF_NOWAIT);
    if (error == EAGAIN)
        return START_PENDING;
    if (error == EOPNOTSUPP || error == ENOSYS)
        return CPORT_ENOTSUP;
    if (error)
        file_failed(op, error);
    return START_DONE;
}

static int sync_file(const struct op *op)
{
    int r;
    do
        r = op->flags & CPORT_DATA_ONLY ? fdatasync(op->handle->fd) : fsync(op->handle->fd);
    while (r < 0 && errno == EINTR);
    return r < 0 ? errno : 0;
}

static void file_run(struct op *op)
{
    op->result = 0;
    int error = op->kind == OP_SYNC ? sync_file(op) : transfer_all(op, 0);
    if (error)
        file_failed(op, error);
}

const struct job_kind file_job = {file_run, offload_end_of_handle};
