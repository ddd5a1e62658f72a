/*
 * os_posix.c: os_thread.h for Linux.
 */
#include <time.h>

#include "machine.h"
#include "os_thread.h"

#define NS_PER_S INT64_C(1000000000)

static void *thread_main(void *record)
{
    struct thread *thread = record;
    thread->run(thread->arg);
    return NULL;
}

bool thread_start(struct thread *thread, void (*run)(void *arg), void *arg)
{
    thread->run = run;
    thread->arg = arg;
    return pthread_create(&thread->id, NULL, thread_main, thread) == 0;
}

void thread_join(struct thread *thread)
{
    pthread_join(thread->id, NULL);
}

void thread_name_set(const char *name)
{
    (void)pthread_setname_np(pthread_self(), name);
}

bool meeting_init(struct meeting *m)
{
    pthread_condattr_t attr;
    if (pthread_mutex_init(&m->lock, NULL) != 0)
        return false;
    if (pthread_condattr_init(&attr) != 0)
        goto fail_lock;
    bool ok = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(&m->changed, &attr) == 0;
    pthread_condattr_destroy(&attr);
    if (ok)
        return true;

fail_lock:
    pthread_mutex_destroy(&m->lock);
    return false;
}

void meeting_destroy(struct meeting *m)
{
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
}

void meeting_enter(struct meeting *m)
{
    pthread_mutex_lock(&m->lock);
}

void meeting_leave(struct meeting *m)
{
    pthread_mutex_unlock(&m->lock);
}

void meeting_notify(struct meeting *m)
{
    pthread_cond_broadcast(&m->changed);
}

void meeting_wait(struct meeting *m, int64_t timeout_ns)
{
    if (timeout_ns < 0) {
        pthread_cond_wait(&m->changed, &m->lock);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_ns / NS_PER_S);
    until.tv_nsec += (long)(timeout_ns % NS_PER_S);
    if (until.tv_nsec >= NS_PER_S) {
        until.tv_nsec -= NS_PER_S;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&m->changed, &m->lock, &until);
}

void machine_find_fences(struct machine *m)
{
    (void)m; /* an affinity mask holds any set */
}
