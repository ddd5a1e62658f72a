/*
 * The post queue: order, loss and wake-ups, alone and under four producers.
 */
#include "mpsc.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PRODUCERS = 4, POSTS = 100000 };

struct post {
    struct mpsc_node node;
    unsigned producer;
    unsigned number;
};

struct exchange {
    struct mpsc queue;
    atomic_bool sleeping; /* the consumer waits for the semaphore, or is about to */
    sem_t woken;
};

struct producer {
    struct exchange *exchange;
    struct post *posts;
    unsigned pause_each; /* let the consumer catch up, and go to sleep, after so many */
    pthread_t thread;
};

static struct post *post_of(struct mpsc_node *node)
{
    return (struct post *)((char *)node - offsetof(struct post, node));
}

static void one_thread_gets_what_it_pushed_in_order(void **state)
{
    (void)state;
    struct mpsc queue;
    struct post posts[5];
    mpsc_init(&queue);
    assert_true(mpsc_empty(&queue));
    assert_true(mpsc_empty_ordered(&queue));
    assert_null(mpsc_take_all(&queue));

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5; i++)
            assert_int_equal(mpsc_push(&queue, &posts[i].node), i == 0);
        assert_false(mpsc_empty(&queue));
        assert_false(mpsc_empty_ordered(&queue));
        struct mpsc_node *node = mpsc_take_all(&queue);
        for (int i = 0; i < 5; i++, node = mpsc_next(node))
            assert_ptr_equal(node, &posts[i].node);
        assert_null(node);
        assert_true(mpsc_empty(&queue));
    }
}

static void *producer_run(void *context)
{
    struct producer *producer = context;
    struct exchange *exchange = producer->exchange;
    for (unsigned i = 0; i < POSTS; i++) {
        mpsc_push(&exchange->queue, &producer->posts[i].node);
        if (atomic_load(&exchange->sleeping) && atomic_exchange(&exchange->sleeping, false))
            sem_post(&exchange->woken);
        if (i % producer->pause_each == producer->pause_each - 1)
            sched_yield();
    }
    return NULL;
}

/* Sleeps whenever the queue is empty: a wake-up that is lost hangs the test. Returns a chain,
 * never empty. */
static struct mpsc_node *consumer_wait(struct exchange *exchange)
{
    for (;;) {
        struct mpsc_node *chain = mpsc_take_all(&exchange->queue);
        if (chain != NULL)
            return chain;
        atomic_store(&exchange->sleeping, true);
        /* Asleep only if still announced: a producer that saw it owes a post of the semaphore. */
        if (mpsc_empty_ordered(&exchange->queue) || !atomic_exchange(&exchange->sleeping, false)) {
            while (sem_wait(&exchange->woken) != 0)
                continue; /* a signal */
        }
    }
}

static void check_producers(unsigned pause_each)
{
    struct exchange exchange;
    struct producer producers[PRODUCERS];
    unsigned next[PRODUCERS] = {0};
    mpsc_init(&exchange.queue);
    atomic_init(&exchange.sleeping, false);
    assert_int_equal(sem_init(&exchange.woken, 0, 0), 0);
    for (unsigned p = 0; p < PRODUCERS; p++) {
        producers[p] = (struct producer){.exchange = &exchange, .pause_each = pause_each};
        producers[p].posts = calloc(POSTS, sizeof(struct post));
        assert_non_null(producers[p].posts);
        for (unsigned i = 0; i < POSTS; i++) {
            producers[p].posts[i].producer = p;
            producers[p].posts[i].number = i;
        }
    }
    for (unsigned p = 0; p < PRODUCERS; p++)
        assert_int_equal(
            pthread_create(&producers[p].thread, NULL, producer_run, &producers[p]), 0);

    for (unsigned taken = 0; taken < PRODUCERS * POSTS;) {
        for (struct mpsc_node *node = consumer_wait(&exchange); node != NULL;
             node = mpsc_next(node), taken++) {
            struct post *post = post_of(node);
            assert_int_equal(post->number, next[post->producer]);
            next[post->producer]++;
        }
    }

    for (unsigned p = 0; p < PRODUCERS; p++)
        assert_int_equal(pthread_join(producers[p].thread, NULL), 0);
    assert_true(mpsc_empty(&exchange.queue));
    for (unsigned p = 0; p < PRODUCERS; p++) {
        assert_int_equal(next[p], POSTS);
        free(producers[p].posts);
    }
    sem_destroy(&exchange.woken);
}

static void four_producers_lose_nothing_and_keep_their_order(void **state)
{
    (void)state;
    check_producers(POSTS);
}

static void a_sleeping_consumer_is_woken(void **state)
{
    (void)state;
    check_producers(16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_gets_what_it_pushed_in_order),
        cmocka_unit_test(four_producers_lose_nothing_and_keep_their_order),
        cmocka_unit_test(a_sleeping_consumer_is_woken),
    };
    return cmocka_run_group_tests_name("mpsc", tests, NULL, NULL);
}
