/*
 * takeover: one server follows another on the same sockets, and no client finds them closed. Linux only; elsewhere both sides say so.
 *
 * The running server listens on a Unix socket. A new one connects and gets the listening sockets; the running one goes on as if
 * nothing had happened. When the new one could serve it says so, is told "yours", and waits until the other's listeners are closed.
 * Then it accepts. Between the two, connections wait in the kernel's queue, which belongs to the sockets that both have.
 *
 *   new: cport-takeover 1      running: socket (with a descriptor), once for each; admin (the same), if there is one; all
 *   new: ready                 running: yours, and the end of the stream once it listens no more
 *
 * Both look at who the other is: only a process of the same user is answered, or believed. Each message has its time, so nobody who
 * connects and says nothing keeps a third one out for long.
 *
 * Ownership: a heritage ends with heritage_close, whatever of it is still there; a takeover with takeover_close. Threading: a
 * heritage is one thread's; of a takeover as each call says.
 */
#ifndef CPORT_SERVER_TAKEOVER_H
#define CPORT_SERVER_TAKEOVER_H

#include <cport/cport.h>

#include <stdbool.h>

#define TAKEOVER_ERROR_BYTES 256u
#define TAKEOVER_SOCKETS_MAX 4096u

/* ---- The new server ---- */

struct heritage {
    int stream; /* -1: there was no server to ask */
    cport_os_handle *clients;
    unsigned count;
    cport_os_handle admin; /* CPORT_OS_HANDLE_INVALID: none */
};

/* Asks whoever listens on path. True also if nobody does: stream is -1 then. */
bool heritage_ask(
    const char *path, struct heritage *ret_heritage, char error[TAKEOVER_ERROR_BYTES]);

/* Says that this server is ready, and waits until the other has let go. Blocks. */
bool heritage_claim(struct heritage *heritage, char error[TAKEOVER_ERROR_BYTES]);

void heritage_close(struct heritage *heritage);

/* ---- The running server ---- */

struct takeover;

/* Listens on path, in place of a socket that is there. The sockets are the caller's, and duplicated; admin may be
 * CPORT_OS_HANDLE_INVALID. When a new server is ready for them, the request to stop is made (os.h). */
bool takeover_open(const char *path, const cport_os_handle *clients, unsigned count,
    cport_os_handle admin, struct takeover **ret_takeover, char error[TAKEOVER_ERROR_BYTES]);

/* From here on nobody takes over. True: somebody has, and waits for takeover_let_go. */
bool takeover_end(struct takeover *takeover);

void takeover_let_go(struct takeover *takeover); /* from any thread: this server listens no more */
void takeover_close(struct takeover *takeover);  /* NULL is fine */

#endif
