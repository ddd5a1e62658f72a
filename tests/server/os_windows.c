#include "peer.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

struct child {
    HANDLE process;
    DWORD id;
    FILE *output;
    HANDLE errors;
};

/* Quotes as CommandLineToArgvW undoes it; no argument of ours holds a quote or ends in a backslash. */
static wchar_t *command_line(const char *const *argv)
{
    size_t len = 1;
    for (const char *const *argument = argv; *argument; argument++)
        len += strlen(*argument) + 3;
    char *line = calloc(len, 1);
    for (const char *const *argument = argv; line && *argument; argument++) {
        strcat(line, argument == argv ? "\"" : " \"");
        strcat(line, *argument);
        strcat(line, "\"");
    }
    int wide_len = line ? MultiByteToWideChar(CP_UTF8, 0, line, -1, NULL, 0) : 0;
    wchar_t *wide = calloc((size_t)wide_len + 1, sizeof(*wide));
    if (wide)
        MultiByteToWideChar(CP_UTF8, 0, line, -1, wide, wide_len);
    free(line);
    return wide;
}

static HANDLE errors_file(SECURITY_ATTRIBUTES *inherited)
{
    char folder[MAX_PATH], path[MAX_PATH];
    if (!GetTempPathA(sizeof(folder), folder) || !GetTempFileNameA(folder, "cpt", 0, path))
        return INVALID_HANDLE_VALUE;
    return CreateFileA(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
        inherited, CREATE_ALWAYS, FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, NULL);
}

/* A child ends with us, however we end: the job closes with its last handle, ours, and takes along who is in it. */
static void join_job(HANDLE process)
{
    static HANDLE job;
    if (!job) {
        JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
            .BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};
        job = CreateJobObjectW(NULL, NULL);
        SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof(limits));
    }
    AssignProcessToJobObject(job, process);
}

struct child *child_start(const char *const *argv)
{
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof(inherited), .bInheritHandle = TRUE};
    HANDLE read_end, write_end;
    struct child *child = calloc(1, sizeof(*child));
    wchar_t *line = command_line(argv);
    if (!child || !line || !CreatePipe(&read_end, &write_end, &inherited, 0))
        goto free_child;
    SetHandleInformation(read_end, HANDLE_FLAG_INHERIT, 0);
    child->errors = errors_file(&inherited);

    STARTUPINFOW startup = {.cb = sizeof(startup),
        .dwFlags = STARTF_USESTDHANDLES,
        .hStdInput = GetStdHandle(STD_INPUT_HANDLE),
        .hStdOutput = write_end,
        .hStdError = child->errors};
    PROCESS_INFORMATION process;
    BOOL started = CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process);
    CloseHandle(write_end);
    if (!started)
        goto close_pipe;
    CloseHandle(process.hThread);
    join_job(process.hProcess);
    free(line);
    child->process = process.hProcess;
    child->id = process.dwProcessId;
    child->output = _fdopen(_open_osfhandle((intptr_t)read_end, _O_RDONLY), "r");
    return child;

close_pipe:
    CloseHandle(read_end);
    CloseHandle(child->errors);
free_child:
    free(line);
    free(child);
    return NULL;
}

bool child_line(struct child *child, char *line, size_t size)
{
    if (!fgets(line, (int)size, child->output))
        return false;
    line[strcspn(line, "\r\n")] = '\0';
    return true;
}

/* Where there is no console, as in most test runs, Ctrl-Break reaches nobody: the server's named event does. */
void child_stop(struct child *child)
{
    char name[64];
    snprintf(name, sizeof(name), "cport-server-stop-%lu", child->id);
    HANDLE stop = OpenEventA(EVENT_MODIFY_STATE, FALSE, name);
    if (!stop)
        return;
    SetEvent(stop);
    CloseHandle(stop);
}

/* An exit code of its own, by which child_wait tells a kill. */
#define KILLED 0xC0FFEEu

bool child_reload(struct child *child)
{
    (void)child;
    return false;
}

bool child_reopen(struct child *child)
{
    (void)child;
    return false;
}

void child_kill(struct child *child)
{
    TerminateProcess(child->process, KILLED);
}

long child_id(const struct child *child)
{
    return (long)child->id;
}

unsigned child_threads(const struct child *child)
{
    (void)child;
    return 0;
}

