/*
 * The completion port at its barest: one overlapped operation per connection, a receive or the send of what it brought, and no
 * packet for what succeeds at once.
 */
#include "peer.h"

#include <winsock2.h>
#include <ws2tcpip.h>

#include <mswsock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define PACKETS_MAX   256
#define ADDRESS_BYTES (sizeof(struct sockaddr_in) + 16) /* AcceptEx asks for 16 more */

struct connection {
    OVERLAPPED overlapped;
    SOCKET socket;
    DWORD filled; /* not 0: the buffer is being sent */
    unsigned char buffer[PEER_BUFFER_BYTES];
};

static HANDLE port;
static SOCKET listener;
static struct {
    OVERLAPPED overlapped;
    SOCKET socket;
    unsigned char addresses[2 * ADDRESS_BYTES];
} accepting;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "peer: %s: system error %d\n", what, WSAGetLastError());
    exit(1);
}

static SOCKET socket_new(void)
{
    SOCKET s = WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
        WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (s == INVALID_SOCKET)
        die("socket");
    return s;
}

static void connection_close(struct connection *x)
{
    closesocket(x->socket);
    free(x);
    peer_connection_closed();
}

/* 1: done, with so many bytes; 0: a packet will tell; -1: the connection is gone. */
static int connection_start(struct connection *x, DWORD *ret_bytes)
{
    WSABUF all = {.len = sizeof x->buffer, .buf = (char *)x->buffer};
    DWORD flags = 0;
    int failed;

    memset(&x->overlapped, 0, sizeof x->overlapped);
    if (x->filled > 0) {
        all.len = x->filled;
        failed = WSASend(x->socket, &all, 1, ret_bytes, 0, &x->overlapped, NULL);
    } else {
        failed = WSARecv(x->socket, &all, 1, ret_bytes, &flags, &x->overlapped, NULL);
    }
    if (!failed)
        return 1;
    return WSAGetLastError() == WSA_IO_PENDING ? 0 : -1;
}

/* A receive's bytes are sent; a send, which an overlapped socket always completes in whole, is followed by a receive. */
static void connection_run(struct connection *x, DWORD bytes)
{
    int done = 1;
    while (done > 0 && bytes > 0) {
        x->filled = x->filled > 0 ? 0 : bytes;
        done = connection_start(x, &bytes);
    }
    if (done != 0)
        connection_close(x);
}

static void connection_open(SOCKET s)
{
    struct connection *x = peer_allocate(sizeof *x);
    BOOL one = TRUE;

    x->socket = s;
    peer_connection_opened();
    if (setsockopt(s, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&listener,
            sizeof listener) != 0 ||
        setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const char *)&one, sizeof one) != 0)
        die("socket options");
    if (CreateIoCompletionPort((HANDLE)s, port, (ULONG_PTR)x, 0) == NULL ||
        !SetFileCompletionNotificationModes(
            (HANDLE)s, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE))
        die("completion port");
    /* As if a send had ended: a receive is next. */
    x->filled = 1;
    connection_run(x, 1);
}

static void accept_start(void)
{
    DWORD bytes;
    memset(&accepting.overlapped, 0, sizeof accepting.overlapped);
    accepting.socket = socket_new();
    if (!AcceptEx(listener, accepting.socket, accepting.addresses, 0, ADDRESS_BYTES, ADDRESS_BYTES,
            &bytes, &accepting.overlapped) &&
        WSAGetLastError() != WSA_IO_PENDING)
        die("accept");
}

static unsigned listen_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int length = sizeof address;
    WSADATA data;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
        die("sockets");
    listener = socket_new();
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, PEER_BACKLOG) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        die("listen");
    port = CreateIoCompletionPort((HANDLE)listener, NULL, 0, 1);
    if (port == NULL)
        die("completion port");
    accept_start();
    return ntohs(address.sin_port);
}

int main(void)
{
    OVERLAPPED_ENTRY packets[PACKETS_MAX];
    peer_ready(listen_start(), "iocp", "no packet for instant success");
    for (;;) {
        ULONG count;
        if (!GetQueuedCompletionStatusEx(port, packets, PACKETS_MAX, &count, INFINITE, FALSE))
            die("wait");
        for (ULONG i = 0; i < count; i++) {
            struct connection *x = (struct connection *)packets[i].lpCompletionKey;
            if (x != NULL) {
                /* A failed operation has moved nothing: it ends the connection as an end of stream does. */
                connection_run(x, packets[i].dwNumberOfBytesTransferred);
            } else {
                SOCKET accepted = accepting.socket;
                accept_start();
                connection_open(accepted);
            }
        }
    }
}
