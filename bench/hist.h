/*
 * Ownership: a histogram is a plain value of the caller; about 60 KB, no memory of its own.
 * Threading: one thread at a time.
 *
 * Log-linear: each power of two is cut into 128 equal slots, so that a quantile is at most 0.8 % above the value that was
 * recorded, over the whole range of 64 bits, and adding is one shift and one increment.
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 7
#define HIST_SLOTS    ((64 - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
    uint64_t total;
    uint64_t counts[HIST_SLOTS];
};

void hist_reset(struct hist *h);
void hist_add(struct hist *h, uint64_t value);

/* The upper edge of the slot that holds the given fraction (0 to 1) of all values; 0 when there are none. */
uint64_t hist_quantile(const struct hist *h, double fraction);

#endif
