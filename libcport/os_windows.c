/*
 * os_windows.c: os.h for Windows.
 */
#include <malloc.h>
#include <process.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "error.h"
#include "os.h"

#include <windows.h>

#define NS_PER_S   INT64_C(1000000000)
#define NS_PER_MS  INT64_C(1000000)
#define MS_LONGEST INT64_C(0x7FFFFFFF)

os_thread_id os_thread_self(void)
{
    return GetCurrentThreadId();
}

uint32_t os_processors(void)
{
    DWORD_PTR mine, all;
    uint32_t count = 0;
    if (GetProcessAffinityMask(GetCurrentProcess(), &mine, &all))
        for (; mine; mine &= mine - 1)
            count++;
    /* A process that spans processor groups has no mask. */
    return count ? count : (uint32_t)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
}

int64_t os_now_ns(void)
{
    LARGE_INTEGER count, per_second;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&per_second);
    int64_t seconds = count.QuadPart / per_second.QuadPart;
    int64_t rest = count.QuadPart % per_second.QuadPart;
    return seconds * NS_PER_S + rest * NS_PER_S / per_second.QuadPart;
}

const char *os_env(const char *name)
{
    return getenv(name);
}

void os_yield(void)
{
    SwitchToThread();
}

static INIT_ONCE exit_once = INIT_ONCE_STATIC_INIT;
static DWORD exit_slot = FLS_OUT_OF_INDEXES;

static void WINAPI call_exit_fn(void *fn)
{
    ((void (*)(void))(uintptr_t)fn)();
}

static BOOL CALLBACK make_exit_slot(INIT_ONCE *once, void *unused, void **context)
{
    (void)once;
    (void)unused;
    (void)context;
    exit_slot = FlsAlloc(call_exit_fn);
    return TRUE;
}

void os_at_thread_exit(void (*fn)(void))
{
    InitOnceExecuteOnce(&exit_once, make_exit_slot, NULL, NULL);
    if (exit_slot != FLS_OUT_OF_INDEXES)
        FlsSetValue(exit_slot, (void *)(uintptr_t)fn);
}

static unsigned __stdcall thread_main(void *arg)
{
    const struct os_thread *thread = arg;
    thread->run(thread->arg);
    return 0;
}

int os_thread_start(
    struct os_thread *ret_thread, const char *name, void (*run)(void *arg), void *arg)
{
    (void)name; /* only Windows 10 has names for threads, and only debuggers show them */
    ret_thread->run = run;
    ret_thread->arg = arg;
    ret_thread->system = (HANDLE)_beginthreadex(NULL, 0, thread_main, ret_thread, 0, NULL);
    return ret_thread->system ? 0 : CPORT_ENOMEM;
}

void os_thread_join(const struct os_thread *thread)
{
    WaitForSingleObject(thread->system, INFINITE);
    CloseHandle(thread->system);
}

void os_at_fork_child(void (*fn)(void))
{
    (void)fn; /* a process here is never the copy of another */
}

static DWORD timeout_ms(int64_t timeout_ns)
{
    if (timeout_ns < 0)
        return INFINITE;
    int64_t ms = timeout_ns / NS_PER_MS + (timeout_ns % NS_PER_MS != 0);
    return (DWORD)(ms < MS_LONGEST ? ms : MS_LONGEST);
}

typedef BOOL(WINAPI *wait_on_address_fn)(volatile void *, void *, SIZE_T, DWORD);
typedef void(WINAPI *wake_by_address_fn)(void *);

static INIT_ONCE park_once = INIT_ONCE_STATIC_INIT;
static wait_on_address_fn wait_on_address;
static wake_by_address_fn wake_by_address;

/* Where the system cannot wait on an address (before Windows 8), all words that hash alike share one of these. */
#define PLACES 64u
static struct place {
    SRWLOCK lock; /* zero: free, as is the condition */
    CONDITION_VARIABLE woken;
} places[PLACES];

static struct place *place_of(const _Atomic uint32_t *word)
{
    return &places[((uintptr_t)word >> 4) % PLACES];
}

