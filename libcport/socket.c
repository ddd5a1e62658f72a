/*
 * socket.c: helpers that make ordinary sockets and addresses.
 */
#include <stdio.h>
#include <string.h>

#include "cport/cport.h"
#include "options.h"
#include "os.h"

#define FLAGS_TCP                                                                                  \
    (CPORT_SOCKET_NODELAY | CPORT_SOCKET_REUSE_PORT | CPORT_SOCKET_KEEPALIVE | CPORT_SOCKET_V6ONLY)
#define FLAGS_UDP                                                                                  \
    (CPORT_SOCKET_REUSE_PORT | CPORT_SOCKET_V6ONLY | CPORT_SOCKET_BROADCAST |                      \
        CPORT_SOCKET_PACKET_INFO | CPORT_SOCKET_GRO)

static int options_check(
    const cport_socket_options *given, uint32_t flags_known, cport_socket_options *ret_opt)
{
    *ret_opt = (cport_socket_options){.size = sizeof(*ret_opt)};
    if (!given)
        return 0;
    int r = options_copy(given, offsetof(cport_socket_options, backlog), sizeof(*ret_opt), ret_opt);
    if (r < 0)
        return r;
    bool sane = !(ret_opt->flags & ~flags_known) && ret_opt->backlog <= INT32_MAX &&
                ret_opt->user_timeout_ms <= INT32_MAX && ret_opt->send_buffer <= INT32_MAX &&
                ret_opt->recv_buffer <= INT32_MAX;
    return sane ? 0 : CPORT_EINVAL;
}

int cport_address(const char *host, uint16_t tcp_port, struct sockaddr_storage *ret_address,
    cport_socklen *ret_len)
{
    if (!host || !ret_address || !ret_len)
        return CPORT_EINVAL;
    char text[INET6_ADDRSTRLEN + 2];
    size_t length = strlen(host);
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    }
    if (length >= sizeof(text))
        return CPORT_EINVAL;
    memcpy(text, host, length);
    text[length] = '\0';

    int r = os_socket_start();
    if (r < 0)
        return r;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(tcp_port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(tcp_port)};
    struct sockaddr_storage address;
    memset(&address, 0, sizeof(address));
    if (strcmp(text, "*") == 0 || inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(&address, &v4, sizeof(v4));
        *ret_len = sizeof(v4);
    } else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
        memcpy(&address, &v6, sizeof(v6));
        *ret_len = sizeof(v6);
    } else {
        return CPORT_EINVAL;
    }
    *ret_address = address;
    return 0;
}

int cport_address_unix(
    const char *path, struct sockaddr_storage *ret_address, cport_socklen *ret_len)
{
    if (!path || !path[0] || !ret_address || !ret_len)
        return CPORT_EINVAL;
    return os_unix_address(path, ret_address, ret_len);
}

int cport_address_text(
    const struct sockaddr *address, cport_socklen address_len, char *text, size_t size)
{
    if (!address || !text || size == 0)
        return CPORT_EINVAL;
    text[0] = '\0';
    char host[INET6_ADDRSTRLEN];
    int written;
    if (address->sa_family == AF_INET && (size_t)address_len >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host));
        written = snprintf(text, size, "%s:%u", host, (unsigned)ntohs(v4.sin_port));
    } else if (address->sa_family == AF_INET6 &&
               (size_t)address_len >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host));
        written = snprintf(text, size, "[%s]:%u", host, (unsigned)ntohs(v6.sin6_port));
    } else if (address->sa_family == AF_UNIX && os_has_unix()) {
        written = os_unix_text(address, address_len, text, size);
    } else {
        return CPORT_EINVAL;
    }
    return written > 0 && (size_t)written < size ? 0 : CPORT_ENOBUFS;
}

static int set_option(cport_os_handle fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, (const char *)&value, sizeof(value)) != 0 ? os_socket_error()
                                                                                 : 0;
}

static int configure(cport_os_handle fd, const cport_socket_options *opt)
{
    int r = 0;
    if (opt->flags & CPORT_SOCKET_NODELAY)
        r = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (r == 0 && (opt->flags & CPORT_SOCKET_KEEPALIVE))
        r = set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (r == 0 && (opt->flags & CPORT_SOCKET_REUSE_PORT))
        r = os_socket_set_reuse_port(fd);
    if (r == 0 && (opt->flags & CPORT_SOCKET_BROADCAST))
        r = set_option(fd, SOL_SOCKET, SO_BROADCAST, 1);
    if (r == 0 && (opt->flags & CPORT_SOCKET_PACKET_INFO))
        r = os_socket_set_packet_info(fd);
    if (r == 0 && (opt->flags & CPORT_SOCKET_GRO))
        r = os_socket_set_gro(fd);
    if (r == 0 && opt->send_buffer)
        r = set_option(fd, SOL_SOCKET, SO_SNDBUF, (int)opt->send_buffer);
    if (r == 0 && opt->recv_buffer)
        r = set_option(fd, SOL_SOCKET, SO_RCVBUF, (int)opt->recv_buffer);
    if (r == 0 && opt->user_timeout_ms)
        r = os_socket_set_user_timeout(fd, opt->user_timeout_ms);
    return r;
}

int cport_socket_configure(cport_os_handle fd, const cport_socket_options *given)
{
    cport_socket_options opt;
    if (!given)
        return CPORT_EINVAL;
    uint32_t flags_known = os_socket_kind(fd).type == SOCK_DGRAM ? FLAGS_UDP : FLAGS_TCP;
    int r = options_check(given, flags_known, &opt);
    return r < 0 ? r : configure(fd, &opt);
}

