/* By hand: a lock-free stack that its owner takes whole and turns over, and an eventfd, written only while the owner sleeps. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "peer.h"

struct packet {
    struct packet *next;
};

static struct box {
    _Alignas(64) _Atomic(struct packet *) newest;
    _Alignas(64) atomic_bool asleep;
    int fd;
    bool stopped;
} boxes[2];

static void on_packet(unsigned box, struct packet *packet);

static void boxes_prepare(const char *argument, const char **ret_engine, const char **ret_remark)
{
    (void)argument;
    *ret_engine = "eventfd";
    *ret_remark = "no library";
}

static void box_open(unsigned box)
{
    boxes[box].fd = eventfd(0, EFD_CLOEXEC);
    if (boxes[box].fd < 0)
        peer_die("eventfd", 0);
}

static inline void box_post(unsigned box, struct packet *packet)
{
    struct box *b = &boxes[box];
    struct packet *newest = atomic_load_explicit(&b->newest, memory_order_relaxed);
    do
        packet->next = newest;
    while (!atomic_compare_exchange_weak(&b->newest, &newest, packet));
    if (atomic_load(&b->asleep) && atomic_exchange(&b->asleep, false)) {
        const uint64_t one = 1;
        if (write(b->fd, &one, sizeof one) < 0)
            peer_die("write", 0);
    }
}

static void sleep_until_posted(struct box *b)
{
    uint64_t number;
    atomic_store(&b->asleep, true);
    if (atomic_load(&b->newest) != NULL && atomic_exchange(&b->asleep, false))
        return;
    if (read(b->fd, &number, sizeof number) < 0)
        peer_die("read", 0);
}

static void box_run(unsigned box)
{
    struct box *b = &boxes[box];
    while (!b->stopped) {
        struct packet *packet = atomic_exchange(&b->newest, NULL), *oldest = NULL;
        if (packet == NULL) {
            sleep_until_posted(b);
            continue;
        }
        for (struct packet *next; packet != NULL; packet = next) {
            next = packet->next;
            packet->next = oldest;
            oldest = packet;
        }
        for (struct packet *next; oldest != NULL; oldest = next) {
            next = oldest->next;
            on_packet(box, oldest);
        }
    }
}

static void box_stop(unsigned box)
{
    boxes[box].stopped = true;
}

static void box_close(unsigned box)
{
    close(boxes[box].fd);
}

#include "post_bench.h"
