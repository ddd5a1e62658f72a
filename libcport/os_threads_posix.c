/*
 * os_threads_posix.c: os_threads.h for Linux.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "os_threads.h"

#define NS_PER_S INT64_C(1000000000)

int os_thread_set_idle(const struct os_thread *thread)
{
    struct sched_param none = {.sched_priority = 0};
    return pthread_setschedparam(thread->system, SCHED_IDLE, &none) ? CPORT_ENOTSUP : 0;
}

void os_thread_unbind(const struct os_thread *thread)
{
    cpu_set_t set;
    if (sched_getaffinity(getpid(), sizeof(set), &set) == 0)
        pthread_setaffinity_np(thread->system, sizeof(set), &set);
}

uint32_t os_thread_number(void)
{
    return (uint32_t)syscall(SYS_gettid);
}

int os_thread_only_cpu(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) != 1)
        return -1;
    int cpu = 0;
    while (!CPU_ISSET((size_t)cpu, &set))
        cpu++;
    return cpu;
}

bool os_thread_cpu_ns(uint32_t number, int64_t *ret_ns)
{
    /* The kernel's name for a thread's clock, as pthread_getcpuclockid makes it: that one needs a thread that lives. */
    const uint32_t per_thread_sched = 6;
    struct timespec used;
    if (clock_gettime((clockid_t)(~number << 3 | per_thread_sched), &used) < 0)
        return false;
    *ret_ns = (int64_t)used.tv_sec * NS_PER_S + used.tv_nsec;
    return true;
}

/* The letter that the kernel has for a thread's state, or 0. */
static char state_of(uint32_t number)
{
    char text[256];
    snprintf(text, sizeof(text), "/proc/self/task/%u/stat", number);
    int fd = open(text, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    const char *after_name = strrchr(text, ')'); /* the name may hold anything */
    if (!after_name || after_name[1] != ' ')
        return 0;
    return after_name[2];
}

bool os_thread_sleeps(uint32_t number)
{
    char state = state_of(number);
    return state == 'S' || state == 'D';
}

bool os_threads_can_be_watched(void)
{
    return state_of(os_thread_number()) == 'R';
}
