#include "uploads.h"

#include "os.h"
#include "shared.h"

#include <stdlib.h>

struct uploads {
    struct sys_lock *lock;
    struct upload_claim *first;
};

struct uploads *uploads_open(void)
{
    struct uploads *uploads = calloc(1, sizeof(*uploads));
    if (!uploads)
        return NULL;
    uploads->lock = sys_lock_new();
    if (uploads->lock)
        return uploads;
    free(uploads);
    return NULL;
}

void uploads_close(struct uploads *uploads)
{
    if (!uploads)
        return;
    sys_lock_free(uploads->lock);
    free(uploads);
}

bool uploads_take(struct uploads *uploads, struct shared *shared, struct upload_claim *claim)
{
    sys_lock_take(uploads->lock);
    const struct upload_claim *other = uploads->first;
    while (other && !(other->id.device == claim->id.device && other->id.number == claim->id.number))
        other = other->next;
    if (other) {
        (void)shared_end(shared, other->worker, other->client, shared->drop);
    } else {
        claim->next = uploads->first;
        claim->link = &uploads->first;
        if (claim->next)
            claim->next->link = &claim->next;
        uploads->first = claim;
    }
    sys_lock_give(uploads->lock);
    return !other;
}

void uploads_give(struct uploads *uploads, struct upload_claim *claim)
{
    /* The link belongs to the list, whose other claims come and go: even whether there is one is looked at under the lock. */
    sys_lock_take(uploads->lock);
    if (claim->link) {
        *claim->link = claim->next;
        if (claim->next)
            claim->next->link = claim->link;
        claim->link = NULL;
    }
    sys_lock_give(uploads->lock);
}
