#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned open_connections;

void peer_ready(unsigned port, const char *engine, const char *remark)
{
    printf("ready\t%u\t%s\t%s\n", port, engine, remark);
    fflush(stdout);
}

void peer_connection_opened(void)
{
    open_connections++;
}

void peer_connection_closed(void)
{
    if (--open_connections == 0)
        exit(0);
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
