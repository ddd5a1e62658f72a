/*
 * os_windows.c: os_thread.h for Windows.
 */
#include <process.h>
#include <string.h>

#include "machine.h"
#include "os_thread.h"

#include <hwloc/windows.h>

#define NS_PER_MS INT64_C(1000000)

static unsigned __stdcall thread_main(void *record)
{
    struct thread *thread = record;
    thread->run(thread->arg);
    return 0;
}

bool thread_start(struct thread *thread, void (*run)(void *arg), void *arg)
{
    thread->run = run;
    thread->arg = arg;
    thread->id = (HANDLE)_beginthreadex(NULL, 0, thread_main, thread, 0, NULL);
    return thread->id != NULL;
}

void thread_join(struct thread *thread)
{
    WaitForSingleObject(thread->id, INFINITE);
    CloseHandle(thread->id);
}

/* Since Windows 10 1607; looked up, for those before it. */
typedef HRESULT(WINAPI *set_description_fn)(HANDLE thread, PCWSTR text);

void thread_name_set(const char *name)
{
    WCHAR wide[THREAD_NAME_BYTES];
    HMODULE kernel = GetModuleHandleW(L"kernelbase.dll");
    if (!kernel || !MultiByteToWideChar(CP_UTF8, 0, name, -1, wide, (int)THREAD_NAME_BYTES))
        return;
    FARPROC found = GetProcAddress(kernel, "SetThreadDescription");
    set_description_fn set_description;
    memcpy(&set_description, &found, sizeof(set_description));
    if (set_description)
        (void)set_description(GetCurrentThread(), wide);
}

bool meeting_init(struct meeting *m)
{
    InitializeSRWLock(&m->lock);
    InitializeConditionVariable(&m->changed);
    return true;
}

void meeting_destroy(struct meeting *m)
{
    (void)m;
}

void meeting_enter(struct meeting *m)
{
    AcquireSRWLockExclusive(&m->lock);
}

void meeting_leave(struct meeting *m)
{
    ReleaseSRWLockExclusive(&m->lock);
}

void meeting_notify(struct meeting *m)
{
    WakeAllConditionVariable(&m->changed);
}

void meeting_wait(struct meeting *m, int64_t timeout_ns)
{
    DWORD ms = INFINITE;
    /* Rounded up: short of its deadline the caller would spin. A day at most: it looks again. */
    if (timeout_ns >= 0)
        ms = timeout_ns < 86400000 * NS_PER_MS ? (DWORD)(timeout_ns / NS_PER_MS) + 1 : 86400000;
    SleepConditionVariableSRW(&m->changed, &m->lock, ms, 0);
}

void machine_find_fences(struct machine *m)
{
    unsigned groups = 0;
    int found = hwloc_windows_get_nr_processor_groups(m->topology, 0);
    if (found > 1) /* a thread's affinity is a mask within one group */
        groups = (unsigned)found < MACHINE_FENCES_MAX ? (unsigned)found : MACHINE_FENCES_MAX;
    for (unsigned i = 0; i < groups; i++) {
        hwloc_bitmap_t set = hwloc_bitmap_alloc();
        if (!set)
            return;
        if (hwloc_windows_get_processor_group_cpuset(m->topology, i, set, 0) < 0)
            hwloc_bitmap_free(set);
        else
            m->fences[m->fence_count++] = set;
    }
}
