/*
 * ring.c: opening the ring, finding out what its kernel can do, and entering that kernel.
 *
 * Nothing is concluded from a kernel's version: distributions carry features backwards, and sandboxes take them away. Each is
 * tried.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "error.h"
#include "mmsg.h"
#include "uring.h"

/* Multishot requests complete more often than they are submitted. */
#define CQ_PER_SQ    4u
#define SQ_MAX       8192u
/* For what the kernel cannot poll, other than files. Sockets never get there, save when it is out of memory. */
#define IOWQ_UNBOUND 16u

/* How to set the ring up, best first. A kernel that does not know a flag says EINVAL. */
static const struct setup {
    unsigned flags;
    uint64_t cap;
} setups[] = {
    {IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
            IORING_SETUP_TASKRUN_FLAG,
        CPORT_CAP_DEFER_TASKRUN},
    {IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN |
            IORING_SETUP_TASKRUN_FLAG,
        0},
    {IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, 0},
    {IORING_SETUP_SUBMIT_ALL, 0},
    {0, 0},
};

static int refuse(char *reason, size_t reason_size, const char *text)
{
    snprintf(reason, reason_size, "%s", text);
    return CPORT_ENOTSUP;
}

/* What a failed setup means: no io_uring here, or no resources just now. */
static int setup_failed(int number, char *reason, size_t reason_size)
{
    switch (number) {
    case EPERM:
    case EACCES:
        return refuse(reason, reason_size,
            "EPERM: seccomp (Docker's default profile) or sysctl kernel.io_uring_disabled forbids "
            "it");
    case ENOSYS:
        return refuse(reason, reason_size, "ENOSYS: this kernel, or its sandbox, has no io_uring");
    case EINVAL:
    case EOPNOTSUPP:
        return refuse(reason, reason_size, "EINVAL: this kernel's io_uring is too old");
    default:
        snprintf(reason, reason_size, "io_uring_setup: error %d", number);
        return error_from_errno(number);
    }
}

static int ring_setup(struct uring *u, char *reason, size_t reason_size)
{
    unsigned entries = u->port->entries < SQ_MAX ? u->port->entries : SQ_MAX;
    int r = -EINVAL;
    for (size_t i = 0; r == -EINVAL && i < sizeof(setups) / sizeof(*setups); i++) {
        if (setups[i].cap & ~u->port->allow_caps)
            continue;
        struct io_uring_params params = {
            .flags = setups[i].flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
            .cq_entries = entries * CQ_PER_SQ,
        };
        r = io_uring_queue_init_params(entries, &u->ring, &params);
        if (r == 0)
            u->port->caps |= setups[i].cap;
    }
    return r < 0 ? setup_failed(-r, reason, reason_size) : 0;
}

static bool kernel_is_enough(struct uring *u)
{
    static const uint8_t needed[] = {IORING_OP_POLL_ADD, IORING_OP_SENDMSG, IORING_OP_RECVMSG,
        IORING_OP_ACCEPT, IORING_OP_ASYNC_CANCEL, IORING_OP_CONNECT, IORING_OP_CLOSE,
        IORING_OP_SEND, IORING_OP_RECV, IORING_OP_READ, IORING_OP_READV, IORING_OP_READ_FIXED,
        IORING_OP_WRITE, IORING_OP_WRITEV, IORING_OP_WRITE_FIXED, IORING_OP_FSYNC};
    const unsigned features = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE |
                              IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG;
    if ((u->ring.features & features) != features)
        return false;

    union {
        struct io_uring_probe probe;
        uint8_t room[sizeof(struct io_uring_probe) + 64 * sizeof(struct io_uring_probe_op)];
    } ops;
    memset(&ops, 0, sizeof(ops));
    if (io_uring_register_probe(&u->ring, &ops.probe, 64) < 0)
        return false;
    for (size_t i = 0; i < sizeof(needed); i++)
        if (!io_uring_opcode_supported(&ops.probe, needed[i]))
            return false;
    return true;
}

int ring_enter(struct uring *u, unsigned min_complete, unsigned flags, int64_t wait_ns)
{
    struct __kernel_timespec timeout = {wait_ns / 1000000000, wait_ns % 1000000000};
    struct io_uring_getevents_arg arg = {0};
    if (min_complete && wait_ns >= 0)
        arg.ts = (uintptr_t)&timeout;
    unsigned pending = sq_pending(u);
    /* release: the kernel reads the requests behind the tail. */
    io_uring_smp_store_release(u->ring.sq.ktail, u->ring.sq.sqe_tail);
    int r = io_uring_enter2(u->enter_fd, pending, min_complete,
        u->enter_flags | IORING_ENTER_EXT_ARG | flags, (sigset_t *)(void *)&arg, sizeof(arg));
    u->room = u->ring.sq.ring_entries - sq_pending(u);
    return r;
}

void ring_arm_wake(struct uring *u)
{
    struct io_uring_sqe *sqe = sq_next(u);
    u->wake_unarmed = sqe == NULL;
    if (!sqe)
        return;
    sqe_poll(sqe, u->wake_fd, POLLIN);
    sqe->len = IORING_POLL_ADD_MULTI;
    sqe->user_data = DATA_WAKE;
}

