#include "cport-cli-histogram.h"

#include <stddef.h>

#define SUB_BUCKETS (1u << HISTOGRAM_SUB_BITS)

/* Values below SUB_BUCKETS have a bucket each; above, each power of two has SUB_BUCKETS. */
static size_t bucket_of(uint64_t value)
{
    unsigned shift = 0;
    while (value >> shift >= 2 * SUB_BUCKETS)
        shift++;
    return value < SUB_BUCKETS ? (size_t)value : shift * SUB_BUCKETS + (size_t)(value >> shift);
}

static uint64_t bucket_end(size_t bucket)
{
    if (bucket < 2 * SUB_BUCKETS)
        return bucket;
    size_t shift = bucket / SUB_BUCKETS - 1;
    return ((uint64_t)(bucket % SUB_BUCKETS + SUB_BUCKETS + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, int64_t value)
{
    if (value < 0)
        value = 0;
    histogram->buckets[bucket_of((uint64_t)value)]++;
    histogram->count++;
    if (value > histogram->max)
        histogram->max = value;
}

double histogram_quantile(const struct histogram *histogram, double q)
{
    double wanted = q * (double)histogram->count;
    double seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS && histogram->count > 0; i++) {
        seen += histogram->buckets[i];
        if (seen >= wanted && histogram->buckets[i] > 0) {
            double end = (double)bucket_end(i);
            return end < (double)histogram->max ? end : (double)histogram->max;
        }
    }
    return 0;
}
