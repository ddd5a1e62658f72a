/*
 * datagram.h: what a pool's buffer looks like with a datagram in it, and control data.
 *
 * Ownership. The head lies in the buffer, and belongs to whoever has that. Threading: pure functions.
 */
#ifndef CPORT_DATAGRAM_H
#define CPORT_DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "bufs.h"
#include "cport/cport.h"

#define HEAD_ADDRESS_ROOM 112u /* a Unix path is the longest */
#define HEAD_CONTROL_ROOM 64u  /* packet info and a segment size, of any family */

/* In front of the bytes. The kernel writes it so when it picks the buffer by itself (struct io_uring_recvmsg_out). */
struct datagram_head {
    uint32_t
        address_len; /* as long as it is, even where the room is shorter: so are the next two */
    uint32_t control_len;
    uint32_t data_len;
    uint32_t os_flags; /* the system's MSG_… */
    uint8_t address[HEAD_ADDRESS_ROOM];
    _Alignas(8) uint8_t control[HEAD_CONTROL_ROOM];
};
_Static_assert(sizeof(struct datagram_head) == CPORT_MSG_HEAD, "the head is as long as announced");

static inline uint32_t datagram_room(const struct cport_bufs *pool)
{
    return pool->size - CPORT_MSG_HEAD;
}

static inline struct datagram_head *datagram_head_at(const struct cport_bufs *pool, uint32_t id)
{
    return (struct datagram_head *)bufs_at(pool, id);
}

static inline uint8_t *datagram_data_at(const struct cport_bufs *pool, uint32_t id)
{
    return (uint8_t *)bufs_at(pool, id) + CPORT_MSG_HEAD;
}

/* How many of its bytes there are, and what an event tells: that, or CPORT_EMSGSIZE. */
uint32_t datagram_len(const struct cport_bufs *pool, const struct datagram_head *head);
int64_t datagram_result(const struct cport_bufs *pool, const struct datagram_head *head);

/* os_datagram_*.c: the system's flags as CPORT_MSG_…, and its control data. Find: a copy of the data of this kind; false:
 * there is none, or it is shorter. */
uint32_t os_msg_flags(uint32_t os_flags);
bool os_msg_get_packet_info(const cport_msg *msg, cport_packet_info *ret_info);
bool os_msg_get_segment_size(const cport_msg *msg, uint32_t *ret_bytes);
/* Is a segment size among what is to be sent? */
bool os_msg_is_segmented(const cport_msg *msg);
int os_msg_set_packet_info(cport_msg *msg, int family, const cport_packet_info *info);
int os_msg_set_segment_size(cport_msg *msg, uint32_t bytes);

#endif
