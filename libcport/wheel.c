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
 *
 * Slots in the order of their numbers are in order of time. So a node whose deadline is put off can stay where it is: its slot is
 * looked at no later than the one that it belongs into, and it goes there then. Most timers are put off again and again and
 * never expire; to put one off touches that node alone, and none of its neighbours, which lie somewhere in memory.
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

struct place {
    uint64_t tick;
    unsigned level;
    unsigned index;
};

static struct place place_of(const struct wheel *wheel, uint64_t deadline_ns)
{
    uint64_t tick = deadline_tick(deadline_ns);
    if (tick < wheel->current)
        tick = wheel->current;
    unsigned level = bits_highest((tick ^ wheel->current) | 1) / WHEEL_LEVEL_BITS;
    unsigned index = (unsigned)(tick >> (level * WHEEL_LEVEL_BITS)) % WHEEL_LEVEL_SLOTS;
    return (struct place){tick, level, index};
}

static unsigned place_slot(struct place at)
{
    return at.level * WHEEL_LEVEL_SLOTS + at.index;
}

static void slot_append(struct wheel *wheel, struct wheel_node *node, struct place at)
{
    struct wheel_node *head = &wheel->slots[place_slot(at)];

    if (wheel->occupied[at.level] >> at.index & 1) {
        struct wheel_node *tail = head->prev;
        tail->next = node;
        node->prev = tail;
        if (at.tick < head->deadline_ns)
            head->deadline_ns = at.tick;
    } else {
        wheel->occupied[at.level] |= UINT64_C(1) << at.index;
        wheel->levels |= UINT64_C(1) << at.level;
        head->next = node;
        node->prev = head;
        head->deadline_ns = at.tick;
    }
    node->next = head;
    head->prev = node;
    node->slot = place_slot(at) + 1;
}

static void slot_vacate(struct wheel *wheel, unsigned slot)
{
    unsigned level = slot / WHEEL_LEVEL_SLOTS;
    wheel->occupied[level] &= ~(UINT64_C(1) << slot % WHEEL_LEVEL_SLOTS);
    if (wheel->occupied[level] == 0)
        wheel->levels &= ~(UINT64_C(1) << level);
}

static void slot_remove(struct wheel *wheel, struct wheel_node *node)
{
    struct wheel_node *next = node->next, *prev = node->prev;
    prev->next = next;
    next->prev = prev;
    if (next == prev) /* it was alone: both are the head */
        slot_vacate(wheel, node->slot - 1);
}

/* The slot's tick is the current one: all is due that has not been put off. */
static void slot_expire(struct wheel *wheel, unsigned slot, struct chain *chain)
{
    struct wheel_node *head = &wheel->slots[slot];
    slot_vacate(wheel, slot);
    for (struct wheel_node *node = head->next, *next; node != head; node = next) {
        next = node->next;
        struct place at = place_of(wheel, node->deadline_ns);
        if (at.tick > wheel->current) {
            slot_append(wheel, node, at);
            continue;
        }
        node->slot = WHEEL_IDLE;
        wheel->count--;
        *chain->end = node;
        chain->end = &node->next;
    }
    *chain->end = NULL;
}

/* The current tick has come to the slot's first: its nodes now differ from it in lower digits
 * only, or have been put off. */
static void slot_cascade(struct wheel *wheel, unsigned slot)
{
    struct wheel_node *head = &wheel->slots[slot];
    slot_vacate(wheel, slot);
    for (struct wheel_node *node = head->next, *next; node != head; node = next) {
        next = node->next;
        slot_append(wheel, node, place_of(wheel, node->deadline_ns));
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
    slot_append(wheel, node, place_of(wheel, deadline_ns));
    wheel->count++;
}

void wheel_remove(struct wheel *wheel, struct wheel_node *node)
{
    assert(wheel_armed(node));
    slot_remove(wheel, node);
    node->slot = WHEEL_IDLE;
    wheel->count--;
}

void wheel_move(struct wheel *wheel, struct wheel_node *node, uint64_t deadline_ns)
{
    assert(wheel_armed(node));
    node->deadline_ns = deadline_ns;
    /* No short cut for a later deadline: the processor would guess it before the node is there, and often wrong. */
    struct place at = place_of(wheel, deadline_ns);
    if (place_slot(at) + 1 >= node->slot) {
        struct wheel_node *head = &wheel->slots[node->slot - 1];
        if (at.tick < head->deadline_ns)
            head->deadline_ns = at.tick;
        return;
    }
    slot_remove(wheel, node);
    slot_append(wheel, node, at);
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
