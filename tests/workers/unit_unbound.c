/* A system that refuses to bind threads, as some containers do: a filter makes this process one of those. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "pool_under_test.h"

static void handle_nothing(cport_worker *me, const cport_event *events, unsigned count)
{
    (void)me;
    (void)events;
    (void)count;
}

static void count_refusals(void *ctx, const char *line)
{
    if (strstr(line, " is not bound: the system refuses: Operation not permitted"))
        atomic_fetch_add((atomic_uint *)ctx, 1);
}

static void w05_where_binding_is_refused_threads_run_unbound(void **state)
{
    (void)state;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_setaffinity, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(*code), code};
    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);

    atomic_uint refusals = 0;
    cport_workers *w;
    cport_workers_info info = {.size = sizeof(info)};
    cport_workers_options opt = {.size = sizeof(opt),
        .handle = handle_nothing,
        .threads_per_port = 2,
        .ports = 3,
        .log = count_refusals,
        .log_ctx = &refusals};
    assert_int_equal(cport_workers_open(&opt, &w), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(cport_workers_get_info(w, i, &info), 0);
        assert_int_equal(info.threads, 2);
        assert_int_equal(info.bound, 0);
        assert_string_equal(info.reason, "the system refuses: Operation not permitted");
    }
    assert_int_equal(atomic_load(&refusals), 6);
    assert_int_equal(cport_workers_stop(w, INT64_MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(w05_where_binding_is_refused_threads_run_unbound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
