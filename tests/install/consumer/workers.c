/* A user of an installed libcport-workers: one packet goes to each port of a pool. */
#include <cport/workers.h>
#include <stdio.h>

static void handle(cport_worker *me, const cport_event *events, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (cport_workers_here() != (int)me->index || events[i].key != me->index)
            fprintf(stderr, "port %u got the packet of another\n", (unsigned)me->index);
}

int main(void)
{
    cport_workers_options options = {.size = sizeof(options), .handle = handle};
    cport_workers *pool;
    cport_op ops[64] = {0};
    int error = cport_workers_open(&options, &pool);
    if (error < 0) {
        fprintf(stderr, "the pool did not open: %s\n", cport_strerror(error));
        return 1;
    }
    for (unsigned i = 0; i < cport_workers_count(pool) && i < 64; i++)
        if (cport_post(cport_workers_port(pool, i), &ops[i], i, 0) != 0)
            return 1;
    return cport_workers_stop(pool, INT64_MAX) == 0 ? 0 : 1;
}
