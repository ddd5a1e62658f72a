/*
 * The timer benchmark around a library. A program defines the six functions below for its library's timers and then includes
 * this file, so that the compiler sees calls and measured loops together, as in a program that uses the library:
 *
 *   static void timers_open(unsigned count, const char **ret_engine, const char **ret_remark);
 *   static void timer_arm(unsigned i, int64_t delay_ns);
 *   static void timer_cancel(unsigned i);
 *   static void timer_rearm(unsigned i, int64_t delay_ns);
 *   static void timers_settle(void);  takes what cancelling has left to be taken; called every 64 cancels
 *   static void timers_close(void);
 *
 * All timers are armed, each is moved ten times in random order, and all are cancelled in random order; that CYCLES times. None
 * expires: delays are between one minute and two.
 */
#ifndef BENCH_TIMER_BENCH_H
#define BENCH_TIMER_BENCH_H

#include "peer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CYCLES      10u
#define MOVES       10u
#define NS_PER_S    INT64_C(1000000000)
#define SETTLE_EACH 64u

static int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

/* Drawn beforehand: the dice are none of the timers' cost. */
static void draw(uint32_t *order, int64_t *delays, unsigned count)
{
    uint64_t state = 42;
    for (unsigned i = 0; i < count; i++) {
        order[i] = i;
        delays[i] = 60 * NS_PER_S + (int64_t)(next_random(&state) % 60000) * 1000000;
    }
    for (unsigned i = count; i > 1; i--) {
        unsigned other = next_random(&state) % i;
        uint32_t kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
}

struct timer_times {
    int64_t arm, cancel, rearm;
};

static void run_cycle(
    const uint32_t *order, const int64_t *delays, unsigned count, struct timer_times *times)
{
    int64_t start = clock_ns();
    for (unsigned i = 0; i < count; i++)
        timer_arm(order[i], delays[i]);
    int64_t armed = clock_ns();
    for (unsigned move = 1; move <= MOVES; move++) {
        unsigned shift = (unsigned)((uint64_t)count * move / (MOVES + 1));
        for (unsigned i = 0; i < count; i++)
            timer_rearm(order[i], delays[i < count - shift ? i + shift : i + shift - count]);
    }
    int64_t moved = clock_ns();
    for (unsigned i = 0; i < count; i++) {
        timer_cancel(order[count - 1 - i]);
        if (i % SETTLE_EACH == SETTLE_EACH - 1)
            timers_settle();
    }
    timers_settle();
    int64_t end = clock_ns();
    times->arm += armed - start;
    times->rearm += moved - armed;
    times->cancel += end - moved;
}

int main(int argc, char **argv)
{
    unsigned count = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 100000;
    uint32_t *order = (uint32_t *)peer_allocate(count * sizeof *order);
    int64_t *delays = (int64_t *)peer_allocate(count * sizeof *delays);
    const char *engine, *remark;
    struct timer_times times = {0, 0, 0}, warm_up = {0, 0, 0};

    draw(order, delays, count);
    timers_open(count, &engine, &remark);
    peer_ready(1, engine, remark);
    run_cycle(order, delays, count, &warm_up);
    for (unsigned cycle = 0; cycle < CYCLES; cycle++)
        run_cycle(order, delays, count, &times);
    double n = (double)count * CYCLES;
    printf("arm_ns\t%.3f\ncancel_ns\t%.3f\nrearm_ns\t%.3f\nend\n", (double)times.arm / n,
        (double)times.cancel / n, (double)times.rearm / (n * MOVES));
    timers_close();
    free(delays);
    free(order);
    return 0;
}

#endif
