/*
 * mpsc.h: an intrusive lock-free queue with many producers and one consumer, who takes everything
 * at once.
 *
 * Ownership: a node belongs to the queue from mpsc_push until mpsc_take_all returns it; from then
 * on it is the consumer's, who reads mpsc_next before giving it away. The queue and its nodes may
 * be zeroed memory.
 *
 * Threading: mpsc_push and the two peeks from any thread; mpsc_take_all from one thread at a time.
 *
 * Producers push onto a stack, the consumer exchanges its head for NULL and turns the chain round.
 * Nodes leave only all together, so a head that compares equal is still the right successor, even
 * if it has been taken and pushed again in between: there is no ABA problem.
 *
 * A consumer that wants to sleep announces it and then looks again; a producer pushes and then
 * looks for the announcement. One of the two must see the other, which takes sequential consistency
 * on all four accesses:
 *
 * consumer: store sleeping (seq_cst); mpsc_empty_ordered; sleep if both say so producer: mpsc_push;
 * load sleeping (seq_cst); wake if it is set
 */
#ifndef CPORT_MPSC_H
#define CPORT_MPSC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct mpsc_node {
    _Atomic(struct mpsc_node *) next; /* queue; relaxed: head publishes it */
};

struct mpsc {
    _Atomic(struct mpsc_node *) head; /* producers and consumer: the newest node */
};

static inline void mpsc_init(struct mpsc *queue)
{
    atomic_init(&queue->head, NULL);
}

/* mpsc_push: returns whether the queue was empty. */
static inline bool mpsc_push(struct mpsc *queue, struct mpsc_node *node)
{
    /* relaxed: only compared and passed on, never followed here */
    struct mpsc_node *head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    do {
        /* relaxed: published by the exchange below */
        atomic_store_explicit(&node->next, head, memory_order_relaxed);
        /* seq_cst: as a release it pairs with the acquire in mpsc_take_all, also through later
         * pushes, which continue its release sequence; as seq_cst with mpsc_empty_ordered */
    } while (!atomic_compare_exchange_weak_explicit(
        &queue->head, &head, node, memory_order_seq_cst, memory_order_relaxed));
    return head == NULL;
}

/* mpsc_next: the successor in a chain that mpsc_take_all returned, NULL at its end. */
static inline struct mpsc_node *mpsc_next(const struct mpsc_node *node)
{
    /* relaxed: the chain is the caller's alone */
    return atomic_load_explicit(&node->next, memory_order_relaxed);
}

/* mpsc_take_all: the chain of all nodes, the oldest first, each producer's in the order it
 * pushed them; NULL if there are none. */
static inline struct mpsc_node *mpsc_take_all(struct mpsc *queue)
{
    /* acquire: pairs with the compare-exchange in mpsc_push */
    struct mpsc_node *node = atomic_exchange_explicit(&queue->head, NULL, memory_order_acquire);
    struct mpsc_node *newer = NULL;
    while (node != NULL) {
        /* relaxed, both: ordered by the exchange above */
        struct mpsc_node *older = atomic_load_explicit(&node->next, memory_order_relaxed);
        atomic_store_explicit(&node->next, newer, memory_order_relaxed);
        newer = node;
        node = older;
    }
    return newer;
}

/* mpsc_empty: a peek without order: a hint for one who will look again. */
static inline bool mpsc_empty(const struct mpsc *queue)
{
    return atomic_load_explicit(&queue->head, memory_order_relaxed) == NULL;
}

/* mpsc_empty_ordered: the look before going to sleep, see above. */
static inline bool mpsc_empty_ordered(const struct mpsc *queue)
{
    /* seq_cst: pairs with the compare-exchange in mpsc_push */
    return atomic_load_explicit(&queue->head, memory_order_seq_cst) == NULL;
}

#endif
