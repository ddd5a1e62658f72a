#include "hub.h"

#include "hash.h"
#include "os.h"

#include <stdlib.h>
#include <string.h>

#define TABLES      64u
#define TABLE_LISTS 64u

struct topic;

struct subscription {
    struct topic *topic;
    void *who;
    uint32_t number; /* of the topic when it subscribed: what came before is not for it */
    struct subscription *next_of_topic, **link_of_topic; /* the worker's, without a lock */
    struct subscription *next;                           /* the connection's */
};

struct listeners {
    uint32_t count;             /* under the table's lock */
    struct subscription *first; /* the worker's alone */
};

struct topic {
    struct topic *next;
    uint64_t hash;
    uint32_t number; /* of the last push */
    uint32_t count;  /* listeners on all workers */
    uint8_t name_len;
    uint8_t name[TOPIC_BYTES_MAX];
    struct listeners workers[];
};

struct table {
    struct sys_lock *lock;
    uint32_t floor; /* the highest number of any topic that is gone */
    struct topic *lists[TABLE_LISTS];
};

/* Users that were sent from: their numbers go on for as long as the server runs, and there are no more than users. */
struct sender {
    struct sender *next;
    uint32_t number;
    uint8_t name_len;
    uint8_t name[TOPIC_BYTES_MAX];
};

/* Frames of one topic that a worker hands out together. */
struct run {
    uint8_t *frames;
    size_t len, room;
    unsigned count;
};

struct hub {
    struct mailbox *boxes;
    unsigned workers;
    struct run *runs;          /* each its worker's alone */
    atomic_size_t backlog_max; /* relaxed: a limit that stands for itself */
    hub_deliver *deliver;
    struct table tables[TABLES];
    struct sys_lock *senders_lock;
    struct sender *senders;
};

/* ---- Frames for many ---- */

struct push_parcel {
    struct parcel parcel;
    struct push *push;
    unsigned worker;
    uint64_t target; /* of a send */
};

static void push_open(struct parcel *parcel, void *worker);

struct push {
    atomic_uint holds; /* parcels not yet opened, and the maker */
    struct hub *hub;
    hub_resolve *resolve; /* of a send; NULL: all listeners of the topic */
    void *resolve_ctx;
    uint64_t hash;
    uint32_t number;
    bool raw;
    struct bytes topic;
    struct bytes frame;
    struct push_parcel parcels[]; /* as many as there may be, then the frame */
};

static void push_release(struct push *push)
{
    /* acq_rel: the last to let go frees what the others have read */
    if (atomic_fetch_sub_explicit(&push->holds, 1, memory_order_acq_rel) == 1)
        free(push);
}

/* bytes of frame follow the parcels; the caller writes them. */
static struct push *push_new(struct hub *hub, unsigned parcels, size_t bytes, uint8_t **ret_bytes)
{
    size_t head = sizeof(struct push) + parcels * sizeof(struct push_parcel);
    struct push *push = malloc(head + bytes);
    if (!push)
        return NULL;
    memset(push, 0, sizeof(*push));
    atomic_init(&push->holds, 1);
    push->hub = hub;
    *ret_bytes = (uint8_t *)push + head;
    push->frame = (struct bytes){*ret_bytes, bytes};
    return push;
}

/* The frame of a PUSH: its number is written later, under the lock that gives it. */
static struct push *push_encode(
    struct hub *hub, unsigned parcels, struct bytes topic, struct bytes data)
{
    uint8_t *p;
    size_t payload_len = 1 + topic.len + data.len;
    struct push *push = push_new(hub, parcels, MESSAGE_HEAD_BYTES + payload_len, &p);
    if (!push)
        return NULL;
    struct message head = {.type = MESSAGE_PUSH};
    message_head_store(p, &head, payload_len);
    p += MESSAGE_HEAD_BYTES;
    *p++ = (uint8_t)topic.len;
    memcpy(p, topic.data, topic.len);
    push->topic = (struct bytes){p, topic.len};
    if (data.len > 0)
        memcpy(p + topic.len, data.data, data.len);
    return push;
}

static void push_number(struct push *push, uint32_t number)
{
    push->number = number;
    store_u32((uint8_t *)(uintptr_t)push->frame.data + 8, number);
}

/* ---- Topics ---- */

static struct table *table_of(struct hub *hub, uint64_t hash)
{
    return &hub->tables[hash % TABLES];
}

