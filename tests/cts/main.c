/*
 * cts --list [--config NAME]             the cases, or those that apply to a configuration
 * cts --config NAME --case NAME          runs one case in this process; one that is expected to fail, in its own
 * cts --config NAME                      runs each case that applies in a process of its own
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cts.h"
#include "expected.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct case_entry {
    const char *name;
    uint32_t words;
    void (*run)(void);
} case_entry;

static const case_entry cases[] = {
#define CTS_CASE(name, words) {#name, words, name},
#include "cases.def"
#undef CTS_CASE
};

static atomic_int threads_running;
static atomic_bool case_over;
static cts_mutex over_lock = CTS_MUTEX_INIT;
static cts_cond over_cond = CTS_COND_INIT;
static _Thread_local bool on_main_thread;

void cts_thread_count(int change)
{
    atomic_fetch_add(&threads_running, change);
}

_Noreturn void cts_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    checker_dump();
    if (cts_log_last()[0] != '\0')
        fprintf(stderr, "  last log line: %s\n", cts_log_last());
    fflush(NULL);
    if (on_main_thread && atomic_load(&threads_running) == 0)
        _fail(file, line);
    cts_exit_now(1);
}

void cts_check_eq(int64_t actual, int64_t expected, const char *actual_text,
    const char *expected_text, const char *file, int line)
{
    if (actual == expected)
        return;
    const char *name =
        actual <= CPORT_EINVAL && actual >= CPORT_ENOSPC ? cport_error_name((int)actual) : "";
    cts_fail(file, line, "%s is %" PRId64 " %s, not %s (%" PRId64 ")", actual_text, actual, name,
        expected_text, expected);
}

static void watch_case(void *arg)
{
    (void)arg;
    /* A hang ends here with its reason rather than in the test driver without one. */
    int64_t end = cts_now_ns() + 5 * CTS_PATIENCE_NS;
    cts_lock(&over_lock);
    while (!atomic_load(&case_over) && cts_now_ns() < end)
        cts_cond_wait(&over_cond, &over_lock, end - cts_now_ns());
    cts_unlock(&over_lock);
    if (!atomic_load(&case_over))
        cts_fail(__FILE__, __LINE__, "the case hangs");
}

static void run_entry(void **state)
{
    const case_entry *entry = *state;
    entry->run();
    cts_case_end();
}

static int run_case(const char *config, const case_entry *entry)
{
    /* Before the case begins: its handle, where a thread has one, is not the case's. */
    cts_thread *watchdog = cts_thread_start(watch_case, NULL, 0);
    cts_thread_count(-1); /* it does not hinder an ordinary failure */
    cts_case_begin(config, entry->name);
    struct CMUnitTest test = {entry->name, run_entry, NULL, NULL, (void *)(uintptr_t)entry};
    int failed = _cmocka_run_group_tests(config, &test, 1, NULL, NULL);
    if (failed != 0)
        cts_exit_now(1); /* what the case has left is beyond cleaning up */
    cts_lock(&over_lock);
    atomic_store(&case_over, true);
    cts_cond_signal(&over_cond);
    cts_unlock(&over_lock);
    cts_thread_count(1);
    cts_thread_join_raw(watchdog);
    return 0;
}

static bool applies(const case_entry *entry, const cts_config *config)
{
    return (config->words & entry->words) == entry->words;
}

static int run_all(const char *program, const cts_config *config)
{
    unsigned run = 0, failed = 0;
    for (size_t i = 0; i < CTS_COUNT_OF(cases); i++) {
        if (!applies(&cases[i], config))
            continue;
        int code = cts_run_self(program, config->name, cases[i].name);
        printf("%s %s/%s\n", code == 0 ? "ok    " : "FAILED", config->name, cases[i].name);
        fflush(stdout);
        run++;
        failed += code != 0;
    }
    printf("%u cases, %u failed\n", run, failed);
    return failed == 0 && run > 0 ? 0 : 1;
}

static int list(const cts_config *config)
{
    for (size_t i = 0; i < CTS_COUNT_OF(cases); i++)
        if (config == NULL || applies(&cases[i], config))
            printf("%s\n", cases[i].name);
    return 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: cts --list [--config NAME] | --config NAME [--case NAME]\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *config_name = NULL, *case_name = NULL;
    bool listing = false;
    on_main_thread = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0)
            listing = true;
        else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            config_name = argv[++i];
        else if (strcmp(argv[i], "--case") == 0 && i + 1 < argc)
            case_name = argv[++i];
        else
            return usage();
    }
    const cts_config *config = config_name != NULL ? cts_config_find(config_name) : NULL;
    if (config_name != NULL && config == NULL) {
        fprintf(stderr, "cts: no configuration %s\n", config_name);
        return 2;
    }
    if (listing)
        return list(config);
    if (config == NULL)
        return usage();
    cts_os_start();
    if (case_name == NULL)
        return run_all(argv[0], config);
    const char *reason = cts_expected_reason(config_name, case_name);
    if (reason != NULL)
        return cts_expected_run(argv[0], config_name, case_name, reason);
    if (cts_expected_plain())
        cts_patience_lose();
    for (size_t i = 0; i < CTS_COUNT_OF(cases); i++)
        if (strcmp(cases[i].name, case_name) == 0 && applies(&cases[i], config))
            return run_case(config_name, &cases[i]);
    fprintf(stderr, "cts: no case %s that applies to %s\n", case_name, config_name);
    return 2;
}
