/*
 * os_datagram_windows.c: datagram sockets and control data, for Windows, which has no Unix sockets here.
 */
#include <string.h>

#include "datagram.h"
#include "error.h"
#include "os.h"

#include <mswsock.h>

/* Newer than the oldest headers that this builds with. */
#ifndef SIO_UDP_CONNRESET
#define SIO_UDP_CONNRESET _WSAIOW(IOC_VENDOR, 12)
#endif
#ifndef SIO_UDP_NETRESET
#define SIO_UDP_NETRESET _WSAIOW(IOC_VENDOR, 15)
#endif
#ifndef UDP_SEND_MSG_SIZE
#define UDP_SEND_MSG_SIZE 2
#endif
#ifndef UDP_RECV_MAX_COALESCED_SIZE
#define UDP_RECV_MAX_COALESCED_SIZE 3
#endif
#ifndef UDP_COALESCED_INFO
#define UDP_COALESCED_INFO 3
#endif

#define COALESCED_MOST 65535

struct os_socket_kind os_socket_kind(cport_os_handle fd)
{
    struct os_socket_kind kind = {0, false};
    int len = sizeof(kind.type);
    if (getsockopt((SOCKET)fd, SOL_SOCKET, SO_TYPE, (char *)&kind.type, &len) != 0)
        kind.type = 0;
    return kind;
}

int os_socket_set_unreachable(cport_os_handle fd, bool told)
{
    BOOL on = told;
    DWORD n = 0;
    if (WSAIoctl((SOCKET)fd, SIO_UDP_CONNRESET, &on, sizeof(on), NULL, 0, &n, NULL, NULL) != 0)
        return os_socket_error();
    /* The same for a time to live that has run out; since Windows 10 1703 only. */
    (void)WSAIoctl((SOCKET)fd, SIO_UDP_NETRESET, &on, sizeof(on), NULL, 0, &n, NULL, NULL);
    return 0;
}

static int set_int(cport_os_handle fd, int level, int name, DWORD value)
{
    int r = setsockopt((SOCKET)fd, level, name, (const char *)&value, sizeof(value));
    return r != 0 ? os_socket_error() : 0;
}

static int family_of(cport_os_handle fd)
{
    WSAPROTOCOL_INFOW protocol;
    int len = sizeof(protocol);
    int r = getsockopt((SOCKET)fd, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&protocol, &len);
    return r == 0 ? protocol.iAddressFamily : AF_UNSPEC;
}

int os_socket_set_packet_info(cport_os_handle fd)
{
    if (family_of(fd) != AF_INET6)
        return set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
    /* For the IPv4 datagrams of a socket of both families; refused by one that takes IPv6 only. */
    (void)set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
    return set_int(fd, IPPROTO_IPV6, IPV6_PKTINFO, 1);
}

int os_socket_set_gro(cport_os_handle fd)
{
    int r = set_int(fd, IPPROTO_UDP, UDP_RECV_MAX_COALESCED_SIZE, COALESCED_MOST);
    return r == CPORT_EINVAL ? CPORT_ENOTSUP : r;
}

bool os_socket_has_gso(void)
{
    cport_os_handle fd;
    if (os_socket_open(AF_INET, SOCK_DGRAM, &fd) < 0)
        return false;
    DWORD bytes = 0;
    int len = sizeof(bytes);
    bool has = getsockopt((SOCKET)fd, IPPROTO_UDP, UDP_SEND_MSG_SIZE, (char *)&bytes, &len) == 0;
    cport_socket_close(fd);
    return has;
}

bool os_has_unix(void)
{
    return false;
}

int os_unix_address(const char *path, struct sockaddr_storage *ret_address, cport_socklen *ret_len)
{
    (void)path;
    (void)ret_address;
    (void)ret_len;
    return CPORT_ENOTSUP;
}

int os_unix_text(const struct sockaddr *address, cport_socklen address_len, char *text, size_t size)
{
    (void)address;
    (void)address_len;
    (void)text;
    (void)size;
    return 0;
}

