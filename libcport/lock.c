#include "lock.h"

#include "os.h"

/* How often a held lock is looked at before the thread goes to sleep. Two threads on two processors
 * that hold the lock for half a microsecond out of 1.1 took 1.7 us a turn without looking, 1.31 with
 * 10 looks, 1.19 with 30, 1.16 with 100, and 1.16 with 1000. */
enum { LOOKS_MAX = 100 };

static void processor_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void lock_await(struct lock *lock)
{
    for (int looks = 0; looks < LOOKS_MAX; looks++) {
        /* relaxed: lock_try has the acquire */
        uint32_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);
        if (word == LOCK_FREE && lock_try(lock))
            return;
        if (word == LOCK_AWAITED)
            break; /* others sleep already: it is held for long, or by many */
        processor_relax();
    }
    /* Whoever has slept cannot know whether others still do: so it takes the lock as awaited,
     * and at worst wakes nobody once. acquire: pairs with the release in lock_release */
    while (atomic_exchange_explicit(&lock->word, LOCK_AWAITED, memory_order_acquire) != LOCK_FREE)
        os_futex_wait(&lock->word, LOCK_AWAITED, -1);
}

void lock_wake(struct lock *lock)
{
    os_futex_wake(&lock->word);
}
