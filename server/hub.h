/*
 * hub: topics, who listens to them, and the frames that go to all of them: pushes from one connection to any number of others,
 * on any worker.
 *
 * A frame is encoded once, however many get it. A publish takes the lock of its topic's table, gives the frame the topic's next
 * number and puts one parcel into the mailbox of each worker that has a listener: so every listener of the node sees the same
 * numbers in the same order. Each worker then walks its own listeners of that topic without a lock, once for all frames of the
 * topic that lie in its mailbox one behind the other: to come back to a thousand listeners for each frame costs a cache more than
 * to copy the frames together first.
 *
 * A topic lives as long as somebody listens. Its numbers never go back: a topic that is made anew starts above every number that
 * a topic of the same table has had.
 *
 * Ownership: a subscription is its connection's list's, until hub_leave. Threading: hub_publish and hub_send from any thread;
 * what names a worker, from that worker's.
 */
#ifndef CPORT_SERVER_HUB_H
#define CPORT_SERVER_HUB_H

#include "frame.h"
#include "mail.h"

#include <stdbool.h>

#define TOPIC_BYTES_MAX 255u

/* The topic of log lines. It is not UTF-8: no client can name it. */
#define HUB_LOG_TOPIC   "\xFFlog"

struct hub;
struct subscription;

/* What a worker does with frames, count of them one behind the other: who is what subscribed. */
typedef void hub_deliver(void *who, struct bytes frames, unsigned count);

/* A connection's subscriptions. */
struct subscriptions {
    struct subscription *first;
    unsigned count;
};

/* boxes are the workers' mailboxes, and outlive the hub. A worker's mailbox that holds more than backlog_max bytes takes no
 * more pushes. NULL: no memory. */
struct hub *hub_open(
    struct mailbox *boxes, unsigned workers, size_t backlog_max, hub_deliver *deliver);
void hub_close(struct hub *hub);
void hub_backlog_set(struct hub *hub, size_t backlog_max);

/* STATUS_OK also if it is subscribed already; STATUS_BUSY: no memory, or count is at the limit. */
enum message_status hub_subscribe(struct hub *hub, unsigned worker, struct subscriptions *list,
    unsigned limit, struct bytes topic, void *who);
/* STATUS_NOT_FOUND: it is not subscribed. */
enum message_status hub_unsubscribe(
    struct hub *hub, unsigned worker, struct subscriptions *list, struct bytes topic);
void hub_leave(struct hub *hub, unsigned worker, struct subscriptions *list); /* all of them */

/* A PUSH with topic and data to all that listen. STATUS_BUSY: no memory, or a worker has too much to deliver; then nobody gets
 * it. */
enum message_status hub_publish(
    struct hub *hub, struct bytes topic, struct bytes data, uint32_t *ret_receivers);

/* The bytes as they are, without number. topic outlives every delivery: a constant. False: nobody gets it. */
bool hub_publish_raw(struct hub *hub, struct bytes topic, struct bytes frame);

/* A PUSH with topic "@sender" to some connections, by worker and number. resolve gives who from a number, on its worker, or NULL.
 * A user with more connections than HUB_SEND_MAX gets it on that many. */
#define HUB_SEND_MAX 64u
struct hub_target {
    unsigned worker;
    uint64_t number;
};
typedef void *hub_resolve(void *ctx, uint64_t number);
enum message_status hub_send(struct hub *hub, struct bytes sender, struct bytes data,
    const struct hub_target *targets, unsigned count, hub_resolve *resolve, void *resolve_ctx);

#endif
