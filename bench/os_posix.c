#include "os.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINE_TIMEOUT_MS 60000
#define END_TIMEOUT_MS  30000

const char sys_program_suffix[] = "";

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t sys_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t sys_self_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

int sys_pin_self(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        fprintf(stderr, "cannot run on core %d: %s\n", core, strerror(errno));
        return -1;
    }
    return 0;
}

static bool read_line_of(const char *path, const char *prefix, char *ret_line, size_t size)
{
    char line[1024];
    bool found = false;
    FILE *in = fopen(path, "re");
    if (in == NULL)
        return false;
    while (!found && fgets(line, sizeof line, in) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, prefix, strlen(prefix)) != 0)
            continue;
        const char *value = line + strlen(prefix);
        value += strspn(value, " \t:=\"");
        snprintf(ret_line, size, "%s", value);
        ret_line[strcspn(ret_line, "\"")] = '\0';
        found = true;
    }
    fclose(in);
    return found;
}

/* "meltdown: Not affected; mds: Mitigation ..." as the kernel words it, in the order of the names. */
static void read_mitigations(char *ret_text, size_t size)
{
    static const char folder[] = "/sys/devices/system/cpu/vulnerabilities";
    struct dirent **names;
    size_t used = 0;
    int count = scandir(folder, &names, NULL, alphasort);

    ret_text[0] = '\0';
    for (int i = 0; i < count; i++) {
        char path[512], line[256];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && used < size &&
            read_line_of(path, "", line, sizeof line)) {
            int n = snprintf(ret_text + used, size - used, "%s%s: %s", used > 0 ? "; " : "",
                names[i]->d_name, line);
            used += (size_t)n;
        }
        free(names[i]);
    }
    if (count >= 0)
        free(names);
}

void sys_facts_read(struct sys_facts *ret_facts)
{
    struct utsname u;
    cpu_set_t allowed;
    char flags[4096];

    memset(ret_facts, 0, sizeof *ret_facts);
    uname(&u);
    if (!read_line_of("/etc/os-release", "PRETTY_NAME", ret_facts->os, sizeof ret_facts->os))
        snprintf(ret_facts->os, sizeof ret_facts->os, "%s", u.sysname);
    snprintf(ret_facts->kernel, sizeof ret_facts->kernel, "%s %s", u.sysname, u.release);
    snprintf(ret_facts->machine, sizeof ret_facts->machine, "%s", u.machine);
    read_line_of("/proc/cpuinfo", "model name", ret_facts->cpu, sizeof ret_facts->cpu);
    if (read_line_of("/proc/cpuinfo", "flags", flags, sizeof flags))
        ret_facts->is_virtual = strstr(flags, " hypervisor") != NULL;
    read_mitigations(ret_facts->mitigations, sizeof ret_facts->mitigations);
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
        ret_facts->cpus = (unsigned)CPU_COUNT(&allowed);
}

int sys_path_beside(const char *relative, char *ret_path, size_t size)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) {
        fprintf(stderr, "cannot tell where this program is: %s\n", strerror(errno));
        return -1;
    }
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    if (snprintf(ret_path, size, "%s/%s", self, relative) >= (int)size) {
        fprintf(stderr, "path too long: %s/%s\n", self, relative);
        return -1;
    }
    return 0;
}

bool sys_can_run(const char *path)
{
    return access(path, X_OK) == 0;
}

int sys_temporary_file(char *ret_path, size_t size)
{
    const char *folder = getenv("TMPDIR");
    snprintf(ret_path, size, "%s/cport-bench-XXXXXX", folder != NULL ? folder : "/tmp");
    int fd = mkstemp(ret_path);
    if (fd < 0) {
        fprintf(stderr, "%s: %s\n", ret_path, strerror(errno));
        return -1;
    }
    close(fd);
    return 0;
}

/* Between fork and exec: nothing but system calls. */
static void run_child(const char *const argv[], int core, int output, pid_t parent)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (core >= 0)
        CPU_SET((size_t)core, &set);
    /* The affinity of the client must not be inherited, so "any" is every core there is. */
    for (int i = 0; core < 0 && i < CPU_SETSIZE; i++)
        CPU_SET((size_t)i, &set);
    sched_setaffinity(0, sizeof set, &set);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126); /* the parent died before the line above could take effect */
    dup2(output, STDOUT_FILENO);
    execvp(argv[0], (char *const *)argv);
    fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

