/*
 * os_thread.h: threads, and a place for them to meet. One file per system: os_posix.c, os_windows.c.
 *
 * Ownership. The caller's memory: a thread's until it has been joined, a meeting's until nobody uses it.
 * Threading. As each says.
 */
#ifndef CPORT_WORKERS_OS_THREAD_H
#define CPORT_WORKERS_OS_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#ifdef _WIN32
#include <windows.h>
typedef HANDLE os_thread;
typedef SRWLOCK os_mutex;
typedef CONDITION_VARIABLE os_condition;
#else
#include <pthread.h>
typedef pthread_t os_thread;
typedef pthread_mutex_t os_mutex;
typedef pthread_cond_t os_condition;
#endif

/* Longest name that a system shows, with its end. */
#define THREAD_NAME_BYTES 16u

struct thread {
    os_thread id;
    void (*run)(void *arg);
    void *arg;
};

bool thread_start(struct thread *thread, void (*run)(void *arg), void *arg);
void thread_join(struct thread *thread);
void thread_name_set(const char *name); /* of the calling thread, where the system can */

/* A lock and a condition: state changes inside, and whoever waits for it looks again. */
struct meeting {
    os_mutex lock;
    os_condition changed;
};

bool meeting_init(struct meeting *m);
void meeting_destroy(struct meeting *m);
void meeting_enter(struct meeting *m);
void meeting_leave(struct meeting *m);
void meeting_notify(struct meeting *m); /* inside; all who wait */
/* Inside: until a notify, or timeout_ns have passed (< 0: for ever), or earlier. */
void meeting_wait(struct meeting *m, int64_t timeout_ns);

#endif
