/* Processes and descriptors on POSIX systems. */
#include "cts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

unsigned cts_descriptors_open(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    CHECK(dir != NULL);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        if (entry->d_name[0] != '.')
            count++;
    closedir(dir);
    return count - 1; /* without the directory itself */
}

/* The line of a thread's file that begins with `name`. */
static bool thread_line(const char *thread, const char *file, const char *name, char ret_line[128])
{
    char path[300];
    snprintf(path, sizeof path, "/proc/self/task/%s/%s", thread, file);
    FILE *in = fopen(path, "r");
    bool found = false;
    while (in != NULL && !found && fgets(ret_line, 128, in) != NULL)
        found = strncmp(ret_line, name, strlen(name)) == 0;
    if (in != NULL)
        fclose(in);
    return found;
}

unsigned cts_threads_named(const char *name, uint64_t *ret_blocked)
{
    static const char blocked[] = "SigBlk:";
    unsigned count = 0;
    char line[128];
    DIR *dir = opendir("/proc/self/task");
    CHECK(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (!thread_line(entry->d_name, "comm", name, line) ||
            !thread_line(entry->d_name, "status", blocked, line))
            continue;
        *ret_blocked = strtoull(line + sizeof blocked - 1, NULL, 16);
        count++;
    }
    closedir(dir);
    return count;
}

int cts_run_self(const char *program, const char *config, const char *case_name)
{
    char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "--config",
        (char *)(uintptr_t)config, (char *)(uintptr_t) "--case", (char *)(uintptr_t)case_name,
        NULL};
    pid_t child;
    int status;
    if (posix_spawn(&child, program, NULL, NULL, argv, environ) != 0)
        return -1;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void cts_in_fork(void (*fn)(void *arg), void *arg)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        fn(arg);
        cts_exit_now(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
}

/* The parent of a vfork waits for its child like a thread that waits for a disk. */
void cts_wait_uninterruptibly(cport_os_handle s)
{
    char byte;
    /* NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork): what makes it dangerous is what is wanted */
    pid_t child = vfork();
    if (child == 0) /* NOLINTNEXTLINE(clang-analyzer-unix.Vfork): read is only a system call */
        _exit(read(s, &byte, 1) == 1 ? 0 : 1);
    CHECK(child > 0);
    CHECK_EQ(waitpid(child, NULL, 0), child);
}

void cts_setenv(const char *name, const char *value)
{
    if (value == NULL)
        unsetenv(name);
    else
        setenv(name, value, 1);
}

void cts_exit_now(int code)
{
    fflush(NULL);
    _exit(code);
}

const char *cts_os_emulation(void)
{
    return "";
}

void cts_os_start(void)
{
    /* The library promises never to raise SIGPIPE: the default action stays, so that a broken promise shows. Our own
     * sends pass MSG_NOSIGNAL. */
    signal(SIGPIPE, SIG_DFL);
}