int sys_process_start(const char *const argv[], int core, struct sys_process *ret_process)
{
    int ends[2];
    pid_t parent = getpid();

    if (pipe2(ends, O_CLOEXEC) != 0) {
        fprintf(stderr, "pipe: %s\n", strerror(errno));
        return -1;
    }
    pid_t child = fork();
    if (child == 0)
        run_child(argv, core, ends[1], parent);
    close(ends[1]);
    if (child < 0) {
        fprintf(stderr, "fork: %s\n", strerror(errno));
        close(ends[0]);
        return -1;
    }
    *ret_process = (struct sys_process){.id = child, .output = ends[0]};
    return 0;
}

int sys_process_read_line(struct sys_process *p, char *ret_line, size_t size)
{
    size_t used = 0;
    /* Byte by byte, so that nothing after the line is taken: it is one line at the start of a server's life. */
    while (used < size - 1) {
        struct pollfd readable = {.fd = (int)p->output, .events = POLLIN};
        if (poll(&readable, 1, LINE_TIMEOUT_MS) <= 0) {
            fprintf(stderr, "the child has said nothing for %d s\n", LINE_TIMEOUT_MS / 1000);
            return -1;
        }
        if (read((int)p->output, ret_line + used, 1) != 1) {
            fprintf(stderr, "the child ended early\n");
            return -1;
        }
        if (ret_line[used] == '\n')
            break;
        used++;
    }
    ret_line[used] = '\0';
    return 0;
}

bool sys_tells_process_cpu(void)
{
    return true;
}

int sys_process_cpu_ns(const struct sys_process *p, int64_t *ret_ns)
{
    clockid_t clock;
    int error = clock_getcpuclockid((pid_t)p->id, &clock);
    if (error != 0) {
        fprintf(stderr, "CPU clock of the server: %s\n", strerror(error));
        return -1;
    }
    *ret_ns = clock_ns(clock);
    return 0;
}

int sys_process_memory(const struct sys_process *p, int64_t *ret_bytes)
{
    char path[64], text[64];
    snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)p->id);
    if (!read_line_of(path, "Anonymous:", text, sizeof text)) {
        fprintf(stderr, "memory of the server: %s\n", strerror(errno));
        return -1;
    }
    *ret_bytes = strtoll(text, NULL, 10) * 1024;
    return 0;
}

void sys_files_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int process_reap(struct sys_process *p)
{
    int status = -1;
    while (waitpid((pid_t)p->id, &status, 0) < 0 && errno == EINTR)
        ;
    close((int)p->output);
    return status;
}

int sys_process_wait(struct sys_process *p)
{
    /* The child holds the other end of the pipe for as long as it lives. */
    struct pollfd hangup = {.fd = (int)p->output};
    if (poll(&hangup, 1, END_TIMEOUT_MS) == 0) {
        fprintf(stderr, "the server has not ended in %d s: killed\n", END_TIMEOUT_MS / 1000);
        sys_process_kill(p);
        return -1;
    }
    int status = process_reap(p);
    if (WIFSIGNALED(status))
        fprintf(stderr, "the server was ended by signal %d\n", WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        fprintf(stderr, "the server ended with status %d\n", WEXITSTATUS(status));
    return status == 0 ? 0 : -1;
}

int sys_process_stop(struct sys_process *p)
{
    kill((pid_t)p->id, SIGINT); /* nats-server calls an end by SIGTERM a fault */
    return sys_process_wait(p);
}

void sys_process_kill(struct sys_process *p)
{
    kill((pid_t)p->id, SIGKILL);
    process_reap(p);
}

/* The line after "cpuN": user nice system idle iowait irq softirq steal; user holds the guests' time already. */
static int64_t busy_ticks_of(const char *numbers)
{
    enum { IDLE = 3, IOWAIT = 4, STEAL = 7 };
    uint64_t ticks = 0;
    char *end;
    for (int field = 0; field <= STEAL; field++, numbers = end) {
        uint64_t value = strtoull(numbers, &end, 10);
        if (field != IDLE && field != IOWAIT)
            ticks += value;
    }
    return (int64_t)ticks;
}

int sys_cores_busy_ns(int core_a, int core_b, int64_t *ret_ns)
{
    char line[512];
    int64_t ticks = 0;
    FILE *in = fopen("/proc/stat", "re");

    if (in == NULL) {
        fprintf(stderr, "/proc/stat: %s\n", strerror(errno));
        return -1;
    }
    while (fgets(line, sizeof line, in) != NULL) {
        char *numbers;
        if (strncmp(line, "cpu", 3) != 0 || !isdigit((unsigned char)line[3]))
            continue; /* "cpu" without a number is the sum of all */
        long core = strtol(line + 3, &numbers, 10);
        if (core == core_a || core == core_b)
            ticks += busy_ticks_of(numbers);
    }
    fclose(in);
    *ret_ns = ticks * (1000000000 / sysconf(_SC_CLK_TCK));
    return 0;
}
