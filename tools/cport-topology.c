/*
 * cport-topology: the plan that worker pools would use, on this machine or on one that lstopo has described.
 */
#include "json.h"
#include "machine.h"
#include "plan.h"

#include <cport/workers.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: cport-topology [OPTION]... [FILE]\n"
    "\n"
    "Prints which processors the ports of a worker pool get: on this machine, within what the\n"
    "process may use of it, or on the machine that FILE describes, as written by\n"
    "`lstopo FILE.xml` there.\n"
    "\n"
    "  --unit UNIT        a port for each core, pu, l3, numa, or all [core]\n"
    "  --ports N          so many ports instead [one for each unit]\n"
    "  --threads N        threads for each port [1]\n"
    "  --one-per-core     one processor of each core only\n"
    "  --cpuset LIST      these processors only: 0-3,8\n"
    "  --name NAME        what the threads are called [cport]\n"
    "  --synthetic TEXT   a machine made up in hwloc's way: \"pack:2 [numa] core:64 pu:2\"\n"
    "  --json             for programs\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 done, 1 there is no such plan or no such machine, 2 wrong usage.\n";

static const char *const units[] = {
    [CPORT_UNIT_CORE] = "core",
    [CPORT_UNIT_PU] = "pu",
    [CPORT_UNIT_L3] = "l3",
    [CPORT_UNIT_NUMA] = "numa",
    [CPORT_UNIT_ALL] = "all",
};
#define UNITS       (sizeof(units) / sizeof(*units))
#define THREADS_MAX 1024u

struct request {
    struct plan_request plan;
    enum machine_source source;
    const char *machine; /* FILE or TEXT */
    const char *cpuset;
    const char *name;
    unsigned threads;
    bool json;
};

/* ---- The command line ---- */

static bool number_parse(const char *text, unsigned max, unsigned *ret_number)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || number == 0 || number > max)
        return false;
    *ret_number = (unsigned)number;
    return true;
}

static bool unit_parse(const char *text, uint32_t *ret_unit)
{
    for (uint32_t i = 0; i < UNITS; i++) {
        if (strcmp(text, units[i]) == 0) {
            *ret_unit = i;
            return true;
        }
    }
    return false;
}

/* An option that has a value. */
static bool value_parse(struct request *request, const char *name, const char *value)
{
    bool ok = true;
    if (strcmp(name, "--unit") == 0)
        ok = unit_parse(value, &request->plan.unit);
    else if (strcmp(name, "--ports") == 0)
        ok = number_parse(value, PLAN_PORTS_MAX, &request->plan.ports);
    else if (strcmp(name, "--threads") == 0)
        ok = number_parse(value, THREADS_MAX, &request->threads);
    else if (strcmp(name, "--cpuset") == 0)
        request->cpuset = value;
    else if (strcmp(name, "--name") == 0)
        request->name = value;
    else if (strcmp(name, "--synthetic") == 0) {
        request->source = MACHINE_SYNTHETIC;
        request->machine = value;
    } else {
        fprintf(stderr, "cport-topology: unknown option %s; --help names them\n", name);
        return false;
    }
    if (!ok)
        fprintf(stderr, "cport-topology: %s does not take \"%s\"\n", name, value);
    return ok;
}

static bool arguments_parse(struct request *request, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (strcmp(argument, "--json") == 0) {
            request->json = true;
        } else if (strcmp(argument, "--one-per-core") == 0) {
            request->plan.one_per_core = true;
        } else if (strncmp(argument, "--", 2) == 0) {
            if (i + 1 == argc) {
                fprintf(stderr, "cport-topology: %s needs a value, or is unknown\n", argument);
                return false;
            }
            if (!value_parse(request, argument, argv[++i]))
                return false;
        } else if (request->source != MACHINE_HERE) {
            fprintf(stderr, "cport-topology: one machine at a time\n");
            return false;
        } else {
            request->source = MACHINE_XML;
            request->machine = argument;
        }
    }
    return true;
}

/* ---- The report ---- */

static int objects(hwloc_topology_t topology, hwloc_obj_type_t type)
{
    int count = hwloc_get_nbobjs_by_type(topology, type);
    return count > 0 ? count : 0;
}

static void number_text(char *text, size_t size, int number)
{
    snprintf(text, size, number < 0 ? "-" : "%d", number);
}

static void print_count(int count, const char *one, const char *many)
{
    printf("%d %s", count, count == 1 ? one : many);
}

