#include "mail.h"

#include "os.h"

#include <assert.h>

bool mailbox_init(struct mailbox *box)
{
    *box = (struct mailbox){.lock = sys_lock_new()};
    box->last = &box->first;
    return box->lock != NULL;
}

static void post(struct mailbox *box)
{
    int error = cport_post(box->port, &box->op, 0, 0);
    assert(error == 0);
    (void)error;
}

void mailbox_open(struct mailbox *box, cport_port *port, void *user)
{
    cport_op_init(&box->op, user);
    sys_lock_take(box->lock);
    box->port = port;
    box->posted = box->first != NULL;
    if (box->posted)
        post(box);
    sys_lock_give(box->lock);
}

static struct parcel *take_all(struct mailbox *box)
{
    struct parcel *first = box->first;
    box->first = NULL;
    box->last = &box->first;
    atomic_store_explicit(&box->bytes, 0, memory_order_relaxed);
    return first;
}

static void open_all(struct parcel *parcel, void *worker)
{
    while (parcel) {
        struct parcel *next = parcel->next; /* the parcel may be gone once it is open */
        parcel->open(parcel, worker);
        parcel = next;
    }
}

void mailbox_close(struct mailbox *box)
{
    sys_lock_take(box->lock);
    box->closed = true;
    struct parcel *left = take_all(box);
    sys_lock_give(box->lock);
    open_all(left, NULL);
}

void mailbox_free(struct mailbox *box)
{
    if (!box->lock)
        return;
    mailbox_close(box);
    sys_lock_free(box->lock);
    box->lock = NULL;
}

/* Posted under the lock: after mailbox_close nobody touches the port, which is then closed. */
void mail_put(struct mailbox *box, struct parcel *parcel)
{
    sys_lock_take(box->lock);
    bool closed = box->closed;
    if (!closed) {
        parcel->next = NULL;
        *box->last = parcel;
        box->last = &parcel->next;
        atomic_fetch_add_explicit(&box->bytes, parcel->bytes, memory_order_relaxed);
        if (box->port && !box->posted) {
            box->posted = true;
            post(box);
        }
    }
    sys_lock_give(box->lock);
    if (closed)
        parcel->open(parcel, NULL);
}

/* The parcels at the front, in all bytes_max at most, but one in any case. Called with the lock. */
static struct parcel *take_some(struct mailbox *box, size_t bytes_max)
{
    struct parcel *first = box->first, **end = &box->first;
    size_t bytes = 0;
    while (*end && (bytes == 0 || bytes + (*end)->bytes <= bytes_max)) {
        bytes += (*end)->bytes;
        end = &(*end)->next;
    }
    if (first) {
        box->first = *end;
        *end = NULL;
    }
    if (!box->first)
        box->last = &box->first;
    atomic_fetch_sub_explicit(&box->bytes, bytes, memory_order_relaxed);
    return first;
}

void mail_read(struct mailbox *box, void *worker, size_t bytes_max)
{
    sys_lock_take(box->lock);
    struct parcel *some = take_some(box, bytes_max);
    box->posted = box->port && box->first;
    if (box->posted)
        post(box);
    sys_lock_give(box->lock);
    open_all(some, worker);
}