/* A socket with its options set. */
static int socket_make(
    int family, int type, const cport_socket_options *opt, cport_os_handle *ret_fd)
{
    int r = os_socket_start();
    if (r < 0)
        return r;
    cport_os_handle fd;
    r = os_socket_open(family, type, &fd);
    if (r < 0)
        return r;
    r = configure(fd, opt);
    if (r == 0 && family == AF_INET6)
        r = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, (opt->flags & CPORT_SOCKET_V6ONLY) != 0);
    if (r < 0) {
        cport_socket_close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

/* The same, bound if there is an address, and listening if it is a server's. */
static int socket_place(int family, int type, bool listens, const struct sockaddr *address,
    cport_socklen address_len, const cport_socket_options *opt, cport_os_handle *ret_fd)
{
    cport_os_handle fd;
    int r = socket_make(family, type, opt, &fd);
    if (r < 0)
        return r;
    int backlog = opt->backlog ? (int)opt->backlog : SOMAXCONN;
    if (listens && family != AF_UNIX)
        r = os_socket_set_reuse(fd);
    if (r == 0 && address && bind(fd, address, address_len) != 0)
        r = os_socket_error();
    if (r == 0 && listens && listen(fd, backlog) != 0)
        r = os_socket_error();
    if (r < 0) {
        cport_socket_close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

int cport_socket_tcp(int family, const cport_socket_options *given, cport_os_handle *ret_fd)
{
    cport_socket_options opt;
    if (!ret_fd || (family != AF_INET && family != AF_INET6))
        return CPORT_EINVAL;
    int r = options_check(given, FLAGS_TCP, &opt);
    return r < 0 ? r : socket_make(family, SOCK_STREAM, &opt, ret_fd);
}

int cport_socket_tcp_listen(const struct sockaddr *address, cport_socklen address_len,
    const cport_socket_options *given, cport_os_handle *ret_fd)
{
    if (!address || address_len <= 0 || !ret_fd)
        return CPORT_EINVAL;
    int family = address->sa_family;
    cport_socket_options opt;
    if (family != AF_INET && family != AF_INET6)
        return CPORT_EINVAL;
    int r = options_check(given, FLAGS_TCP, &opt);
    return r < 0 ? r : socket_place(family, SOCK_STREAM, true, address, address_len, &opt, ret_fd);
}

int cport_socket_udp(int family, const struct sockaddr *address, cport_socklen address_len,
    const cport_socket_options *given, cport_os_handle *ret_fd)
{
    if (!ret_fd || (family != AF_INET && family != AF_INET6) ||
        (address && (address_len <= 0 || address->sa_family != family)))
        return CPORT_EINVAL;
    cport_socket_options opt;
    int r = options_check(given, FLAGS_UDP, &opt);
    if (r == 0 && (opt.backlog || opt.user_timeout_ms))
        r = CPORT_EINVAL;
    return r < 0 ? r : socket_place(family, SOCK_DGRAM, false, address, address_len, &opt, ret_fd);
}

/* What Unix sockets have in common. */
static int unix_make(int type, bool listens, const struct sockaddr *address,
    cport_socklen address_len, const cport_socket_options *given, cport_os_handle *ret_fd)
{
    if (!ret_fd || (listens && !address) ||
        (address && (address_len <= 0 || address->sa_family != AF_UNIX)))
        return CPORT_EINVAL;
    cport_socket_options opt;
    int r = options_check(given, 0, &opt);
    if (r == 0 && (opt.user_timeout_ms || (opt.backlog && !listens)))
        r = CPORT_EINVAL;
    if (r < 0)
        return r;
    if (!os_has_unix())
        return CPORT_ENOTSUP;
    return socket_place(AF_UNIX, type, listens, address, address_len, &opt, ret_fd);
}

int cport_socket_unix_stream(const cport_socket_options *opt, cport_os_handle *ret_fd)
{
    return unix_make(SOCK_STREAM, false, NULL, 0, opt, ret_fd);
}

int cport_socket_unix_listen(const struct sockaddr *address, cport_socklen address_len,
    const cport_socket_options *opt, cport_os_handle *ret_fd)
{
    return unix_make(SOCK_STREAM, true, address, address_len, opt, ret_fd);
}

int cport_socket_unix_datagram(const struct sockaddr *address, cport_socklen address_len,
    const cport_socket_options *opt, cport_os_handle *ret_fd)
{
    return unix_make(SOCK_DGRAM, false, address, address_len, opt, ret_fd);
}

typedef int (*name_fn)(cport_os_handle fd, struct sockaddr *address, cport_socklen *len);

static int get_name(
    cport_os_handle fd, name_fn get, struct sockaddr_storage *ret_address, cport_socklen *ret_len)
{
    if (!ret_address || !ret_len)
        return CPORT_EINVAL;
    struct sockaddr_storage address;
    cport_socklen len = sizeof(address);
    memset(&address, 0, sizeof(address));
    if (get(fd, (struct sockaddr *)&address, &len) != 0)
        return os_socket_error();
    *ret_address = address;
    *ret_len = len;
    return 0;
}

static int local_name(cport_os_handle fd, struct sockaddr *address, cport_socklen *len)
{
    return getsockname(fd, address, len);
}

static int peer_name(cport_os_handle fd, struct sockaddr *address, cport_socklen *len)
{
    return getpeername(fd, address, len);
}

int cport_socket_local(
    cport_os_handle fd, struct sockaddr_storage *ret_address, cport_socklen *ret_len)
{
    return get_name(fd, local_name, ret_address, ret_len);
}

int cport_accept_address(
    cport_os_handle fd, struct sockaddr_storage *ret_address, cport_socklen *ret_len)
{
    return get_name(fd, peer_name, ret_address, ret_len);
}
