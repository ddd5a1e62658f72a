/*
 * machine.c: loading a topology.
 */
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cport/cport.h"

static int fail(char *reason, size_t size, const char *what)
{
    int error = errno == ENOMEM ? CPORT_ENOMEM : errno == ENOENT ? CPORT_ENOENT : CPORT_EIO;
    snprintf(reason, size, "%s: %s", what, strerror(errno));
    return error;
}

/* Cores, caches, memories and processors: devices are none of our business, and take the longest to find. */
static unsigned long load_flags(void)
{
    unsigned long flags = 0;
    /* Looking through each processor in turn would move the calling thread about. */
    flags |= HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING;
#if HWLOC_API_VERSION >= 0x00020800
    flags |= HWLOC_TOPOLOGY_FLAG_NO_DISTANCES | HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS;
#endif
    return flags;
}

static int load(hwloc_topology_t topology, enum machine_source source, const char *text,
    char *reason, size_t size)
{
    errno = 0;
    if (source == MACHINE_XML && hwloc_topology_set_xml(topology, text) < 0)
        return fail(reason, size, text);
    if (source == MACHINE_SYNTHETIC && hwloc_topology_set_synthetic(topology, text) < 0)
        return fail(reason, size, "not a synthetic topology");
    if (hwloc_topology_set_flags(topology, load_flags()) < 0)
        return fail(reason, size, "flags of hwloc");
    if (hwloc_topology_load(topology) < 0)
        return fail(reason, size, source == MACHINE_XML ? text : "hwloc found no topology");
    return 0;
}

/* hwloc leaves out what the cgroup forbids; the process's affinity it only tells. */
static bool find_allowed(struct machine *m)
{
    m->allowed = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(m->topology));
    hwloc_bitmap_t bound = hwloc_bitmap_alloc();
    if (!m->allowed || !bound) {
        hwloc_bitmap_free(bound);
        return false;
    }
    /* A system that cannot tell (Windows, with several processor groups) has not limited us either. */
    if (m->here && hwloc_get_cpubind(m->topology, bound, HWLOC_CPUBIND_PROCESS) == 0 &&
        hwloc_bitmap_intersects(m->allowed, bound))
        hwloc_bitmap_and(m->allowed, m->allowed, bound);
    hwloc_bitmap_free(bound);
    return true;
}

int machine_open(struct machine *m, enum machine_source source, const char *text, char *reason,
    size_t reason_size)
{
    *m = (struct machine){0};
    if (hwloc_topology_init(&m->topology) < 0)
        return fail(reason, reason_size, "hwloc");
    int r = load(m->topology, source, text, reason, reason_size);
    if (r < 0) {
        hwloc_topology_destroy(m->topology);
        return r;
    }
    m->here = hwloc_topology_is_thissystem(m->topology);
    if (!find_allowed(m)) {
        machine_close(m);
        errno = ENOMEM;
        return fail(reason, reason_size, "the set of processors");
    }
    if (m->here)
        machine_find_fences(m);
    return 0;
}

void machine_close(struct machine *m)
{
    for (unsigned i = 0; i < m->fence_count; i++)
        hwloc_bitmap_free(m->fences[i]);
    hwloc_bitmap_free(m->allowed);
    hwloc_topology_destroy(m->topology);
}

bool machine_bind(const struct machine *m, hwloc_const_bitmap_t cpuset)
{
    if (!m->here) { /* hwloc would pretend to have done it */
        errno = ENOSYS;
        return false;
    }
    return hwloc_set_cpubind(m->topology, cpuset, HWLOC_CPUBIND_THREAD) == 0;
}
