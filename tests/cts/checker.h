/*
 * The contract checker: knows every operation that a case has started, and holds each event against it.
 *
 * Ownership: it keeps records of its own and reads an op only while it is the caller's. Threading: any thread.
 * Events that several threads dequeue at once are recorded in any order, so an order is only called broken when the later
 * event was dequeued by a wait that began after the earlier one was recorded, or by the same wait.
 *
 * What it asserts:
 *   one final event per accepted op, none after it, none for refused or inline-done ops;
 *   CPORT_MORE only on multishot and periodic ops; known flags and error codes only;
 *   the handle's key, the post's key and result, 0 for timers; results within what the call asked for;
 *   receives, and sends, of a handle end in the order of their calls (not sends with CPORT_ZERO_COPY);
 *   CPORT_COPIED on these alone, and on all of them where the port has no other way;
 *   the close event is the last of its handle, and after a detach there is none;
 *   each pool buffer belongs to one side at a time, and none is lost when the pool closes;
 *   ev is untouched beyond the returned count.
 */
#ifndef CTS_CHECKER_H
#define CTS_CHECKER_H

#include <stdbool.h>

#include "cport/cport.h"

/* ---- The twins of the public calls: same arguments, same returns ---- */

int cts_post(cport_port *port, cport_op *op, uintptr_t key, int64_t result);
int cts_attach_try(
    cport_port *port, cport_os_handle fd, uintptr_t key, uint32_t flags, cport_handle **ret_h);
int cts_detach(cport_handle *h, cport_os_handle *ret_fd);
int cts_close(cport_handle *h, cport_op *op, uint32_t flags);
int cts_accept(cport_handle *listener, cport_op *op, uint32_t flags);
int cts_connect(cport_handle *h, cport_op *op, const struct sockaddr *address,
    cport_socklen address_len, uint32_t flags);
int cts_recv(cport_handle *h, cport_op *op, void *data, size_t len, uint32_t flags);
int cts_recvv(cport_handle *h, cport_op *op, const cport_buf *bufs, unsigned count, uint32_t flags);
int cts_recv_pooled(cport_handle *h, cport_op *op, cport_bufs *pool, uint32_t flags);
int cts_send(cport_handle *h, cport_op *op, const void *data, size_t len, uint32_t flags);
int cts_sendv(cport_handle *h, cport_op *op, const cport_buf *bufs, unsigned count, uint32_t flags);
int cts_sendfile(cport_handle *socket, cport_op *op, cport_handle *file, uint64_t offset,
    uint64_t len, const cport_headtail *headtail, uint32_t flags);
int cts_recvmsg(cport_handle *h, cport_op *op, cport_msg *msg, uint32_t flags);
int cts_recvmsg_pooled(cport_handle *h, cport_op *op, cport_bufs *pool, uint32_t flags);
int cts_sendmsg(cport_handle *h, cport_op *op, const cport_msg *msg, uint32_t flags);
int cts_shutdown(cport_handle *h, cport_op *op, int how);
int cts_poll(cport_handle *h, cport_op *op, uint32_t mask);
int cts_read(
    cport_handle *h, cport_op *op, void *data, size_t len, uint64_t offset, uint32_t flags);
int cts_readv(cport_handle *h, cport_op *op, const cport_buf *bufs, unsigned count, uint64_t offset,
    uint32_t flags);
int cts_write(
    cport_handle *h, cport_op *op, const void *data, size_t len, uint64_t offset, uint32_t flags);
int cts_writev(cport_handle *h, cport_op *op, const cport_buf *bufs, unsigned count,
    uint64_t offset, uint32_t flags);
int cts_sync(cport_handle *h, cport_op *op, uint32_t flags);
int cts_timer(cport_port *port, cport_op *op, int64_t deadline_ns, int64_t period_ns);
int cts_resolve(
    cport_port *port, cport_op *op, const char *host, uint16_t tcp_port, uint32_t flags);
int cts_wake(cport_port *port);
int cts_cancel(cport_op *op);
int cts_cancel_all(cport_handle *h);

int cts_bufs_open(cport_port *port, uint32_t size, uint32_t count, cport_bufs **ret_pool);
int cts_bufs_return(cport_bufs *pool, uint32_t id);
int cts_bufs_close_try(cport_bufs *pool); /* whatever it returns */
/* Must succeed. When no buffer is with the caller it first takes every buffer once and gives it back: the census. */
void cts_bufs_close(cport_bufs *pool);

/* ---- Questions ---- */

bool cts_pending(const cport_op *op);       /* accepted, and its final event not yet dequeued */
unsigned cts_events_of(const cport_op *op); /* events of its latest submit so far */
unsigned cts_outstanding(cport_port *port); /* accepted ops of the port that are not final */

/* ---- For the harness ---- */

typedef struct cts_wait_mark {
    uint64_t id;    /* of this wait */
    uint64_t entry; /* the checker's clock when it began */
} cts_wait_mark;

void checker_port_opened(cport_port *port);
void checker_port_closed(cport_port *port);
void checker_port_counters(cport_port *port, cport_port_stats *ret_expected);
cts_wait_mark checker_wait_begins(void);
void checker_event(cport_port *port, cts_wait_mark wait, const cport_event *ev);
void checker_stash(const cport_event *ev); /* keeps a recorded event for cts_next */
bool checker_unstash(const cport_op *op, cport_event *ret_ev);
void checker_dump(void);
void checker_case_end(void);

#endif
