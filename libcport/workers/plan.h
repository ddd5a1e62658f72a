/*
 * plan.h: which processors the ports of a pool get. Pure: a topology and a request in, a list of places out.
 *
 * Ownership. A plan's places end with plan_free. Threading. None of its own.
 */
#ifndef CPORT_WORKERS_PLAN_H
#define CPORT_WORKERS_PLAN_H

#include <hwloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan_request {
    uint32_t unit; /* CPORT_UNIT_… */
    bool one_per_core;
    uint32_t ports;               /* 0: one per unit */
    hwloc_const_bitmap_t allowed; /* what may be used */
    /* No place holds processors of two fences. None: fence_count is 0. */
    const hwloc_bitmap_t *fences;
    unsigned fence_count;
};

struct place {
    hwloc_bitmap_t cpuset;
    int numa;      /* system's number of the memory; -1: several, or unknown */
    int kind;      /* of core: higher is faster; -1: several, or unknown */
    unsigned turn; /* of places on one core: 0, 1, … */
};

struct plan {
    struct place *places; /* the index is the port's */
    unsigned count;
};

/* The most ports that a pool may have. */
#define PLAN_PORTS_MAX 4096u

/* 0; CPORT_EINVAL nothing is allowed, or an unknown unit; CPORT_ENOMEM. */
int plan_make(hwloc_topology_t topology, const struct plan_request *request, struct plan *ret_plan);
void plan_free(struct plan *plan);

/* Reads a list of processors, "0-3,8": 0, or CPORT_EINVAL, or CPORT_ENOMEM. */
int plan_list_parse(const char *text, hwloc_bitmap_t *ret_set);
/* Writes one; cut, it ends in "...". */
void plan_list_text(hwloc_const_bitmap_t set, char *text, size_t size);

/* "cport/3.1": the numbers whole, and as much of the name as there is room for. */
void plan_thread_name(char *text, size_t size, const char *name, unsigned port, unsigned thread);

#endif
