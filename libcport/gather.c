/*
 * gather.c: from a thread of an engine's own to the port.
 */
#include "gather.h"

#include <string.h>

/* A thread that waits with room for 256 events takes them all at once; 32 KiB a port. */
#define PARCELS 256u

static void stack_push(struct op **stack, struct op *parcel)
{
    parcel->next = *stack;
    *stack = parcel;
}

int gather_open(struct gather *g, struct cport_port *port, void (*refilled)(struct gather *g))
{
    *g = (struct gather){.port = port, .refilled = refilled, .turn = 1};
    g->memory = port_alloc(port, PARCELS * sizeof(*g->memory), 64);
    if (!g->memory)
        return CPORT_ENOMEM;
    memset(g->memory, 0, PARCELS * sizeof(*g->memory));
    for (unsigned i = PARCELS; i-- > 0;)
        stack_push(&g->parcels, &g->memory[i]);
    return 0;
}

void gather_close(struct gather *g)
{
    port_free(g->port, g->memory, PARCELS * sizeof(*g->memory));
}

/* The port's lock is held. */
static void take_emptied(struct gather *g)
{
    g->parcels = g->emptied;
    g->emptied = NULL;
}

bool gather_has_room(struct gather *g)
{
    if (!g->parcels) {
        port_lock(g->port);
        take_emptied(g);
        port_unlock(g->port);
    }
    return g->parcels != NULL;
}

bool gather_want(struct gather *g)
{
    port_lock(g->port);
    if (!g->parcels)
        take_emptied(g);
    g->wanting = !g->parcels;
    port_unlock(g->port);
    return !g->parcels;
}

void gather_more(struct gather *g, struct op *op, int64_t result, uint32_t flags, uint32_t aux)
{
    struct op *parcel = g->parcels;
    assert(parcel);
    g->parcels = parcel->next;
    parcel->kind = OP_PARCEL;
    parcel->user = op;
    parcel->handle = op->handle;
    parcel->engine[0] = (uintptr_t)g;
    parcel->key = op->handle->key;
    parcel->result = result;
    parcel->event_flags = flags;
    parcel->aux = aux;
    ready_push(&g->found, parcel);
}

bool gather_publish(struct gather *g)
{
    struct cport_port *port = g->port;
    if (ready_empty(&g->found))
        return false;
    port_lock(port);
    port_take_left(port); /* they were earlier */
    ready_append(&port->ready, &g->found);
    /* relaxed: whoever has dequeued one of the events, or looks for them afterwards, has had the lock. */
    atomic_store_explicit(&g->published, g->turn++, memory_order_relaxed);
    crew_more_work(port);
    port_unlock(port);
    return true;
}

void parcel_deliver(struct op *parcel, struct harvest *out)
{
    struct gather *g = (struct gather *)(uintptr_t)parcel->engine[0];
    harvest_put(out, parcel->user, parcel->key, parcel->result, parcel->event_flags, parcel->aux);
    stack_push(&g->emptied, parcel);
    if (g->wanting) {
        g->wanting = false;
        g->refilled(g);
    }
}

void parcel_drop(struct op *parcel)
{
    /* With the results of accepts come sockets, with those of receives buffers. */
    if (parcel->result >= 0 && !(parcel->event_flags & CPORT_BUFFER))
        cport_socket_close((cport_os_handle)parcel->result);
}