/* ---- Control data ---- */

uint32_t os_msg_flags(uint32_t os_flags)
{
    return (os_flags & MSG_TRUNC ? CPORT_MSG_TRUNCATED : 0) |
           (os_flags & MSG_CTRUNC ? CPORT_MSG_CONTROL_TRUNCATED : 0);
}

/* What the macros of Winsock come to, which some headers say in the wrong types: everything starts at a multiple of 8. */
#define ALIGNED(n) (((n) + 7u) & ~(size_t)7)
#define LEAD       ALIGNED(sizeof(WSACMSGHDR))

static bool find(const cport_msg *msg, int level, int type, void *ret_data, size_t size)
{
    const char *control = msg->control;
    WSACMSGHDR c;
    for (size_t at = 0, left; (left = msg->control_len - at) >= LEAD; at += ALIGNED(c.cmsg_len)) {
        memcpy(&c, control + at, sizeof(c));
        if (c.cmsg_len < LEAD || c.cmsg_len > left)
            return false;
        if (c.cmsg_level == level && c.cmsg_type == type && c.cmsg_len - LEAD >= size) {
            memcpy(ret_data, control + at + LEAD, size);
            return true;
        }
        if (ALIGNED(c.cmsg_len) > left)
            return false;
    }
    return false;
}

static int append(cport_msg *msg, int level, int type, const void *data, size_t size)
{
    const size_t space = LEAD + ALIGNED(size);
    if (msg->control_len > msg->control_room || msg->control_room - msg->control_len < space)
        return CPORT_ENOBUFS;
    char *at = (char *)msg->control + msg->control_len;
    WSACMSGHDR c = {.cmsg_len = LEAD + size, .cmsg_level = level, .cmsg_type = type};
    memset(at, 0, space);
    memcpy(at, &c, sizeof(c));
    memcpy(at + LEAD, data, size);
    msg->control_len += (uint32_t)space;
    return 0;
}

bool os_msg_get_packet_info(const cport_msg *msg, cport_packet_info *ret_info)
{
    IN_PKTINFO v4;
    IN6_PKTINFO v6;
    if (find(msg, IPPROTO_IP, IP_PKTINFO, &v4, sizeof(v4))) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = v4.ipi_addr};
        memcpy(&ret_info->address, &address, sizeof(address));
        ret_info->interface_index = (uint32_t)v4.ipi_ifindex;
        return true;
    }
    if (find(msg, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof(v6))) {
        struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = v6.ipi6_addr};
        memcpy(&ret_info->address, &address, sizeof(address));
        ret_info->interface_index = (uint32_t)v6.ipi6_ifindex;
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
        IN6_PKTINFO v6 = {.ipi6_addr = address.sin6_addr, .ipi6_ifindex = info->interface_index};
        return append(msg, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof(v6));
    }
    struct sockaddr_in address;
    memcpy(&address, &info->address, sizeof(address));
    IN_PKTINFO v4 = {.ipi_addr = address.sin_addr, .ipi_ifindex = info->interface_index};
    return append(msg, IPPROTO_IP, IP_PKTINFO, &v4, sizeof(v4));
}

bool os_msg_get_segment_size(const cport_msg *msg, uint32_t *ret_bytes)
{
    DWORD bytes;
    if (!find(msg, IPPROTO_UDP, UDP_COALESCED_INFO, &bytes, sizeof(bytes)) || bytes == 0)
        return false;
    *ret_bytes = bytes;
    return true;
}

bool os_msg_is_segmented(const cport_msg *msg)
{
    DWORD bytes;
    return find(msg, IPPROTO_UDP, UDP_SEND_MSG_SIZE, &bytes, sizeof(bytes));
}

int os_msg_set_segment_size(cport_msg *msg, uint32_t bytes)
{
    const DWORD size = bytes;
    return append(msg, IPPROTO_UDP, UDP_SEND_MSG_SIZE, &size, sizeof(size));
}
