#include "os.h"

#include <intrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <psapi.h>

#include <winternl.h>

#define LINE_TIMEOUT_MS 60000
#define END_TIMEOUT_MS  30000
#define COMMAND_BYTES   32768 /* the system's most */
#define CORES_MAX       64    /* of one processor group, which is all that a mask can name */
#define KILLED_STATUS   9

const char sys_program_suffix[] = ".exe";

static int fail(const char *what)
{
    fprintf(stderr, "%s: system error %lu\n", what, GetLastError());
    return -1;
}

int64_t sys_now_ns(void)
{
    LARGE_INTEGER count, per_second;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&per_second);
    int64_t seconds = count.QuadPart / per_second.QuadPart;
    int64_t rest = count.QuadPart % per_second.QuadPart;
    return seconds * 1000000000 + rest * 1000000000 / per_second.QuadPart;
}

static int64_t filetime_ns(const FILETIME *t)
{
    return (int64_t)((uint64_t)t->dwHighDateTime << 32 | t->dwLowDateTime) * 100;
}

static bool process_cpu_ns(HANDLE process, int64_t *ret_ns)
{
    FILETIME created, ended, kernel, user;
    if (!GetProcessTimes(process, &created, &ended, &kernel, &user))
        return false;
    *ret_ns = filetime_ns(&kernel) + filetime_ns(&user);
    return true;
}

int64_t sys_self_cpu_ns(void)
{
    int64_t ns = 0;
    process_cpu_ns(GetCurrentProcess(), &ns);
    return ns;
}

int sys_pin_self(int core)
{
    if (core >= CORES_MAX || !SetProcessAffinityMask(GetCurrentProcess(), (DWORD_PTR)1 << core)) {
        fprintf(stderr, "cannot run on core %d\n", core);
        return -1;
    }
    return 0;
}

/* ntdll's functions have no import library with every compiler, and Wine's own are only there under Wine. */
static FARPROC ntdll_function(const char *name)
{
    return GetProcAddress(GetModuleHandleA("ntdll.dll"), name);
}

static void read_registry(const char *key, const char *name, char *ret_text, size_t size)
{
    DWORD bytes = (DWORD)size;
    if (RegGetValueA(HKEY_LOCAL_MACHINE, key, name, RRF_RT_REG_SZ, NULL, ret_text, &bytes) != 0)
        ret_text[0] = '\0';
}

static void read_version(char *ret_text, size_t size)
{
    typedef LONG(WINAPI * get_version_fn)(OSVERSIONINFOW *);
    get_version_fn get_version = (get_version_fn)(void (*)(void))ntdll_function("RtlGetVersion");
    OSVERSIONINFOW v = {.dwOSVersionInfoSize = sizeof v};
    if (get_version != NULL && get_version(&v) == 0)
        snprintf(ret_text, size, "Windows NT %lu.%lu.%lu", v.dwMajorVersion, v.dwMinorVersion,
            v.dwBuildNumber);
}

static void read_emulation(struct sys_facts *ret_facts)
{
    typedef const char *(__cdecl * version_fn)(void);
    typedef void(__cdecl * host_fn)(const char **system, const char **release);
    version_fn version = (version_fn)(void (*)(void))ntdll_function("wine_get_version");
    host_fn host = (host_fn)(void (*)(void))ntdll_function("wine_get_host_version");
    const char *system, *release;
    if (version != NULL)
        snprintf(ret_facts->emulation, sizeof ret_facts->emulation, "Wine %s", version());
    if (host == NULL)
        return;
    host(&system, &release);
    snprintf(ret_facts->host, sizeof ret_facts->host, "%s %s", system, release);
}

static const char *machine_name(void)
{
    SYSTEM_INFO info;
    GetNativeSystemInfo(&info);
    switch (info.wProcessorArchitecture) {
    case PROCESSOR_ARCHITECTURE_AMD64:
        return "x86_64";
    case PROCESSOR_ARCHITECTURE_INTEL:
        return "i686";
    case PROCESSOR_ARCHITECTURE_ARM64:
        return "aarch64";
    default:
        return "unknown";
    }
}

static bool has_hypervisor(void)
{
#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64) || defined(_M_IX86)
    int registers[4];
    __cpuid(registers, 1);
    return ((unsigned)registers[2] >> 31) != 0;
#else
    return false;
#endif
}

void sys_facts_read(struct sys_facts *ret_facts)
{
    DWORD_PTR mine = 0, all = 0;
    memset(ret_facts, 0, sizeof *ret_facts);
    read_registry("SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion", "ProductName", ret_facts->os,
        sizeof ret_facts->os);
    read_version(ret_facts->kernel, sizeof ret_facts->kernel);
    read_emulation(ret_facts);
    snprintf(ret_facts->machine, sizeof ret_facts->machine, "%s", machine_name());
    read_registry("HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0", "ProcessorNameString",
        ret_facts->cpu, sizeof ret_facts->cpu);
    ret_facts->is_virtual = has_hypervisor();
    GetProcessAffinityMask(GetCurrentProcess(), &mine, &all);
    for (; mine != 0; mine &= mine - 1)
        ret_facts->cpus++;
}

