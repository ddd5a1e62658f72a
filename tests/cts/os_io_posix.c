/* Socket options, and the table of descriptors, on POSIX systems. */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

void io_sock_timeouts(cport_os_handle s, int ms)
{
    struct timeval t = {ms / 1000, ms % 1000 * 1000};
    CHECK_EQ(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t), 0);
    CHECK_EQ(setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t), 0);
}

bool io_sock_nodelay(cport_os_handle s)
{
    int on = 0;
    socklen_t len = sizeof on;
    CHECK_EQ(getsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    return on != 0;
}

#define TABLE_SIZE 256

static int held[TABLE_SIZE];
static unsigned held_count;
static struct rlimit limit_before;

void io_table_limit(void)
{
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit_before), 0);
    struct rlimit low = {TABLE_SIZE, limit_before.rlim_max};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
}

void io_table_fill(void)
{
    for (;;) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            break;
        CHECK(held_count < TABLE_SIZE);
        held[held_count++] = fd;
    }
    CHECK_EQ(errno, EMFILE);
    CHECK(held_count > 0);
}

void io_table_free(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        CHECK(held_count > 0);
        CHECK_EQ(close(held[--held_count]), 0);
    }
}

void io_table_empty(void)
{
    io_table_free(held_count);
}

void io_table_restore(void)
{
    CHECK_EQ(held_count, 0);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit_before), 0);
}

/* ---- Signals ---- */

#define STORM_SIGNAL SIGUSR1
#define STORM_NS     100000

static atomic_uint storm_count;
static timer_t storm_timer;
static struct sigaction storm_before;

static void on_storm(int number)
{
    (void)number;
    atomic_fetch_add(&storm_count, 1);
}

/* Without SA_RESTART: calls that wait return EINTR. Of this thread alone: the peers are no part of the test. */
void io_storm_begin(void)
{
    struct sigaction action = {.sa_handler = on_storm};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = STORM_SIGNAL};
    const struct itimerspec period = {{0, STORM_NS}, {0, STORM_NS}};
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    CHECK_EQ(sigaction(STORM_SIGNAL, &action, &storm_before), 0);
    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &storm_timer), 0);
    CHECK_EQ(timer_settime(storm_timer, 0, &period, NULL), 0);
}

unsigned io_storm_end(void)
{
    CHECK_EQ(timer_delete(storm_timer), 0);
    CHECK_EQ(sigaction(STORM_SIGNAL, &storm_before, NULL), 0);
    return atomic_load(&storm_count);
}
