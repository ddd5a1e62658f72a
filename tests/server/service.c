/*
 * As a service manager does it: opens the listening socket, starts the server with it as descriptor 3, and waits to be told that it
 * is ready, and that it stops. Usage: NAME SERVER.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void require(int holds, const char *what)
{
    if (holds)
        return;
    perror(what);
    exit(1);
}

static int listener(struct sockaddr_in *ret_address)
{
    socklen_t len = sizeof(*ret_address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *ret_address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    require(fd >= 0 && bind(fd, (struct sockaddr *)ret_address, len) == 0 && listen(fd, 64) == 0 &&
                getsockname(fd, (struct sockaddr *)ret_address, &len) == 0,
        "listen");
    return fd;
}

/* A name in the abstract space, which no file system has: the system chooses it. */
static int notified(char name[64])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(address);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 60};
    require(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address.sun_family)) == 0 &&
                getsockname(fd, (struct sockaddr *)&address, &len) == 0 &&
                setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0,
        "notify socket");
    snprintf(name, 64, "@%.*s", (int)(len - sizeof(address.sun_family) - 1), address.sun_path + 1);
    return fd;
}

static void expect(int fd, const char *state)
{
    char text[256] = "";
    require(recv(fd, text, sizeof(text) - 1, 0) > 0, "a word from the server");
    if (strcmp(text, state) != 0) {
        fprintf(stderr, "%s instead of %s\n", text, state);
        exit(1);
    }
}

static _Noreturn void serve(const char *server, int listen_fd, const char *count)
{
    char pid[24];
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", count, 1);
    /* The option would fail: what the manager brings goes first. */
    if (dup2(listen_fd, 3) == 3)
        execl(server, server, "--listen", "203.0.113.1:1", "--workers", "2", (char *)NULL);
    _exit(127);
}

/* What cannot be served is not left to wait: the server says so and ends. */
static void refuses(const char *server, int fd, const char *count)
{
    char text[512];
    int output[2], status;
    require(pipe(output) == 0, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(output[1], STDERR_FILENO);
        close(output[0]);
        serve(server, fd, count);
    }
    require(pid > 0, "fork");
    close(output[1]);
    FILE *errors = fdopen(output[0], "r");
    int told = 0;
    while (errors && fgets(text, sizeof(text), errors))
        told |= strstr(text, "cannot serve on the service manager's socket: ") != NULL;
    require(errors && fclose(errors) == 0 && told, "a refusal");
    require(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 1,
        "the end of a server that was refused its socket");
}

/* Threads bear the numbers of their ports. */
static int has_thread(pid_t pid, const char *name)
{
    char path[300], text[32];
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    require(tasks != NULL, path);
    int found = 0;
    for (const struct dirent *task; !found && (task = readdir(tasks));) {
        snprintf(path, sizeof(path), "/proc/%d/task/%.200s/comm", (int)pid, task->d_name);
        FILE *comm = fopen(path, "r");
        if (!comm)
            continue;
        found = fgets(text, sizeof(text), comm) && strcmp(text, name) == 0;
        (void)fclose(comm);
    }
    (void)closedir(tasks);
    return found;
}

int main(int argc, char **argv)
{
    static const unsigned char ping[] = {0x10, 8, 0, 0, 0, 4, 0, 0, 0, 9, 0, 0, 0};
    unsigned char pong[12];
    char name[64];
    struct sockaddr_in address;
    int status;
    require(argc == 2, "usage: service SERVER");
    int listen_fd = listener(&address), notify_fd = notified(name);
    setenv("NOTIFY_SOCKET", name, 1);
    pid_t pid = fork();
    if (pid == 0)
        serve(argv[1], listen_fd, "1");
    require(pid > 0, "fork");
    refuses(argv[1], listen_fd, "2");
    refuses(argv[1], notify_fd, "1");
    close(listen_fd);

    expect(notify_fd, "READY=1");
    require(has_thread(pid, "server/0.0\n") && has_thread(pid, "server/1.0\n"), "workers' threads");
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    require(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
    require(send(fd, ping, sizeof(ping), MSG_NOSIGNAL) == sizeof(ping), "ping");
    require(recv(fd, pong, sizeof(pong), MSG_WAITALL) == sizeof(pong) && pong[4] == 5, "pong");
    kill(pid, SIGHUP);
    expect(notify_fd, "RELOADING=1");
    expect(notify_fd, "READY=1");
    kill(pid, SIGTERM);
    expect(notify_fd, "STOPPING=1");
    close(fd);
    require(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0,
        "the server's end");
    return 0;
}
