/*
 * The post benchmark around a library. A program defines `struct packet` and the functions below for its library's way of handing
 * something to another thread, and includes this file behind them; two boxes at most, each with a thread of its own:
 *
 *   static void boxes_prepare(const char *argument, const char **ret_engine, const char **ret_remark);
 *   static void box_open(unsigned box);                 in the box's thread
 *   static void box_post(unsigned box, struct packet *);  from any thread
 *   static void box_run(unsigned box);                  calls on_packet for each, until box_stop
 *   static void box_stop(unsigned box);                 in the box's thread, from on_packet
 *   static void box_close(unsigned box);
 *
 * stream: one thread posts as fast as it can to another's box, RING packets ahead at most. turns: one packet goes to and fro
 * between two boxes, whose threads wait for it.
 */
#ifndef BENCH_POST_BENCH_H
#define BENCH_POST_BENCH_H

#include "peer.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RING 16384u

static struct packet *packets;
static uint64_t consumed; /* by its atomic operations alone: C and C++ read this file */
static unsigned long count;
static bool is_stream;
static int cores[2]; /* of the producer or box 1, and of box 0 */
static int64_t *turns;
static unsigned long turns_done;
static int64_t sent_ns;
static pthread_barrier_t opened, ended;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)core, &set);
    int error = pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    if (error != 0)
        peer_die("core", error);
}

static void on_turn(unsigned box, struct packet *packet)
{
    if (box == 1) {
        box_post(0, packet);
        if (++consumed == count)
            box_stop(1);
        return;
    }
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    turns[turns_done++] = now - sent_ns;
    if (turns_done == count) {
        box_stop(0);
        return;
    }
    sent_ns = now;
    box_post(1, packet);
}

static void on_packet(unsigned box, struct packet *packet)
{
    if (!is_stream) {
        on_turn(box, packet);
        return;
    }
    /* release: the packet is the producer's again */
    uint64_t n = __atomic_add_fetch(&consumed, 1, __ATOMIC_RELEASE);
    if (n == count)
        box_stop(box);
}

static void *run_box(void *arg)
{
    unsigned box = (unsigned)(uintptr_t)arg;
    pin(cores[1 - box]);
    box_open(box);
    pthread_barrier_wait(&opened);
    box_run(box);
    pthread_barrier_wait(&ended); /* nobody posts to a box that is gone */
    box_close(box);
    return NULL;
}

static pthread_t start_box(unsigned box)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, run_box, (void *)(uintptr_t)box);
    if (error != 0)
        peer_die("thread", error);
    return thread;
}

static void bench_stream(void)
{
    packets = (struct packet *)peer_allocate(RING * sizeof *packets);
    pthread_barrier_init(&opened, NULL, 2);
    pthread_barrier_init(&ended, NULL, 2);
    pthread_t consumer = start_box(0);
    pin(cores[0]);
    pthread_barrier_wait(&opened);
    int64_t start = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t free_until = RING;
    for (uint64_t i = 0; i < count; i++) {
        while (i == free_until) {
            /* acquire: pairs with the release in on_packet */
            free_until = __atomic_load_n(&consumed, __ATOMIC_ACQUIRE) + RING;
            if (i == free_until)
                sched_yield();
        }
        box_post(0, &packets[i % RING]);
    }
    pthread_barrier_wait(&ended);
    cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    int64_t elapsed = clock_ns(CLOCK_MONOTONIC) - start;
    pthread_join(consumer, NULL);
    printf("post_ns\t%.3f\ncpu_ns_per_post\t%.3f\nend\n", (double)elapsed / (double)count,
        (double)cpu / (double)count);
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void bench_turns(void)
{
    packets = (struct packet *)peer_allocate(sizeof *packets);
    turns = (int64_t *)peer_allocate(count * sizeof *turns);
    pthread_barrier_init(&opened, NULL, 3);
    pthread_barrier_init(&ended, NULL, 2);
    pthread_t threads[2] = {start_box(0), start_box(1)};
    pthread_barrier_wait(&opened);
    sent_ns = clock_ns(CLOCK_MONOTONIC);
    box_post(1, packets);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    qsort(turns, count, sizeof *turns, compare_times);
    printf("turn_p50_ns\t%lld\nturn_p99_ns\t%lld\nend\n", (long long)turns[count / 2],
        (long long)turns[count - 1 - count / 100]);
    free(turns);
}

/* ARGUMENT KIND,MESSAGES,CORE,CORE; without them little, for who only asks whether it starts. */
int main(int argc, char **argv)
{
    const char *engine, *remark;
    char kind[16] = "turns";
    count = 1;
    /* NOLINTNEXTLINE(cert-err34-c): from the benchmark itself, whose numbers are in range */
    if (argc > 2 && sscanf(argv[2], "%15[a-z],%lu,%d,%d", kind, &count, &cores[0], &cores[1]) != 4)
        peer_die("arguments", 0);
    is_stream = strcmp(kind, "stream") == 0;
    boxes_prepare(argc > 1 ? argv[1] : "", &engine, &remark);
    peer_ready(1, engine, remark);
    if (is_stream)
        bench_stream();
    else
        bench_turns();
    free(packets);
    return 0;
}

#endif
