/*
 * os_posix.c: os.h for Linux.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "os.h"

#define NS_PER_S INT64_C(1000000000)

_Thread_local char os_thread_anchor;

uint32_t os_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        return (uint32_t)CPU_COUNT(&set);
    /* More processors than a cpu_set_t holds: the machine's count is the nearest there is. */
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (uint32_t)n : 1;
}

int64_t os_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

const char *os_env(const char *name)
{
    return getenv(name);
}

void os_yield(void)
{
    sched_yield();
}

static pthread_key_t exit_key;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;

static void call_exit_fn(void *fn)
{
    ((void (*)(void))(uintptr_t)fn)();
}

static void make_exit_key(void)
{
    pthread_key_create(&exit_key, call_exit_fn);
}

void os_at_thread_exit(void (*fn)(void))
{
    pthread_once(&exit_once, make_exit_key);
    pthread_setspecific(exit_key, (void *)(uintptr_t)fn);
}

static void *thread_main(void *arg)
{
    const struct os_thread *thread = arg;
    thread->run(thread->arg);
    return NULL;
}

int os_thread_start(
    struct os_thread *ret_thread, const char *name, void (*run)(void *arg), void *arg)
{
    sigset_t all, before;
    ret_thread->run = run;
    ret_thread->arg = arg;
    /* A thread begins with its creator's mask. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&ret_thread->system, NULL, thread_main, ret_thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return error == EAGAIN ? CPORT_ENOMEM : error_from_errno(error);
    (void)pthread_setname_np(ret_thread->system, name);
    return 0;
}

void os_thread_join(const struct os_thread *thread)
{
    pthread_join(thread->system, NULL);
}

void os_at_fork_child(void (*fn)(void))
{
    pthread_atfork(NULL, NULL, fn);
}

void os_futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t timeout_ns)
{
    struct timespec timeout = {(time_t)(timeout_ns / NS_PER_S), (long)(timeout_ns % NS_PER_S)};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout_ns < 0 ? NULL : &timeout, NULL, 0);
}

void os_futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void *os_alloc(size_t size, size_t align)
{
    void *memory;
    size_t least = align < sizeof(void *) ? sizeof(void *) : align;
    return posix_memalign(&memory, least, size) == 0 ? memory : NULL;
}

void os_free(void *memory)
{
    free(memory);
}

int os_socket_start(void)
{
    return 0;
}

int os_socket_error(void)
{
    return error_from_errno(errno);
}

int os_socket_open(int family, int type, cport_os_handle *ret_fd)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return os_socket_error();
    *ret_fd = fd;
    return 0;
}

int cport_socket_close(cport_os_handle fd)
{
    /* EINTR leaves the descriptor closed on Linux: closing again could hit somebody else's. */
    return close(fd) < 0 && errno != EINTR ? os_socket_error() : 0;
}

static int set_int(cport_os_handle fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? os_socket_error() : 0;
}

int os_socket_set_abort(cport_os_handle fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0 ? os_socket_error()
                                                                              : 0;
}

/* Its owner may close the socket, and get another of the same number, while a ring still has requests for the old one. */
int os_borrow(cport_os_handle fd, cport_os_handle *ret_own)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return os_socket_error();
    *ret_own = own;
    return 0;
}

void os_give_back(cport_os_handle fd, cport_os_handle own)
{
    if (own != fd)
        close(own);
}

int os_socket_set_reuse(cport_os_handle fd)
{
    return set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

int os_socket_set_reuse_port(cport_os_handle fd)
{
    return set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

int os_socket_set_user_timeout(cport_os_handle fd, uint32_t timeout_ms)
{
    return set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)timeout_ms);
}

int os_resolve_error(int error, uint32_t *ret_raw)
{
    *ret_raw = error == EAI_SYSTEM ? (uint32_t)errno : (uint32_t)error;
    switch (error) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return CPORT_ENOENT;
    case EAI_AGAIN: /* no name server has answered */
        return CPORT_ETIMEDOUT;
    case EAI_MEMORY:
        return CPORT_ENOMEM;
    case EAI_FAMILY:
        return CPORT_ENOTSUP;
    case EAI_SYSTEM:
        return error_from_errno((int)*ret_raw);
    default:
        return CPORT_EIO;
    }
}
