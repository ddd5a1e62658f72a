/*
 * memory.c: memory that the kernel keeps pinned, so that it need not for each transfer of a file.
 *
 * The kernel's table has a place for each region from the port's open on. Transfers that are under
 * way when a region goes keep it alive in the kernel.
 */
#include <sys/uio.h>

#include "error.h"
#include "uring.h"

int memory_probe(struct uring *u)
{
    return io_uring_register_buffers_sparse(&u->ring, CPORT_MEMORY_REGIONS_MAX);
}

static int place_set(struct uring *u, unsigned place, void *memory, size_t len)
{
    const struct iovec piece = {memory, len};
    const uint64_t tag = 0;
    int r = io_uring_register_buffers_update_tag(&u->ring, place, &piece, (const __u64 *)&tag, 1);
    return r < 0 ? error_from_errno(-r) : 0;
}

static void regions_changed(struct uring *u)
{
    u->regions_end = CPORT_MEMORY_REGIONS_MAX;
    while (u->regions_end && !u->regions[u->regions_end - 1].base)
        u->regions_end--;
}

int uring_memory_pin(struct cport_port *port, void *memory, size_t len)
{
    struct uring *u = port->engine;
    unsigned place = CPORT_MEMORY_REGIONS_MAX;
    if (!(port->caps & CPORT_CAP_PINNED_MEMORY))
        return CPORT_ENOTSUP;
    for (unsigned i = CPORT_MEMORY_REGIONS_MAX; i-- > 0;) {
        if (u->regions[i].base == (uintptr_t)memory)
            return CPORT_EALREADY;
        if (!u->regions[i].base)
            place = i;
    }
    if (place == CPORT_MEMORY_REGIONS_MAX)
        return CPORT_ENOBUFS;
    int r = place_set(u, place, memory, len);
    if (r < 0)
        return r;
    u->regions[place] = (struct region){(uintptr_t)memory, len};
    regions_changed(u);
    return 0;
}

int uring_memory_unpin(struct cport_port *port, void *memory)
{
    struct uring *u = port->engine;
    for (unsigned i = 0; i < u->regions_end; i++) {
        if (u->regions[i].base != (uintptr_t)memory)
            continue;
        /* Requests that name the region must be the kernel's before it goes. */
        if (sq_pending(u) && (ring_enter(u, 0, 0, 0) < 0 || sq_pending(u)))
            return CPORT_EBUSY;
        u->regions[i] = (struct region){0, 0};
        regions_changed(u);
        return place_set(u, i, NULL, 0);
    }
    return CPORT_ENOENT;
}
