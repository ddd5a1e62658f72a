/* A port whose engine breaks down: a filter takes the calls from its thread that it waits with. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "pool_under_test.h"

struct broken {
    atomic_uint handled, failed;
    int error;
    cport_op op[2];
};

static bool waiting_forbid(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_wait, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(*code), code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void handle(cport_worker *me, const cport_event *events, unsigned count)
{
    struct broken *b = me->ctx;
    (void)events;
    if (me->index == 1 && !waiting_forbid())
        abort();
    atomic_fetch_add(&b->handled, count);
}

static void note_failure(cport_worker *me, int error)
{
    struct broken *b = me->ctx;
    if (me->index != 1)
        return;
    b->error = error;
    atomic_fetch_add(&b->failed, 1);
}

static void w13_a_port_that_fails_is_told(void **state)
{
    (void)state;
    struct broken b = {0};
    cport_workers *w;
    cport_workers_options opt = {
        .size = sizeof(opt), .handle = handle, .fail = note_failure, .ports = 2, .ctx = &b};
    assert_int_equal(cport_workers_open(&opt, &w), 0);
    assert_int_equal(cport_post(cport_workers_port(w, 1), &b.op[1], 0, 0), 0);
    until(&b.failed, 1);
    assert_true(b.error < 0);
    /* The other goes on. */
    assert_int_equal(cport_post(cport_workers_port(w, 0), &b.op[0], 0, 0), 0);
    until(&b.handled, 2);
    assert_int_equal(cport_workers_stop(w, INT64_MAX), b.error);
    assert_int_equal(atomic_load(&b.failed), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(w13_a_port_that_fails_is_told),
    };
    (void)now_ns();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