int sys_path_beside(const char *relative, char *ret_path, size_t size)
{
    char self[4096];
    DWORD n = GetModuleFileNameA(NULL, self, sizeof self);
    if (n == 0 || n == sizeof self)
        return fail("cannot tell where this program is");
    *strrchr(self, '\\') = '\0';
    if (snprintf(ret_path, size, "%s/%s", self, relative) >= (int)size) {
        fprintf(stderr, "path too long: %s/%s\n", self, relative);
        return -1;
    }
    return 0;
}

bool sys_can_run(const char *path)
{
    DWORD attributes = GetFileAttributesA(path);
    return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0;
}

int sys_temporary_file(char *ret_path, size_t size)
{
    char folder[MAX_PATH], path[MAX_PATH];
    if (GetTempPathA(sizeof folder, folder) == 0 || GetTempFileNameA(folder, "cpb", 0, path) == 0)
        return fail("temporary file");
    snprintf(ret_path, size, "%s", path);
    return 0;
}

/* Appends an argument so that the child's C library finds it again as it was. */
static size_t append_quoted(char *command, size_t used, const char *argument)
{
    size_t backslashes = 0;
    /* Each character may take two. */
    if (used + 2 * strlen(argument) + 4 > COMMAND_BYTES)
        return COMMAND_BYTES;
    if (used > 0)
        command[used++] = ' ';
    command[used++] = '"';
    for (; *argument != '\0'; argument++) {
        /* Backslashes count only before a quotation mark; there each is doubled, and one more escapes the mark. */
        for (size_t i = 0; *argument == '"' && i < backslashes + 1; i++)
            command[used++] = '\\';
        backslashes = *argument == '\\' ? backslashes + 1 : 0;
        command[used++] = *argument;
    }
    for (; backslashes > 0; backslashes--)
        command[used++] = '\\';
    command[used++] = '"';
    command[used] = '\0';
    return used;
}

static int command_line(const char *const argv[], char *ret_command)
{
    size_t used = 0;
    for (; *argv != NULL && used < COMMAND_BYTES; argv++)
        used = append_quoted(ret_command, used, *argv);
    if (used < COMMAND_BYTES)
        return 0;
    fprintf(stderr, "the command line is too long\n");
    return -1;
}

/* The system ends all that is in the job when its last handle goes, which is when this process ends, however it does. */
static HANDLE job_of_children(void)
{
    static HANDLE job;
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
        .BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};
    if (job == NULL) {
        job = CreateJobObjectA(NULL, NULL);
        if (job != NULL)
            SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
    }
    return job;
}

/* An unnamed pipe knows no reading with a timeout. ret_write is inherited by children, ret_read is not. */
static int pipe_open(HANDLE *ret_read, HANDLE *ret_write)
{
    static unsigned serial;
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    char name[64];

    snprintf(name, sizeof name, "\\\\.\\pipe\\cport-bench-%lu-%u", GetCurrentProcessId(), serial++);
    HANDLE read = CreateNamedPipeA(name,
        PIPE_ACCESS_INBOUND | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
        PIPE_TYPE_BYTE | PIPE_REJECT_REMOTE_CLIENTS, 1, 0, 4096, 0, NULL);
    if (read == INVALID_HANDLE_VALUE)
        return fail("pipe");
    HANDLE write = CreateFileA(name, GENERIC_WRITE, 0, &inherited, OPEN_EXISTING, 0, NULL);
    if (write == INVALID_HANDLE_VALUE) {
        fail("pipe");
        CloseHandle(read);
        return -1;
    }
    *ret_read = read;
    *ret_write = write;
    return 0;
}

/* Suspended, so that it does not run outside its job or on another core. */
static int process_create(char *command, int core, HANDLE output, HANDLE *ret_process)
{
    STARTUPINFOA start = {.cb = sizeof start,
        .dwFlags = STARTF_USESTDHANDLES,
        .hStdInput = INVALID_HANDLE_VALUE,
        .hStdOutput = output,
        .hStdError = GetStdHandle(STD_ERROR_HANDLE)};
    PROCESS_INFORMATION child;
    DWORD_PTR mask, all;

    if (!CreateProcessA(
            NULL, command, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &start, &child)) {
        fprintf(stderr, "%s: system error %lu\n", command, GetLastError());
        return -1;
    }
    /* The affinity of the client must not be inherited, so "any" is every core there is. */
    GetProcessAffinityMask(child.hProcess, &mask, &all);
    SetProcessAffinityMask(
        child.hProcess, core < 0 || core >= CORES_MAX ? all : (DWORD_PTR)1 << core);
    AssignProcessToJobObject(job_of_children(), child.hProcess);
    ResumeThread(child.hThread);
    CloseHandle(child.hThread);
    *ret_process = child.hProcess;
    return 0;
}

