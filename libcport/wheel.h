/*
 * wheel.h: a hierarchical timing wheel. Arming, cancelling and re-arming take constant time,
 * however many timers there are; an idle wheel costs nothing.
 *
 * Ownership: the caller owns the wheel and the nodes. A node belongs to the wheel from wheel_add to
 * wheel_remove, or to the wheel_expire that returns it, and must neither move nor be freed in
 * between. The wheel allocates nothing. Its memory must not move while nodes are in it.
 *
 * Threading: none of its own. The caller holds whatever guards the wheel around every call.
 *
 * Time is in nanoseconds of any clock that starts wherever it likes and does not go back. Deadlines
 * are rounded up to whole ticks: a timer never expires early, and at most one tick late. Timers of
 * one tick expire in the order in which they were armed; so do those that were overdue when they
 * were armed. Timers that have been moved are anywhere among those of their tick.
 */
#ifndef CPORT_WHEEL_H
#define CPORT_WHEEL_H

#include "bits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* A tick is 16.4 us. 4000 timers within 4 s, waited for with epoll_pwait2, were late by a
     * median of 83 us with ticks of 1 us, 89 with 2^13 ns, 93 with 2^14, 101 with 2^15 and 117
     * with 2^16: up to here the kernel's own slack hides the rounding. 100,000 timers within 1 s
     * took 68, 49, 29 and 15 thousand waits. Arming and cancelling cost the same with any. */
    WHEEL_TICK_SHIFT = 14,
    WHEEL_LEVEL_BITS = 6, /* a level has 64 slots, so that one word tells which are occupied */
    WHEEL_LEVEL_SLOTS = 1 << WHEEL_LEVEL_BITS,
    WHEEL_LEVELS = 9, /* enough for every 64-bit deadline */
    WHEEL_IDLE = 0,   /* the slot of a node that is not armed: a zeroed node is idle */
};

/* One timer, for embedding. */
struct wheel_node {
    struct wheel_node *next; /* wheel; in the chain that wheel_expire returns, the next of it */
    struct wheel_node *prev; /* wheel */
    uint64_t deadline_ns;    /* wheel; may be read at any time: the last deadline given */
    uint32_t slot; /* wheel: WHEEL_IDLE, or 1 + the slot it is in, its deadline's or an earlier */
    uint32_t reserved; /* caller: never touched by the wheel */
};
_Static_assert(
    sizeof(void *) != 8 || sizeof(struct wheel_node) == 32, "a node is half a cache line");

struct wheel {
    uint64_t current; /* tick that the slots are relative to; not beyond the last expire's time */
    uint64_t levels;  /* bit per level: it has occupied slots */
    uint64_t occupied[WHEEL_LEVELS]; /* bit per slot */
    size_t count;                    /* armed nodes */
    /* Heads of circular lists, meaningful only where the slot is occupied. deadline_ns of a head
     * is not in nanoseconds: it is a tick that no node of the slot is due before. */
    struct wheel_node slots[WHEEL_LEVELS * WHEEL_LEVEL_SLOTS];
};

/* wheel_init: an empty wheel. Leaves the slots untouched, so that only what is used becomes
 * resident. */
void wheel_init(struct wheel *wheel, uint64_t now_ns);

/* wheel_add: arms an idle node. A deadline that has passed expires at the next wheel_expire.
 * UINT64_MAX is as good a deadline as any: it expires at UINT64_MAX. */
void wheel_add(struct wheel *wheel, struct wheel_node *node, uint64_t deadline_ns);

/* wheel_remove: makes an armed node idle. */
void wheel_remove(struct wheel *wheel, struct wheel_node *node);

/* wheel_move: gives an armed node another deadline. */
void wheel_move(struct wheel *wheel, struct wheel_node *node, uint64_t deadline_ns);

/* wheel_expire: takes out every node that is due at now_ns and returns them as a chain through
 * next, ended by NULL, in the order of their deadlines' ticks; NULL if none is due. The nodes
 * are idle already, but next is the chain's: read it before the node is armed again. */
struct wheel_node *wheel_expire(struct wheel *wheel, uint64_t now_ns);

static inline bool wheel_armed(const struct wheel_node *node)
{
    return node->slot != WHEEL_IDLE;
}

static inline size_t wheel_count(const struct wheel *wheel)
{
    return wheel->count;
}

/* wheel_next_tick: a tick before which nothing is due. Levels are in order of time, and so are
 * the slots of a level, hence the first slot that is occupied is the one. */
static inline uint64_t wheel_next_tick(const struct wheel *wheel)
{
    if (wheel->levels == 0)
        return UINT64_MAX;
    unsigned level = bits_lowest(wheel->levels);
    unsigned index = bits_lowest(wheel->occupied[level]);
    return wheel->slots[level * WHEEL_LEVEL_SLOTS + index].deadline_ns;
}

/* wheel_next_ns: when wheel_expire should be called next; UINT64_MAX if the wheel is empty. The
 * time of the first timer, or earlier if a timer that was ahead of it has been removed or moved. Later than the last wheel_expire, unless a timer that was overdue has been added
 * since. */
static inline uint64_t wheel_next_ns(const struct wheel *wheel)
{
    uint64_t tick = wheel_next_tick(wheel);
    return tick > UINT64_MAX >> WHEEL_TICK_SHIFT ? UINT64_MAX : tick << WHEEL_TICK_SHIFT;
}

#endif
