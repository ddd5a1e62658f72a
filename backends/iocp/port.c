/*
 * port.c: the engine's table, and the life of a port.
 */
#include "error.h"
#include "functions.h"

#include <stdio.h>

static int iocp_open(struct cport_port *port, char *reason, size_t reason_size)
{
    int r = functions_load();
    if (r < 0) {
        if (r == CPORT_ENOTSUP)
            snprintf(reason, reason_size, "Winsock has no AcceptEx, ConnectEx or TransmitFile");
        return r;
    }
    struct iocp *iocp = port_alloc(port, sizeof(*iocp), _Alignof(struct iocp));
    if (!iocp)
        return CPORT_ENOMEM;
    *iocp = (struct iocp){.probe = INVALID_SOCKET};
    iocp->queue = CreateIoCompletionPort(
        INVALID_HANDLE_VALUE, NULL, 0, port->shared ? port->crew.concurrency : 1);
    if (!iocp->queue) {
        r = error_from_win32(GetLastError());
        port_free(port, iocp, sizeof(*iocp));
        return r;
    }
    port->engine = iocp;
    clock_open(port);
    list_init(&iocp->lookups);
    port->caps = CPORT_CAP_FILES | (port->allow_caps & CPORT_CAP_SKIP_ON_SUCCESS);
    if (!functions()->transmits_rationed)
        port->caps |= port->allow_caps & CPORT_CAP_SENDFILE;
    if (functions()->set_information_file)
        port->caps |= port->allow_caps & CPORT_CAP_DETACH;
    if (functions()->get_addr_info)
        port->caps |= port->allow_caps & CPORT_CAP_NATIVE_RESOLVE;
    if (os_socket_has_gso())
        port->caps |= port->allow_caps & CPORT_CAP_UDP_GSO;
    if (port->shared)
        port->caps |= CPORT_CAP_SHARED | CPORT_CAP_HANDOVER;
    snprintf(reason, reason_size, "timers by %s",
        iocp->alarm.timer ? "a waitable timer" : "the wait's timeout, in milliseconds");
    return 0;
}

/* No handle is attached and nobody waits: what is queued is ready ops, and notes to ourselves. */
static void iocp_close(struct cport_port *port)
{
    struct iocp *iocp = iocp_of(port);
    OVERLAPPED_ENTRY packets[64];
    ULONG n;
    clock_close(port);
    resolve_close(port);
    while (GetQueuedCompletionStatusEx(
        iocp->queue, packets, 64, &n, list_empty(&iocp->lookups) ? 0 : INFINITE, FALSE)) {
        for (ULONG i = 0; i < n; i++) {
            struct op *op = CPORT_CONTAINER_OF(packets[i].lpOverlapped, struct op, engine);
            if (packets[i].lpCompletionKey == KEY_READY)
                op_drop(op);
            else if (packets[i].lpCompletionKey == KEY_JOB)
                offload_end(op, NULL); /* and its event comes by this queue, too */
        }
    }
    if (iocp->probe != INVALID_SOCKET)
        closesocket(iocp->probe);
    relay_close(port);
    CloseHandle(iocp->queue);
    port_free(port, iocp, sizeof(*iocp));
}

static void iocp_ready(struct cport_port *port, struct op *op)
{
    /* While others are in the list, this one's place is behind them. */
    if (port->shared || os_thread_self() == port->owner) {
        if (!ready_empty(&port->ready) || !queue_ready(port, op))
            ready_push(&port->ready, op);
    } else if (!queue_ready(port, op)) {
        postbox_push(&port->posts, &op->link);
    }
}

static void iocp_wake_waiter(struct cport_port *port)
{
    if (atomic_exchange_explicit(&port->wake_asked, 1, memory_order_relaxed))
        return; /* one is under way */
    port_count(port, &port->stats.wakeups);
    queue_post_surely(port, KEY_WAKE);
}

/* Each waiter that leaves passes the packet on to the next: a single thread may take several packets at once. */
static void iocp_close_waiters(struct cport_port *port)
{
    if (!port->shared)
        return;
    struct crew *crew = &port->crew;
    port_lock(port);
    crew->closing = true;
    if (crew->inside)
        queue_post_surely(port, KEY_STOP);
    while (crew->inside) {
        uint32_t left = atomic_load_explicit(&crew->left, memory_order_relaxed);
        port_unlock(port);
        os_futex_wait(&crew->left, left, -1);
        port_lock(port);
    }
    port_unlock(port);
}

static int iocp_start(struct op *op)
{
    switch (op->kind) {
    case OP_ACCEPT:
        return accept_start(op);
    case OP_CONNECT:
        return connect_start(op);
    case OP_RECV_POOLED:
        return pooled_start(op);
    case OP_SENDFILE:
        return transmit_start(op);
    case OP_SHUTDOWN:
        return shutdown_start(op);
    case OP_POLL:
        return poll_start(op);
    case OP_READ:
    case OP_READV:
    case OP_WRITE:
    case OP_WRITEV:
    case OP_SYNC:
        return file_start(op);
    case OP_RECVMSG_POOLED:
        return datagram_pooled_start(op);
    default:
        return op->handle->traits & HANDLE_DATAGRAM ? datagram_start(op) : transfer_start(op);
    }
}

