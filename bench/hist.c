#include "hist.h"

#include "bits.h"

#include <string.h>

#define SUB_COUNT (1u << HIST_SUB_BITS)

static unsigned slot_of(uint64_t value)
{
    if (value < SUB_COUNT)
        return (unsigned)value;
    unsigned shift = bits_highest(value) - HIST_SUB_BITS;
    /* value >> shift lies in [SUB_COUNT, 2 * SUB_COUNT): its leading bit selects the next row of slots. */
    return (shift << HIST_SUB_BITS) + (unsigned)(value >> shift);
}

static uint64_t slot_upper_edge(unsigned slot)
{
    if (slot < 2 * SUB_COUNT)
        return slot;
    unsigned shift = (slot >> HIST_SUB_BITS) - 1;
    uint64_t lower = (uint64_t)(slot - (shift << HIST_SUB_BITS)) << shift;
    return lower + (((uint64_t)1 << shift) - 1);
}

void hist_reset(struct hist *h)
{
    memset(h, 0, sizeof *h);
}

void hist_add(struct hist *h, uint64_t value)
{
    h->counts[slot_of(value)]++;
    h->total++;
}

uint64_t hist_quantile(const struct hist *h, double fraction)
{
    if (h->total == 0)
        return 0;
    /* The rank is rounded up: the median of one value is that value, and p99.9 of ten values is the largest. */
    double exact = fraction * (double)h->total;
    uint64_t rank = (uint64_t)exact;
    if ((double)rank < exact || rank == 0)
        rank++;
    if (rank > h->total)
        rank = h->total;
    uint64_t seen = 0;
    unsigned slot = 0;
    for (; slot < HIST_SLOTS; slot++) {
        seen += h->counts[slot];
        if (seen >= rank)
            break;
    }
    return slot_upper_edge(slot);
}
