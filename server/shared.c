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

/* ---- Kick ---- */

struct kick {
    struct parcel parcel;
    struct shared *shared;
    uint64_t number;
};

static void kick_open(struct parcel *parcel, void *worker)
{
    struct kick *kick = CPORT_CONTAINER_OF(parcel, struct kick, parcel);
    void *conn = worker ? client_conn(kick->shared->clients, kick->number) : NULL;
    if (conn)
        kick->shared->kick(conn);
    free(kick);
}

static bool kick_mail(void *ctx, const struct client *client)
{
    struct shared *shared = ctx;
    struct kick *kick = malloc(sizeof(*kick));
    if (!kick)
        return false;
    *kick = (struct kick){.parcel = {.bytes = sizeof(*kick), .open = kick_open},
        .shared = shared,
        .number = client->number};
    mail_put(&shared->boxes[client->worker], &kick->parcel);
    return true;
}

bool shared_kick(struct shared *shared, struct bytes remote)
{
    return clients_at(shared->clients, remote, kick_mail, shared) > 0;
}
