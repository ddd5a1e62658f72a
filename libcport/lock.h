/*
 * lock.h: a mutual exclusion lock of 4 bytes, for every handle and every shared port.
 *
 * Ownership: the caller's memory; zeroed memory is a free lock. It may be freed when no thread
 * holds it, waits for it or will take it.
 *
 * Threading: any thread. Not recursive. Taking a free lock is one compare-exchange; a lock that is
 * held is watched for a moment, since most are held for less than a system call takes, and then
 * waited for in the kernel.
 */
#ifndef CPORT_LOCK_H
#define CPORT_LOCK_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    LOCK_FREE,
    LOCK_HELD,
    LOCK_AWAITED, /* held, and its release must wake somebody */
};

struct lock {
    _Atomic uint32_t word;
};
_Static_assert(sizeof(struct lock) == 4, "there is one in every handle");

/* For lock_acquire and lock_release alone. */
void lock_await(struct lock *lock);
void lock_wake(struct lock *lock);

static inline void lock_init(struct lock *lock)
{
    atomic_init(&lock->word, LOCK_FREE);
}

static inline void lock_destroy(struct lock *lock)
{
    /* relaxed: nobody else uses it any more */
    assert(atomic_load_explicit(&lock->word, memory_order_relaxed) == LOCK_FREE);
    (void)lock;
}

/* lock_try: takes the lock if it is free. */
static inline bool lock_try(struct lock *lock)
{
    uint32_t expected = LOCK_FREE;
    /* acquire: pairs with the release in lock_release */
    return atomic_compare_exchange_strong_explicit(
        &lock->word, &expected, LOCK_HELD, memory_order_acquire, memory_order_relaxed);
}

static inline void lock_acquire(struct lock *lock)
{
    if (!lock_try(lock))
        lock_await(lock);
}

static inline void lock_release(struct lock *lock)
{
    /* release: pairs with the acquires in lock_try and lock_await */
    uint32_t word = atomic_exchange_explicit(&lock->word, LOCK_FREE, memory_order_release);
    assert(word != LOCK_FREE);
    if (word == LOCK_AWAITED)
        lock_wake(lock);
}

#endif
