/*
 * file.c: files.
 *
 * Windows reads and writes one piece of memory per call (the scattering calls want whole pages):
 * several are moved one after the other. Nothing flushes a file without blocking, so a thread of
 * the port's does that.
 */
#include "error.h"
#include "functions.h"
#include "offload.h"

/* Most bytes of one call: a DWORD counts them; whole pages, for files past the cache. */
#define BYTES_MOST ((size_t)1 << 30)

static bool is_write(const struct op *op)
{
    return op->kind == OP_WRITE || op->kind == OP_WRITEV;
}

static bool has_pieces(const struct op *op)
{
    return op->kind == OP_READV || op->kind == OP_WRITEV;
}

/* The piece that is next, and its bytes for one call. */
static DWORD piece_next(struct op *op, void **ret_base)
{
    size_t left = op->io.len - op->transferred;
    *ret_base = op->io.base;
    if (has_pieces(op)) {
        const cport_buf *buf = &op->io.vec->bufs[op->io.vec->first];
        *ret_base = buf->base;
        left = buf->len;
    } else if (left < op->io.len) {
        *ret_base = (char *)op->io.base + op->transferred;
    }
    return (DWORD)(left < BYTES_MOST ? left : BYTES_MOST);
}

/* True: the call has ended at once. */
static bool ask(struct op *op, struct ending *ret_ending)
{
    const uint64_t at = op->io.offset + op->transferred;
    OVERLAPPED *overlapped = overlapped_of(op);
    HANDLE file = file_of(op->handle);
    void *base;
    DWORD len = piece_next(op, &base);
    *overlapped = (OVERLAPPED){.Offset = (DWORD)at, .OffsetHigh = (DWORD)(at >> 32)};
    BOOL ok = is_write(op) ? WriteFile(file, base, len, NULL, overlapped)
                           : ReadFile(file, base, len, NULL, overlapped);
    return ending_of_call(op->handle, ok, overlapped, ret_ending);
}

static bool is_end_of_file(const struct ending *e)
{
    enum { STATUS_FILE_END = (int)0xC0000011 };
    return e->raw == ERROR_HANDLE_EOF || e->raw == (uint32_t)STATUS_FILE_END;
}

/* The kernel's word. True: the op has ended. */
static bool took(struct op *op, struct ending e)
{
    void *base;
    const DWORD asked = piece_next(op, &base);
    if (!is_write(op) && is_end_of_file(&e))
        e = ending_of_error(0);
    if (e.code < 0) {
        op_fail(op, e);
        return true;
    }
    op->transferred += e.bytes;
    op->result = (int64_t)op->transferred;
    if (op->transferred == op->io.len)
        return true;
    if (e.bytes < asked) { /* a file is read short at its end alone */
        if (is_write(op))
            op->result = CPORT_EIO;
        return true;
    }
    if (op->bits & OP_CANCELLED) {
        op->result = CPORT_ECANCELED;
        return true;
    }
    if (has_pieces(op))
        vec_advance(op->io.vec, e.bytes);
    return false;
}

static int run(struct op *op)
{
    struct ending e;
    do {
        if (!ask(op, &e))
            return START_PENDING;
    } while (!took(op, e));
    return START_DONE;
}

static void flush_run(struct op *op)
{
    op->result = 0;
    if (!FlushFileBuffers(file_of(op->handle))) {
        op->aux = GetLastError();
        op->result = error_from_win32(op->aux);
    }
}

static const struct job_kind flush_job = {flush_run, offload_end_of_handle};

int file_start(struct op *op)
{
    if (op->kind == OP_SYNC)
        return offload_run(op->handle->port, op, &flush_job);
    if (op->io.len == 0) {
        op->result = 0;
        return START_DONE;
    }
    if (has_pieces(op))
        vec_advance(op->io.vec, 0); /* past pieces of nothing */
    return run(op);
}

void file_ended(struct op *op, struct harvest *out)
{
    if (took(op, ending_of_packet(overlapped_of(op))) || run(op) == START_DONE)
        handle_op_final(op, op->result, out);
}

int file_cancel(struct op *op)
{
    if (op->kind == OP_SYNC)
        return offload_cancel(op->handle->port, op) ? CANCEL_DONE : CANCEL_LATER;
    CancelIoEx(file_of(op->handle), overlapped_of(op));
    return CANCEL_LATER;
}

/* Opened to append and not to write: Windows would write at the end, whatever the offset says. */
static bool only_appends(const struct cport_handle *h)
{
    enum { FILE_ACCESS_INFORMATION = 8 };
    IO_STATUS_BLOCK status;
    ACCESS_MASK access = 0;
    query_information_file_fn query = functions()->query_information_file;
    return query &&
           query(file_of(h), &status, &access, sizeof(access), FILE_ACCESS_INFORMATION) == 0 &&
           (access & (FILE_APPEND_DATA | FILE_WRITE_DATA)) == FILE_APPEND_DATA;
}

int file_attach(struct cport_handle *h)
{
    DWORD flags;
    BY_HANDLE_FILE_INFORMATION info;
    if (!GetHandleInformation(file_of(h), &flags))
        return CPORT_EINVAL;
    if (GetFileType(file_of(h)) != FILE_TYPE_DISK ||
        (GetFileInformationByHandle(file_of(h), &info) &&
            (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)))
        return CPORT_ENOTSUP;
    if (only_appends(h))
        return CPORT_EINVAL;
    h->file = true;
    return 0;
}
