/*
 * epoll.h: the epoll engine's own types.
 *
 * Ownership. One engine per port. Threading. `epfd` and `wake_fd` are constant. `events` is the polling thread's. The list of
 * handles with work left is under `lock` on shared ports. A handle's engine_bits are under the handle's lock.
 *
 * Edge-triggered: an edge sets RD_READY or WR_READY, and the bit stays until a call says EAGAIN. Operations are tried at submit
 * while the bit is set, so that the next edge is only waited for when there is really nothing to be had.
 */
#ifndef CPORT_EPOLL_H
#define CPORT_EPOLL_H

#include <sys/epoll.h>

#include "error.h"
#include "port.h"

#define RD_READY        0x01u /* a receive or accept may find something */
#define WR_READY        0x02u /* a send may find room */
#define RD_HUP          0x04u /* the peer has closed: after a short read there is still the end to be read */
#define LISTED          0x08u /* in engine->listed */
#define NONBLOCKING     0x10u /* O_NONBLOCK has been set, for accept and connect */
#define WAITS           0x20u /* this file cannot be read without waiting for its disk */
#define WATCHES_OUT     0x40u /* a datagram socket: its edges of room to send are told */

#define EVENTS_PER_POLL 128
#define EDGES_LEAST     16

struct epoll_engine {
    int epfd;
    int wake_fd;
    struct lock lock;
    /* Handles with RD_READY and an op that poll must go on with, oldest first. */
    struct cport_handle *listed;
    struct cport_handle *listed_tail;
    bool no_pwait2; /* the kernel waits in milliseconds only */
    struct epoll_event events[EVENTS_PER_POLL];
};

/* Each tries op, the head of its direction, or a poll. START_PENDING: nothing to be had yet, and the edge will tell; START_DONE: as
 * in backend->start; TRY_MORE: a multishot op has something in op->result, ->event_flags and ->aux, and stays; TRY_STARVED: a
 * multishot accept met error op->result; TRY_LATER: it has done what it may at once, and poll shall go on with it; TRY_GATHER: a
 * multishot receive of datagrams, for epoll_gather_datagrams. */
#define TRY_MORE    2
#define TRY_STARVED 3
#define TRY_LATER   4
#define TRY_GATHER  5
int epoll_try_accept(struct op *op);
int epoll_try_connect(struct op *op);
int epoll_try_recv(struct op *op); /* plain and vectored */
int epoll_try_recv_pooled(struct op *op);
int epoll_try_send(struct op *op); /* plain and vectored */
int epoll_try_sendfile(struct op *op);
int epoll_try_shutdown(struct op *op);
int epoll_try_poll(struct op *op);
int epoll_try_msg(struct op *op); /* with those behind it, if several can go at once */
int epoll_try_recv_datagram(struct op *op);
int epoll_try_recvmsg_pooled(struct op *op);
/* Events for as many datagrams as there are, and are buffers and room in out, which is one at least. START_DONE: the end. */
int epoll_gather_datagrams(struct op *op, struct harvest *out);
/* The start of a recvmsg or sendmsg. */
int epoll_start_msg(struct op *op);

/* poll shall go on with h. The handle's lock is held. */
void epoll_list(struct cport_handle *h);

/* file.c. The same for operations on files; also an error, if no thread is to be had for them. */
int epoll_start_read(struct op *op);
int epoll_start_file(struct op *op);

/* The next edge of room to send shall be told, if there is room by now at once. */
void epoll_watch_out(struct cport_handle *h);

/* For the calls that heed the descriptor's mode, unlike send and recv, which take MSG_DONTWAIT. 0, or an errno. */
int epoll_set_nonblocking(struct cport_handle *h);

static inline void clear_bits(struct cport_handle *h, unsigned bits)
{
    h->engine_bits &= (uint8_t)~bits;
}

static inline void set_bits(struct cport_handle *h, unsigned bits)
{
    h->engine_bits |= (uint8_t)bits;
}

static inline int done(struct op *op, int64_t result)
{
    op->result = result;
    return START_DONE;
}

static inline int failed(struct op *op, int error)
{
    op->aux = (uint32_t)error;
    return done(op, error_from_errno(error));
}

/* There is nothing to read: wait for the next edge. */
static inline int wait_readable(struct op *op)
{
    clear_bits(op->handle, RD_READY | RD_HUP);
    return START_PENDING;
}

static inline int wait_writable(struct op *op)
{
    clear_bits(op->handle, WR_READY);
    if (op->handle->traits & HANDLE_DATAGRAM)
        epoll_watch_out(op->handle);
    return START_PENDING;
}

#endif
