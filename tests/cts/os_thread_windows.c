/* Threads, locks and time on Windows. */
#include "cts.h"

#include <process.h>
#include <stdlib.h>
#include <windows.h>

#include <tlhelp32.h>

_Static_assert(sizeof(SRWLOCK) == sizeof(cts_mutex), "a cts_mutex is an SRWLOCK");
_Static_assert(
    sizeof(CONDITION_VARIABLE) == sizeof(cts_cond), "a cts_cond is a CONDITION_VARIABLE");

struct cts_thread {
    HANDLE thread;
    cts_thread_main *run;
    void *arg;
};

int64_t cts_now_ns(void)
{
    LARGE_INTEGER count, per_second;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&per_second);
    int64_t seconds = count.QuadPart / per_second.QuadPart;
    int64_t rest = count.QuadPart % per_second.QuadPart;
    return seconds * 1000000000 + rest * 1000000000 / per_second.QuadPart;
}

void cts_yield(void)
{
    Sleep(1);
}

void cts_spin(void)
{
    SwitchToThread();
}

void cts_lock(cts_mutex *m)
{
    AcquireSRWLockExclusive((SRWLOCK *)(void *)m);
}

void cts_unlock(cts_mutex *m)
{
    ReleaseSRWLockExclusive((SRWLOCK *)(void *)m);
}

void cts_cond_wait(cts_cond *c, cts_mutex *m, int64_t timeout_ns)
{
    SleepConditionVariableSRW((CONDITION_VARIABLE *)(void *)c, (SRWLOCK *)(void *)m,
        (DWORD)(timeout_ns / 1000000 + 1), 0);
}

void cts_cond_signal(cts_cond *c)
{
    WakeAllConditionVariable((CONDITION_VARIABLE *)(void *)c);
}

static unsigned __stdcall thread_main(void *arg)
{
    cts_thread *t = arg;
    t->run(t->arg);
    return 0;
}

cts_thread *cts_thread_start(cts_thread_main *run, void *arg, size_t stack_bytes)
{
    cts_thread *t = calloc(1, sizeof *t);
    CHECK(t != NULL);
    t->run = run;
    t->arg = arg;
    cts_thread_count(1);
    t->thread = (HANDLE)_beginthreadex(NULL, (unsigned)stack_bytes, thread_main, t,
        stack_bytes > 0 ? STACK_SIZE_PARAM_IS_A_RESERVATION : 0, NULL);
    CHECK(t->thread != NULL);
    return t;
}

void cts_thread_join_raw(cts_thread *t)
{
    WaitForSingleObject(t->thread, INFINITE);
    CloseHandle(t->thread);
    cts_thread_count(-1);
    free(t);
}

bool cts_thread_sleeps(cts_thread *t)
{
    /* There is no cheap look at another thread's state that Wine has too. A thread that uses no processor time
     * through several looks is taken to sleep. */
    FILETIME created, exited, kernel, user, kernel_then, user_then;
    if (!GetThreadTimes(t->thread, &created, &exited, &kernel_then, &user_then))
        return false;
    Sleep(20);
    if (!GetThreadTimes(t->thread, &created, &exited, &kernel, &user))
        return false;
    return CompareFileTime(&kernel, &kernel_then) == 0 && CompareFileTime(&user, &user_then) == 0;
}

unsigned cts_threads_alive(void)
{
    THREADENTRY32 entry = {.dwSize = sizeof entry};
    unsigned count = 0;
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    CHECK(all != INVALID_HANDLE_VALUE);
    for (BOOL more = Thread32First(all, &entry); more; more = Thread32Next(all, &entry))
        count += entry.th32OwnerProcessID == GetCurrentProcessId();
    CloseHandle(all);
    return count;
}

void cts_bind_thread(void)
{
    DWORD_PTR mine, all;
    CHECK(GetProcessAffinityMask(GetCurrentProcess(), &mine, &all));
    CHECK(SetThreadAffinityMask(GetCurrentThread(), mine & (~mine + 1)) != 0);
}

unsigned cts_processors_allowed(void)
{
    DWORD_PTR mine, all;
    unsigned count = 0;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &mine, &all))
        return 1;
    for (; mine != 0; mine &= mine - 1)
        count++;
    return count;
}
