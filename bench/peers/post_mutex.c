/* By hand, as everybody begins: a queue under a mutex, and a condition variable. */
#include "peer.h"
#include "post_queue.h"

static struct queue queues[2] = {
    {.lock = PTHREAD_MUTEX_INITIALIZER}, {.lock = PTHREAD_MUTEX_INITIALIZER}};
static pthread_cond_t posted[2] = {PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER};
static bool stopped[2];

static void on_packet(unsigned box, struct packet *packet);

static void boxes_prepare(const char *argument, const char **ret_engine, const char **ret_remark)
{
    (void)argument;
    *ret_engine = "pthread";
    *ret_remark = "no library";
}

static void box_open(unsigned box)
{
    (void)box;
}

static inline void box_post(unsigned box, struct packet *packet)
{
    if (queue_push(&queues[box], packet))
        pthread_cond_signal(&posted[box]);
}

static void box_run(unsigned box)
{
    struct queue *q = &queues[box];
    while (!stopped[box]) {
        pthread_mutex_lock(&q->lock);
        while (q->first == NULL)
            pthread_cond_wait(&posted[box], &q->lock);
        pthread_mutex_unlock(&q->lock);
        for (struct packet *packet = queue_take(q), *next; packet != NULL; packet = next) {
            next = packet->next;
            on_packet(box, packet);
        }
    }
}

static void box_stop(unsigned box)
{
    stopped[box] = true;
}

static void box_close(unsigned box)
{
    (void)box;
}

#include "post_bench.h"
