/* Threads, locks and time on POSIX systems. */
#include "cts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct cts_thread {
    pthread_t thread;
    cts_thread_main *run;
    void *arg;
    atomic_int tid; /* 0 until it runs */
};

int64_t cts_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void cts_yield(void)
{
    struct timespec pause = {0, 200000};
    nanosleep(&pause, NULL);
}

void cts_spin(void)
{
    sched_yield();
}

void cts_lock(cts_mutex *m)
{
    pthread_mutex_lock(&m->opaque);
}

void cts_unlock(cts_mutex *m)
{
    pthread_mutex_unlock(&m->opaque);
}

void cts_cond_wait(cts_cond *c, cts_mutex *m, int64_t timeout_ns)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t end = (int64_t)t.tv_nsec + timeout_ns;
    t.tv_sec += (time_t)(end / 1000000000);
    t.tv_nsec = (long)(end % 1000000000);
    pthread_cond_timedwait(&c->opaque, &m->opaque, &t);
}

void cts_cond_signal(cts_cond *c)
{
    pthread_cond_broadcast(&c->opaque);
}

static void *thread_main(void *arg)
{
    cts_thread *t = arg;
    atomic_store(&t->tid, (int)syscall(SYS_gettid));
    t->run(t->arg);
    return NULL;
}

cts_thread *cts_thread_start(cts_thread_main *run, void *arg, size_t stack_bytes)
{
    cts_thread *t = calloc(1, sizeof *t);
    pthread_attr_t attr;
    CHECK(t != NULL);
    t->run = run;
    t->arg = arg;
    pthread_attr_init(&attr);
    if (stack_bytes > 0)
        pthread_attr_setstacksize(&attr, stack_bytes);
    cts_thread_count(1);
    CHECK_EQ(pthread_create(&t->thread, &attr, thread_main, t), 0);
    pthread_attr_destroy(&attr);
    return t;
}

void cts_thread_join_raw(cts_thread *t)
{
    pthread_join(t->thread, NULL);
    cts_thread_count(-1);
    free(t);
}

bool cts_thread_sleeps(cts_thread *t)
{
    char path[64], text[512];
    int tid = atomic_load(&t->tid);
    if (tid == 0)
        return false;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    const char *state = strrchr(text, ')'); /* the name before it may hold anything */
    return state != NULL && state[1] == ' ' && state[2] == 'S';
}

unsigned cts_threads_alive(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/task");
    CHECK(dir != NULL);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

void cts_bind_thread(void)
{
    cpu_set_t set, one;
    int cpu = 0;
    CHECK_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    while (!CPU_ISSET((size_t)cpu, &set))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
}

unsigned cts_processors_allowed(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    return (unsigned)CPU_COUNT(&set);
}
