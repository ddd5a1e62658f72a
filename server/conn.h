/*
 * conn: a connection's life on one port, from its first byte to its close event.
 *
 * Receiving. An idle connection waits with a pooled receive: it pins no buffer, and its first bytes arrive in one of the
 * worker's. Frames are answered straight from there; only what is left of an incomplete frame is copied into memory of the
 * connection's own, and the rest of a long frame is received into that memory directly. That memory doubles as bytes
 * arrive, so a length field alone buys nothing. The receive is a single one, started again after each event, not a
 * multishot one: to stop reading is then to not start it, without a cancel and the bytes that would slip in before it.
 *
 * Sending. Replies of one receive are gathered and go out in one send; while it is under way further replies gather behind
 * it. At `send-queue` bytes parsing and receiving stop, and go on at a quarter of that. So what a connection holds is
 * bounded by its queue plus one reply and by its longest frame, and the sum over all of them by `memory`.
 *
 * Waiting. A request whose answer takes its time leaves a job: it runs on the business pool, and until its answer is there neither
 * parsing nor receiving goes on. So replies keep their order, and a connection has at most one job.
 *
 * Pushes. What others send to a connection is appended to its replies between frames, and goes out once the worker has handed out
 * all that came in the same batch, or earlier if it is enough to be worth a send. A client that lets more than `push-queue` wait is dropped; a reader of LogOutput loses lines.
 *
 * Ending. An end that the server chooses is answered, sent, then the sending side is shut, and what still comes in is read and
 * dropped until the client has closed too: a close with bytes unread would reset the connection and take the last
 * replies with it.
 *
 * Ownership: a conn frees itself with its last event. Threading: its worker's.
 */
#ifndef CPORT_SERVER_CONN_H
#define CPORT_SERVER_CONN_H

#include "worker.h"

void conn_open(struct worker *worker, cport_os_handle fd); /* the socket is taken in any case */
void conn_drain(struct conn *conn);              /* answer what came in whole, say goodbye, end */
void conn_expire(struct conn *conn);             /* its time is over: end at once */
struct conn *conn_next(const struct conn *conn); /* of the same worker */

/* What others do to a connection, on its worker: who is a struct conn. */
void conn_kick(void *who);
void conn_drop(void *who);
void conn_push(void *who, struct bytes frames, unsigned count);
void conn_flush(struct worker *worker); /* sends what conn_push has left since the last time */

#endif
