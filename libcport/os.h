/*
 * os.h: what the core asks of the operating system besides its engine.
 * Threading. All of it from any thread.
 */
#ifndef CPORT_OS_H
#define CPORT_OS_H

#include <stdbool.h>
#include <stdint.h>

#include "cport/cport.h"

#ifdef _WIN32
typedef uint32_t os_thread_id;
#else
#include <pthread.h>
typedef pthread_t os_thread_id;
#endif

#ifdef _WIN32
os_thread_id os_thread_self(void);
#else
static inline os_thread_id os_thread_self(void)
{
    return pthread_self();
}
#endif
/* The processors that this process may use, at least 1. */
uint32_t os_processors(void);
int64_t os_now_ns(void);
const char *os_env(const char *name);

/* Parks the calling thread until *word is not `value` any more and someone wakes it, or timeout_ns has passed (< 0: for ever).
 * May return early. */
void os_futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t timeout_ns);
void os_futex_wake(_Atomic uint32_t *word);

/* Aligned memory from the C library, for the default allocator. */
void *os_alloc(size_t size, size_t align);
void os_free(void *memory);

/* Sockets: 0 or an error code. */
int os_socket_start(void); /* once per process, lazily: Winsock */
int os_socket_set_abort(cport_os_handle fd);
/* The raw error of the calling thread's last system call on a socket. */
int os_socket_error(void);

#endif
