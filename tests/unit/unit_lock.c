/*
 * The lock: exclusion under contention, and threads that wait for it in the kernel.
 */
#include "lock.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS = 4, ROUNDS = 100000 };

struct account {
    struct lock lock;
    unsigned long total; /* under lock: not atomic, so that a race shows */
    unsigned yield_each; /* give the processor away while holding it, after so many rounds */
};

static void a_zeroed_lock_is_free(void **state)
{
    (void)state;
    struct lock zeroed, initialised;
    memset(&zeroed, 0, sizeof zeroed);
    lock_init(&initialised);
    assert_memory_equal(&zeroed, &initialised, sizeof zeroed);
    assert_true(lock_try(&zeroed));
}

static void a_held_lock_cannot_be_taken_again(void **state)
{
    (void)state;
    struct lock lock;
    lock_init(&lock);
    lock_acquire(&lock);
    assert_false(lock_try(&lock));
    lock_release(&lock);
    assert_true(lock_try(&lock));
    assert_false(lock_try(&lock));
    lock_release(&lock);
    lock_destroy(&lock);
}

static void *account_run(void *context)
{
    struct account *account = context;
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (i % 4 != 0 || !lock_try(&account->lock))
            lock_acquire(&account->lock);
        unsigned long total = account->total;
        if (i % account->yield_each == 0)
            sched_yield();
        account->total = total + 1;
        lock_release(&account->lock);
    }
    return NULL;
}

static void check_contention(unsigned yield_each)
{
    struct account account = {.yield_each = yield_each};
    pthread_t threads[THREADS];
    lock_init(&account.lock);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, account_run, &account), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(account.total, (unsigned long)THREADS * ROUNDS);
    lock_destroy(&account.lock);
}

static void threads_exclude_each_other(void **state)
{
    (void)state;
    check_contention(ROUNDS);
}

static void threads_that_lose_the_processor_exclude_each_other(void **state)
{
    (void)state;
    check_contention(3);
}

static void *account_add_once(void *context)
{
    struct account *account = context;
    lock_acquire(&account->lock);
    account->total++;
    lock_release(&account->lock);
    return NULL;
}

/* All threads go to sleep on a lock that is held for long; each of them is woken. */
static void sleepers_are_woken(void **state)
{
    (void)state;
    struct account account = {0};
    pthread_t threads[THREADS];
    lock_init(&account.lock);
    for (unsigned round = 0; round < 200; round++) {
        account.total = 0;
        lock_acquire(&account.lock);
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, account_add_once, &account), 0);
        while (atomic_load(&account.lock.word) != LOCK_AWAITED)
            sched_yield();
        assert_int_equal(account.total, 0);
        lock_release(&account.lock);
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(account.total, THREADS);
    }
    lock_destroy(&account.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_lock_is_free),
        cmocka_unit_test(a_held_lock_cannot_be_taken_again),
        cmocka_unit_test(threads_exclude_each_other),
        cmocka_unit_test(threads_that_lose_the_processor_exclude_each_other),
        cmocka_unit_test(sleepers_are_woken),
    };
    return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
