#include "os.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

struct sys_thread {
    pthread_t id;
    void (*run)(void *arg);
    void *arg;
};

static void *thread_main(void *record)
{
    struct sys_thread *thread = record;
    thread->run(thread->arg);
    return NULL;
}

bool sys_thread_start(void (*run)(void *arg), void *arg, struct sys_thread **ret_thread)
{
    struct sys_thread *thread = malloc(sizeof(*thread));
    if (!thread)
        return false;
    thread->run = run;
    thread->arg = arg;
    if (pthread_create(&thread->id, NULL, thread_main, thread) != 0) {
        free(thread);
        return false;
    }
    *ret_thread = thread;
    return true;
}

void sys_thread_join(struct sys_thread *thread)
{
    pthread_join(thread->id, NULL);
    free(thread);
}

struct sys_gate {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool open;
};

struct sys_gate *sys_gate_new(void)
{
    struct sys_gate *gate = malloc(sizeof(*gate));
    if (!gate)
        return NULL;
    *gate =
        (struct sys_gate){.lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER};
    return gate;
}

void sys_gate_free(struct sys_gate *gate)
{
    if (!gate)
        return;
    pthread_cond_destroy(&gate->opened);
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}

void sys_gate_open(struct sys_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->opened);
    pthread_mutex_unlock(&gate->lock);
}

