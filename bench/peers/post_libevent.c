/* libevent: event_active on an event of another thread's base, and a locked queue for what is to be carried. */
#include <event2/event.h>
#include <event2/thread.h>
#include <stdint.h>

#include "peer.h"
#include "post_queue.h"

static struct box {
    struct event_base *base;
    struct event *event;
    struct queue queue;
} boxes[2];

static void on_packet(unsigned box, struct packet *packet);

static void boxes_prepare(const char *argument, const char **ret_engine, const char **ret_remark)
{
    (void)argument;
    if (evthread_use_pthreads() != 0)
        peer_die("evthread_use_pthreads", 0);
    *ret_engine = "its own loop";
    *ret_remark = event_get_version();
}

static void on_active(evutil_socket_t fd, short what, void *context)
{
    unsigned box = (unsigned)(uintptr_t)context;
    (void)fd;
    (void)what;
    for (struct packet *packet = queue_take(&boxes[box].queue), *next; packet != NULL;
         packet = next) {
        next = packet->next;
        on_packet(box, packet);
    }
}

static void box_open(unsigned box)
{
    struct box *b = &boxes[box];
    pthread_mutex_init(&b->queue.lock, NULL);
    b->base = event_base_new();
    if (b->base != NULL)
        b->event = event_new(b->base, -1, EV_PERSIST, on_active, (void *)(uintptr_t)box);
    if (b->event == NULL)
        peer_die("event_base_new", 0);
}

static inline void box_post(unsigned box, struct packet *packet)
{
    queue_push(&boxes[box].queue, packet);
    event_active(boxes[box].event, EV_READ, 0);
}

static void box_run(unsigned box)
{
    event_base_loop(boxes[box].base, EVLOOP_NO_EXIT_ON_EMPTY);
}

static void box_stop(unsigned box)
{
    event_base_loopbreak(boxes[box].base);
}

static void box_close(unsigned box)
{
    event_free(boxes[box].event);
    event_base_free(boxes[box].base);
}

#include "post_bench.h"
