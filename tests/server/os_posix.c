#include "peer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    pid_t pid;
    FILE *output;
    FILE *errors;
};

/* In the child. It ends with us, however we end: a test that is cut off leaves no server behind. */
static _Noreturn void child_exec(
    const char *const *argv, int output_fd, int errors_fd, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && dup2(output_fd, STDOUT_FILENO) >= 0 &&
        dup2(errors_fd, STDERR_FILENO) >= 0)
        execv(argv[0], (char **)(uintptr_t)argv);
    _exit(127);
}

/* All but the three standard streams close on exec, so that a child holds nothing of ours. */
struct child *child_start(const char *const *argv)
{
    int ends[2];
    struct child *child = calloc(1, sizeof(*child));
    if (!child || pipe2(ends, O_CLOEXEC) != 0)
        goto free_child;
    child->output = fdopen(ends[0], "r");
    child->errors = tmpfile();
    if (!child->output || !child->errors)
        goto close_pipe;

    pid_t parent = getpid();
    child->pid = fork();
    if (child->pid == 0)
        child_exec(argv, ends[1], fileno(child->errors), parent);
    if (child->pid < 0)
        goto close_pipe;
    close(ends[1]);
    return child;

close_pipe:
    close(ends[1]);
    if (child->output)
        fclose(child->output);
    if (child->errors)
        fclose(child->errors);
free_child:
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

void child_stop(struct child *child)
{
    kill(child->pid, SIGTERM);
}

bool child_reload(struct child *child)
{
    return kill(child->pid, SIGHUP) == 0;
}

bool child_reopen(struct child *child)
{
    return kill(child->pid, SIGUSR1) == 0;
}

void child_kill(struct child *child)
{
    kill(child->pid, SIGKILL);
}

long child_id(const struct child *child)
{
    return (long)child->pid;
}

unsigned child_threads(const struct child *child)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof(path), "/proc/%ld/task", (long)child->pid);
    DIR *list = opendir(path);
    for (const struct dirent *entry; list && (entry = readdir(list));)
        count += entry->d_name[0] != '.';
    if (list)
        closedir(list);
    return count;
}

int child_wait(struct child *child, char *errors, size_t size)
{
    int status;
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (fseek(child->errors, -(long)(size - 1), SEEK_END) != 0)
        rewind(child->errors);
    size_t len = fread(errors, 1, size - 1, child->errors);
    errors[len] = '\0';
    fclose(child->output);
    fclose(child->errors);
    free(child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void peer_start(void)
{
    signal(SIGPIPE, SIG_IGN);
}

static void net_prepare(int fd)
{
    int on = 1;
    struct timeval patience = {.tv_sec = NET_PATIENCE_SECONDS};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

cport_os_handle net_connect(uint16_t tcp_port)
{
    return net_connect_from(0, 0, tcp_port);
}

uint16_t net_own_port(cport_os_handle fd)
{
    struct sockaddr_in address = {0};
    socklen_t len = sizeof(address);
    getsockname(fd, (struct sockaddr *)&address, &len);
    return ntohs(address.sin_port);
}

cport_os_handle net_connect_from(uint8_t host, uint16_t own_port, uint16_t tcp_port)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return CPORT_OS_HANDLE_INVALID;
    net_prepare(fd);
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons(tcp_port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in own = {.sin_family = AF_INET,
        .sin_port = htons(own_port),
        .sin_addr.s_addr = htonl(host ? (INADDR_LOOPBACK & ~0xFFu) + host : INADDR_LOOPBACK)};
    bool bound = (host == 0 && own_port == 0) ||
                 (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
                     bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0);
    if (!bound || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return CPORT_OS_HANDLE_INVALID;
    }
    return fd;
}

cport_os_handle net_listen(uint16_t *ret_tcp_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    if (fd < 0)
        return CPORT_OS_HANDLE_INVALID;
    net_prepare(fd); /* accept has the same patience */
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        close(fd);
        return CPORT_OS_HANDLE_INVALID;
    }
    *ret_tcp_port = ntohs(address.sin_port);
    return fd;
}

cport_os_handle net_accept(cport_os_handle listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return CPORT_OS_HANDLE_INVALID;
    net_prepare(fd);
    return fd;
}

int64_t net_send(cport_os_handle fd, const void *data, size_t len)
{
    ssize_t sent;
    do
        sent = send(fd, data, len, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent;
}

int64_t net_recv(cport_os_handle fd, void *data, size_t len)
{
    ssize_t received;
    do
        received = recv(fd, data, len, 0);
    while (received < 0 && errno == EINTR);
    return received;
}

int64_t net_send_now(cport_os_handle fd, const void *data, size_t len)
{
    ssize_t sent = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : sent;
}

bool net_wait_room(cport_os_handle fd)
{
    struct pollfd one = {.fd = fd, .events = POLLOUT};
    return poll(&one, 1, 50) > 0;
}

void net_small_buffers(cport_os_handle fd)
{
    int bytes = 128 << 10;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

void net_shutdown_send(cport_os_handle fd)
{
    shutdown(fd, SHUT_WR);
}

void net_reset(cport_os_handle fd)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    close(fd);
}

void net_close(cport_os_handle fd)
{
    close(fd);
}
