/*
 * histogram: durations counted in buckets whose width is 1/32 of their value: 6 KiB, whatever the range.
 */
#ifndef CPORT_TOOLS_CPORT_CLI_HISTOGRAM_H
#define CPORT_TOOLS_CPORT_CLI_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 5
#define HISTOGRAM_BUCKETS  ((64 - HISTOGRAM_SUB_BITS) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t count;
    int64_t max;
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, int64_t value);

/* The value that the share q (0 to 1) of all does not exceed, to the upper edge of its bucket; 0 without any. */
double histogram_quantile(const struct histogram *histogram, double q);

#endif