int child_wait(struct child *child, char *errors, size_t size)
{
    DWORD status = KILLED, len = 0;
    WaitForSingleObject(child->process, INFINITE);
    GetExitCodeProcess(child->process, &status);
    if (SetFilePointer(child->errors, 1 - (LONG)size, NULL, FILE_END) == INVALID_SET_FILE_POINTER)
        SetFilePointer(child->errors, 0, NULL, FILE_BEGIN);
    if (!ReadFile(child->errors, errors, (DWORD)size - 1, &len, NULL))
        len = 0;
    errors[len] = '\0';
    CloseHandle(child->process);
    CloseHandle(child->errors);
    fclose(child->output);
    free(child);
    return status == KILLED ? -1 : (int)status;
}

void peer_start(void)
{
    WSADATA data;
    WSAStartup(MAKEWORD(2, 2), &data);
}

static void net_prepare(SOCKET fd)
{
    BOOL on = TRUE;
    DWORD patience = NET_PATIENCE_SECONDS * 1000;
    SetHandleInformation((HANDLE)fd, HANDLE_FLAG_INHERIT, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, (const char *)&patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, (const char *)&patience, sizeof(patience));
}

cport_os_handle net_connect(uint16_t tcp_port)
{
    return net_connect_from(0, 0, tcp_port);
}

uint16_t net_own_port(cport_os_handle fd)
{
    struct sockaddr_in address = {0};
    int len = sizeof(address);
    getsockname(fd, (struct sockaddr *)&address, &len);
    return ntohs(address.sin_port);
}

cport_os_handle net_connect_from(uint8_t host, uint16_t own_port, uint16_t tcp_port)
{
    SOCKET fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd == INVALID_SOCKET)
        return CPORT_OS_HANDLE_INVALID;
    net_prepare(fd);
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons(tcp_port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in own = {.sin_family = AF_INET,
        .sin_port = htons(own_port),
        .sin_addr.s_addr = htonl(host ? (INADDR_LOOPBACK & ~0xFFu) + host : INADDR_LOOPBACK)};
    bool bound =
        (host == 0 && own_port == 0) || bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0;
    if (!bound || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        closesocket(fd);
        return CPORT_OS_HANDLE_INVALID;
    }
    return fd;
}

cport_os_handle net_listen(uint16_t *ret_tcp_port)
{
    SOCKET fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int len = sizeof(address);
    if (fd == INVALID_SOCKET)
        return CPORT_OS_HANDLE_INVALID;
    SetHandleInformation((HANDLE)fd, HANDLE_FLAG_INHERIT, 0);
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        closesocket(fd);
        return CPORT_OS_HANDLE_INVALID;
    }
    *ret_tcp_port = ntohs(address.sin_port);
    return fd;
}

cport_os_handle net_accept(cport_os_handle listener)
{
    struct timeval patience = {.tv_sec = NET_PATIENCE_SECONDS};
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(listener, &readable);
    SOCKET fd = select(0, &readable, NULL, NULL, &patience) > 0 ? accept(listener, NULL, NULL)
                                                                : INVALID_SOCKET;
    if (fd == INVALID_SOCKET)
        return CPORT_OS_HANDLE_INVALID;
    net_prepare(fd);
    return fd;
}

static int int_of(size_t len)
{
    return len > 1 << 30 ? 1 << 30 : (int)len;
}

int64_t net_send(cport_os_handle fd, const void *data, size_t len)
{
    return send(fd, data, int_of(len), 0);
}

int64_t net_recv(cport_os_handle fd, void *data, size_t len)
{
    return recv(fd, data, int_of(len), 0);
}

static void nonblocking(cport_os_handle fd, u_long on)
{
    ioctlsocket(fd, (long)FIONBIO, &on);
}

int64_t net_send_now(cport_os_handle fd, const void *data, size_t len)
{
    nonblocking(fd, 1);
    int sent = send(fd, data, int_of(len), 0);
    int error = sent < 0 ? WSAGetLastError() : 0;
    nonblocking(fd, 0);
    return error == WSAEWOULDBLOCK ? 0 : sent;
}

bool net_wait_room(cport_os_handle fd)
{
    fd_set writable;
    FD_ZERO(&writable);
    FD_SET(fd, &writable);
    struct timeval moment = {.tv_usec = 50000};
    return select(0, NULL, &writable, NULL, &moment) > 0;
}

void net_small_buffers(cport_os_handle fd)
{
    int bytes = 128 << 10;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, (const char *)&bytes, sizeof(bytes));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, (const char *)&bytes, sizeof(bytes));
}

void net_shutdown_send(cport_os_handle fd)
{
    shutdown(fd, SD_SEND);
}

void net_reset(cport_os_handle fd)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, (const char *)&none, sizeof(none));
    closesocket(fd);
}

void net_close(cport_os_handle fd)
{
    closesocket(fd);
}
