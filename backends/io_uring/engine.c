/*
 * engine.c: the io_uring engine of SINGLE ports as the core sees it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "file_job.h"
#include "uring.h"

static int uring_open(struct cport_port *port, char *reason, size_t reason_size)
{
    if (port->shared)
        return shared_open(port, reason, reason_size);
    struct uring *u = port_alloc(port, sizeof(*u), 64);
    if (!u)
        return CPORT_ENOMEM;
    memset(u, 0, sizeof(*u));
    u->port = port;
    port->engine = u;
    port->caps = port->allow_caps & CPORT_CAP_DETACH;
    int r = ring_open(u, reason, reason_size);
    if (r < 0)
        port_free(port, u, sizeof(*u));
    return r;
}

static void uring_close(struct cport_port *port)
{
    struct uring *u = port->engine;
    ring_close(u);
    port_free(port, u, sizeof(*u));
}

/* The kernel would answer EAGAIN for a non-blocking descriptor instead of waiting. */
int uring_attach(struct cport_handle *h)
{
    struct stat st;
    if (!(h->traits & HANDLE_SOCKET)) {
        if (fstat(h->fd, &st) < 0)
            return error_from_errno(errno);
        if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode)) {
            int r = file_attach(h);
            if (r < 0)
                return r;
        }
    }
    if (h->state == HANDLE_BORROWED) /* polled alone, in any mode; and the mode is its owner's */
        return 0;
    int flags = fcntl(h->fd, F_GETFL);
    if (flags < 0 || ((flags & O_NONBLOCK) && fcntl(h->fd, F_SETFL, flags & ~O_NONBLOCK) < 0))
        return error_from_errno(errno);
    return 0;
}

/* An op is final when the kernel has told its last of it: nothing in the ring names the descriptor. */
static int uring_detach(struct cport_handle *h)
{
    sends_forget(h->port->engine, h);
    return 0;
}

/* One system call at most: what is there already costs none. */
static int uring_poll(struct cport_port *port, struct harvest *out, int64_t wait_ns)
{
    struct uring *u = port->engine;
    u->woken = false;
    uring_reap(u, out);
    buf_rings_drain(u);
    if (submit_is_behind(u))
        submit_backlog(u);
    if (u->sends)
        sends_go(u, out);

    /* Nothing must be asleep here while it is not yet the kernel's. And without DEFER_TASKRUN the wake that whoever has seen us
     * asleep sent may be among what was just reaped: it will not come again. */
    const bool wait = wait_ns != 0 && out->n == 0 && !submit_is_behind(u) && !u->woken;
    const bool full = harvest_full(out);
    if (!wait && sq_pending(u) == 0 && (full || !cq_needs_enter(u)))
        return 0;
    int r = ring_enter(u, wait, full ? 0 : IORING_ENTER_GETEVENTS, wait_ns);
    port_count(port, &port->stats.system_waits);
    uring_reap(u, out);
    return ring_has_failed(r) ? error_from_errno(-r) : 0;
}

static void uring_flush(struct cport_port *port)
{
    struct uring *u = port->engine;
    if (submit_is_behind(u))
        submit_backlog(u);
    if (u->sends)
        sends_go(u, NULL);
    if (sq_pending(u))
        (void)ring_enter(u, 0, 0, 0);
}

static void uring_wake(struct cport_port *port)
{
    ring_wake(port->engine);
}

const struct backend backend_io_uring = {
    .name = "io_uring",
    .id = CPORT_BACKEND_IO_URING,
    .open = uring_open,
    .close = uring_close,
    .attach = uring_attach,
    .detach = uring_detach,
    .start = uring_start,
    .cancel = uring_cancel,
    .close_handle = uring_close_handle,
    .poll = uring_poll,
    .flush = uring_flush,
    .wake = uring_wake,
    .now_ns = os_now_ns,
    .bufs_open = uring_bufs_open,
    .bufs_close = uring_bufs_close,
    .bufs_put = uring_bufs_put,
    .memory_pin = uring_memory_pin,
    .memory_unpin = uring_memory_unpin,
};
