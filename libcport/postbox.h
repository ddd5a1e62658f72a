/*
 * postbox.h: where other threads leave packets for the owner of a SINGLE port, or for the threads of a shared one.
 *
 * Ownership. A node is the box's from a push to the take that returns it.
 * Threading. Push and knock from any thread; the rest from the one consumer, or under the lock that makes several one.
 *
 * The head holds the packets, newest first, and also whether the consumer sleeps: an empty box's head is NULL while it is
 * awake and ASLEEP while it waits in the kernel. So one compare-and-swap both leaves a packet and learns whether a wake
 * is owed, and where none is owed nothing of the port is touched after it: the consumer may close the port as soon as it has
 * the packet. Where one is owed, `wakers` holds the port open until the wake has been made.
 */
#ifndef CPORT_POSTBOX_H
#define CPORT_POSTBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct post_node {
    struct post_node *next;
};

struct postbox {
    _Atomic(uintptr_t) head;
    _Atomic unsigned wakers; /* threads that are about to wake the consumer */
};

#define POSTBOX_ASLEEP ((uintptr_t)1)

/* Leaves a packet. True: the consumer sleeps; wake it, then call postbox_woken. */
static inline bool postbox_push(struct postbox *box, struct post_node *node)
{
    uintptr_t head = atomic_load_explicit(&box->head, memory_order_relaxed);
    for (;;) {
        bool asleep = head == POSTBOX_ASLEEP;
        node->next = asleep ? NULL : (struct post_node *)head;
        if (asleep)
            atomic_fetch_add_explicit(&box->wakers, 1, memory_order_relaxed);
        /* release: pairs with the acquire in postbox_take_newest, and publishes the node and `wakers`. */
        if (atomic_compare_exchange_weak_explicit(
                &box->head, &head, (uintptr_t)node, memory_order_release, memory_order_relaxed))
            return asleep;
        if (asleep)
            atomic_fetch_sub_explicit(&box->wakers, 1, memory_order_relaxed);
    }
}

/* Leaves a packet unless the consumer sleeps: false then. */
static inline bool postbox_try_push(struct postbox *box, struct post_node *node)
{
    uintptr_t head = atomic_load_explicit(&box->head, memory_order_relaxed);
    do {
        if (head == POSTBOX_ASLEEP)
            return false;
        node->next = (struct post_node *)head;
        /* release: pairs with the acquire in postbox_take_newest. */
    } while (!atomic_compare_exchange_weak_explicit(
        &box->head, &head, (uintptr_t)node, memory_order_release, memory_order_relaxed));
    return true;
}

/* Without a packet: true if the consumer sleeps, as above. The caller has set its own flag, sequentially consistent, before;
 * the consumer reads that flag after postbox_sleep: one of the two sees the other. */
static inline bool postbox_knock(struct postbox *box)
{
    atomic_fetch_add_explicit(&box->wakers, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&box->head, memory_order_seq_cst) == POSTBOX_ASLEEP)
        return true;
    atomic_fetch_sub_explicit(&box->wakers, 1, memory_order_release);
    return false;
}

/* This thread will call postbox_woken. Under a lock that the consumer takes before it looks at postbox_quiet. */
static inline void postbox_will_wake(struct postbox *box)
{
    atomic_fetch_add_explicit(&box->wakers, 1, memory_order_relaxed);
}

static inline void postbox_woken(struct postbox *box)
{
    /* release: the wake is over before postbox_quiet sees it gone. */
    atomic_fetch_sub_explicit(&box->wakers, 1, memory_order_release);
}

/* Consumer: false if there are packets; otherwise pushes owe a wake from here on. */
static inline bool postbox_sleep(struct postbox *box)
{
    uintptr_t empty = 0;
    return atomic_compare_exchange_strong_explicit(
        &box->head, &empty, POSTBOX_ASLEEP, memory_order_seq_cst, memory_order_relaxed);
}

/* Consumer: awake again; what has been pushed meanwhile stays for postbox_take. */
static inline void postbox_awake(struct postbox *box)
{
    uintptr_t asleep = POSTBOX_ASLEEP;
    atomic_compare_exchange_strong_explicit(
        &box->head, &asleep, 0, memory_order_relaxed, memory_order_relaxed);
}

static inline bool postbox_sleeps(const struct postbox *box)
{
    return atomic_load_explicit(&((struct postbox *)(uintptr_t)box)->head, memory_order_relaxed) ==
           POSTBOX_ASLEEP;
}

/* A hint: there may be some by now. */
static inline bool postbox_has_packets(const struct postbox *box)
{
    return atomic_load_explicit(&((struct postbox *)(uintptr_t)box)->head, memory_order_relaxed) >
           POSTBOX_ASLEEP;
}

/* Consumer: takes all packets, the newest first. */
static inline struct post_node *postbox_take_newest(struct postbox *box)
{
    if (!postbox_has_packets(box))
        return NULL;
    /* acquire: pairs with the releases in the pushes. */
    return (struct post_node *)atomic_exchange_explicit(&box->head, 0, memory_order_acquire);
}

/* The same, oldest first. */
static inline struct post_node *postbox_take(struct postbox *box)
{
    struct post_node *node = postbox_take_newest(box);
    struct post_node *oldest = NULL;
    while (node) {
        struct post_node *next = node->next;
        node->next = oldest;
        oldest = node;
        node = next;
    }
    return oldest;
}

/* Consumer: nobody is about to wake it any more. */
static inline bool postbox_quiet(const struct postbox *box)
{
    /* acquire: pairs with the releases above. */
    return atomic_load_explicit(
               &((struct postbox *)(uintptr_t)box)->wakers, memory_order_acquire) == 0;
}

#endif
