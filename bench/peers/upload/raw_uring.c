/*
 * The completion loop at its barest: a receive of 256 KiB into the connection's buffer, a write of what came, the next receive.
 */
#include "peer.h"
#include "raw.h"
#include "upload.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SQ_ENTRIES 256

enum { TAG_HEAD, TAG_RECV, TAG_WRITE, TAG_SYNC, TAG_REPLY, TAG_MASK = 7 };

struct connection {
    int fd;
    int file;
    uint64_t left, at;          /* of the upload */
    unsigned written, received; /* of the buffer */
    unsigned char head[UPLOAD_HEAD_BYTES];
    unsigned char *buffer;
};

static struct io_uring ring;

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

static void submit_head(struct connection *x)
{
    struct io_uring_sqe *sqe = sqe_get();
    io_uring_prep_recv(sqe, x->fd, x->head, UPLOAD_HEAD_BYTES, MSG_WAITALL);
    sqe_tag(sqe, x, TAG_HEAD);
}

static void submit_recv(struct connection *x)
{
    struct io_uring_sqe *sqe = sqe_get();
    size_t most = x->left < UPLOAD_PIECE_BYTES ? (size_t)x->left : UPLOAD_PIECE_BYTES;
    io_uring_prep_recv(sqe, x->fd, x->buffer, most, 0);
    sqe_tag(sqe, x, TAG_RECV);
}

static void submit_write(struct connection *x)
{
    struct io_uring_sqe *sqe = sqe_get();
    io_uring_prep_write(sqe, x->file, x->buffer + x->written, x->received - x->written, x->at);
    sqe_tag(sqe, x, TAG_WRITE);
}

static void submit_sync(struct connection *x)
{
    struct io_uring_sqe *sqe = sqe_get();
    io_uring_prep_fsync(sqe, x->file, 0);
    sqe_tag(sqe, x, TAG_SYNC);
}

static void submit_reply(struct connection *x)
{
    struct io_uring_sqe *sqe = sqe_get();
    close(x->file);
    io_uring_prep_send(sqe, x->fd, "", 1, MSG_NOSIGNAL);
    sqe_tag(sqe, x, TAG_REPLY);
}

static void on_written(struct connection *x, unsigned bytes)
{
    x->written += bytes;
    x->at += bytes;
    x->left -= bytes;
    if (x->written < x->received)
        submit_write(x);
    else if (x->left > 0)
        submit_recv(x);
    else
        submit_sync(x);
}

static void connection_event(struct connection *x, unsigned tag, int result)
{
    if ((tag == TAG_HEAD || tag == TAG_RECV) && result <= 0) {
        close(x->fd);
        free(x->buffer);
        free(x);
        peer_connection_closed();
        return;
    }
    if (result < 0)
        peer_die("upload", -result);
    switch (tag) {
    case TAG_HEAD:
        if (result != UPLOAD_HEAD_BYTES)
            peer_die("half a head", 0);
        x->at = 0;
        x->file = upload_create(x->head, &x->left);
        submit_recv(x);
        break;
    case TAG_RECV:
        x->received = (unsigned)result;
        x->written = 0;
        submit_write(x);
        break;
    case TAG_WRITE:
        on_written(x, (unsigned)result);
        break;
    case TAG_SYNC:
        submit_reply(x);
        break;
    default:
        submit_head(x);
    }
}

static void connection_accept(int fd)
{
    if (fd < 0)
        peer_die("accept", -fd);
    struct connection *x = peer_allocate(sizeof *x);
    x->buffer = peer_allocate(UPLOAD_PIECE_BYTES);
    x->fd = fd;
    raw_no_delay(fd);
    peer_connection_opened();
    submit_head(x);
}

int main(int argc, char **argv)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    unsigned port;
    upload_folder(argc, argv);
    int listener = raw_listen(&port);
    int error = io_uring_queue_init_params(SQ_ENTRIES, &ring, &params);
    if (error < 0)
        peer_die("io_uring", -error);
    io_uring_register_ring_fd(&ring);
    struct io_uring_sqe *sqe = sqe_get();
    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    sqe_tag(sqe, NULL, 0);
    peer_ready(port, "io_uring", "recv and write");
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
