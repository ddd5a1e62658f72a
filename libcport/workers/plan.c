/*
 * plan.c: cutting a machine into places.
 */
#include "plan.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cport/workers.h"

/* A set takes memory for every number up to its largest. */
#define NUMBER_DIGITS_MAX 5u

/* Parts of a machine to look for in turn: what the first kind does not cover the second does. */
#define CHAIN_MAX         2u
struct chain {
    hwloc_obj_type_t types[CHAIN_MAX];
    unsigned count;
};
static const struct chain chains[] = {
    [CPORT_UNIT_CORE] = {{HWLOC_OBJ_CORE, HWLOC_OBJ_PU}, 2},
    [CPORT_UNIT_PU] = {{HWLOC_OBJ_PU}, 1},
    [CPORT_UNIT_L3] = {{HWLOC_OBJ_L3CACHE, HWLOC_OBJ_NUMANODE}, 2},
    [CPORT_UNIT_NUMA] = {{HWLOC_OBJ_NUMANODE}, 1},
    [CPORT_UNIT_ALL] = {{HWLOC_OBJ_MACHINE}, 1},
};

static bool plan_add(struct plan *plan, hwloc_const_bitmap_t cpuset)
{
    if (plan->count % 64 == 0) {
        struct place *more = realloc(plan->places, (plan->count + 64) * sizeof(*plan->places));
        if (!more)
            return false;
        plan->places = more;
    }
    hwloc_bitmap_t copy = hwloc_bitmap_dup(cpuset);
    if (!copy)
        return false;
    plan->places[plan->count++] = (struct place){.cpuset = copy, .numa = -1, .kind = -1};
    return true;
}

/* Adds a piece of the machine, cut at the fences; what lies in none of them is a part too. */
static bool add_piece(
    struct plan *plan, const struct plan_request *request, hwloc_const_bitmap_t piece)
{
    hwloc_bitmap_t part = hwloc_bitmap_alloc(), rest = hwloc_bitmap_dup(piece);
    bool ok = part && rest;
    for (unsigned i = 0; ok && i < request->fence_count; i++) {
        ok = hwloc_bitmap_and(part, rest, request->fences[i]) == 0 &&
             hwloc_bitmap_andnot(rest, rest, part) == 0;
        if (ok && !hwloc_bitmap_iszero(part))
            ok = plan_add(plan, part);
    }
    if (ok && !hwloc_bitmap_iszero(rest))
        ok = plan_add(plan, rest);
    hwloc_bitmap_free(rest);
    hwloc_bitmap_free(part);
    return ok;
}

/* Makes places of all objects of a type, as far as they are in `left`, and takes them out of it. Two memories may have the
 * same processors: the first gets them. */
static bool cover(struct plan *plan, hwloc_topology_t topology, const struct plan_request *request,
    hwloc_obj_type_t type, hwloc_bitmap_t left)
{
    hwloc_bitmap_t piece = hwloc_bitmap_alloc();
    bool ok = piece != NULL;
    for (hwloc_obj_t obj = NULL; ok && (obj = hwloc_get_next_obj_by_type(topology, type, obj));) {
        ok = hwloc_bitmap_and(piece, obj->cpuset, left) == 0;
        if (ok && !hwloc_bitmap_iszero(piece))
            ok = add_piece(plan, request, piece) && hwloc_bitmap_andnot(left, left, piece) == 0;
    }
    hwloc_bitmap_free(piece);
    return ok;
}

/* What the set's processors have in common. */
static int numa_of(hwloc_topology_t topology, hwloc_const_bitmap_t cpuset)
{
    hwloc_bitmap_t nodes = hwloc_bitmap_alloc();
    int numa = -1;
    if (nodes && hwloc_cpuset_to_nodeset(topology, cpuset, nodes) == 0 &&
        hwloc_bitmap_weight(nodes) == 1)
        numa = hwloc_bitmap_first(nodes);
    hwloc_bitmap_free(nodes);
    return numa;
}

static int kind_of(hwloc_topology_t topology, hwloc_const_bitmap_t cpuset)
{
    int kinds = hwloc_cpukinds_get_nr(topology, 0);
    if (kinds <= 1)
        return 0;
    int index = hwloc_cpukinds_get_by_cpuset(topology, cpuset, 0);
    int efficiency = -1;
    if (index >= 0)
        hwloc_cpukinds_get_info(topology, (unsigned)index, NULL, &efficiency, NULL, NULL, 0);
    return efficiency;
}

/* Places that share a core lie together. */
static void take_turns(hwloc_topology_t topology, struct plan *plan)
{
    hwloc_obj_t before = NULL;
    for (unsigned i = 0; i < plan->count; i++) {
        hwloc_obj_t core = hwloc_get_next_obj_covering_cpuset_by_type(
            topology, plan->places[i].cpuset, HWLOC_OBJ_CORE, NULL);
        plan->places[i].turn = core && core == before ? plan->places[i - 1].turn + 1 : 0;
        before = core;
    }
}

