/*
 * os_datagram_posix.c: datagram and Unix sockets, and control data, for Linux.
 */
#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "datagram.h"
#include "error.h"
#include "os.h"

/* Newer than the oldest headers that this builds with. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

static int set_on(cport_os_handle fd, int level, int name)
{
    const int on = 1;
    return setsockopt(fd, level, name, &on, sizeof(on)) < 0 ? os_socket_error() : 0;
}

static int get_int(cport_os_handle fd, int name)
{
    int value = 0;
    socklen_t len = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? 0 : value;
}

struct os_socket_kind os_socket_kind(cport_os_handle fd)
{
    struct os_socket_kind kind = {.type = get_int(fd, SO_TYPE)};
    kind.is_unix = kind.type == SOCK_DGRAM && get_int(fd, SO_DOMAIN) == AF_UNIX;
    return kind;
}

int os_socket_set_unreachable(cport_os_handle fd, bool told)
{
    /* Without it the kernel tells connected sockets only, which the engines can ignore. */
    if (!told)
        return 0;
    return get_int(fd, SO_DOMAIN) == AF_INET6 ? set_on(fd, IPPROTO_IPV6, IPV6_RECVERR)
                                              : set_on(fd, IPPROTO_IP, IP_RECVERR);
}

int os_socket_set_packet_info(cport_os_handle fd)
{
    return get_int(fd, SO_DOMAIN) == AF_INET6 ? set_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO)
                                              : set_on(fd, IPPROTO_IP, IP_PKTINFO);
}

int os_socket_set_gro(cport_os_handle fd)
{
    return set_on(fd, IPPROTO_UDP, UDP_GRO);
}

bool os_socket_has_gso(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    int bytes = 0;
    socklen_t len = sizeof(bytes);
    bool has = getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &bytes, &len) == 0;
    close(fd);
    return has;
}

/* ---- Unix sockets ---- */

bool os_has_unix(void)
{
    return true;
}

#define PATH_AT offsetof(struct sockaddr_un, sun_path)

int os_unix_address(const char *path, struct sockaddr_storage *ret_address, cport_socklen *ret_len)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    bool is_abstract = path[0] == '@';
    /* A path ends with a zero, an abstract name begins with one. */
    if (length + !is_abstract > sizeof(un.sun_path))
        return CPORT_EINVAL;
    memcpy(un.sun_path, path, length);
    if (is_abstract)
        un.sun_path[0] = '\0';
    memset(ret_address, 0, sizeof(*ret_address));
    memcpy(ret_address, &un, sizeof(un));
    *ret_len = (cport_socklen)(PATH_AT + length + !is_abstract);
    return 0;
}

int os_unix_text(const struct sockaddr *address, cport_socklen address_len, char *text, size_t size)
{
    struct sockaddr_un un;
    if (address_len <= PATH_AT || address_len > sizeof(un))
        return snprintf(text, size, "unnamed");
    memcpy(&un, address, address_len);
    int length = (int)(address_len - PATH_AT);
    if (un.sun_path[0] == '\0')
        return snprintf(text, size, "@%.*s", length - 1, un.sun_path + 1);
    return snprintf(text, size, "%.*s", length, un.sun_path);
}

/* ---- Control data ---- */

uint32_t os_msg_flags(uint32_t os_flags)
{
    return (os_flags & MSG_TRUNC ? CPORT_MSG_TRUNCATED : 0) |
           (os_flags & MSG_CTRUNC ? CPORT_MSG_CONTROL_TRUNCATED : 0);
}

static bool find(const cport_msg *msg, int level, int type, void *ret_data, size_t size)
{
    struct msghdr hdr = {.msg_control = msg->control, .msg_controllen = msg->control_len};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&hdr); c; c = CMSG_NXTHDR(&hdr, c)) {
        if (c->cmsg_level != level || c->cmsg_type != type || c->cmsg_len < CMSG_LEN(size))
            continue;
        memcpy(ret_data, CMSG_DATA(c), size);
        return true;
    }
    return false;
}

static int append(cport_msg *msg, int level, int type, const void *data, size_t size)
{
    if (msg->control_len > msg->control_room ||
        msg->control_room - msg->control_len < CMSG_SPACE(size))
        return CPORT_ENOBUFS;
    struct cmsghdr *c = (struct cmsghdr *)(void *)((char *)msg->control + msg->control_len);
    memset(c, 0, CMSG_SPACE(size));
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), data, size);
    msg->control_len += (uint32_t)CMSG_SPACE(size);
    return 0;
}

bool os_msg_get_packet_info(const cport_msg *msg, cport_packet_info *ret_info)
{
    struct in_pktinfo v4;
    struct in6_pktinfo v6;
    if (find(msg, IPPROTO_IP, IP_PKTINFO, &v4, sizeof(v4))) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = v4.ipi_addr};
        memcpy(&ret_info->address, &address, sizeof(address));
        ret_info->interface_index = (uint32_t)v4.ipi_ifindex;
        return true;
    }
    if (find(msg, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof(v6))) {
        struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = v6.ipi6_addr};
        memcpy(&ret_info->address, &address, sizeof(address));
        ret_info->interface_index = v6.ipi6_ifindex;
        return true;
    }
    return false;
}

int os_msg_set_packet_info(cport_msg *msg, int family, const cport_packet_info *info)
{
    /* Where the address is of no family it is all zeros, which means any. */
    if (family == AF_INET6) {
        struct sockaddr_in6 address;
        memcpy(&address, &info->address, sizeof(address));
        struct in6_pktinfo v6 = {
            .ipi6_addr = address.sin6_addr, .ipi6_ifindex = info->interface_index};
        return append(msg, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof(v6));
    }
    struct sockaddr_in address;
    memcpy(&address, &info->address, sizeof(address));
    struct in_pktinfo v4 = {
        .ipi_ifindex = (int)info->interface_index, .ipi_spec_dst = address.sin_addr};
    return append(msg, IPPROTO_IP, IP_PKTINFO, &v4, sizeof(v4));
}

bool os_msg_get_segment_size(const cport_msg *msg, uint32_t *ret_bytes)
{
    int bytes;
    if (!find(msg, IPPROTO_UDP, UDP_GRO, &bytes, sizeof(bytes)) || bytes <= 0)
        return false;
    *ret_bytes = (uint32_t)bytes;
    return true;
}

bool os_msg_is_segmented(const cport_msg *msg)
{
    uint16_t bytes;
    return find(msg, IPPROTO_UDP, UDP_SEGMENT, &bytes, sizeof(bytes));
}

int os_msg_set_segment_size(cport_msg *msg, uint32_t bytes)
{
    const uint16_t size = (uint16_t)bytes;
    return append(msg, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
}