/* A packet of the kernel's is to come in any case, and tells whether the cancel came in time. */
static int iocp_cancel(struct op *op)
{
    if (op_is_file(op))
        return file_cancel(op);
    if (op->kind == OP_ACCEPT)
        accept_cancel(op);
    else
        CancelIoEx(probe_of(op->handle), overlapped_of(op));
    return CANCEL_LATER;
}

/* Why the kernel does not take the handle to its port. A second port, a handle that was not opened for overlapped use: both
 * are an invalid parameter to it. */
static int attach_error(const struct cport_handle *h, DWORD error)
{
    enum { FILE_MODE_INFORMATION = 16, FILE_SYNCHRONOUS = 0x30 };
    if (error != ERROR_INVALID_PARAMETER)
        return error_from_win32(error);
    IO_STATUS_BLOCK status;
    ULONG mode = 0;
    query_information_file_fn query = functions()->query_information_file;
    if (query && query(file_of(h), &status, &mode, sizeof(mode), FILE_MODE_INFORMATION) == 0 &&
        (mode & FILE_SYNCHRONOUS))
        return CPORT_EINVAL;
    return CPORT_EALREADY;
}

/* A socket that comes from another port may skip packets already, and cannot be told not to. */
static bool skips_already(const struct cport_handle *h)
{
    enum { FILE_IO_COMPLETION_NOTIFICATION_INFORMATION = 41 };
    IO_STATUS_BLOCK status;
    ULONG modes = 0;
    query_information_file_fn query = functions()->query_information_file;
    return query &&
           query(file_of(h), &status, &modes, sizeof(modes),
               FILE_IO_COMPLETION_NOTIFICATION_INFORMATION) == 0 &&
           (modes & FILE_SKIP_COMPLETION_PORT_ON_SUCCESS);
}

/* Whether h is a socket or a file, and if the handle is the kernel's own. */
static int kind_of(struct cport_handle *h, bool *ret_own)
{
    WSAPROTOCOL_INFOW protocol;
    int len = sizeof(protocol);
    *ret_own = true;
    if (getsockopt((SOCKET)h->fd, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&protocol, &len) != 0)
        return WSAGetLastError() == WSAENOTSOCK ? file_attach(h) : os_socket_error();
    /* With a layered provider a packet may come for instant success, too. */
    *ret_own = (protocol.dwServiceFlags1 & XP1_IFS_HANDLES) != 0;
    return h->traits & (HANDLE_STREAM | HANDLE_DATAGRAM) ? 0 : CPORT_ENOTSUP;
}

static int iocp_attach(struct cport_handle *h)
{
    if (h->state == HANDLE_BORROWED)
        return loan_attach(h);
    bool own;
    int r = kind_of(h, &own);
    if (r < 0)
        return r;
    /* Which endings of a datagram then have no packet nobody says: see datagram.c. */
    if ((h->traits & HANDLE_DATAGRAM) && skips_already(h))
        return CPORT_ENOTSUP;
    const struct iocp *iocp = iocp_of(h->port);
    if (!CreateIoCompletionPort(file_of(h), iocp->queue, (ULONG_PTR)h, 0))
        return attach_error(h, GetLastError());
    const UCHAR modes = FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE;
    if (own && !(h->traits & HANDLE_DATAGRAM) && (h->port->caps & CPORT_CAP_SKIP_ON_SUCCESS) &&
        SetFileCompletionNotificationModes(file_of(h), modes))
        h->engine_bits |= HANDLE_SKIPS;
    else if (skips_already(h))
        h->engine_bits |= HANDLE_SKIPS;
    return 0;
}

static int iocp_detach(struct cport_handle *h)
{
    if (atomic_load_explicit(&h->queued, memory_order_relaxed))
        return CPORT_EBUSY;
    int r = port_association_remove(functions()->set_information_file, file_of(h));
    if (r == 0)
        accept_free(h);
    return r;
}

static int iocp_close_handle(struct cport_handle *h)
{
    accept_free(h);
    if (h->file) {
        cport_file_close(h->fd);
    } else {
        if (handle_close_op(h)->flags & CPORT_ABORT)
            os_socket_set_abort(h->fd);
        if (!(h->engine_bits & HANDLE_LOAN))
            closesocket((SOCKET)h->fd);
    }
    /* Never straight into a batch: events of the handle may be queued in the kernel, and this is the last. */
    handle_closed(h, NULL);
    return START_PENDING;
}

const struct backend backend_iocp = {
    .name = "iocp",
    .id = CPORT_BACKEND_IOCP,
    .open = iocp_open,
    .close = iocp_close,
    .attach = iocp_attach,
    .detach = iocp_detach,
    .start = iocp_start,
    .cancel = iocp_cancel,
    .close_handle = iocp_close_handle,
    .wake = clock_arrange,
    .now_ns = os_now_ns,
    .wait = iocp_wait,
    .ready = iocp_ready,
    .wake_waiter = iocp_wake_waiter,
    .close_waiters = iocp_close_waiters,
    .job_ended = queue_post_job,
    .resolve = resolve_start,
    .resolve_cancel = resolve_interrupt,
};
