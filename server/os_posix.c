#include "os.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

unsigned sys_processors(unsigned *ret_numbers, unsigned max)
{
    cpu_set_t allowed;
    unsigned count = 0;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
        for (unsigned i = 0; i < CPU_SETSIZE && count < max; i++) {
            if (CPU_ISSET(i, &allowed))
                ret_numbers[count++] = i;
        }
    }
    /* A machine with more processors than a cpu_set_t has bits refuses: one worker serves there until told otherwise. */
    if (count == 0)
        ret_numbers[count++] = 0;
    return count;
}

bool sys_thread_bind(unsigned processor)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    return pthread_setaffinity_np(pthread_self(), sizeof(one), &one) == 0;
}

struct sys_thread {
    pthread_t id;
    void (*run)(void *arg);
    void *arg;
};

static void *thread_main(void *record)
{
    struct sys_thread *thread = record;
    thread->run(thread->arg);
    return NULL;
}

bool sys_thread_start(void (*run)(void *arg), void *arg, struct sys_thread **ret_thread)
{
    struct sys_thread *thread = malloc(sizeof(*thread));
    if (!thread)
        return false;
    thread->run = run;
    thread->arg = arg;
    if (pthread_create(&thread->id, NULL, thread_main, thread) != 0) {
        free(thread);
        return false;
    }
    *ret_thread = thread;
    return true;
}

void sys_thread_join(struct sys_thread *thread)
{
    pthread_join(thread->id, NULL);
    free(thread);
}

struct sys_gate {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool open;
};

struct sys_gate *sys_gate_new(void)
{
    struct sys_gate *gate = malloc(sizeof(*gate));
    if (!gate)
        return NULL;
    *gate =
        (struct sys_gate){.lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER};
    return gate;
}

void sys_gate_free(struct sys_gate *gate)
{
    if (!gate)
        return;
    pthread_cond_destroy(&gate->opened);
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}

void sys_gate_open(struct sys_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->opened);
    pthread_mutex_unlock(&gate->lock);
}

void sys_gate_wait(struct sys_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (!gate->open)
        pthread_cond_wait(&gate->opened, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

uint64_t sys_descriptors_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

bool sys_listeners_balance(void)
{
    return true;
}

static void stop_signals(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGTERM);
}

void sys_stop_prepare(void)
{
    /* Threads inherit the mask: the signals wait for whoever calls sigwait. A terminal that went away must not end the
     * server in the middle of a log line. */
    sigset_t signals;
    stop_signals(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void sys_stop_wait(void)
{
    sigset_t signals;
    int number;
    stop_signals(&signals);
    while (sigwait(&signals, &number) != 0)
        continue;
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}

void sys_stop_request(void)
{
    kill(getpid(), SIGTERM);
}

void sys_time_text(char text[SYS_TIME_TEXT_BYTES])
{
    struct timespec now;
    struct tm utc;
    char seconds[24] = "";
    clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &utc))
        strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text, SYS_TIME_TEXT_BYTES, "%s.%03dZ", seconds, (int)(now.tv_nsec / 1000000));
}