static BOOL CALLBACK find_park(INIT_ONCE *once, void *unused, void **context)
{
    (void)once;
    (void)unused;
    (void)context;
    HMODULE module = GetModuleHandleW(L"kernelbase.dll");
    if (module) {
        wait_on_address =
            (wait_on_address_fn)(void (*)(void))GetProcAddress(module, "WaitOnAddress");
        wake_by_address =
            (wake_by_address_fn)(void (*)(void))GetProcAddress(module, "WakeByAddressSingle");
    }
    return TRUE;
}

static bool has_park(void)
{
    InitOnceExecuteOnce(&park_once, find_park, NULL, NULL);
    return wait_on_address && wake_by_address;
}

void os_futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t timeout_ns)
{
    if (has_park()) {
        wait_on_address((volatile void *)word, &value, sizeof(value), timeout_ms(timeout_ns));
        return;
    }
    struct place *place = place_of(word);
    AcquireSRWLockExclusive(&place->lock);
    if (atomic_load_explicit(word, memory_order_relaxed) == value)
        SleepConditionVariableSRW(&place->woken, &place->lock, timeout_ms(timeout_ns), 0);
    ReleaseSRWLockExclusive(&place->lock);
}

void os_futex_wake(_Atomic uint32_t *word)
{
    if (has_park()) {
        wake_by_address((void *)word);
        return;
    }
    struct place *place = place_of(word);
    /* Whoever has looked at the word and is about to sleep holds the lock until it does. */
    AcquireSRWLockExclusive(&place->lock);
    ReleaseSRWLockExclusive(&place->lock);
    WakeAllConditionVariable(&place->woken);
}

void *os_alloc(size_t size, size_t align)
{
    return _aligned_malloc(size, align);
}

void os_free(void *memory)
{
    _aligned_free(memory);
}

static INIT_ONCE winsock_once = INIT_ONCE_STATIC_INIT;

static BOOL CALLBACK start_winsock(INIT_ONCE *once, void *ret_error, void **context)
{
    (void)once;
    (void)context;
    WSADATA data;
    int error = WSAStartup(MAKEWORD(2, 2), &data);
    *(int *)ret_error = error_from_win32((uint32_t)error);
    return error == 0;
}

int os_socket_start(void)
{
    int error = 0;
    InitOnceExecuteOnce(&winsock_once, start_winsock, &error, NULL);
    return error;
}

int os_socket_error(void)
{
    return error_from_win32((uint32_t)WSAGetLastError());
}

int os_socket_open(int family, int type, cport_os_handle *ret_fd)
{
    SOCKET s =
        WSASocketW(family, type, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (s == INVALID_SOCKET)
        return os_socket_error();
    *ret_fd = s;
    return 0;
}

int cport_socket_close(cport_os_handle fd)
{
    return closesocket((SOCKET)fd) != 0 ? os_socket_error() : 0;
}

int os_socket_set_abort(cport_os_handle fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    int r = setsockopt((SOCKET)fd, SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof(linger));
    return r != 0 ? os_socket_error() : 0;
}

/* The engine asks about it through a socket of its own: backends/iocp/loan.c. */
int os_borrow(cport_os_handle fd, cport_os_handle *ret_own)
{
    *ret_own = fd;
    return 0;
}

void os_give_back(cport_os_handle fd, cport_os_handle own)
{
    (void)fd;
    (void)own;
}

int os_socket_set_reuse(cport_os_handle fd)
{
    /* SO_REUSEADDR would let a second listener steal the address; rebinding at once needs nothing here. */
    const int on = 1;
    int r = setsockopt((SOCKET)fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on, sizeof(on));
    return r != 0 ? os_socket_error() : 0;
}

int os_socket_set_reuse_port(cport_os_handle fd)
{
    (void)fd;
    return CPORT_ENOTSUP; /* Windows shares addresses, but balances nothing */
}

int os_socket_set_user_timeout(cport_os_handle fd, uint32_t ms)
{
    (void)fd;
    (void)ms;
    return CPORT_ENOTSUP;
}

int os_resolve_error(int error, uint32_t *ret_raw)
{
    *ret_raw = (uint32_t)error;
    return error_from_win32((uint32_t)error);
}
