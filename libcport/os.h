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
#define OS_TLS_NEAR
typedef uint32_t os_thread_id;
typedef void *os_thread_system;
os_thread_id os_thread_self(void);
#else
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
/* For a thread's own variables that hot paths read: no call to find them in a shared library. */
#define OS_TLS_NEAR __attribute__((tls_model("initial-exec")))
typedef pthread_t os_thread_id;
typedef pthread_t os_thread_system;
/* The address of a thread's own variable tells threads apart in two instructions; every call on a SINGLE port asks. */
extern _Thread_local char os_thread_anchor OS_TLS_NEAR;
static inline os_thread_id os_thread_self(void)
{
    return (os_thread_id)&os_thread_anchor;
}
#endif

/* Neighbouring descriptors as neighbouring numbers: handles on Windows are multiples of 4. */
static inline size_t os_fd_index(cport_os_handle fd)
{
#ifdef _WIN32
    return (size_t)fd / 4;
#else
    return (size_t)fd;
#endif
}

/* The processors that this process may use, at least 1. */
uint32_t os_processors(void);
int64_t os_now_ns(void);
const char *os_env(const char *name);
void os_yield(void);
/* Calls fn in a thread that ends, if that thread called this. */
void os_at_thread_exit(void (*fn)(void));
/* Calls fn in the child of every fork from now on, where a system has forks. */
void os_at_fork_child(void (*fn)(void));

/* A thread of the library's own: no signal handler of the process runs in it. The struct stays where it is until the join.
 * Start: 0, or an error code (CPORT_ENOMEM: no resources for a thread). */
struct os_thread {
    void (*run)(void *arg);
    void *arg;
    os_thread_system system;
};
int os_thread_start(
    struct os_thread *ret_thread, const char *name, void (*run)(void *arg), void *arg);
void os_thread_join(const struct os_thread *thread);

/* Parks the calling thread until *word is not `value` any more and someone wakes it, or timeout_ns has passed (< 0: for ever).
 * May return early. */
void os_futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t timeout_ns);
void os_futex_wake(_Atomic uint32_t *word);

/* Aligned memory from the C library, for the default allocator. */
void *os_alloc(size_t size, size_t align);
void os_free(void *memory);

/* Sockets: what differs between systems. 0, or an error code. socket.c has the rest. */
int os_socket_start(void); /* once per process, lazily: Winsock */
int os_socket_open(int family, int type, cport_os_handle *ret_fd);
struct os_socket_kind {
    int type;     /* SOCK_…; 0: not a socket */
    bool is_unix; /* told of datagram sockets only */
};
struct os_socket_kind os_socket_kind(cport_os_handle fd);
/* Whether a datagram that came back as unreachable is told; with an error where that cannot be set. */
int os_socket_set_unreachable(cport_os_handle fd, bool told);
int os_socket_set_abort(cport_os_handle fd);
/* A descriptor of our own for somebody else's socket, or that same one where the engine can do without; and back. */
int os_borrow(cport_os_handle fd, cport_os_handle *ret_own);
void os_give_back(cport_os_handle fd, cport_os_handle own);
/* A server's address reuse: rebinding at once works, a second listener does not. */
int os_socket_set_reuse(cport_os_handle fd);
int os_socket_set_reuse_port(cport_os_handle fd);
int os_socket_set_user_timeout(cport_os_handle fd, uint32_t timeout_ms);
/* Datagrams come with the address and the interface that they came to. */
int os_socket_set_packet_info(cport_os_handle fd);
int os_socket_set_gro(cport_os_handle fd);
bool os_socket_has_gso(void); /* the kernel cuts one send into datagrams */
/* Unix sockets. Text: as snprintf returns. */
bool os_has_unix(void);
int os_unix_address(const char *path, struct sockaddr_storage *ret_address, cport_socklen *ret_len);
int os_unix_text(
    const struct sockaddr *address, cport_socklen address_len, char *text, size_t size);
int os_socket_error(void); /* the error code of the calling thread's last socket call */

/* Files: the arguments have been checked. */
int os_file_open(const char *path, uint32_t flags, uint32_t mode, cport_os_handle *ret_fd);
int os_file_size(cport_os_handle fd, uint64_t *ret_size);

#endif
/* The error code of what getaddrinfo has returned, and the system's own number for it. */
int os_resolve_error(int error, uint32_t *ret_raw);
