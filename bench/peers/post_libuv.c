/* libuv: uv_async_send wakes a loop, and many of them may wake it once; what is to be carried lies in a locked queue. */
#include <stdint.h>
#include <uv.h>

#include "peer.h"
#include "post_queue.h"

static struct box {
    uv_loop_t loop;
    uv_async_t async;
    struct queue queue;
} boxes[2];

static void on_packet(unsigned box, struct packet *packet);

static void boxes_prepare(const char *argument, const char **ret_engine, const char **ret_remark)
{
    (void)argument;
    *ret_engine = "its own loop";
    *ret_remark = uv_version_string();
}

static void on_async(uv_async_t *async)
{
    unsigned box = (unsigned)(uintptr_t)async->data;
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
    if (uv_loop_init(&b->loop) != 0 || uv_async_init(&b->loop, &b->async, on_async) != 0)
        peer_die("uv_loop_init", 0);
    b->async.data = (void *)(uintptr_t)box;
}

static inline void box_post(unsigned box, struct packet *packet)
{
    queue_push(&boxes[box].queue, packet);
    uv_async_send(&boxes[box].async);
}

static void box_run(unsigned box)
{
    uv_run(&boxes[box].loop, UV_RUN_DEFAULT);
}

static void box_stop(unsigned box)
{
    uv_stop(&boxes[box].loop);
}

static void box_close(unsigned box)
{
    uv_close((uv_handle_t *)&boxes[box].async, NULL);
    uv_run(&boxes[box].loop, UV_RUN_DEFAULT);
    uv_loop_close(&boxes[box].loop);
}

#include "post_bench.h"
