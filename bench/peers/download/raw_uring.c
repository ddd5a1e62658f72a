/*
 * The completion loop at its barest: a read of 256 KiB into the connection's buffer, a send from it, the next read.
 */
#include "peer.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SQ_ENTRIES  256
#define PIECE_BYTES (256u * 1024)

enum { TAG_ASK, TAG_READ, TAG_SEND, TAG_MASK = 3 };

struct connection {
    int fd;
    uint64_t at; /* of the file */
    char asked;
    unsigned char *buffer;
};

static struct io_uring ring;
static int file;
static uint64_t file_bytes;

static struct io_uring_sqe *sqe_get(void)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    if (sqe == NULL)
        peer_die("submission queue", EBUSY);
    return sqe;
}

/* After io_uring_prep_..., which clears it. */
static void sqe_tag(struct io_uring_sqe *sqe, struct connection *x, unsigned tag)
{
    io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)x | tag);
}

static void submit_ask(struct connection *x)
{
    struct io_uring_sqe *sqe = sqe_get();
    io_uring_prep_recv(sqe, x->fd, &x->asked, 1, 0);
    sqe_tag(sqe, x, TAG_ASK);
}

static void submit_read(struct connection *x)
{
    struct io_uring_sqe *sqe = sqe_get();
    io_uring_prep_read(sqe, file, x->buffer, PIECE_BYTES, x->at);
    sqe_tag(sqe, x, TAG_READ);
}

static void submit_send(struct connection *x, unsigned bytes)
{
    struct io_uring_sqe *sqe = sqe_get();
    io_uring_prep_send(sqe, x->fd, x->buffer, bytes, MSG_NOSIGNAL | MSG_WAITALL);
    sqe_tag(sqe, x, TAG_SEND);
}

static void connection_accept(int fd)
{
    struct connection *x = peer_allocate(sizeof *x);
    x->buffer = peer_allocate(PIECE_BYTES);
    x->fd = fd;
    raw_no_delay(fd);
    peer_connection_opened();
    submit_ask(x);
}

static void connection_event(struct connection *x, unsigned tag, int result)
{
    if (result <= 0) {
        close(x->fd);
        free(x->buffer);
        free(x);
        peer_connection_closed();
    } else if (tag == TAG_READ) {
        submit_send(x, (unsigned)result);
    } else {
        x->at = tag == TAG_ASK ? 0 : x->at + (unsigned)result;
        if (x->at == file_bytes)
            submit_ask(x);
        else
            submit_read(x);
    }
}

static void submit_accept(int listener)
{
    struct io_uring_sqe *sqe = sqe_get();
    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    sqe_tag(sqe, NULL, 0);
}

static void file_open(const char *path)
{
    struct stat st;
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &st) != 0)
        peer_die(path, errno);
    file_bytes = (uint64_t)st.st_size;
}

int main(int argc, char **argv)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    unsigned port;
    if (argc > 2)
        file_open(argv[2]);
    int listener = raw_listen(&port);
    int error = io_uring_queue_init_params(SQ_ENTRIES, &ring, &params);
    if (error < 0)
        peer_die("io_uring", -error);
    io_uring_register_ring_fd(&ring);
    submit_accept(listener);
    peer_ready(port, "io_uring", "read and send");
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;
        error = io_uring_submit_and_wait(&ring, 1);
        if (error < 0 && error != -EINTR)
            peer_die("io_uring_enter", -error);
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            uint64_t data = cqe->user_data;
            count++;
            if (data == 0)
                connection_accept(cqe->res);
            else
                connection_event((struct connection *)(uintptr_t)(data & ~(uint64_t)TAG_MASK),
                    (unsigned)(data & TAG_MASK), cqe->res);
        }
        io_uring_cq_advance(&ring, count);
    }
}