static struct topic **topic_place(struct table *table, uint64_t hash, struct bytes name)
{
    struct topic **at = &table->lists[hash / TABLES % TABLE_LISTS];
    while (*at && !((*at)->hash == hash && (*at)->name_len == name.len &&
                      memcmp((*at)->name, name.data, name.len) == 0))
        at = &(*at)->next;
    return at;
}

static struct topic *topic_new(
    const struct hub *hub, struct table *table, uint64_t hash, struct bytes name)
{
    struct topic *topic = calloc(1, sizeof(*topic) + hub->workers * sizeof(topic->workers[0]));
    if (!topic)
        return NULL;
    topic->hash = hash;
    topic->number = table->floor;
    topic->name_len = (uint8_t)name.len;
    memcpy(topic->name, name.data, name.len);
    return topic;
}

static struct subscription **own_place(struct subscriptions *list, struct bytes name)
{
    struct subscription **at = &list->first;
    while (*at && !((*at)->topic->name_len == name.len &&
                      memcmp((*at)->topic->name, name.data, name.len) == 0))
        at = &(*at)->next;
    return at;
}

enum message_status hub_subscribe(struct hub *hub, unsigned worker, struct subscriptions *list,
    unsigned limit, struct bytes name, void *who)
{
    struct subscription **place = own_place(list, name);
    if (*place)
        return STATUS_OK;
    struct subscription *subscription =
        list->count < limit ? calloc(1, sizeof(*subscription)) : NULL;
    if (!subscription)
        return STATUS_BUSY;

    uint64_t hash = hash_bytes(name);
    struct table *table = table_of(hub, hash);
    sys_lock_take(table->lock);
    struct topic **at = topic_place(table, hash, name);
    if (!*at)
        *at = topic_new(hub, table, hash, name);
    struct topic *topic = *at;
    if (topic) {
        topic->count++;
        topic->workers[worker].count++;
        subscription->number = topic->number;
    }
    sys_lock_give(table->lock);
    if (!topic) {
        free(subscription);
        return STATUS_BUSY;
    }

    struct listeners *listeners = &topic->workers[worker];
    subscription->topic = topic;
    subscription->who = who;
    subscription->next_of_topic = listeners->first;
    subscription->link_of_topic = &listeners->first;
    if (listeners->first)
        listeners->first->link_of_topic = &subscription->next_of_topic;
    listeners->first = subscription;
    *place = subscription;
    list->count++;
    return STATUS_OK;
}

static void subscription_end(struct hub *hub, unsigned worker, struct subscription *subscription)
{
    struct topic *topic = subscription->topic;
    *subscription->link_of_topic = subscription->next_of_topic;
    if (subscription->next_of_topic)
        subscription->next_of_topic->link_of_topic = subscription->link_of_topic;
    free(subscription);

    struct table *table = table_of(hub, topic->hash);
    sys_lock_take(table->lock);
    topic->workers[worker].count--;
    bool gone = --topic->count == 0;
    if (gone) {
        *topic_place(table, topic->hash, (struct bytes){topic->name, topic->name_len}) =
            topic->next;
        if (topic->number > table->floor)
            table->floor = topic->number;
    }
    sys_lock_give(table->lock);
    if (gone)
        free(topic);
}

enum message_status hub_unsubscribe(
    struct hub *hub, unsigned worker, struct subscriptions *list, struct bytes name)
{
    struct subscription **place = own_place(list, name);
    struct subscription *subscription = *place;
    if (!subscription)
        return STATUS_NOT_FOUND;
    *place = subscription->next;
    list->count--;
    subscription_end(hub, worker, subscription);
    return STATUS_OK;
}

void hub_leave(struct hub *hub, unsigned worker, struct subscriptions *list)
{
    while (list->first) {
        struct subscription *subscription = list->first;
        list->first = subscription->next;
        list->count--;
        subscription_end(hub, worker, subscription);
    }
}

/* ---- Delivery ---- */

/* What of the frames is for who has subscribed after that number. */
static struct bytes frames_after(struct bytes frames, uint32_t number, unsigned *count)
{
    while (frames.len > 0 && (int32_t)(load_u32(frames.data + 8) - number) <= 0) {
        size_t len = 4 + (size_t)load_u32(frames.data);
        frames.data += len;
        frames.len -= len;
        --*count;
    }
    return frames;
}

