#include "sendfile.h"

#include <errno.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>

#include "error.h"

/* Server CPU in s/GB, 16 connections that download 256 MiB each, with 64 KiB, 256 KiB, 1 MiB, 4 MiB: io_uring 0.165, 0.094, 0.055,
 * 0.059; epoll 0.065, 0.063, 0.052, 0.051. It takes 0.1 ms. */
#define TURN_BYTES ((size_t)1024 * 1024)

_Static_assert(sizeof(off_t) == 8, "files may be larger than 4 GiB");

/* A socket whose peer has gone raises SIGPIPE, unless it is blocked: then it is this thread's, and taken from it. */
static void take_sigpipe(const sigset_t *pipe)
{
    const struct timespec now = {0, 0};
    while (sigtimedwait(pipe, NULL, &now) < 0 && errno == EINTR)
        continue;
}

/* If one is pending already it is somebody else's, and stays. */
static bool has_sigpipe(const sigset_t *blocked)
{
    sigset_t pending;
    return sigismember(blocked, SIGPIPE) == 1 && sigpending(&pending) == 0 &&
           sigismember(&pending, SIGPIPE) == 1;
}

static ssize_t send_file(int socket, struct passage *p, size_t most)
{
    sigset_t pipe, before;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    bool theirs = has_sigpipe(&before);
    off_t offset = (off_t)p->offset;
    ssize_t n = sendfile(socket, p->file->fd, &offset, p->left < most ? (size_t)p->left : most);
    int error = errno;
    if (n < 0 && error == EPIPE && !theirs)
        take_sigpipe(&pipe);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (n > 0) {
        p->offset += (uint64_t)n;
        p->left -= (uint64_t)n;
    }
    errno = error;
    return n;
}

/* more: something follows that shall go into the same packet. */
static ssize_t send_memory(int socket, const char **from, size_t *left, size_t most, bool more)
{
    size_t len = *left < most ? *left : most;
    ssize_t n = send(
        socket, *from, len, MSG_DONTWAIT | MSG_NOSIGNAL | (more || len < *left ? MSG_MORE : 0));
    if (n > 0) {
        *from += n;
        *left -= (size_t)n;
    }
    return n;
}

static ssize_t send_next(int socket, struct passage *p, size_t most)
{
    if (p->head_left)
        return send_memory(socket, &p->head, &p->head_left, most, p->left || p->tail_left);
    if (p->left)
        return send_file(socket, p, most);
    return send_memory(socket, &p->tail, &p->tail_left, most, false);
}

static int end(struct op *op, int64_t result, uint32_t raw)
{
    op->result = result;
    op->aux = raw;
    return START_DONE;
}

int sendfile_turn(struct op *op)
{
    struct passage *p = &op->io.vec->passage;
    size_t most = TURN_BYTES;
    while (op->transferred < op->io.len) {
        if (most == 0)
            return TURN_OVER;
        ssize_t n = send_next(op->handle->fd, p, most);
        if (n == 0) /* less of the file than there was */
            return end(op, CPORT_EIO, 0);
        if (n < 0 && errno == EAGAIN)
            return START_PENDING;
        if (n < 0 && errno != EINTR)
            return end(op, error_from_errno(errno), (uint32_t)errno);
        if (n > 0) {
            op->transferred += (size_t)n;
            most -= (size_t)n;
        }
    }
    return end(op, (int64_t)op->transferred, 0);
}
