#include "os.h"

#include <process.h>
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

unsigned sys_processors(unsigned *ret_numbers, unsigned max)
{
    DWORD_PTR process_mask = 0, system_mask = 0;
    unsigned count = 0;
    if (GetProcessAffinityMask(GetCurrentProcess(), &process_mask, &system_mask)) {
        for (unsigned i = 0; i < 8 * sizeof(process_mask) && count < max; i++) {
            if (process_mask & ((DWORD_PTR)1 << i))
                ret_numbers[count++] = i;
        }
    }
    if (count == 0)
        ret_numbers[count++] = 0;
    return count;
}

bool sys_thread_bind(unsigned processor)
{
    return SetThreadAffinityMask(GetCurrentThread(), (DWORD_PTR)1 << processor) != 0;
}

struct sys_thread {
    HANDLE handle;
    void (*run)(void *arg);
    void *arg;
};

static unsigned __stdcall thread_main(void *record)
{
    struct sys_thread *thread = record;
    thread->run(thread->arg);
    return 0;
}

bool sys_thread_start(void (*run)(void *arg), void *arg, struct sys_thread **ret_thread)
{
    struct sys_thread *thread = malloc(sizeof(*thread));
    if (!thread)
        return false;
    thread->run = run;
    thread->arg = arg;
    thread->handle = (HANDLE)_beginthreadex(NULL, 0, thread_main, thread, 0, NULL);
    if (!thread->handle) {
        free(thread);
        return false;
    }
    *ret_thread = thread;
    return true;
}

void sys_thread_join(struct sys_thread *thread)
{
    WaitForSingleObject(thread->handle, INFINITE);
    CloseHandle(thread->handle);
    free(thread);
}

/* A gate is a manual-reset event, and the pointer is the handle. */
struct sys_gate *sys_gate_new(void)
{
    return (struct sys_gate *)CreateEventW(NULL, TRUE, FALSE, NULL);
}

void sys_gate_free(struct sys_gate *gate)
{
    if (gate)
        CloseHandle((HANDLE)gate);
}

void sys_gate_open(struct sys_gate *gate)
{
    SetEvent((HANDLE)gate);
}

void sys_gate_wait(struct sys_gate *gate)
{
    WaitForSingleObject((HANDLE)gate, INFINITE);
}

uint64_t sys_descriptors_max(void)
{
    return UINT64_MAX; /* memory is the only limit that the system knows */
}

bool sys_listeners_balance(void)
{
    return false;
}

static struct sys_gate *stop_gate;
static volatile LONG stop_waited;

/* Runs on a thread of the system's. Returning FALSE leaves the event to the default, which ends the process: what a
 * second request is for. */
static BOOL WINAPI console_event(DWORD event)
{
    if (InterlockedCompareExchange(&stop_waited, 0, 0))
        return FALSE;
    sys_gate_open(stop_gate);
    /* When the console closes, or the user logs off, the process ends as soon as this returns: leave it the seconds that
     * the system grants, to drain. */
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT)
        Sleep(INFINITE);
    return TRUE;
}

void sys_stop_prepare(void)
{
    /* A gate with a name: a process that has no console to press Ctrl-C at is stopped by setting this event. */
    char name[64];
    snprintf(name, sizeof(name), "cport-server-stop-%lu", GetCurrentProcessId());
    stop_gate = (struct sys_gate *)CreateEventA(NULL, TRUE, FALSE, name);
    if (stop_gate)
        SetConsoleCtrlHandler(console_event, TRUE);
}

void sys_stop_wait(void)
{
    if (stop_gate)
        sys_gate_wait(stop_gate);
    InterlockedExchange(&stop_waited, 1);
}

void sys_stop_request(void)
{
    if (stop_gate)
        sys_gate_open(stop_gate);
}

void sys_time_text(char text[SYS_TIME_TEXT_BYTES])
{
    SYSTEMTIME now;
    GetSystemTime(&now);
    snprintf(text, SYS_TIME_TEXT_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", now.wYear,
        now.wMonth, now.wDay, now.wHour, now.wMinute, now.wSecond, now.wMilliseconds);
}