static void print_text(
    const struct request *request, const struct machine *machine, const struct plan *plan)
{
    hwloc_topology_t topology = machine->topology;
    char allowed[256];
    plan_list_text(machine->allowed, allowed, sizeof(allowed));
    printf("%s: ", request->source == MACHINE_HERE ? "this machine" : request->machine);
    print_count(objects(topology, HWLOC_OBJ_PU), "processor", "processors");
    printf(" (%s may be used), ", allowed);
    print_count(objects(topology, HWLOC_OBJ_CORE), "core", "cores");
    printf(", ");
    print_count(objects(topology, HWLOC_OBJ_L3CACHE), "L3 cache", "L3 caches");
    printf(", ");
    print_count(objects(topology, HWLOC_OBJ_NUMANODE), "NUMA node", "NUMA nodes");
    printf("\nunit %s: ", units[request->plan.unit]);
    print_count((int)plan->count, "port", "ports");
    printf(", ");
    print_count((int)request->threads, "thread", "threads");
    printf(" each\n\n%5s  %-14s %5s %5s  %s\n", "port", "thread", "numa", "kind", "processors");

    for (unsigned i = 0; i < plan->count; i++) {
        const struct place *place = &plan->places[i];
        char name[16], numa[16], kind[16], list[256];
        plan_thread_name(name, sizeof(name), request->name, i, 0);
        number_text(numa, sizeof(numa), place->numa);
        number_text(kind, sizeof(kind), place->kind);
        plan_list_text(place->cpuset, list, sizeof(list));
        printf("%5u  %-14s %5s %5s  %s\n", i, name, numa, kind, list);
        for (unsigned j = 1; j < request->threads; j++) {
            plan_thread_name(name, sizeof(name), request->name, i, j);
            printf("%5s  %s\n", "", name);
        }
    }
}

static void print_json(
    const struct request *request, const struct machine *machine, const struct plan *plan)
{
    struct json_writer w;
    char list[4096];
    json_write_start(&w, stdout);
    json_write_open(&w, NULL, '{');
    json_write_string(
        &w, "machine", request->source == MACHINE_HERE ? "this machine" : request->machine);
    plan_list_text(machine->allowed, list, sizeof(list));
    json_write_string(&w, "allowed", list);
    json_write_number(&w, "processors", objects(machine->topology, HWLOC_OBJ_PU));
    json_write_number(&w, "cores", objects(machine->topology, HWLOC_OBJ_CORE));
    json_write_number(&w, "l3_caches", objects(machine->topology, HWLOC_OBJ_L3CACHE));
    json_write_number(&w, "numa_nodes", objects(machine->topology, HWLOC_OBJ_NUMANODE));
    json_write_string(&w, "unit", units[request->plan.unit]);
    json_write_open(&w, "ports", '[');
    for (unsigned i = 0; i < plan->count; i++) {
        const struct place *place = &plan->places[i];
        json_write_open(&w, NULL, '{');
        json_write_number(&w, "port", i);
        plan_list_text(place->cpuset, list, sizeof(list));
        json_write_string(&w, "processors", list);
        json_write_number(&w, "numa", place->numa);
        json_write_number(&w, "kind", place->kind);
        json_write_open(&w, "threads", '[');
        for (unsigned j = 0; j < request->threads; j++) {
            char name[16];
            plan_thread_name(name, sizeof(name), request->name, i, j);
            json_write_string(&w, NULL, name);
        }
        json_write_close(&w, '[');
        json_write_close(&w, '{');
    }
    json_write_close(&w, '[');
    json_write_close(&w, '{');
}

/* ---- The plan ---- */

static int limit_to(struct machine *machine, const char *cpuset)
{
    hwloc_bitmap_t limit;
    int r = plan_list_parse(cpuset, &limit);
    if (r < 0)
        return r;
    r = hwloc_bitmap_and(machine->allowed, machine->allowed, limit);
    hwloc_bitmap_free(limit);
    return r < 0 ? CPORT_ENOMEM : 0;
}

static int show(const struct request *request, struct machine *machine)
{
    struct plan_request plan_request = request->plan;
    struct plan plan;
    int r = request->cpuset ? limit_to(machine, request->cpuset) : 0;
    plan_request.allowed = machine->allowed;
    plan_request.fences = machine->fences;
    plan_request.fence_count = machine->fence_count;
    if (r == 0)
        r = plan_make(machine->topology, &plan_request, &plan);
    if (r < 0) {
        fprintf(stderr, "cport-topology: %s\n",
            r == CPORT_EINVAL ? "the cpuset names no processor that may be used"
                              : cport_strerror(r));
        return 1;
    }
    if (request->json)
        print_json(request, machine, &plan);
    else
        print_text(request, machine, &plan);
    plan_free(&plan);
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct request request = {.name = "cport", .threads = 1};
    struct machine machine;
    char reason[512] = "";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return fputs(usage, stdout) < 0;
        if (strcmp(argv[i], "--version") == 0)
            return printf("cport-topology %s\n", cport_version()) < 0;
    }
    if (!arguments_parse(&request, argc, argv))
        return 2;
    int r = machine_open(&machine, request.source, request.machine, reason, sizeof(reason));
    if (r < 0) {
        fprintf(stderr, "cport-topology: %s\n", reason);
        return 1;
    }
    int status = show(&request, &machine);
    machine_close(&machine);
    return status;
}
