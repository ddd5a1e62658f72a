/*
 * What the suite needs of the system, and C11 does not have: threads, locks, time, blocking sockets, processes and
 * the number of open descriptors. os_*_posix.c and os_*_windows.c say it in the words of each system.
 *
 * Ownership: a cts_thread is the caller's until cts_thread_join; sockets are the caller's until
 * cts_sock_close. Threading: every call from any thread.
 */
#ifndef CTS_OS_H
#define CTS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cport/cport.h"

#ifndef _WIN32
#include <pthread.h>
#endif

/* ---- Time and waiting ---- */

int64_t cts_now_ns(void);
void cts_yield(void); /* gives the processor away for a moment: between two looks at a condition */
void cts_spin(
    void); /* gives way without blocking: a thread that spins holds its port's slot on every system */

/* ---- Threads ---- */

#ifdef _WIN32
typedef struct cts_mutex {
    void *opaque; /* an SRWLOCK */
} cts_mutex;
typedef struct cts_cond {
    void *opaque; /* a CONDITION_VARIABLE */
} cts_cond;
#define CTS_MUTEX_INIT                                                                             \
    {                                                                                              \
        0                                                                                          \
    }
#define CTS_COND_INIT                                                                              \
    {                                                                                              \
        0                                                                                          \
    }
#else
typedef struct cts_mutex {
    pthread_mutex_t opaque;
} cts_mutex;
typedef struct cts_cond {
    pthread_cond_t opaque;
} cts_cond;
#define CTS_MUTEX_INIT                                                                             \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER                                                                  \
    }
#define CTS_COND_INIT                                                                              \
    {                                                                                              \
        PTHREAD_COND_INITIALIZER                                                                   \
    }
#endif

void cts_lock(cts_mutex *m);
void cts_unlock(cts_mutex *m);
void cts_cond_wait(cts_cond *c, cts_mutex *m, int64_t timeout_ns); /* may wake early */
void cts_cond_signal(cts_cond *c);

typedef struct cts_thread cts_thread;
typedef void cts_thread_main(void *arg);

/* stack_bytes 0: the system's default. Never fails: a process that cannot start a thread ends the case. */
cts_thread *cts_thread_start(cts_thread_main *run, void *arg, size_t stack_bytes);
void cts_thread_join_raw(cts_thread *t); /* see cts_thread_join */

/* How many threads of this process have the name; the signals that the last of them blocks, a bit for each. Windows: none. */
unsigned cts_threads_named(const char *name, uint64_t *ret_blocked);

/* True while the thread sleeps in the kernel. */
bool cts_thread_sleeps(cts_thread *t);
unsigned cts_processors_allowed(void);
/* Binds the calling thread to one of the processors allowed, always the same. */
void cts_bind_thread(void);
unsigned cts_threads_alive(void); /* of this process, whoever made them */
/* Waits for a byte from s in a way that no signal ends, where the system has one; otherwise just waits. */
void cts_wait_uninterruptibly(cport_os_handle s);

/* ---- Processes ---- */

/* Descriptors (POSIX) or handles (Windows) that this process has open. */
unsigned cts_descriptors_open(void);
/* Files by other ways than the library's. An open regular file, on Windows one that is not for overlapped use; a folder; a file
 * that is for appending alone; and their end. */
cport_os_handle cts_file_open(void);
cport_os_handle cts_folder_open(void);
cport_os_handle cts_appending_open(void);
void cts_file_close(cport_os_handle file);
/* A new file's name, in a folder for such. Remove: the file may still be open. */
#define CTS_PATH_MOST 512
void cts_file_name(char ret_path[CTS_PATH_MOST], const char *ending);
void cts_file_remove(const char *path);
void cts_file_truncate(cport_os_handle file, uint64_t size);
void cts_file_sparse(cport_os_handle file); /* what is not written shall take no place */
/* Linux. From here on files cannot grow beyond `bytes` in the folder that ret_path is given a name in. */
void cts_disk_limit(uint64_t bytes, char ret_path[CTS_PATH_MOST]);
/* Runs this program again with two options and waits for it: its exit code. */
int cts_run_self(const char *program, const char *config, const char *case_name);
/* Runs fn in a forked child, which must come to its end. Ends the case where there is no fork. */
void cts_in_fork(void (*fn)(void *arg), void *arg);
void cts_setenv(const char *name, const char *value); /* NULL removes it */
_Noreturn void cts_exit_now(int code);
/* Of what other system this one is an emulation, with the version: "wine-8"; "" if it is none. */
const char *cts_os_emulation(void);
void cts_os_start(void); /* once, before any other call */

/* ---- Blocking sockets: the other end of what is tested ---- */

cport_os_handle cts_sock_tcp(void);
/* A loopback listener on a free port, backlog as given. */
cport_os_handle cts_sock_listen(
    int backlog, struct sockaddr_storage *ret_address, cport_socklen *ret_len);
cport_os_handle cts_sock_accept(cport_os_handle listener);
bool cts_sock_connect(cport_os_handle s, const struct sockaddr *address, cport_socklen len);
/* > 0 bytes, 0 end-of-stream, -1 an error, a reset or ten seconds without a byte. */
int64_t cts_sock_recv(cport_os_handle s, void *data, size_t len);
int64_t cts_sock_send_some(cport_os_handle s, const void *data, size_t len); /* the same */
/* Both end the case on an error: for what must work. */
void cts_sock_send_all(cport_os_handle s, const void *data, size_t len);
void cts_sock_recv_all(cport_os_handle s, void *data, size_t len);
void cts_sock_shutdown_send(cport_os_handle s);
void cts_sock_reset(cport_os_handle s); /* closes it with a reset */
void cts_sock_close(cport_os_handle s);
cport_os_handle cts_sock_duplicate(cport_os_handle s); /* the same socket under another number */
void cts_sock_nonblocking(cport_os_handle s, bool on);
void cts_sock_buffers(cport_os_handle s, int send_bytes, int recv_bytes); /* 0 leaves it */
int cts_sock_error(void); /* the last call's raw error */

#endif
