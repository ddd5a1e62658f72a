#include "shared.h"

#include "mail.h"
#include "os.h"

#include <stdlib.h>

struct users *shared_users(struct shared *shared)
{
    sys_lock_take(shared->users_lock);
    struct users *users = users_hold(shared->users);
    sys_lock_give(shared->users_lock);
    return users;
}

void shared_users_replace(struct shared *shared, struct users *users)
{
    sys_lock_take(shared->users_lock);
    struct users *old = shared->users;
    shared->users = users;
    sys_lock_give(shared->users_lock);
    users_release(old);
}

bool stats_each(const struct stats *stats, stats_visit *visit, void *ctx)
{
    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        if (!visit(ctx, counter_names[i], stats->counter[i]))
            return false;
    }
    return visit(ctx, "connections", stats->connections) && visit(ctx, "workers", stats->workers) &&
           visit(ctx, "uptime_seconds", stats->uptime_s);
}

/* ---- Ending others' connections ---- */

struct ending {
    struct parcel parcel;
    struct shared *shared;
    uint64_t number;
    void (*end)(void *conn);
};

static void ending_open(struct parcel *parcel, void *worker)
{
    struct ending *ending = CPORT_CONTAINER_OF(parcel, struct ending, parcel);
    void *conn = worker ? client_conn(ending->shared->clients, ending->number) : NULL;
    if (conn)
        ending->end(conn);
    free(ending);
}

bool shared_end(struct shared *shared, unsigned worker, uint64_t number, void (*end)(void *conn))
{
    struct ending *ending = malloc(sizeof(*ending));
    if (!ending)
        return false;
    *ending = (struct ending){.parcel = {.bytes = sizeof(*ending), .open = ending_open},
        .shared = shared,
        .number = number,
        .end = end};
    mail_put(&shared->boxes[worker], &ending->parcel);
    return true;
}

static bool kick_one(void *ctx, const struct client *client)
{
    struct shared *shared = ctx;
    return shared_end(shared, client->worker, client->number, shared->kick);
}

bool shared_kick(struct shared *shared, struct bytes remote)
{
    return clients_at(shared->clients, remote, kick_one, shared) > 0;
}
