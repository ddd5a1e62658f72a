#include "peer.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_uint open_connections;

void peer_ready(unsigned port, const char *engine, const char *remark)
{
    printf("ready\t%u\t%s\t%s\n", port, engine, remark);
    fflush(stdout);
}

void peer_connection_opened(void)
{
    atomic_fetch_add_explicit(&open_connections, 1, memory_order_relaxed);
}

void peer_connection_closed(void)
{
    /* Servers of several threads have some that would still run while exit takes the program apart. */
    if (atomic_fetch_sub_explicit(&open_connections, 1, memory_order_acq_rel) == 1)
        _Exit(0);
}

void *peer_allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL)
        peer_die("no memory", 0);
    return memory;
}

void peer_die(const char *what, int error)
{
    if (error != 0)
        fprintf(stderr, "peer: %s: %s\n", what, strerror(error));
    else
        fprintf(stderr, "peer: %s\n", what);
    exit(1);
}
