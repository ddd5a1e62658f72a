/*
 * peer: what an end-to-end test needs of the system: a child process, and blocking sockets to talk to it.
 *
 * Ownership: a child ends with child_wait, a socket with net_close. Threading: one thread.
 */
#ifndef CPORT_TESTS_SERVER_PEER_H
#define CPORT_TESTS_SERVER_PEER_H

#include <cport/cport.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- A child process ---- */

struct child;

/* Starts argv[0], found by its path; the list ends with NULL. Its standard output is read with child_line, its standard
 * error goes to a file of the child's. NULL: it could not be started. */
struct child *child_start(const char *const *argv);

/* The next line of its output, without its end. False: the output has ended. */
bool child_line(struct child *child, char *line, size_t size);

/* Asks it to stop: SIGTERM, or the named event of a cport-server. */
void child_stop(struct child *child);
bool child_reload(struct child *child); /* SIGHUP; false: this system has no such request */
bool child_reopen(struct child *child); /* SIGUSR1; the same */
void child_kill(struct child *child);
long child_id(const struct child *child);          /* the process, as the system numbers it */
unsigned child_threads(const struct child *child); /* it has now; 0: this system does not tell */

/* Waits for its end. Returns its exit status, or -1 if it was killed. What it wrote to standard error is then in
 * errors, as much of its end as size allows. Frees the child. */
int child_wait(struct child *child, char *errors, size_t size);

void peer_start(void); /* once, before anything else here */

/* ---- Blocking sockets ---- */

/* Waiting ends after a minute without a byte: a hang is then a failure that names its place. */
#define NET_PATIENCE_SECONDS 60

cport_os_handle net_connect(uint16_t tcp_port); /* to 127.0.0.1; CPORT_OS_HANDLE_INVALID: refused */
/* A server of one's own on 127.0.0.1. */
cport_os_handle net_listen(uint16_t *ret_tcp_port);
cport_os_handle net_accept(cport_os_handle listener); /* waits */
/* The same from 127.0.0.HOST and a port of one's own; 0: any. */
cport_os_handle net_connect_from(uint8_t host, uint16_t own_port, uint16_t tcp_port);
uint16_t net_own_port(cport_os_handle fd);
int64_t net_send(cport_os_handle fd, const void *data, size_t len); /* what went out, or < 0 */
int64_t net_recv(cport_os_handle fd, void *data, size_t len);       /* 0: the end, < 0: an error */
/* As net_send, but without waiting: 0 when nothing fits. */
int64_t net_send_now(cport_os_handle fd, const void *data, size_t len);
/* Waits until something fits: at most some tens of milliseconds. False: still nothing. */
bool net_wait_room(cport_os_handle fd);
/* Small, but more than a segment of the loopback: below that the two ends wait for each other's timers. */
void net_small_buffers(cport_os_handle fd);
void net_shutdown_send(cport_os_handle fd);
void net_reset(cport_os_handle fd); /* closes with a reset */
void net_close(cport_os_handle fd);

#endif
