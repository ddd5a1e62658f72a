/* By hand: a multishot recvmsg from a ring of buffers on each socket, and a request for each send. */
#include "udp_limits.h"
#include "udp_raw.h"

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>

#define BUFFERS    256u
#define NAME_BYTES sizeof(struct sockaddr_in)
#define BUF_BYTES  (sizeof(struct io_uring_recvmsg_out) + NAME_BYTES + UDP_BYTES_MAX)
#define TAG_SEND   2u

static int fds[2];
static struct sockaddr_in addresses[2];
static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char memory[BUFFERS][BUF_BYTES];
static char content[UDP_BYTES_MAX];
static struct iovec content_piece = {content, 0};
static struct msghdr in = {.msg_namelen = NAME_BYTES};
static struct msghdr out[2];
static unsigned sending;
static bool stopped;

static void on_datagram(unsigned at, size_t bytes);

static void give_buffer(unsigned id)
{
    io_uring_buf_ring_add(buffers, memory[id], BUF_BYTES, (unsigned short)id, BUFFERS - 1, 0);
    io_uring_buf_ring_advance(buffers, 1);
}

static struct io_uring_sqe *request(void)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    if (sqe == NULL)
        peer_die("the submission queue is full", 0);
    return sqe;
}

static void arm(unsigned i)
{
    struct io_uring_sqe *sqe = request();
    io_uring_prep_recvmsg_multishot(sqe, fds[i], &in, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    sqe->user_data = i;
}

static void udp_prepare(const char **ret_engine, const char **ret_remark)
{
    static struct io_uring_buf shared[BUFFERS] __attribute__((aligned(4096)));
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
        .cq_entries = 1024};
    int error = io_uring_queue_init_params(256, &ring, &params);
    struct io_uring_buf_reg reg = {.ring_addr = (uintptr_t)shared, .ring_entries = BUFFERS};
    if (error == 0)
        error = io_uring_register_buf_ring(&ring, &reg, 0);
    if (error != 0)
        peer_die("io_uring", -error);
    buffers = (struct io_uring_buf_ring *)(void *)shared;
    io_uring_buf_ring_init(buffers);
    for (unsigned i = 0; i < BUFFERS; i++)
        give_buffer(i);
    for (unsigned i = 0; i < 2; i++)
        fds[i] = udp_socket(&addresses[i]);
    for (unsigned i = 0; i < 2; i++) {
        out[i] = (struct msghdr){.msg_name = &addresses[1 - i],
            .msg_namelen = NAME_BYTES,
            .msg_iov = &content_piece,
            .msg_iovlen = 1};
        arm(i);
    }
    *ret_engine = "io_uring";
    *ret_remark = "multishot recvmsg";
}

static void udp_send(unsigned from, size_t bytes)
{
    struct io_uring_sqe *sqe = request();
    content_piece.iov_len = bytes;
    io_uring_prep_sendmsg(sqe, fds[from], &out[from], 0);
    sqe->user_data = TAG_SEND;
    sending++;
}

static void complete(const struct io_uring_cqe *cqe)
{
    if (cqe->res < 0)
        peer_die("request", -cqe->res);
    if (cqe->user_data == TAG_SEND) {
        sending--;
        return;
    }
    unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    size_t bytes = ((struct io_uring_recvmsg_out *)(void *)memory[id])->payloadlen;
    give_buffer(id);
    if (!(cqe->flags & IORING_CQE_F_MORE))
        arm((unsigned)cqe->user_data);
    on_datagram((unsigned)cqe->user_data, bytes);
}

static void udp_run(void)
{
    for (stopped = false; !stopped || sending > 0;) {
        struct io_uring_cqe *cqe;
        unsigned head, n = 0;
        io_uring_submit_and_wait(&ring, 1);
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            complete(cqe);
            n++;
        }
        io_uring_cq_advance(&ring, n);
    }
}

static void udp_stop(void)
{
    stopped = true;
}

#include "udp_bench.h"
