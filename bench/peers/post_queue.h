/* A locked queue of packets, for libraries that wake another thread but carry nothing to it. A packet begins with its link. */
#ifndef BENCH_POST_QUEUE_H
#define BENCH_POST_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct packet {
    struct packet *next;
};

struct queue {
    pthread_mutex_t lock;
    struct packet *first, *last;
};

/* True: it was empty. */
static inline bool queue_push(struct queue *q, struct packet *packet)
{
    packet->next = NULL;
    pthread_mutex_lock(&q->lock);
    bool was_empty = q->first == NULL;
    if (was_empty)
        q->first = packet;
    else
        q->last->next = packet;
    q->last = packet;
    pthread_mutex_unlock(&q->lock);
    return was_empty;
}

/* All of them, oldest first. */
static inline struct packet *queue_take(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    struct packet *first = q->first;
    q->first = NULL;
    pthread_mutex_unlock(&q->lock);
    return first;
}

#endif
