/*
 * connect.c: outgoing connections, and the end of sending or receiving.
 */
#include "functions.h"

#include <string.h>

/* ConnectEx takes bound sockets only. One that the caller has bound stays as it is. */
static int bind_any(SOCKET s, const struct sockaddr *peer, cport_socklen peer_len)
{
    struct sockaddr_storage any;
    memset(&any, 0, sizeof(any));
    ((struct sockaddr *)&any)->sa_family = peer->sa_family;
    if (bind(s, (const struct sockaddr *)&any, peer_len) == 0)
        return 0;
    int error = WSAGetLastError();
    return error == WSAEINVAL ? 0 : error;
}

/* The kernel has an answer of its own for an address of another family, and it is not the same everywhere. */
static bool is_of_family(SOCKET s, int family)
{
    WSAPROTOCOL_INFOW protocol;
    int len = sizeof(protocol);
    return getsockopt(s, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&protocol, &len) != 0 ||
           protocol.iAddressFamily == family;
}

static void took(struct op *op, struct ending e)
{
    op->result = 0;
    /* Without it the socket has no names and cannot be shut down. */
    if (e.code == 0 &&
        setsockopt((SOCKET)op->handle->fd, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0) != 0)
        e = ending_of_error((uint32_t)WSAGetLastError());
    if (e.code < 0)
        op_fail(op, e);
}

int connect_start(struct op *op)
{
    SOCKET s = (SOCKET)op->handle->fd;
    const struct sockaddr *peer = (const struct sockaddr *)&op->connect.address->address;
    struct ending e = {0, 0, 0};
    if (op->handle->traits & HANDLE_DATAGRAM) {
        op->result = 0;
        if (connect(s, peer, op->connect.len) != 0)
            op_fail(op, ending_of_error((uint32_t)WSAGetLastError()));
        return START_DONE;
    }
    int error =
        is_of_family(s, peer->sa_family) ? bind_any(s, peer, op->connect.len) : WSAEAFNOSUPPORT;
    if (error) {
        e = ending_of_error((uint32_t)error);
    } else {
        OVERLAPPED *overlapped = overlapped_of(op);
        *overlapped = (OVERLAPPED){0};
        bool ok = functions()->connect_ex(s, peer, op->connect.len, NULL, 0, NULL, overlapped);
        if (!ending_of_call(op->handle, ok, overlapped, &e))
            return START_PENDING;
    }
    took(op, e);
    return START_DONE;
}

void connect_ended(struct op *op, struct harvest *out)
{
    took(op, ending_of_packet(overlapped_of(op)));
    handle_op_final(op, op->result, out);
}

static bool is_receiving(const struct op *op)
{
    return op && op_state(op) == OP_STARTED && op->kind >= OP_RECV && op->kind <= OP_RECV_POOLED;
}

/* 0, or Winsock's error. Of a stream only the sending side is the system's to close: with the receiving side closed Windows resets the
 * connection as soon as the peer sends anything, or has sent what nobody has received. */
static int shut(struct cport_handle *h, int how)
{
    static const int hows[] = {
        [CPORT_SHUT_RECV] = SD_RECEIVE,
        [CPORT_SHUT_SEND] = SD_SEND,
        [CPORT_SHUT_BOTH] = SD_BOTH,
    };
    struct sockaddr_storage peer;
    int r, len = sizeof(peer);
    if (!(h->traits & HANDLE_STREAM))
        r = shutdown((SOCKET)h->fd, hows[how]);
    else if (how & CPORT_SHUT_SEND)
        r = shutdown((SOCKET)h->fd, SD_SEND);
    else
        r = getpeername((SOCKET)h->fd, (struct sockaddr *)&peer, &len);
    return r != 0 ? WSAGetLastError() : 0;
}

int shutdown_start(struct op *op)
{
    struct cport_handle *h = op->handle;
    int error = shut(h, op->how);
    op->result = 0;
    if (error) {
        op_fail(op, ending_of_error((uint32_t)error));
        return START_DONE;
    }
    if (op->how & CPORT_SHUT_RECV) {
        h->engine_bits |= HANDLE_RECV_SHUT;
        if (is_receiving(h->rd.head))
            CancelIoEx(
                file_of(h), overlapped_of(h->rd.head)); /* the kernel would leave it waiting */
    }
    return START_DONE;
}
