/*
 * loan.c: sockets that belong to somebody else.
 *
 * A socket that joins a completion port stays on it for good, and so would all that its owner starts on it. So a borrowed one
 * does not join: its driver is asked about it through a socket of the port's own, the probe, whose packets have one key for
 * all.
 */
#include "error.h"
#include "functions.h"

#ifndef SIO_BASE_HANDLE
#define SIO_BASE_HANDLE _WSAIOR(IOC_WS2, 34)
#endif

static int probe_open(const struct iocp *iocp, SOCKET *ret_probe)
{
    cport_os_handle fd;
    int r = os_socket_open(AF_INET, SOCK_STREAM, &fd);
    if (r < 0)
        return r;
    if (!CreateIoCompletionPort((HANDLE)fd, iocp->queue, KEY_PROBE, 0)) {
        r = error_from_win32(GetLastError());
        cport_socket_close(fd);
        return r;
    }
    *ret_probe = (SOCKET)fd;
    return 0;
}

/* Of a socket that a layered provider has wrapped, the one that the driver knows. */
static SOCKET base_of(SOCKET s)
{
    SOCKET base = s;
    DWORD n;
    if (WSAIoctl(s, SIO_BASE_HANDLE, NULL, 0, &base, sizeof(base), &n, NULL, NULL) != 0)
        return s;
    return base;
}

int loan_attach(struct cport_handle *h)
{
    struct iocp *iocp = iocp_of(h->port);
    int type, len = sizeof(type);
    DWORD flags;
    if (getsockopt((SOCKET)h->given, SOL_SOCKET, SO_TYPE, (char *)&type, &len) != 0) {
        if (WSAGetLastError() != WSAENOTSOCK)
            return os_socket_error();
        return GetHandleInformation(file_of(h), &flags) ? CPORT_ENOTSUP : CPORT_EINVAL;
    }
    port_lock(h->port);
    int r = iocp->probe == INVALID_SOCKET ? probe_open(iocp, &iocp->probe) : 0;
    port_unlock(h->port);
    h->fd = base_of((SOCKET)h->given);
    h->engine_bits |= HANDLE_LOAN;
    return r;
}

HANDLE probe_of(const struct cport_handle *h)
{
    return h->engine_bits & HANDLE_LOAN ? (HANDLE)iocp_of(h->port)->probe : file_of(h);
}