void ring_wake(const struct uring *u)
{
    const uint64_t one = 1;
    /* It fails only when its counter is full, and then the poll has been triggered often enough. */
    ssize_t n = write(u->wake_fd, &one, sizeof(one));
    (void)n;
}

bool ring_has_failed(int result)
{
    return result < 0 && result != -EINTR && result != -ETIME && result != -EAGAIN &&
           result != -EBUSY;
}

/* AUTO prefers epoll to half an io_uring. Multishot receive is no condition: it saves little, see submit.c. */
static int check_complete(struct uring *u, char *reason, size_t reason_size)
{
    static const struct {
        uint64_t cap;
        const char *name;
    } wanted[] = {
        {CPORT_CAP_DEFER_TASKRUN, "DEFER_TASKRUN"},
        {CPORT_CAP_BUFFER_RINGS, "buffer rings"},
        {CPORT_CAP_MULTISHOT_ACCEPT, "multishot accept"},
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
        if (!(wanted[i].cap & u->port->allow_caps & ~u->port->caps))
            continue;
        snprintf(reason, reason_size, "no %s in this kernel; Linux 6.1 has all that is needed",
            wanted[i].name);
        if (u->port->auto_choice)
            return CPORT_ENOTSUP;
    }
    return 0;
}

/* What makes the ring cheaper or tamer, and may be refused without harm. */
static void ring_tune(struct uring *u)
{
    unsigned workers[2] = {u->port->offload.most, IOWQ_UNBOUND};
    (void)io_uring_register_iowq_max_workers(&u->ring, workers);

    u->enter_fd = (unsigned)u->ring.ring_fd;
    if ((u->port->allow_caps & CPORT_CAP_REGISTERED_RING) &&
        io_uring_register_ring_fd(&u->ring) == 1) {
        u->enter_fd = (unsigned)u->ring.enter_ring_fd;
        u->enter_flags |= IORING_ENTER_REGISTERED_RING;
        u->port->caps |= CPORT_CAP_REGISTERED_RING;
    }
    /* A thread that waits for the network does not wait for a disk, and should not look so. */
    if (u->ring.features & IORING_FEAT_NO_IOWAIT)
        u->enter_flags |= IORING_ENTER_NO_IOWAIT;
    if ((u->port->allow_caps & CPORT_CAP_BUFFER_RINGS) && buf_ring_probe(u) == 0)
        u->port->caps |= CPORT_CAP_BUFFER_RINGS;
    u->port->caps |= u->port->allow_caps & CPORT_CAP_FILES;
    if ((u->port->allow_caps & CPORT_CAP_PINNED_MEMORY) && (u->port->caps & CPORT_CAP_FILES) &&
        memory_probe(u) == 0)
        u->port->caps |= CPORT_CAP_PINNED_MEMORY;
    /* Slots are used in their own order, for ever. Newer libraries do without the array where the kernel does. */
    u->room = u->ring.sq.ring_entries;
    for (unsigned i = 0; u->ring.sq.array && i < u->ring.sq.ring_entries; i++)
        u->ring.sq.array[i] = i;
}

/* The thread sanitizer does not see liburing's own system calls: a ring that is mapped where another thread's has been would look
 * like a race between the two. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define URING_TSAN
#endif
#elif defined(__SANITIZE_THREAD__)
#define URING_TSAN
#endif
#ifdef URING_TSAN
static _Atomic unsigned rings_unmapped;
#define ring_will_unmap() atomic_fetch_add_explicit(&rings_unmapped, 1, memory_order_release)
#define ring_has_mapped() (void)atomic_load_explicit(&rings_unmapped, memory_order_acquire)
#else
#define ring_will_unmap() ((void)0)
#define ring_has_mapped() ((void)0)
#endif

int ring_open(struct uring *u, char *reason, size_t reason_size)
{
    int r = ring_setup(u, reason, reason_size);
    if (r < 0)
        return r;
    ring_has_mapped();
    if (!kernel_is_enough(u)) {
        r = refuse(reason, reason_size, "this kernel's io_uring is too old");
        goto fail_ring;
    }
    ring_tune(u);
    u->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (u->wake_fd < 0) {
        r = error_from_errno(errno);
        goto fail_ring;
    }
    r = trial_accept(u);
    if (r == CPORT_ENOTSUP)
        refuse(reason, reason_size, "this kernel's io_uring is too old: no multishot poll");
    if (r == 0)
        r = check_complete(u, reason, reason_size);
    if (r < 0)
        goto fail_wake;
    trial_recvmsg(u);
    trial_zero_copy(u);
    trial_recv(u);
    u->port->caps |= mmsg_caps() & u->port->allow_caps;
    if (u->port->allow_caps & CPORT_CAP_MULTISHOT_RECV & ~u->port->caps)
        snprintf(reason, reason_size, "its multishot receive is not trusted here, and not used");
    return 0;

fail_wake:
    close(u->wake_fd);
fail_ring:
    ring_will_unmap();
    io_uring_queue_exit(&u->ring);
    return r;
}

void ring_close(struct uring *u)
{
    ring_will_unmap();
    io_uring_queue_exit(&u->ring);
    close(u->wake_fd);
}
