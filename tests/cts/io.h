/*
 * What the stream, socket and pool cases share: a byte pattern that shows lost, doubled and displaced bytes, peers that read
 * or write in a thread of their own, and a loop that runs event-driven tasks on as many threads as the port takes.
 *
 * Ownership: all of it is the case's. Threading: a task's function runs on any thread of its loop, one event at a time.
 */
#ifndef CTS_IO_H
#define CTS_IO_H

#include "cts.h"

#include <stdatomic.h>

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * 1024)

/* Bytes enough to meet backpressure again and again; less where everything is slow. */
#ifdef CTS_SLOW
#define IO_MUCH (2 * MIB)
#else
#define IO_MUCH (8 * MIB)
#endif

/* ---- The pattern: what the byte at each place of a stream is ---- */

void io_fill(void *data, size_t len, size_t at);
void io_check(const void *data, size_t len, size_t at); /* ends the case at the first wrong byte */
void *io_memory(size_t len);                            /* with free(); never NULL */
void *io_stream(size_t len);                            /* the same, filled from place 0 */

/* ---- Pairs ---- */

/* The same as cts_pair_open, with buffers so small that a few hundred KiB do not fit into them. */
void io_pair_open_narrow(cport_port *port, cts_pair *ret_pair);
/* Waits until a has something to read: bytes, the end or an error. */
void io_until_readable(cport_port *port, cport_handle *a);
/* Fails unless code is what a system may say of sending into a connection that was reset. */
void io_check_broken(int64_t code);
/* Dequeues for a moment: nothing may come of op. */
void io_check_still_pending(cport_port *port, const cport_op *op);

/* Two socket addresses are the same place. */
void io_check_same_address(
    const struct sockaddr_storage *one, const struct sockaddr_storage *other);
/* A raw listener whose queue is full: on Linux, and so under Wine, further connects stay pending. ret_fillers are the four
 * sockets that fill it. */
#define IO_FILLERS 4
cport_os_handle io_listen_full(struct sockaddr_storage *ret_address, cport_socklen *ret_len,
    cport_os_handle ret_fillers[IO_FILLERS]);

/* ---- What these cases need of the system: os_io_posix.c and os_io_windows.c ---- */

void io_sock_timeouts(cport_os_handle s, int ms); /* SO_RCVTIMEO and SO_SNDTIMEO */
bool io_sock_nodelay(cport_os_handle s);
/* Not on Windows, which has no such limit. Limit: from here on the table is small; a kernel may keep the limit that an
 * operation was started under. Fill: until no descriptor can be had. Free: n of those can again; empty: all. */
void io_table_limit(void);
void io_table_fill(void);
void io_table_free(unsigned n);
void io_table_empty(void);
void io_table_restore(void);
/* Not on Windows either: between the two the calling thread is interrupted by a signal all the time. End tells how often. */
void io_storm_begin(void);
unsigned io_storm_end(void);

/* ---- Peers ---- */

typedef struct io_peer {
    cport_os_handle s;
    size_t at;   /* the place of the next byte in the stream: readers count here */
    size_t most; /* stop there */
    int64_t end; /* readers: 0 end-of-stream, -1 an error, 1 stopped at most */
    atomic_bool over;
    cts_thread *thread;
} io_peer;

/* Reads, and checks the pattern, from place 0 (or where it stands) until the end, an error or most bytes. */
void io_peer_read(io_peer *peer, cport_os_handle s, size_t most);
void io_peer_read_on(io_peer *peer, size_t most);
void io_peer_write(io_peer *peer, cport_os_handle s, size_t bytes);
void io_peer_join(io_peer *peer);
/* The same, dequeuing meanwhile: for peers that depend on the port's progress. */
void io_peer_finish(io_peer *peer, cport_port *port);

/* ---- Loops ---- */

typedef struct io_task {
    cport_op op;
    void (*run)(struct io_task *task, const cport_event *ev);
} io_task;

typedef struct io_loop {
    cport_port *port;
    atomic_uint left;    /* tasks that are not done */
    atomic_uint threads; /* that have not left yet */
    cport_op stop;
} io_loop;

void io_loop_init(io_loop *loop, cport_port *port, unsigned tasks);
void io_loop_done(io_loop *loop); /* one task is done: has no event to come */
/* Runs events until all tasks are done: on four threads where the port is shared. Each op must be an io_task's. */
void io_loop_run(io_loop *loop);

#endif
