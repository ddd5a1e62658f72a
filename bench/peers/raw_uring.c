/*
 * The completion loop at its barest: DEFER_TASKRUN, one system call per turn, multishot accept. Two ways to receive:
 *
 *   peer-raw-io_uring             a receive into the connection's buffer, then a send from it, then the next receive
 *   peer-raw-io_uring multishot   one receive that stays, filling buffers of a registered ring, one send per buffer
 */
#include "peer.h"
#include "raw.h"

#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SQ_ENTRIES 1024
#define CQ_ENTRIES 16384
#define POOL_COUNT 512 /* a power of two */
#define POOL_BYTES 16384
#define POOL_GROUP 0
#define NO_BUFFER  (-1)

/* In the low bits of user_data; connections are aligned for more than two bits. */
enum { TAG_ACCEPT, TAG_RECV, TAG_SEND, TAG_MASK = 3 };

struct connection {
    int fd;
    unsigned pending; /* operations in the kernel: the connection is freed with the last */
    bool is_ending;
    bool is_starved; /* its receive found the pool dry */
    int queue_head;  /* received buffers that wait for their send, the one being sent first */
    int queue_tail;
    struct connection *next_starved;
    unsigned char *buffer; /* of the plain mode */
};

static struct io_uring ring;
static bool is_multishot;

static struct io_uring_buf_ring *pool;
static unsigned char *pool_memory;
static int pool_next[POOL_COUNT]; /* links of the connections' queues */
static unsigned pool_length[POOL_COUNT];
static struct connection *starved;

static struct io_uring_sqe *sqe_get(void)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    if (sqe == NULL) {
        io_uring_submit(&ring);
        sqe = io_uring_get_sqe(&ring);
    }
    if (sqe == NULL)
        peer_die("submission queue", EBUSY);
    return sqe;
}

static void sqe_tag(struct io_uring_sqe *sqe, struct connection *x, unsigned tag)
{
    io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)x | tag);
    if (x != NULL)
        x->pending++;
}

static void submit_accept(int listener)
{
    struct io_uring_sqe *sqe = sqe_get();
    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    sqe_tag(sqe, NULL, TAG_ACCEPT);
}

/* poll_first: the last receive left nothing behind, so a first try would find nothing either. */
static void submit_recv(struct connection *x, bool poll_first)
{
    struct io_uring_sqe *sqe = sqe_get();
    if (is_multishot) {
        io_uring_prep_recv_multishot(sqe, x->fd, NULL, 0, 0);
        sqe->flags |= IOSQE_BUFFER_SELECT;
        sqe->buf_group = POOL_GROUP;
    } else {
        io_uring_prep_recv(sqe, x->fd, x->buffer, PEER_BUFFER_BYTES, 0);
    }
    if (poll_first)
        sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    sqe_tag(sqe, x, TAG_RECV);
}

static void submit_send(struct connection *x, const void *bytes, unsigned count)
{
    struct io_uring_sqe *sqe = sqe_get();
    io_uring_prep_send(sqe, x->fd, bytes, count, MSG_NOSIGNAL | MSG_WAITALL);
    sqe_tag(sqe, x, TAG_SEND);
}

static void pool_open(void)
{
    struct io_uring_buf_reg registration = {.ring_entries = POOL_COUNT, .bgid = POOL_GROUP};
    void *memory;
    if (posix_memalign(&memory, (size_t)sysconf(_SC_PAGESIZE),
            POOL_COUNT * sizeof(struct io_uring_buf)) != 0 ||
        (pool_memory = malloc((size_t)POOL_COUNT * POOL_BYTES)) == NULL)
        peer_die("buffer pool", ENOMEM);
    pool = memory;
    registration.ring_addr = (uint64_t)(uintptr_t)pool;
    io_uring_buf_ring_init(pool);
    int error = io_uring_register_buf_ring(&ring, &registration, 0);
    if (error < 0)
        peer_die("buffer ring", -error);
    for (int id = 0; id < POOL_COUNT; id++)
        io_uring_buf_ring_add(pool, pool_memory + (size_t)id * POOL_BYTES, POOL_BYTES,
            (unsigned short)id, io_uring_buf_ring_mask(POOL_COUNT), id);
    io_uring_buf_ring_advance(pool, POOL_COUNT);
}

static void pool_return(int id)
{
    io_uring_buf_ring_add(pool, pool_memory + (size_t)id * POOL_BYTES, POOL_BYTES,
        (unsigned short)id, io_uring_buf_ring_mask(POOL_COUNT), 0);
    io_uring_buf_ring_advance(pool, 1);
    while (starved != NULL) {
        struct connection *x = starved;
        starved = x->next_starved;
        x->is_starved = false;
        submit_recv(x, false);
    }
}