static bool goes_before(const struct place *a, const struct place *b)
{
    return a->kind != b->kind ? a->kind > b->kind : a->turn < b->turn;
}

/* The fastest kind first, of each a place on every core before a second on any; otherwise as they are. */
static void sort(struct plan *plan)
{
    for (unsigned i = 1; i < plan->count; i++) {
        struct place place = plan->places[i];
        unsigned j = i;
        for (; j > 0 && goes_before(&place, &plan->places[j - 1]); j--)
            plan->places[j] = plan->places[j - 1];
        plan->places[j] = place;
    }
}

/* As many places as were asked for: the first ones, or all of them in turn. */
static bool set_count(struct plan *plan, unsigned ports)
{
    unsigned units = plan->count;
    while (plan->count > ports)
        hwloc_bitmap_free(plan->places[--plan->count].cpuset);
    while (plan->count < ports) {
        unsigned i = plan->count - units;
        if (!plan_add(plan, plan->places[i].cpuset))
            return false;
        plan->places[plan->count - 1].numa = plan->places[i].numa;
        plan->places[plan->count - 1].kind = plan->places[i].kind;
    }
    return true;
}

static bool make(hwloc_topology_t topology, const struct plan_request *request, hwloc_bitmap_t left,
    struct plan *plan)
{
    const struct chain *chain = &chains[request->unit];
    for (unsigned i = 0; i < chain->count; i++)
        if (!cover(plan, topology, request, chain->types[i], left))
            return false;
    if (!hwloc_bitmap_iszero(left) && !add_piece(plan, request, left))
        return false;
    for (unsigned i = 0; i < plan->count; i++) {
        plan->places[i].numa = numa_of(topology, plan->places[i].cpuset);
        plan->places[i].kind = kind_of(topology, plan->places[i].cpuset);
    }
    /* All of them stay as the machine has them, neighbours beside each other. */
    if (request->ports > 0 && request->ports < plan->count)
        take_turns(topology, plan);
    sort(plan);
    assert(plan->places); /* something was left, and is in a place now */
    return request->ports == 0 || set_count(plan, request->ports);
}

int plan_make(hwloc_topology_t topology, const struct plan_request *request, struct plan *ret_plan)
{
    if (request->unit >= sizeof(chains) / sizeof(*chains) || request->ports > PLAN_PORTS_MAX)
        return CPORT_EINVAL;
    struct plan plan = {0};
    int r = CPORT_ENOMEM;
    hwloc_bitmap_t left = hwloc_bitmap_alloc();
    if (!left ||
        hwloc_bitmap_and(left, request->allowed, hwloc_topology_get_allowed_cpuset(topology)) < 0)
        goto done;
    if (request->one_per_core && hwloc_bitmap_singlify_per_core(topology, left, 0) < 0)
        goto done;
    r = CPORT_EINVAL;
    if (hwloc_bitmap_iszero(left))
        goto done;
    if (make(topology, request, left, &plan)) {
        *ret_plan = plan;
        r = 0;
    } else {
        plan_free(&plan);
        r = CPORT_ENOMEM;
    }

done:
    hwloc_bitmap_free(left);
    return r;
}

void plan_free(struct plan *plan)
{
    for (unsigned i = 0; i < plan->count; i++)
        hwloc_bitmap_free(plan->places[i].cpuset);
    free(plan->places);
    *plan = (struct plan){0};
}

int plan_list_parse(const char *text, hwloc_bitmap_t *ret_set)
{
    /* hwloc's reader is generous; a list is numbers, with single commas and dashes between them. */
    unsigned digits = 0;
    for (const char *c = text; *c; c++) {
        bool between = (*c == ',' || *c == '-') && digits > 0 && isdigit((unsigned char)c[1]);
        digits = isdigit((unsigned char)*c) ? digits + 1 : 0;
        if ((digits == 0 && !between) || digits > NUMBER_DIGITS_MAX)
            return CPORT_EINVAL;
    }
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (!set)
        return CPORT_ENOMEM;
    if (hwloc_bitmap_list_sscanf(set, text) < 0 || hwloc_bitmap_iszero(set)) {
        hwloc_bitmap_free(set);
        return CPORT_EINVAL;
    }
    *ret_set = set;
    return 0;
}

void plan_list_text(hwloc_const_bitmap_t set, char *text, size_t size)
{
    static const char cut[] = "...";
    int len = hwloc_bitmap_list_snprintf(text, size, set);
    if (len < 0)
        snprintf(text, size, "?");
    else if ((size_t)len >= size && size >= sizeof(cut))
        memcpy(text + size - sizeof(cut), cut, sizeof(cut));
}

void plan_thread_name(char *text, size_t size, const char *name, unsigned port, unsigned thread)
{
    char numbers[32];
    int len = snprintf(numbers, sizeof(numbers), "/%u.%u", port, thread);
    size_t room = size > (size_t)len + 1 ? size - (size_t)len - 1 : 0;
    snprintf(text, size, "%.*s%s", (int)room, name, numbers);
}
