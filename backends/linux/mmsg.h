/*
 * mmsg.h: datagrams by system call, as the engines of Linux share it.
 *
 * Ownership. Nothing is kept between calls, but for ops that have gone ahead (OP_AHEAD): the engine's start ends those.
 * Threading. Under the handle's lock.
 */
#ifndef CPORT_LINUX_MMSG_H
#define CPORT_LINUX_MMSG_H

#include <sys/socket.h>

#include "datagram.h"
#include "port.h"

/* Most that one system call takes. Their headers lie on the stack, 2.5 KiB of them; what of the call falls on each is no more
 * than 10 ns then, of the 1400 that cport-bench udp shows. */
#define MMSG_MOST 32u

/* The header of op's msg, for one call or one request. */
void mmsg_header(struct op *op, struct msghdr *ret_hdr);
/* The kernel has received `bytes` with that header: sets the op's result and count, and what the msg is told. */
void mmsg_received(struct op *op, const struct msghdr *hdr, size_t bytes);

/* Tries the op, the head of its direction, and up to most - 1 of those behind it, which are linked if most > 1. Returns how
 * many have moved, with their results set and all but the first marked OP_AHEAD; or -errno, never -EINTR. */
int mmsg_move(struct op *op, unsigned most);
/* A plain receive has taken a datagram of so many bytes, as MSG_TRUNC tells: sets the op's result and count. */
void mmsg_took(struct op *op, size_t bytes);
/* Receives into n buffers of the pool: how many have been filled, or -errno. */
int mmsg_recv_pooled(
    const struct cport_handle *h, struct cport_bufs *pool, const uint32_t *ids, unsigned n);
/* What has been received with hdr, into a buffer of a pool or beside it. */
void mmsg_head(struct datagram_head *head, const struct msghdr *hdr, uint32_t bytes);

/* An operation on the socket met this error. True: it is nothing that the caller wants to hear of, and has been taken from the
 * socket: try again. False: what else came back is taken too, so that it does not fill the socket's buffer; errno
 * stays. */
bool mmsg_forgives(const struct cport_handle *h, int number);

/* A send by a Unix socket to an address whose receiver is not keeping up: nobody tells when there is room, as a connected
 * socket is told. */
static inline bool mmsg_waits_in_vain(const struct op *op)
{
    return op->kind == OP_SENDMSG && (op->handle->traits & HANDLE_UNIX) && op->io.msg->address;
}

/* How many of the engine's calls may go together. */
static inline unsigned mmsg_together(const struct cport_port *port)
{
    return port->caps & CPORT_CAP_MSG_BATCH ? MMSG_MOST : 1;
}

/* The capabilities that depend on the system alone. */
uint64_t mmsg_caps(void);

#endif
