/* The completion loop at its barest: DEFER_TASKRUN, one system call per turn. Variant "fixed":
 * registered memory. */
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static struct io_uring ring;
static bool is_fixed;
static unsigned bytes;
static int fd;

static void read_start(unsigned slot)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    if (sqe == NULL)
        reader_die("submission queue", EBUSY);
    if (is_fixed)
        io_uring_prep_read_fixed(sqe, fd, reader_memory(slot), bytes, reader_begin(slot), 0);
    else
        io_uring_prep_read(sqe, fd, reader_memory(slot), bytes, reader_begin(slot));
    io_uring_sqe_set_data64(sqe, slot);
}

static void ring_open(const struct reader *r)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    int error = io_uring_queue_init_params(READER_DEPTH_MAX, &ring, &params);
    if (error < 0)
        reader_die("io_uring", -error);
    io_uring_register_ring_fd(&ring);
    is_fixed = strcmp(r->variant, "fixed") == 0;
    struct iovec all = {reader_memory(0), (size_t)r->depth * r->block_bytes};
    error = is_fixed ? io_uring_register_buffers(&ring, &all, 1) : 0;
    if (error < 0)
        reader_die("register", -error);
}

void read_file(const struct reader *r)
{
    unsigned under_way = r->depth;
    fd = open(r->path, O_RDONLY | O_CLOEXEC | (r->direct ? O_DIRECT : 0));
    if (fd < 0)
        reader_die(r->path, errno);
    ring_open(r);
    bytes = r->block_bytes;
    reader_ready("io_uring", "");
    for (unsigned slot = 0; slot < r->depth; slot++)
        read_start(slot);
    while (under_way > 0) {
        int error = io_uring_submit_and_wait(&ring, 1);
        if (error < 0 && error != -EINTR)
            reader_die("wait", -error);
        struct io_uring_cqe *cqe;
        unsigned head, taken = 0;
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            unsigned slot = (unsigned)cqe->user_data;
            taken++;
            if (reader_end(slot, cqe->res))
                read_start(slot);
            else
                under_way--;
        }
        io_uring_cq_advance(&ring, taken);
    }
    io_uring_queue_exit(&ring);
    close(fd);
}
