/*
 * datagram.c: datagrams as the caller sees them: in a pool's buffer, and their control data.
 */
#include "datagram.h"

#include <string.h>

static uint32_t at_most(uint32_t len, uint32_t room)
{
    return len < room ? len : room;
}

uint32_t datagram_len(const struct cport_bufs *pool, const struct datagram_head *head)
{
    return at_most(head->data_len, datagram_room(pool));
}

int64_t datagram_result(const struct cport_bufs *pool, const struct datagram_head *head)
{
    bool cut = head->data_len > datagram_room(pool) ||
               (os_msg_flags(head->os_flags) & CPORT_MSG_TRUNCATED);
    return cut ? CPORT_EMSGSIZE : (int64_t)head->data_len;
}

int cport_bufs_msg(const cport_bufs *pool, uint32_t id, cport_msg *ret_msg, cport_buf *ret_data)
{
    if (!pool || id >= pool->count || pool->size <= CPORT_MSG_HEAD || !ret_msg || !ret_data)
        return CPORT_EINVAL;
    struct datagram_head *head = datagram_head_at(pool, id);
    *ret_data = (cport_buf){
        .base = datagram_data_at(pool, id),
        .len = datagram_len(pool, head),
    };
    uint32_t address_len = at_most(head->address_len, HEAD_ADDRESS_ROOM);
    uint32_t control_len = at_most(head->control_len, HEAD_CONTROL_ROOM);
    *ret_msg = (cport_msg){
        .address = address_len ? (struct sockaddr *)(void *)head->address : NULL,
        .address_room = HEAD_ADDRESS_ROOM,
        .address_len = (cport_socklen)address_len,
        .bufs = ret_data,
        .bufs_count = 1,
        .flags = os_msg_flags(head->os_flags) |
                 (datagram_result(pool, head) < 0 ? CPORT_MSG_TRUNCATED : 0),
        .control = head->control,
        .control_room = HEAD_CONTROL_ROOM,
        .control_len = control_len,
    };
    return 0;
}

int cport_msg_get_packet_info(const cport_msg *msg, cport_packet_info *ret_info)
{
    if (!msg || !ret_info)
        return CPORT_EINVAL;
    cport_packet_info info;
    memset(&info, 0, sizeof(info));
    if (!msg->control || !os_msg_get_packet_info(msg, &info))
        return CPORT_ENOENT;
    *ret_info = info;
    return 0;
}

int cport_msg_get_segment_size(const cport_msg *msg, uint32_t *ret_bytes)
{
    if (!msg || !ret_bytes)
        return CPORT_EINVAL;
    return msg->control && os_msg_get_segment_size(msg, ret_bytes) ? 0 : CPORT_ENOENT;
}

int cport_msg_set_packet_info(cport_msg *msg, const cport_packet_info *info)
{
    if (!msg || !msg->control || !info || info->reserved)
        return CPORT_EINVAL;
    int family = info->address.ss_family;
    if (family == AF_UNSPEC) /* an interface alone */
        family = msg->address && msg->address_len > 0 ? msg->address->sa_family : AF_INET;
    if (family != AF_INET && family != AF_INET6)
        return CPORT_EINVAL;
    return os_msg_set_packet_info(msg, family, info);
}

int cport_msg_set_segment_size(cport_msg *msg, uint32_t bytes)
{
    if (!msg || !msg->control || bytes == 0 || bytes > UINT16_MAX)
        return CPORT_EINVAL;
    return os_msg_set_segment_size(msg, bytes);
}
