/* Processes and handles on Windows. */
#include "cts.h"

#include <process.h>
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

/* Wine says that every process has 0 handles. They are small multiples of 4, the lowest free one is the next to be given
 * away, and so all are found before a long row of numbers that are none. */
static unsigned count_handles(void)
{
    unsigned count = 0;
    DWORD flags;
    for (uintptr_t value = 4, last = 0; value < last + 2048; value += 4) {
        if (GetHandleInformation((HANDLE)value, &flags)) {
            count++;
            last = value;
        }
    }
    return count;
}

unsigned cts_descriptors_open(void)
{
    DWORD count = 0;
    CHECK(GetProcessHandleCount(GetCurrentProcess(), &count));
    return count > 0 ? count : count_handles();
}

unsigned cts_threads_named(const char *name, uint64_t *ret_blocked)
{
    (void)name;
    *ret_blocked = 0;
    return 0;
}

int cts_run_self(const char *program, const char *config, const char *case_name)
{
    return (int)_spawnl(
        _P_WAIT, program, "cts", "--config", config, "--case", case_name, (char *)NULL);
}

void cts_in_fork(void (*fn)(void *arg), void *arg)
{
    (void)fn;
    (void)arg;
    cts_fail(__FILE__, __LINE__, "there are no forks here");
}

void cts_wait_uninterruptibly(cport_os_handle s)
{
    char byte;
    cts_sock_recv_all(s, &byte, 1);
}

void cts_setenv(const char *name, const char *value)
{
    SetEnvironmentVariableA(name, value);
    _putenv_s(name, value != NULL ? value : "");
}

void cts_exit_now(int code)
{
    fflush(NULL);
    _exit(code);
}

const char *cts_os_emulation(void)
{
    static char name[32];
    typedef const char *(__cdecl * version_fn)(void);
    HMODULE ntdll = GetModuleHandleA("ntdll.dll");
    version_fn version = (version_fn)(void (*)(void))GetProcAddress(ntdll, "wine_get_version");
    if (version != NULL)
        snprintf(name, sizeof name, "wine-%d", atoi(version()));
    return name;
}

static void CALLBACK do_nothing(void *context, BOOLEAN timed_out)
{
    (void)context;
    (void)timed_out;
}

/* The thread of the system's pool that waits for what RegisterWaitForSingleObject is given has an event of its own, from the first
 * wait on, and under Wine until there has been none for five seconds: neither a case's leak nor a handle closed twice. So one
 * waits as long as the process lives. */
static void start_pool(void)
{
    HANDLE never = CreateEventW(NULL, TRUE, FALSE, NULL), waiter;
    CHECK(never != NULL);
    CHECK(RegisterWaitForSingleObject(
        &waiter, never, do_nothing, NULL, INFINITE, WT_EXECUTEONLYONCE));
}

void cts_os_start(void)
{
    WSADATA data;
    CHECK_EQ(WSAStartup(MAKEWORD(2, 2), &data), 0);
    OutputDebugStringA(
        "cts\n"); /* as CMocka does: what that opens the first time is no case's leak */
    start_pool();
    SetErrorMode(
        SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX); /* a crash must not wait for a click */
}
