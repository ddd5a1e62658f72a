/*
 * trial.c: features of the requests themselves, tried out on the new ring before anything else uses it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"
#include "uring.h"

#define TRIAL_WAIT_NS                                                                              \
    INT64_C(100000000) /* far beyond what loopback takes; only a broken system gets there */
#define TRIAL_WAIT_MS 100

/* The next completion of a trial, or false if there is none in time. */
static bool trial_completion(struct uring *u, int64_t wait_ns, struct io_uring_cqe *ret_cqe)
{
    struct io_uring_cq *cq = &u->ring.cq;
    bool entered = false;
    for (;;) {
        unsigned head = *cq->khead;
        if (head != io_uring_smp_load_acquire(cq->ktail)) {
            *ret_cqe = cq->cqes[head & cq->ring_mask];
            io_uring_smp_store_release(cq->khead, head + 1);
            return true;
        }
        if (entered)
            return false;
        int r = ring_enter(u, wait_ns != 0, IORING_ENTER_GETEVENTS, wait_ns);
        entered = r != -EINTR;
    }
}

/* On the eventfd: a kernel that does not know of multishot accept says EINVAL before it looks; one that does says that this is no
 * socket, or that there is no descriptor left. The poll that uring_wake needs is armed with the same call; a kernel without refuses that. */
int trial_accept(struct uring *u)
{
    ring_arm_wake(u);
    struct io_uring_sqe *sqe = sq_next(u);
    if (!sqe)
        return CPORT_ENOMEM;
    sqe->opcode = IORING_OP_ACCEPT;
    sqe->ioprio = IORING_ACCEPT_MULTISHOT;
    sqe->fd = u->wake_fd;
    sqe->user_data = DATA_TRIAL;
    struct io_uring_cqe cqe;
    do {
        if (!trial_completion(u, TRIAL_WAIT_NS, &cqe) || cqe.user_data == DATA_WAKE)
            return CPORT_ENOTSUP;
    } while (cqe.user_data != DATA_TRIAL);
    if (cqe.res != -EINVAL)
        u->port->caps |= CPORT_CAP_MULTISHOT_ACCEPT & u->port->allow_caps;
    return 0;
}

static bool knows_zero_copy(struct uring *u, uint8_t opcode)
{
    struct io_uring_sqe *sqe = sq_next(u);
    if (!sqe)
        return false;
    sqe->opcode = opcode;
    sqe->ioprio = IORING_SEND_ZC_REPORT_USAGE;
    sqe->fd = u->wake_fd;
    sqe->user_data = DATA_TRIAL;
    bool knows = false;
    struct io_uring_cqe cqe = {.flags = IORING_CQE_F_MORE};
    while ((cqe.flags & IORING_CQE_F_MORE) && trial_completion(u, TRIAL_WAIT_NS, &cqe))
        if (!(cqe.flags & IORING_CQE_F_NOTIF))
            knows = cqe.user_data == DATA_TRIAL && cqe.res != -EINVAL;
    return knows;
}

/* Again on the eventfd. A kernel that sends without copying but does not tell whether it did (6.0, 6.1) is not asked to: one
 * that always copies would be the slower for it, and nobody would know. */
void trial_zero_copy(struct uring *u)
{
    if ((u->port->allow_caps & CPORT_CAP_ZERO_COPY) && knows_zero_copy(u, IORING_OP_SEND_ZC) &&
        knows_zero_copy(u, IORING_OP_SENDMSG_ZC))
        u->port->caps |= CPORT_CAP_ZERO_COPY;
}

/* Once more, for a multishot receive of datagrams, which wants a buffer to be picked for it. */
void trial_recvmsg(struct uring *u)
{
    struct msghdr none = {0};
    struct io_uring_sqe *sqe = NULL;
    if (u->port->caps & CPORT_CAP_BUFFER_RINGS)
        sqe = sq_next(u);
    if (!sqe)
        return;
    sqe->opcode = IORING_OP_RECVMSG;
    sqe->ioprio = IORING_RECV_MULTISHOT;
    sqe->flags = IOSQE_BUFFER_SELECT;
    sqe->fd = u->wake_fd;
    sqe->addr = (uintptr_t)&none;
    sqe->len = 1;
    sqe->user_data = DATA_TRIAL;
    struct io_uring_cqe cqe;
    while (trial_completion(u, TRIAL_WAIT_NS, &cqe)) {
        if (cqe.user_data != DATA_TRIAL)
            continue;
        if (cqe.res == -ENOTSOCK)
            u->port->caps |= CPORT_CAP_MULTISHOT_MSG & u->port->allow_caps;
        return;
    }
}