/* The listeners of the worker that opens the parcel: the table is asked for the topic alone, which may be gone. */
static void deliver_to_topic(
    const struct push *push, unsigned worker, struct bytes frames, unsigned count)
{
    struct hub *hub = push->hub;
    struct table *table = table_of(hub, push->hash);
    sys_lock_take(table->lock);
    struct topic *topic = *topic_place(table, push->hash, push->topic);
    struct listeners *listeners = topic ? &topic->workers[worker] : NULL;
    /* With a listener of this worker the topic stays: only this thread takes its own away. */
    bool any = listeners && listeners->count > 0;
    sys_lock_give(table->lock);
    if (!any)
        return;
    for (struct subscription *one = listeners->first, *next; one; one = next) {
        next = one->next_of_topic;
        unsigned own_count = count;
        struct bytes own = push->raw ? frames : frames_after(frames, one->number, &own_count);
        if (own.len > 0)
            hub->deliver(one->who, own, own_count);
    }
}

static bool run_add(struct run *run, struct bytes frame)
{
    if (frame.len > run->room - run->len) {
        size_t room = 2 * (run->len + frame.len);
        uint8_t *frames = realloc(run->frames, room);
        if (!frames)
            return false;
        run->frames = frames;
        run->room = room;
    }
    memcpy(run->frames + run->len, frame.data, frame.len);
    run->len += frame.len;
    run->count++;
    return true;
}

static void run_hand_out(struct run *run, const struct push *push, unsigned worker)
{
    if (run->count > 0)
        deliver_to_topic(push, worker, (struct bytes){run->frames, run->len}, run->count);
    run->len = 0;
    run->count = 0;
}

/* Whether the next parcel is a push to the same topic. */
static bool is_followed(const struct push_parcel *own)
{
    if (!own->parcel.next || own->parcel.next->open != push_open)
        return false;
    const struct push *push = own->push;
    const struct push *next =
        CPORT_CONTAINER_OF(own->parcel.next, struct push_parcel, parcel)->push;
    return !push->raw && !next->raw && !next->resolve && next->hash == push->hash &&
           next->topic.len == push->topic.len &&
           memcmp(next->topic.data, push->topic.data, push->topic.len) == 0;
}

static void push_hand_out(const struct push_parcel *own)
{
    const struct push *push = own->push;
    struct run *run = &push->hub->runs[own->worker];
    bool followed = is_followed(own);
    if ((followed || run->count > 0) && run_add(run, push->frame)) {
        if (!followed)
            run_hand_out(run, push, own->worker);
        return;
    }
    /* Alone, or without memory to be gathered. */
    run_hand_out(run, push, own->worker);
    deliver_to_topic(push, own->worker, push->frame, 1);
}

static void push_open(struct parcel *parcel, void *worker)
{
    struct push_parcel *own = CPORT_CONTAINER_OF(parcel, struct push_parcel, parcel);
    struct push *push = own->push;
    if (worker && push->resolve) {
        void *who = push->resolve(push->resolve_ctx, own->target);
        if (who)
            push->hub->deliver(who, push->frame, 1);
    } else if (worker) {
        push_hand_out(own);
    }
    push_release(push);
}

static void push_mail(struct push *push, unsigned slot, unsigned worker, uint64_t target)
{
    struct push_parcel *own = &push->parcels[slot];
    *own = (struct push_parcel){
        .parcel = {.bytes = push->frame.len, .open = push_open}, .push = push, .worker = worker};
    own->target = target;
    atomic_fetch_add_explicit(&push->holds, 1, memory_order_relaxed);
    mail_put(&push->hub->boxes[worker], &own->parcel);
}

static bool has_room(struct hub *hub, unsigned worker)
{
    return mail_waiting(&hub->boxes[worker]) <=
           atomic_load_explicit(&hub->backlog_max, memory_order_relaxed);
}

/* Called with the table's lock: the order of the mailboxes is then the order of the numbers. False: a worker has too much to
 * deliver. */
static bool publish_to(struct push *push, struct topic *topic)
{
    struct hub *hub = push->hub;
    for (unsigned i = 0; i < hub->workers; i++) {
        if (topic->workers[i].count > 0 && !has_room(hub, i))
            return false;
    }
    if (!push->raw)
        push_number(push, ++topic->number);
    for (unsigned i = 0, slot = 0; i < hub->workers; i++) {
        if (topic->workers[i].count > 0)
            push_mail(push, slot++, i, 0);
    }
    return true;
}

static enum message_status publish(struct push *push, struct bytes name, uint32_t *ret_receivers)
{
    struct table *table = table_of(push->hub, push->hash);
    bool taken = true;
    *ret_receivers = 0;
    sys_lock_take(table->lock);
    struct topic *topic = *topic_place(table, push->hash, name);
    if (topic) {
        taken = publish_to(push, topic);
        *ret_receivers = topic->count;
    }
    sys_lock_give(table->lock);
    push_release(push);
    return taken ? STATUS_OK : STATUS_BUSY;
}