int sys_process_start(const char *const argv[], int core, struct sys_process *ret_process)
{
    static char command[COMMAND_BYTES]; /* CreateProcess may write to it */
    HANDLE read, write, process;

    if (command_line(argv, command) != 0 || pipe_open(&read, &write) != 0)
        return -1;
    int status = process_create(command, core, write, &process);
    CloseHandle(write);
    if (status != 0) {
        CloseHandle(read);
        return -1;
    }
    *ret_process = (struct sys_process){.id = (intptr_t)process, .output = (intptr_t)read};
    return 0;
}

/* Reads one byte; says why it could not. */
static int pipe_read(HANDLE pipe, HANDLE event, char *ret_byte)
{
    OVERLAPPED o = {.hEvent = event};
    DWORD got = 0;
    if (!ReadFile(pipe, ret_byte, 1, NULL, &o) && GetLastError() == ERROR_IO_PENDING &&
        WaitForSingleObject(event, LINE_TIMEOUT_MS) != WAIT_OBJECT_0) {
        CancelIo(pipe);
        GetOverlappedResult(pipe, &o, &got, TRUE); /* the byte and o are the system's until then */
        fprintf(stderr, "the child has said nothing for %d s\n", LINE_TIMEOUT_MS / 1000);
        return -1;
    }
    if (!GetOverlappedResult(pipe, &o, &got, TRUE) || got != 1) {
        fprintf(stderr, "the child ended early\n");
        return -1;
    }
    return 0;
}

int sys_process_read_line(struct sys_process *p, char *ret_line, size_t size)
{
    size_t used = 0;
    int status = 0;
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);

    if (event == NULL)
        return fail("event");
    while (used < size - 1 && status == 0) {
        status = pipe_read((HANDLE)p->output, event, ret_line + used);
        if (status != 0 || ret_line[used] == '\n')
            break;
        if (ret_line[used] != '\r')
            used++;
    }
    ret_line[used] = '\0';
    CloseHandle(event);
    return status;
}

int sys_process_memory(const struct sys_process *p, int64_t *ret_bytes)
{
    PROCESS_MEMORY_COUNTERS_EX counters = {.cb = sizeof counters};
    if (!K32GetProcessMemoryInfo(
            (HANDLE)p->id, (PROCESS_MEMORY_COUNTERS *)&counters, sizeof counters))
        return fail("memory of the server");
    *ret_bytes = (int64_t)counters.PrivateUsage;
    return 0;
}

void sys_files_raise(void)
{
    /* Windows has no such limit. */
}

bool sys_tells_process_cpu(void)
{
    /* Wine 8 answers with the caller's own times, whichever process is asked for. */
    return ntdll_function("wine_get_version") == NULL;
}

int sys_process_cpu_ns(const struct sys_process *p, int64_t *ret_ns)
{
    return process_cpu_ns((HANDLE)p->id, ret_ns) ? 0 : fail("CPU time of the server");
}

static void process_forget(struct sys_process *p)
{
    CloseHandle((HANDLE)p->output);
    CloseHandle((HANDLE)p->id);
}

int sys_process_wait(struct sys_process *p)
{
    DWORD status = 1;
    if (WaitForSingleObject((HANDLE)p->id, END_TIMEOUT_MS) != WAIT_OBJECT_0) {
        fprintf(stderr, "the server has not ended in %d s: killed\n", END_TIMEOUT_MS / 1000);
        sys_process_kill(p);
        return -1;
    }
    GetExitCodeProcess((HANDLE)p->id, &status);
    process_forget(p);
    if (status != 0)
        fprintf(stderr, "the server ended with status 0x%lx\n", status);
    return status == 0 ? 0 : -1;
}

void sys_process_kill(struct sys_process *p)
{
    TerminateProcess((HANDLE)p->id, KILLED_STATUS);
    WaitForSingleObject((HANDLE)p->id, END_TIMEOUT_MS);
    process_forget(p);
}

int sys_process_stop(struct sys_process *p)
{
    sys_process_kill(p);
    return 0;
}

int sys_cores_busy_ns(int core_a, int core_b, int64_t *ret_ns)
{
    typedef LONG(WINAPI * query_fn)(int what, void *data, ULONG bytes, ULONG *ret_bytes);
    query_fn query = (query_fn)(void (*)(void))ntdll_function("NtQuerySystemInformation");
    SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION cores[CORES_MAX];
    ULONG bytes = 0;
    int64_t busy = 0;

    if (query == NULL ||
        query(SystemProcessorPerformanceInformation, cores, sizeof cores, &bytes) != 0) {
        fprintf(stderr, "the processors' times cannot be read\n");
        return -1;
    }
    int count = (int)(bytes / sizeof *cores);
    for (int i = 0; i < count; i++) {
        if (i == core_a || i == core_b) /* the kernel's time holds the idle time */
            busy += cores[i].KernelTime.QuadPart + cores[i].UserTime.QuadPart -
                    cores[i].IdleTime.QuadPart;
    }
    *ret_ns = busy * 100;
    return 0;
}
