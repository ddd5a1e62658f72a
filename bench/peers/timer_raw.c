/*
 * A wheel by hand, with nothing around it: six levels of 64 slots over ticks of about a millisecond, doubly linked lists. It is the
 * least that a timer can cost which is to be armed, moved and cancelled at any time.
 */
#include <stdint.h>
#include <stdlib.h>

#include "peer.h"

#define LEVELS    6u
#define SLOT_BITS 6u
#define SLOTS     (1u << SLOT_BITS)
#define TICK_BITS 20u

struct node {
    struct node *next, *prev;
    uint64_t tick;
    uint32_t slot;
};

static struct node wheel[LEVELS * SLOTS]; /* heads of circular lists */
static uint64_t occupied[LEVELS];
static struct node *nodes;
static const uint64_t now_tick = 1000;

static void timers_open(unsigned count, const char **ret_engine, const char **ret_remark)
{
    for (unsigned i = 0; i < LEVELS * SLOTS; i++)
        wheel[i].next = wheel[i].prev = &wheel[i];
    nodes = peer_allocate(count * sizeof *nodes);
    *ret_engine = "a wheel";
    *ret_remark = "no library";
}

static inline void timer_arm(unsigned i, int64_t delay_ns)
{
    struct node *node = &nodes[i];
    node->tick = now_tick + ((uint64_t)delay_ns >> TICK_BITS) + 1;
    uint64_t differs = node->tick ^ now_tick;
    unsigned level = (63u - (unsigned)__builtin_clzll(differs)) / SLOT_BITS;
    unsigned slot = (unsigned)(node->tick >> (level * SLOT_BITS)) % SLOTS;
    struct node *head = &wheel[level * SLOTS + slot];
    node->slot = level * SLOTS + slot;
    occupied[level] |= (uint64_t)1 << slot;
    node->next = head;
    node->prev = head->prev;
    head->prev->next = node;
    head->prev = node;
}

static inline void timer_cancel(unsigned i)
{
    struct node *node = &nodes[i];
    node->next->prev = node->prev;
    node->prev->next = node->next;
    if (node->next == node->prev) /* the head alone is left */
        occupied[node->slot / SLOTS] &= ~((uint64_t)1 << node->slot % SLOTS);
}

static inline void timer_rearm(unsigned i, int64_t delay_ns)
{
    timer_cancel(i);
    timer_arm(i, delay_ns);
}

static void timers_settle(void) {}

static void timers_close(void)
{
    free(nodes);
}

#include "timer_bench.h"