/* Two ends of a connection over loopback; false: not here. */
static bool connection_open(int *ret_near, int *ret_far)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *const a = (struct sockaddr *)&address;
    socklen_t len = sizeof(address);
    int near = -1;
    int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct pollfd p = {.fd = listener, .events = POLLIN};
    if (far >= 0 && bind(listener, a, len) == 0 && listen(listener, 1) == 0 &&
        getsockname(listener, a, &len) == 0 &&
        (connect(far, a, len) == 0 || errno == EINPROGRESS) && poll(&p, 1, TRIAL_WAIT_MS) == 1)
        near = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (listener >= 0)
        close(listener);
    if (near < 0 && far >= 0)
        close(far);
    *ret_near = near;
    *ret_far = far;
    return near >= 0;
}

static void recv_submit(struct uring *u, int fd, uint16_t group)
{
    struct io_uring_sqe *sqe = sq_next(u);
    sqe->opcode = IORING_OP_RECV;
    sqe->fd = fd;
    sqe->flags = IOSQE_BUFFER_SELECT;
    sqe->ioprio = IORING_RECV_MULTISHOT;
    sqe->buf_group = group;
    sqe->user_data = DATA_TRIAL;
    (void)ring_enter(u, 0, 0, 0);
}

static void recv_cancel(struct uring *u)
{
    struct io_uring_sqe *sqe = sq_next(u);
    sqe->opcode = IORING_OP_ASYNC_CANCEL;
    sqe->fd = -1;
    sqe->addr = DATA_TRIAL;
    sqe->user_data = DATA_CANCEL;
    struct io_uring_cqe cqe;
    bool ended = false, cancelled = false;
    while (!(ended && cancelled) && trial_completion(u, TRIAL_WAIT_NS, &cqe)) {
        ended |= cqe.user_data == DATA_TRIAL && !(cqe.flags & IORING_CQE_F_MORE);
        cancelled |= cqe.user_data == DATA_CANCEL;
    }
}

/* A byte and a reset come in before the ring's work runs. */
static bool recv_sees_reset(struct uring *u, uint16_t group)
{
    int near, far;
    if (!connection_open(&near, &far))
        return false;
    recv_submit(u, near, group);
    struct pollfd p = {.fd = near};
    bool sent = send(far, "", 1, MSG_NOSIGNAL) == 1 && os_socket_set_abort(far) == 0;
    close(far);
    bool ended = false, good = false;
    if (sent && poll(&p, 1, TRIAL_WAIT_MS) == 1) {
        struct io_uring_cqe cqe;
        while (!ended && trial_completion(u, 0, &cqe)) {
            ended = cqe.user_data == DATA_TRIAL && !(cqe.flags & IORING_CQE_F_MORE);
            good |= ended && cqe.res == -ECONNRESET;
        }
    }
    if (!ended)
        recv_cancel(u);
    close(near);
    return good;
}

/*
 * Many kernels, some of 2026 among them, lose the end of a connection: when it comes together with the last bytes the two
 * wakes are spent on one attempt, which takes the bytes and then waits for ever. Linux commit a68ed2df72131 mends it. Where
 * the ring's work waits for its owner that can be provoked; elsewhere it cannot, and is not trusted.
 */
void trial_recv(struct uring *u)
{
    struct cport_port *port = u->port;
    if (!(port->allow_caps & CPORT_CAP_MULTISHOT_RECV) ||
        (~port->caps & (CPORT_CAP_BUFFER_RINGS | CPORT_CAP_DEFER_TASKRUN)))
        return;
    uint8_t memory[2 * 64];
    struct cport_bufs pool = {.port = port, .size = 64, .count = 2, .stride = 64, .memory = memory};
    if (uring_bufs_open(&pool) < 0)
        return;
    if (recv_sees_reset(u, pool.engine_id))
        port->caps |= CPORT_CAP_MULTISHOT_RECV;
    uring_bufs_close(&pool);
}
