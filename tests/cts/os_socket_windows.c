/* Blocking sockets on Windows. */
#include "cts.h"

/* A peer that waits for ever would hide which side is at fault; one that delays small segments tests nothing. */
static void set_options(SOCKET s)
{
    BOOL on = TRUE;
    DWORD ms = (DWORD)(CTS_PATIENCE_NS / 1000000);
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, (const char *)&ms, sizeof ms);
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, (const char *)&ms, sizeof ms);
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof on);
}

static int clamp(size_t len)
{
    return len > 1 << 20 ? 1 << 20 : (int)len;
}

cport_os_handle cts_sock_tcp(void)
{
    SOCKET s = WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED);
    CHECK(s != INVALID_SOCKET);
    set_options(s);
    return s;
}

cport_os_handle cts_sock_listen(
    int backlog, struct sockaddr_storage *ret_address, cport_socklen *ret_len)
{
    SOCKET s = cts_sock_tcp();
    struct sockaddr_in any = {.sin_family = AF_INET};
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_EQ(bind(s, (struct sockaddr *)&any, sizeof any), 0);
    CHECK_EQ(listen(s, backlog), 0);
    *ret_len = sizeof *ret_address;
    CHECK_EQ(getsockname(s, (struct sockaddr *)ret_address, ret_len), 0);
    return s;
}

cport_os_handle cts_sock_accept(cport_os_handle listener)
{
    SOCKET s = accept(listener, NULL, NULL);
    CHECK(s != INVALID_SOCKET);
    set_options(s);
    return s;
}

bool cts_sock_connect(cport_os_handle s, const struct sockaddr *address, cport_socklen len)
{
    return connect(s, address, len) == 0;
}

int64_t cts_sock_recv(cport_os_handle s, void *data, size_t len)
{
    int n = recv(s, data, clamp(len), 0);
    /* Wine calls a reset that came before the recv an end-of-stream, unless it is asked for the state. */
    WSAPOLLFD state = {.fd = s, .events = POLLRDNORM};
    return n == 0 && WSAPoll(&state, 1, 0) > 0 && (state.revents & POLLERR) ? -1 : n;
}

int64_t cts_sock_send_some(cport_os_handle s, const void *data, size_t len)
{
    return send(s, data, clamp(len), 0);
}

void cts_sock_send_all(cport_os_handle s, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        int n = send(s, at, clamp(len), 0);
        CHECK(n > 0);
        at += n;
        len -= (size_t)n;
    }
}

void cts_sock_recv_all(cport_os_handle s, void *data, size_t len)
{
    char *at = data;
    while (len > 0) {
        int64_t n = cts_sock_recv(s, at, len);
        CHECK(n > 0);
        at += n;
        len -= (size_t)n;
    }
}

void cts_sock_shutdown_send(cport_os_handle s)
{
    CHECK_EQ(shutdown(s, SD_SEND), 0);
}

void cts_sock_reset(cport_os_handle s)
{
    struct linger none = {1, 0};
    setsockopt(s, SOL_SOCKET, SO_LINGER, (const char *)&none, sizeof none);
    closesocket(s);
}

void cts_sock_close(cport_os_handle s)
{
    CHECK_EQ(closesocket(s), 0);
}

cport_os_handle cts_sock_duplicate(cport_os_handle s)
{
    WSAPROTOCOL_INFOW info;
    CHECK_EQ(WSADuplicateSocketW(s, GetCurrentProcessId(), &info), 0);
    SOCKET copy = WSASocketW(
        FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED);
    CHECK(copy != INVALID_SOCKET);
    return copy;
}

void cts_sock_nonblocking(cport_os_handle s, bool on)
{
    u_long mode = on;
    CHECK_EQ(ioctlsocket(s, (long)FIONBIO, &mode), 0);
}

void cts_sock_buffers(cport_os_handle s, int send_bytes, int recv_bytes)
{
    if (send_bytes > 0)
        CHECK_EQ(
            setsockopt(s, SOL_SOCKET, SO_SNDBUF, (const char *)&send_bytes, sizeof send_bytes), 0);
    if (recv_bytes > 0)
        CHECK_EQ(
            setsockopt(s, SOL_SOCKET, SO_RCVBUF, (const char *)&recv_bytes, sizeof recv_bytes), 0);
}

int cts_sock_error(void)
{
    return WSAGetLastError();
}
