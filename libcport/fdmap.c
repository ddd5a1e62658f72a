/*
 * fdmap.c: the table from descriptors to handles.
 */
#include <stdlib.h>

#include "port.h"

static _Atomic(struct cport_handle *) *slot_make(struct cport_port *port, cport_os_handle fd)
{
    size_t index = os_fd_index(fd) / FDMAP_CHUNK;
    if (index >= FDMAP_CHUNKS)
        return NULL;
    port_lock(port);
    if (!atomic_load_explicit(&port->fdmap->chunks[index], memory_order_relaxed)) {
        struct fdmap_chunk *chunk = port_alloc(port, sizeof(*chunk), _Alignof(struct fdmap_chunk));
        if (chunk)
            for (unsigned i = 0; i < FDMAP_CHUNK; i++)
                atomic_init(&chunk->handles[i], NULL);
        atomic_store_explicit(&port->fdmap->chunks[index], chunk, memory_order_release);
    }
    port_unlock(port);
    return fdmap_slot(port, fd);
}

int fdmap_set(struct cport_port *port, cport_os_handle fd, struct cport_handle *h)
{
    _Atomic(struct cport_handle *) *slot = fdmap_slot(port, fd);
    if (!slot)
        slot = slot_make(port, fd);
    if (!slot)
        return CPORT_ENOMEM;
    struct cport_handle *none = NULL;
    return atomic_compare_exchange_strong(slot, &none, h) ? 0 : CPORT_EALREADY;
}

void fdmap_clear(struct cport_port *port, cport_os_handle fd, struct cport_handle *h)
{
    _Atomic(struct cport_handle *) *slot = fdmap_slot(port, fd);
    if (slot)
        atomic_compare_exchange_strong(slot, &h, NULL);
}

void fdmap_free(struct cport_port *port)
{
    for (unsigned i = 0; i < FDMAP_CHUNKS; i++) {
        struct fdmap_chunk *chunk =
            atomic_load_explicit(&port->fdmap->chunks[i], memory_order_relaxed);
        if (chunk)
            port_free(port, chunk, sizeof(*chunk));
    }
    port_free(port, port->fdmap, sizeof(*port->fdmap));
}
