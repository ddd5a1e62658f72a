/*
 * sys: the little that a server needs of a system beyond sockets: threads, locks, the request to stop.
 * One file per system, os_posix.c and os_windows.c, and no system's name anywhere else in this folder.
 *
 * Ownership: what a sys_…_new returns, or a start, ends with its free or join. Threading: as each says.
 */
#ifndef CPORT_SERVER_OS_H
#define CPORT_SERVER_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct sys_thread;
bool sys_thread_start(void (*run)(void *arg), void *arg, struct sys_thread **ret_thread);
void sys_thread_join(struct sys_thread *thread);

/* A gate is shut until someone opens it, once; then whoever waits, now or later, goes through. */
struct sys_gate;
struct sys_gate *sys_gate_new(void); /* NULL: no memory */
void sys_gate_free(struct sys_gate *gate);
void sys_gate_open(struct sys_gate *gate);
void sys_gate_wait(struct sys_gate *gate);

/* A lock, and a signal that a thread waits for while it gives a lock away. Neither wakes only those who need it: look again. */
struct sys_lock;
struct sys_lock *sys_lock_new(void); /* NULL: no memory */
void sys_lock_free(struct sys_lock *lock);
void sys_lock_take(struct sys_lock *lock);
void sys_lock_give(struct sys_lock *lock);

struct sys_signal;
struct sys_signal *sys_signal_new(void); /* NULL: no memory */
void sys_signal_free(struct sys_signal *signal);
void sys_signal_wait(struct sys_signal *signal, struct sys_lock *lock);
void sys_signal_one(struct sys_signal *signal);
void sys_signal_all(struct sys_signal *signal);

/* The bytes of an IP address: 4 or 16 of them; 0: it is of another kind. */
struct sockaddr_storage;
unsigned sys_address_bytes(const struct sockaddr_storage *address, uint8_t ret_bytes[16]);

/* The most descriptors this process may have open; raises the soft limit to the hard one first. */
uint64_t sys_descriptors_max(void);

/* True: listeners that share a port share its connections. */
bool sys_listeners_balance(void);

/* What is asked of the process: to stop (SIGINT, SIGTERM; on Windows a console event or the event named cport-server-stop-PID; and
 * sys_stop_request from any thread), to read its users and limits anew (SIGHUP), to open its log anew (SIGUSR1).
 * sys_stop_prepare goes before any thread is started. After sys_request_wait has returned SYS_STOP, a second signal or console
 * event ends the process at once. */
enum sys_request { SYS_STOP, SYS_RELOAD, SYS_REOPEN };
void sys_stop_prepare(void);
enum sys_request sys_request_wait(void);
void sys_stop_request(void);

/* Tells the service manager, if there is one that wants to know (systemd's NOTIFY_SOCKET): "READY=1". */
void sys_notify(const char *state);

/* The listening socket that the service manager has opened (systemd's LISTEN_FDS); -1: none. Returns NULL, or why what it brings
 * cannot be served. */
const char *sys_listener_inherited(int *ret_fd);

/* The date and time in UTC, for people and never for deadlines: nanoseconds since 1970, and "2026-01-31T23:59:59.123Z". */
int64_t sys_unix_ns(void);
#define SYS_TIME_TEXT_BYTES 32u
void sys_time_text(int64_t unix_ns, char text[SYS_TIME_TEXT_BYTES]);

/* ---- Files of the server's own ---- */

/* Makes the file anew, for nobody else to read. NULL: it cannot be. */
FILE *sys_private_file(const char *name);

/* Closes it once the disk has it. False: something was not written. */
bool sys_file_close_durable(FILE *file);

/* Gives the file a name that another may have. */
bool sys_file_replace(const char *name, const char *new_name);

/* A line of standard input, without its end; unseen if that is a terminal, after a prompt. False: there is none, or it is too
 * long. */
bool sys_secret_read(const char *prompt, char *text, size_t size);

#endif
