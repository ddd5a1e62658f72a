/*
 * A node's level is that of the highest digit (of 6 bits) in which its tick differs from the
 * current one, its slot there is that digit. So a level's occupied slots all lie ahead of the
 * current digit, nothing wraps, and every timer of a lower level is due before any of a higher one.
 * Where a node goes depends on its tick and on the current one alone: nodes of one tick are always
 * in one slot, and since a slot is first in, first out and is emptied in that order into slots that
 * are empty, they stay in the order in which they were armed.
 *
 * The slot of the current tick itself would always be empty: it takes what is overdue when it is
 * armed.
 */
#include "wheel.h"

#include <assert.h>

enum { TICK_BITS = WHEEL_LEVELS * WHEEL_LEVEL_BITS };
_Static_assert(TICK_BITS >= 65 - WHEEL_TICK_SHIFT, "the last tick has a slot");
_Static_assert(TICK_BITS < 64, "every level's shift is defined");

struct chain {
    struct wheel_node *first;
    struct wheel_node **end;
};

/* Rounded up: a timer must not expire early. */
static uint64_t deadline_tick(uint64_t deadline_ns)
{
    uint64_t part = deadline_ns & ((UINT64_C(1) << WHEEL_TICK_SHIFT) - 1);
    return (deadline_ns >> WHEEL_TICK_SHIFT) + (part != 0);
}

/* Rounded down, for the same reason. At the end of time the last, partial tick is over, too. */
static uint64_t now_tick(uint64_t now_ns)
{
    return now_ns == UINT64_MAX ? deadline_tick(now_ns) : now_ns >> WHEEL_TICK_SHIFT;
}

static void slot_append(struct wheel *wheel, struct wheel_node *node)
{
    uint64_t tick = deadline_tick(node->deadline_ns);
    if (tick < wheel->current)
        tick = wheel->current;
    unsigned level = bits_highest((tick ^ wheel->current) | 1) / WHEEL_LEVEL_BITS;
    unsigned index = (unsigned)(tick >> (level * WHEEL_LEVEL_BITS)) % WHEEL_LEVEL_SLOTS;
    unsigned slot = level * WHEEL_LEVEL_SLOTS + index;
    struct wheel_node *head = &wheel->slots[slot];

    if (wheel->occupied[level] >> index & 1) {
        struct wheel_node *tail = head->prev;
        tail->next = node;
        node->prev = tail;
        if (tick < head->deadline_ns)
            head->deadline_ns = tick;
    } else {
        wheel->occupied[level] |= UINT64_C(1) << index;
        wheel->levels |= UINT64_C(1) << level;
        head->next = node;
        node->prev = head;
        head->deadline_ns = tick;
    }
    node->next = head;
    head->prev = node;
    node->slot = slot + 1;
}

static void slot_vacate(struct wheel *wheel, unsigned slot)
{
    unsigned level = slot / WHEEL_LEVEL_SLOTS;
    wheel->occupied[level] &= ~(UINT64_C(1) << slot % WHEEL_LEVEL_SLOTS);
    if (wheel->occupied[level] == 0)
        wheel->levels &= ~(UINT64_C(1) << level);
}

/* The whole slot is due. */
static void slot_expire(struct wheel *wheel, unsigned slot, struct chain *chain)
{
    struct wheel_node *head = &wheel->slots[slot];
    size_t expired = 0;
    *chain->end = head->next;
    for (struct wheel_node *node = head->next; node != head; node = node->next) {
        node->slot = WHEEL_IDLE;
        expired++;
    }
    chain->end = &head->prev->next;
    *chain->end = NULL;
    wheel->count -= expired;
    slot_vacate(wheel, slot);
}

/* The current tick has come to the slot's first: its nodes now differ from it in lower digits
 * only. */
static void slot_cascade(struct wheel *wheel, unsigned slot)
{
    struct wheel_node *head = &wheel->slots[slot];
    slot_vacate(wheel, slot);
    for (struct wheel_node *node = head->next, *next; node != head; node = next) {
        next = node->next;
        slot_append(wheel, node);
    }
}

/* The first tick of a slot that lies ahead on this level. */
static uint64_t slot_tick(const struct wheel *wheel, unsigned level, unsigned index)
{
    unsigned shift = level * WHEEL_LEVEL_BITS;
    uint64_t above = wheel->current >> shift >> WHEEL_LEVEL_BITS << WHEEL_LEVEL_BITS;
    return (above | index) << shift;
}

void wheel_init(struct wheel *wheel, uint64_t now_ns)
{
    wheel->current = now_tick(now_ns);
    wheel->levels = 0;
    wheel->count = 0;
    for (unsigned level = 0; level < WHEEL_LEVELS; level++)
        wheel->occupied[level] = 0;
}

void wheel_add(struct wheel *wheel, struct wheel_node *node, uint64_t deadline_ns)
{
    assert(!wheel_armed(node));
    node->deadline_ns = deadline_ns;
    slot_append(wheel, node);
    wheel->count++;
}

void wheel_remove(struct wheel *wheel, struct wheel_node *node)
{
    assert(wheel_armed(node));
    struct wheel_node *next = node->next, *prev = node->prev;
    prev->next = next;
    next->prev = prev;
    if (next == prev) /* it was alone: both are the head */
        slot_vacate(wheel, node->slot - 1);
    node->slot = WHEEL_IDLE;
    wheel->count--;
}

struct wheel_node *wheel_expire(struct wheel *wheel, uint64_t now_ns)
{
    uint64_t now = now_tick(now_ns);
    struct chain chain = {.first = NULL, .end = &chain.first};

    while (wheel_next_tick(wheel) <= now) {
        unsigned level = bits_lowest(wheel->levels);
        unsigned index = bits_lowest(wheel->occupied[level]);
        unsigned slot = level * WHEEL_LEVEL_SLOTS + index;
        wheel->current = slot_tick(wheel, level, index);
        if (level == 0)
            slot_expire(wheel, slot, &chain);
        else
            slot_cascade(wheel, slot);
    }
    /* Without timers there is nothing relative to the current tick. */
    if (wheel->levels == 0 && wheel->current < now)
        wheel->current = now;
    return chain.first;
}
