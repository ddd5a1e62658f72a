/*
 * bits.h: the position of the lowest and of the highest set bit of a 64-bit word, counted from 0.
 *
 * Ownership: none, pure functions. Threading: any. The word must not be 0.
 */
#ifndef CPORT_BITS_H
#define CPORT_BITS_H

#include <stdint.h>

#if defined(__GNUC__)

static inline unsigned bits_lowest(uint64_t word)
{
    return (unsigned)__builtin_ctzll(word);
}

static inline unsigned bits_highest(uint64_t word)
{
    return 63u ^ (unsigned)__builtin_clzll(word);
}

#else

static inline unsigned bits_highest(uint64_t word)
{
    unsigned position = 0;
    for (unsigned step = 32; step > 0; step /= 2) {
        if (word >> step) {
            word >>= step;
            position += step;
        }
    }
    return position;
}

static inline unsigned bits_lowest(uint64_t word)
{
    return bits_highest(word & (0 - word));
}

#endif

#endif
