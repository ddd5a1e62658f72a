/*
 * list.h: intrusive lists. A fifo is singly linked, 8 bytes per node, for what leaves at the front;
 * a list is doubly linked, 16 bytes per node, for what may leave from anywhere.
 *
 * Ownership: a node must stay where it is while it is linked; the lists allocate nothing. A fifo
 * may be zeroed memory; a list is circular through its own head, and must be initialised and stay
 * where it is.
 *
 * Threading: none of their own; the caller's lock, or thread, guards every call.
 *
 * Find the record around a node with CPORT_CONTAINER_OF.
 */
#ifndef CPORT_LIST_H
#define CPORT_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct fifo_node {
    struct fifo_node *next; /* fifo: NULL at the tail */
};

struct fifo {
    struct fifo_node *head; /* NULL when empty */
    struct fifo_node *tail; /* meaningful when head is not NULL */
};

static inline void fifo_init(struct fifo *fifo)
{
    fifo->head = NULL;
    fifo->tail = NULL;
}

static inline bool fifo_empty(const struct fifo *fifo)
{
    return fifo->head == NULL;
}

static inline void fifo_push(struct fifo *fifo, struct fifo_node *node)
{
    node->next = NULL;
    if (fifo->head == NULL)
        fifo->head = node;
    else
        fifo->tail->next = node;
    fifo->tail = node;
}

/* fifo_push_front: for what was taken and could not be used. */
static inline void fifo_push_front(struct fifo *fifo, struct fifo_node *node)
{
    if (fifo->head == NULL)
        fifo->tail = node;
    node->next = fifo->head;
    fifo->head = node;
}

/* fifo_pop: the oldest node, or NULL. */
static inline struct fifo_node *fifo_pop(struct fifo *fifo)
{
    struct fifo_node *node = fifo->head;
    if (node != NULL)
        fifo->head = node->next;
    return node;
}

/* fifo_splice: moves all of from to the end of fifo. */
static inline void fifo_splice(struct fifo *fifo, struct fifo *from)
{
    if (from->head == NULL)
        return;
    if (fifo->head == NULL)
        fifo->head = from->head;
    else
        fifo->tail->next = from->head;
    fifo->tail = from->tail;
    from->head = NULL;
}

/* fifo_remove: takes a node out of the middle; false if it was not there. Walks from the head. */
static inline bool fifo_remove(struct fifo *fifo, struct fifo_node *node)
{
    struct fifo_node *before = NULL;
    for (struct fifo_node *at = fifo->head; at != NULL; before = at, at = at->next) {
        if (at != node)
            continue;
        if (before == NULL)
            fifo->head = node->next;
        else
            before->next = node->next;
        if (node->next == NULL)
            fifo->tail = before;
        return true;
    }
    return false;
}

/* A node, and the head of a list as well. */
struct list {
    struct list *next;
    struct list *prev;
};

/* list_init: an empty list; or a node that list_linked shall call unlinked. */
static inline void list_init(struct list *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}

/* list_linked: whether a node is in a list. It must have been initialised once. */
static inline bool list_linked(const struct list *node)
{
    return node->next != node;
}

static inline void list_insert(struct list *prev, struct list *node, struct list *next)
{
    node->next = next;
    node->prev = prev;
    prev->next = node;
    next->prev = node;
}

static inline void list_push_back(struct list *list, struct list *node)
{
    list_insert(list->prev, node, list);
}

static inline void list_push_front(struct list *list, struct list *node)
{
    list_insert(list, node, list->next);
}

/* list_remove: takes a node out of its list and leaves it unlinked. */
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* list_pop_front: the first node, or NULL. */
static inline struct list *list_pop_front(struct list *list)
{
    if (list_empty(list))
        return NULL;
    struct list *node = list->next;
    list_remove(node);
    return node;
}

#endif