void sys_gate_wait(struct sys_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (!gate->open)
        pthread_cond_wait(&gate->opened, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

struct sys_lock {
    pthread_mutex_t mutex;
};

struct sys_lock *sys_lock_new(void)
{
    struct sys_lock *lock = malloc(sizeof(*lock));
    if (lock)
        *lock = (struct sys_lock){.mutex = PTHREAD_MUTEX_INITIALIZER};
    return lock;
}

void sys_lock_free(struct sys_lock *lock)
{
    if (!lock)
        return;
    pthread_mutex_destroy(&lock->mutex);
    free(lock);
}

void sys_lock_take(struct sys_lock *lock)
{
    pthread_mutex_lock(&lock->mutex);
}

void sys_lock_give(struct sys_lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}

struct sys_signal {
    pthread_cond_t cond;
};

struct sys_signal *sys_signal_new(void)
{
    struct sys_signal *signal = malloc(sizeof(*signal));
    if (signal)
        *signal = (struct sys_signal){.cond = PTHREAD_COND_INITIALIZER};
    return signal;
}

void sys_signal_free(struct sys_signal *signal)
{
    if (!signal)
        return;
    pthread_cond_destroy(&signal->cond);
    free(signal);
}

void sys_signal_wait(struct sys_signal *signal, struct sys_lock *lock)
{
    pthread_cond_wait(&signal->cond, &lock->mutex);
}

void sys_signal_one(struct sys_signal *signal)
{
    pthread_cond_signal(&signal->cond);
}

void sys_signal_all(struct sys_signal *signal)
{
    pthread_cond_broadcast(&signal->cond);
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
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

bool sys_listeners_balance(void)
{
    return true;
}

static void stop_signals(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGTERM);
}

static void request_signals(sigset_t *ret_signals)
{
    stop_signals(ret_signals);
    sigaddset(ret_signals, SIGHUP);
    sigaddset(ret_signals, SIGUSR1);
}

void sys_stop_prepare(void)
{
    /* Threads inherit the mask: the signals wait for whoever calls sigwait. A terminal that went away must not end the
     * server in the middle of a log line. */
    sigset_t signals;
    request_signals(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

enum sys_request sys_request_wait(void)
{
    sigset_t signals;
    int number;
    request_signals(&signals);
    while (sigwait(&signals, &number) != 0)
        continue;
    if (number == SIGHUP)
        return SYS_RELOAD;
    if (number == SIGUSR1)
        return SYS_REOPEN;
    stop_signals(&signals);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    return SYS_STOP;
}

void sys_notify(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = name ? strlen(name) : 0;
    if (len < 2 || len >= sizeof(address.sun_path) || (name[0] != '/' && name[0] != '@'))
        return;
    memcpy(address.sun_path, name, len);
    if (name[0] == '@')
        address.sun_path[0] = '\0'; /* an abstract name */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

#define LISTEN_FD_FIRST 3

static bool is_listener(int fd)
{
    int type = 0, listens = 0;
    socklen_t type_len = sizeof(type), listens_len = sizeof(listens);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_len) == 0 && listens;
}

const char *sys_listener_inherited(int *ret_fd)
{
    const char *pid = getenv("LISTEN_PID"), *text = getenv("LISTEN_FDS");
    *ret_fd = -1;
    if (!pid || !text || strtol(pid, NULL, 10) != getpid())
        return NULL;
    long count = strtol(text, NULL, 10);
    if (count < 1)
        return NULL;
    /* Some of the sockets would wait for a server for ever, unheard. */
    if (count > 1)
        return "it brings more than one, and this server takes one: name one in its socket unit";
    if (!is_listener(LISTEN_FD_FIRST))
        return "it is no socket that listens for streams";
    (void)fcntl(LISTEN_FD_FIRST, F_SETFD, FD_CLOEXEC);
    *ret_fd = LISTEN_FD_FIRST;
    return NULL;
}

void sys_stop_request(void)
{
    kill(getpid(), SIGTERM);
}

int64_t sys_unix_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void sys_time_text(int64_t unix_ns, char text[SYS_TIME_TEXT_BYTES])
{
    time_t seconds = (time_t)(unix_ns / 1000000000);
    struct tm utc;
    char date[24] = "";
    if (gmtime_r(&seconds, &utc))
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text, SYS_TIME_TEXT_BYTES, "%s.%03dZ", date, (int)(unix_ns / 1000000 % 1000));
}

/* ---- Files of the server's own ---- */

FILE *sys_private_file(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return NULL;
    FILE *file = fdopen(fd, "wb");
    if (!file)
        close(fd);
    return file;
}

bool sys_file_close_durable(FILE *file)
{
    bool done = fflush(file) == 0 && fsync(fileno(file)) == 0;
    return fclose(file) == 0 && done;
}

bool sys_file_replace(const char *name, const char *new_name)
{
    return rename(name, new_name) == 0;
}

static struct termios secret_shown;

/* Of what may be done here, tcsetattr is. The signal then does what it always does. */
static void secret_interrupt(int number)
{
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &secret_shown);
    raise(number);
}

/* A line of the terminal, unseen. What ends the process first shows again what is typed. */
static bool secret_type(const char *prompt, char *text, size_t size)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};
    enum { COUNT = sizeof(numbers) / sizeof(numbers[0]) };
    struct sigaction before[COUNT];
    struct sigaction interrupt = {.sa_handler = secret_interrupt, .sa_flags = (int)SA_RESETHAND};
    struct termios unseen = secret_shown;
    unseen.c_lflag &= ~(tcflag_t)ECHO;
    for (int i = 0; i < COUNT; i++) {
        sigaction(numbers[i], &interrupt, &before[i]);
        if (before[i].sa_handler == SIG_IGN)
            sigaction(numbers[i], &before[i], NULL);
    }
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen);
    fputs(prompt, stderr);
    bool read = fgets(text, (int)size, stdin) != NULL;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &secret_shown);
    fputc('\n', stderr);
    for (int i = 0; i < COUNT; i++)
        sigaction(numbers[i], &before[i], NULL);
    return read;
}

bool sys_secret_read(const char *prompt, char *text, size_t size)
{
    bool read = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &secret_shown) == 0
                    ? secret_type(prompt, text, size)
                    : fgets(text, (int)size, stdin) != NULL;
    if (!read)
        return false;
    size_t len = strcspn(text, "\r\n");
    bool whole = text[len] != '\0' || len + 1 < size;
    text[len] = '\0';
    return whole;
}
