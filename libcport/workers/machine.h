/*
 * machine.h: the machine as hwloc sees it, and what of it this process may use.
 *
 * Ownership. What an open filled in ends with machine_close. Threading. Constant when open: any thread may read it and bind
 * itself.
 */
#ifndef CPORT_WORKERS_MACHINE_H
#define CPORT_WORKERS_MACHINE_H

#include <hwloc.h>
#include <stdbool.h>

/* Processors that one thread can be bound to together: those of a processor group on Windows. */
#define MACHINE_FENCES_MAX 64u

struct machine {
    hwloc_topology_t topology;
    hwloc_bitmap_t allowed; /* by cgroup and by the process's affinity */
    hwloc_bitmap_t fences[MACHINE_FENCES_MAX];
    unsigned fence_count; /* 0: a thread can be bound to any set */
    bool here;            /* it is the machine that this process runs on: threads can be bound */
};

enum machine_source {
    MACHINE_HERE, /* text is NULL */
    MACHINE_XML,  /* text is a file's name, as lstopo writes it */
    MACHINE_SYNTHETIC,
};

/* 0, or an error code, and why is in reason. */
int machine_open(struct machine *m, enum machine_source source, const char *text, char *reason,
    size_t reason_size);
void machine_close(struct machine *m);

/* Binds the calling thread. False: the system refuses, and errno tells why. */
bool machine_bind(const struct machine *m, hwloc_const_bitmap_t cpuset);

/* os_*.c: fills in fences. */
void machine_find_fences(struct machine *m);

#endif