static void connection_accept(int fd)
{
    struct connection *x = peer_allocate(sizeof *x);
    if (!is_multishot)
        x->buffer = peer_allocate(PEER_BUFFER_BYTES);
    raw_no_delay(fd);
    x->fd = fd;
    peer_connection_opened();
    x->queue_head = NO_BUFFER;
    submit_recv(x, true);
}

static void connection_end(struct connection *x)
{
    x->is_ending = true;
    if (x->pending > 0 || x->is_starved)
        return;
    close(x->fd);
    free(x->buffer);
    free(x);
    peer_connection_closed();
}

static void queue_send_head(struct connection *x)
{
    submit_send(x, pool_memory + (size_t)x->queue_head * POOL_BYTES, pool_length[x->queue_head]);
}

/* One send at a time: the kernel may complete two out of order. */
static void queue_push(struct connection *x, int id, unsigned count)
{
    pool_length[id] = count;
    pool_next[id] = NO_BUFFER;
    if (x->queue_head == NO_BUFFER) {
        x->queue_head = x->queue_tail = id;
        queue_send_head(x);
    } else {
        pool_next[x->queue_tail] = id;
        x->queue_tail = id;
    }
}

static void on_pooled_recv(struct connection *x, const struct io_uring_cqe *cqe)
{
    bool has_more = (cqe->flags & IORING_CQE_F_MORE) != 0;
    if (has_more)
        x->pending++; /* what the dispatcher took off: the receive is still there */
    if (cqe->res > 0) {
        queue_push(x, (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT), (unsigned)cqe->res);
        if (!has_more)
            submit_recv(x, false);
    } else if (cqe->res == -ENOBUFS) {
        x->is_starved = true;
        x->next_starved = starved;
        starved = x;
    } else {
        connection_end(x);
    }
}

static void on_recv(struct connection *x, const struct io_uring_cqe *cqe)
{
    if (is_multishot)
        on_pooled_recv(x, cqe);
    else if (cqe->res > 0)
        submit_send(x, x->buffer, (unsigned)cqe->res);
    else
        connection_end(x);
}

static void on_send(struct connection *x, int result)
{
    if (is_multishot) {
        int sent = x->queue_head;
        x->queue_head = pool_next[sent];
        pool_return(sent);
        if (x->queue_head != NO_BUFFER)
            queue_send_head(x);
        else if (x->is_ending || result < 0)
            connection_end(x);
    } else if (result < 0) {
        connection_end(x);
    } else {
        submit_recv(x, true);
    }
}

static void dispatch(int listener, const struct io_uring_cqe *cqe)
{
    uint64_t data = io_uring_cqe_get_data64(cqe);
    struct connection *x = (struct connection *)(uintptr_t)(data & ~(uint64_t)TAG_MASK);
    if (x == NULL) {
        if (cqe->res < 0)
            peer_die("accept", -cqe->res);
        connection_accept(cqe->res);
        if ((cqe->flags & IORING_CQE_F_MORE) == 0)
            submit_accept(listener);
        return;
    }
    x->pending--;
    if ((data & TAG_MASK) == TAG_RECV)
        on_recv(x, cqe);
    else
        on_send(x, cqe->res);
}

static void ring_open(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                                              IORING_SETUP_CQSIZE,
        .cq_entries = CQ_ENTRIES};
    int error = io_uring_queue_init_params(SQ_ENTRIES, &ring, &params);
    if (error < 0)
        peer_die("io_uring_setup", -error);
    error = io_uring_register_ring_fd(&ring);
    if (error < 0)
        peer_die("registering the ring", -error);
}

int main(int argc, char **argv)
{
    unsigned port;
    int listener = raw_listen(&port);

    is_multishot = argc > 1 && strcmp(argv[1], "multishot") == 0;
    ring_open();
    if (is_multishot)
        pool_open();
    submit_accept(listener);
    peer_ready(port, "io_uring",
        is_multishot ? "multishot receive, buffer ring" : "receive into own buffer");
    for (;;) {
        int error = io_uring_submit_and_wait(&ring, 1);
        if (error < 0 && error != -EINTR && error != -EBUSY && error != -EAGAIN)
            peer_die("io_uring_enter", -error);
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            dispatch(listener, cqe);
            count++;
        }
        io_uring_cq_advance(&ring, count);
    }
}