enum message_status hub_publish(
    struct hub *hub, struct bytes topic, struct bytes data, uint32_t *ret_receivers)
{
    struct push *push = push_encode(hub, hub->workers, topic, data);
    if (!push)
        return STATUS_BUSY;
    push->hash = hash_bytes(topic);
    return publish(push, topic, ret_receivers);
}

bool hub_publish_raw(struct hub *hub, struct bytes topic, struct bytes frame)
{
    uint8_t *p;
    uint32_t receivers;
    struct push *push = push_new(hub, hub->workers, frame.len, &p);
    if (!push)
        return false;
    memcpy(p, frame.data, frame.len);
    push->raw = true;
    push->topic = topic; /* outlives the push: see hub.h */
    push->hash = hash_bytes(topic);
    return publish(push, topic, &receivers) == STATUS_OK && receivers > 0;
}

/* ---- From one user to another ---- */

/* Called with the lock. */
static struct sender *sender_of(struct hub *hub, struct bytes topic)
{
    struct sender *sender = hub->senders;
    while (sender &&
           !(sender->name_len == topic.len && memcmp(sender->name, topic.data, topic.len) == 0))
        sender = sender->next;
    if (sender)
        return sender;
    sender = calloc(1, sizeof(*sender));
    if (!sender)
        return NULL;
    sender->name_len = (uint8_t)topic.len;
    memcpy(sender->name, topic.data, topic.len);
    sender->next = hub->senders;
    hub->senders = sender;
    return sender;
}

enum message_status hub_send(struct hub *hub, struct bytes user, struct bytes data,
    const struct hub_target *targets, unsigned count, hub_resolve *resolve, void *resolve_ctx)
{
    uint8_t name[TOPIC_BYTES_MAX] = {'@'};
    if (user.len > sizeof(name) - 1)
        return STATUS_MALFORMED;
    if (user.len > 0)
        memcpy(name + 1, user.data, user.len);
    struct bytes topic = {name, 1 + user.len};
    struct push *push = push_encode(hub, count, topic, data);
    if (!push)
        return STATUS_BUSY;
    push->resolve = resolve;
    push->resolve_ctx = resolve_ctx;

    bool room = true;
    for (unsigned i = 0; i < count; i++)
        room = room && has_room(hub, targets[i].worker);
    sys_lock_take(hub->senders_lock);
    struct sender *sender = room ? sender_of(hub, topic) : NULL;
    if (sender) {
        push_number(push, ++sender->number);
        for (unsigned i = 0; i < count; i++)
            push_mail(push, i, targets[i].worker, targets[i].number);
    }
    sys_lock_give(hub->senders_lock);
    push_release(push);
    return sender ? STATUS_OK : STATUS_BUSY;
}

/* ---- Life ---- */

struct hub *hub_open(
    struct mailbox *boxes, unsigned workers, size_t backlog_max, hub_deliver *deliver)
{
    struct hub *hub = calloc(1, sizeof(*hub));
    if (!hub)
        return NULL;
    hub->boxes = boxes;
    hub->workers = workers;
    atomic_init(&hub->backlog_max, backlog_max);
    hub->deliver = deliver;
    hub->senders_lock = sys_lock_new();
    hub->runs = calloc(workers, sizeof(*hub->runs));
    bool done = hub->senders_lock && hub->runs;
    for (unsigned i = 0; i < TABLES; i++) {
        hub->tables[i].lock = sys_lock_new();
        done = done && hub->tables[i].lock;
    }
    if (!done) {
        hub_close(hub);
        return NULL;
    }
    return hub;
}

void hub_backlog_set(struct hub *hub, size_t backlog_max)
{
    atomic_store_explicit(&hub->backlog_max, backlog_max, memory_order_relaxed);
}

void hub_close(struct hub *hub)
{
    if (!hub)
        return;
    for (unsigned i = 0; i < TABLES; i++)
        sys_lock_free(hub->tables[i].lock);
    sys_lock_free(hub->senders_lock);
    for (unsigned i = 0; hub->runs && i < hub->workers; i++)
        free(hub->runs[i].frames);
    free(hub->runs);
    while (hub->senders) {
        struct sender *sender = hub->senders;
        hub->senders = sender->next;
        free(sender);
    }
    free(hub);
}
