/*
 * sendfile.c: files to sockets. The ring tells when the socket takes more; the bytes go by sendfile(2), in turns between which
 * everybody else has theirs.
 */
#include <errno.h>
#include <fcntl.h>

#include "error.h"
#include "sendfile.h"
#include "uring.h"

/* The other requests of the socket count on its blocking. They are the ring's to try, not before this returns. */
static int turn(struct op *op)
{
    int fd = op->handle->fd;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        op->aux = (uint32_t)errno;
        op->result = error_from_errno(errno);
        return START_DONE;
    }
    int r = sendfile_turn(op);
    (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    return r;
}

int uring_sendfile_start(struct op *op)
{
    if (turn(op) == START_DONE)
        return START_DONE;
    submit_op(op->handle->port->engine, op);
    return START_PENDING;
}

void uring_sendfile_ready(struct uring *u, struct op *op, struct harvest *out)
{
    if (!(op->bits & OP_CANCELLED) && turn(op) == START_DONE)
        uring_op_end(u, op, op->result, out);
    else
        op_again(u, op, out);
}
