#include "os.h"

#include <winsock2.h>
#include <ws2tcpip.h>

#include <io.h>
#include <process.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

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

struct sys_lock {
    SRWLOCK lock;
};

struct sys_lock *sys_lock_new(void)
{
    struct sys_lock *lock = malloc(sizeof(*lock));
    if (lock)
        InitializeSRWLock(&lock->lock);
    return lock;
}

void sys_lock_free(struct sys_lock *lock)
{
    free(lock);
}

void sys_lock_take(struct sys_lock *lock)
{
    AcquireSRWLockExclusive(&lock->lock);
}

void sys_lock_give(struct sys_lock *lock)
{
    ReleaseSRWLockExclusive(&lock->lock);
}

struct sys_signal {
    CONDITION_VARIABLE variable;
};

struct sys_signal *sys_signal_new(void)
{
    struct sys_signal *signal = malloc(sizeof(*signal));
    if (signal)
        InitializeConditionVariable(&signal->variable);
    return signal;
}

void sys_signal_free(struct sys_signal *signal)
{
    free(signal);
}

void sys_signal_wait(struct sys_signal *signal, struct sys_lock *lock)
{
    SleepConditionVariableSRW(&signal->variable, &lock->lock, INFINITE, 0);
}

void sys_signal_one(struct sys_signal *signal)
{
    WakeConditionVariable(&signal->variable);
}

void sys_signal_all(struct sys_signal *signal)
{
    WakeAllConditionVariable(&signal->variable);
}

unsigned sys_address_bytes(const struct sockaddr_storage *address, uint8_t ret_bytes[16])
{
    if (address->ss_family == AF_INET) {
        memcpy(ret_bytes, &((const struct sockaddr_in *)address)->sin_addr, 4);
        return 4;
    }
    if (address->ss_family != AF_INET6)
        return 0;
    memcpy(ret_bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
    return 16;
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

enum sys_request sys_request_wait(void)
{
    if (stop_gate)
        sys_gate_wait(stop_gate);
    InterlockedExchange(&stop_waited, 1);
    return SYS_STOP;
}

/* The service manager of this system speaks to services in another way. */
void sys_notify(const char *state)
{
    (void)state;
}

const char *sys_listener_inherited(int *ret_fd)
{
    *ret_fd = -1;
    return NULL;
}

void sys_stop_request(void)
{
    if (stop_gate)
        sys_gate_open(stop_gate);
}

/* The system counts 100 ns since 1601. */
#define UNIX_EPOCH_100NS INT64_C(116444736000000000)

int64_t sys_unix_ns(void)
{
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    int64_t units = (int64_t)((uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime);
    return (units - UNIX_EPOCH_100NS) * 100;
}

void sys_time_text(int64_t unix_ns, char text[SYS_TIME_TEXT_BYTES])
{
    uint64_t units = (uint64_t)(unix_ns / 100 + UNIX_EPOCH_100NS);
    FILETIME time = {.dwLowDateTime = (DWORD)units, .dwHighDateTime = (DWORD)(units >> 32)};
    SYSTEMTIME utc = {0};
    FileTimeToSystemTime(&time, &utc);
    snprintf(text, SYS_TIME_TEXT_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", utc.wYear,
        utc.wMonth, utc.wDay, utc.wHour, utc.wMinute, utc.wSecond, utc.wMilliseconds);
}

/* ---- Files of the server's own ---- */

/* Who may read it is what its folder says: that is this system's way. */
FILE *sys_private_file(const char *name)
{
    return fopen(name, "wb");
}

bool sys_file_close_durable(FILE *file)
{
    bool done = fflush(file) == 0 && _commit(_fileno(file)) == 0;
    return fclose(file) == 0 && done;
}

bool sys_file_replace(const char *name, const char *new_name)
{
    return MoveFileExA(name, new_name, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) != 0;
}

bool sys_secret_read(const char *prompt, char *text, size_t size)
{
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    DWORD shown;
    bool terminal = GetConsoleMode(input, &shown) != 0;
    if (terminal) {
        SetConsoleMode(input, shown & ~(DWORD)ENABLE_ECHO_INPUT);
        fputs(prompt, stderr);
    }
    bool read = fgets(text, (int)size, stdin) != NULL;
    if (terminal) {
        SetConsoleMode(input, shown);
        fputc('\n', stderr);
    }
    if (!read)
        return false;
    size_t len = strcspn(text, "\r\n");
    bool whole = text[len] != '\0' || len + 1 < size;
    text[len] = '\0';
    return whole;
}
