/* The plan: which processors the ports get, on machines that are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "machine.h"
#include "plan.h"

#include "cport/workers.h"

/* Two sockets with 64 cores each, eight to a cache, two hardware threads to a core. */
#define BIG "pack:2 [numa] l3:8 core:8 pu:2"

/* The places of a plan as one text, "0-1 2-3": what the checks compare. */
static void plan_text(
    hwloc_topology_t topology, const struct plan_request *request, char *text, size_t size)
{
    struct plan plan;
    int r = plan_make(topology, request, &plan);
    if (r < 0) {
        snprintf(text, size, "%s", cport_error_name(r));
        return;
    }
    size_t len = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < plan.count && len < size; i++) {
        char list[64];
        plan_list_text(plan.places[i].cpuset, list, sizeof(list));
        len += (size_t)snprintf(text + len, size - len, "%s%s", i ? " " : "", list);
    }
    plan_free(&plan);
}

static void check_on(
    hwloc_topology_t topology, const struct plan_request *request, const char *expected)
{
    char text[4096];
    struct plan_request full = *request;
    if (!full.allowed)
        full.allowed = hwloc_topology_get_allowed_cpuset(topology);
    plan_text(topology, &full, text, sizeof(text));
    assert_string_equal(text, expected);
}

static hwloc_topology_t topology_of(const char *synthetic, unsigned long flags)
{
    hwloc_topology_t topology;
    assert_int_equal(hwloc_topology_init(&topology), 0);
    assert_int_equal(hwloc_topology_set_synthetic(topology, synthetic), 0);
    assert_int_equal(hwloc_topology_set_flags(topology, flags), 0);
    assert_int_equal(hwloc_topology_load(topology), 0);
    return topology;
}

static void check(const char *synthetic, const struct plan_request *request, const char *expected)
{
    hwloc_topology_t topology = topology_of(synthetic, 0);
    check_on(topology, request, expected);
    hwloc_topology_destroy(topology);
}

static hwloc_bitmap_t set_of(const char *list)
{
    hwloc_bitmap_t set;
    assert_int_equal(plan_list_parse(list, &set), 0);
    return set;
}

#define REQUEST(...) (&(struct plan_request){__VA_ARGS__})

/* ---- W01 ---- */

static void w01_a_port_for_each_unit(void **state)
{
    (void)state;
    const char *small = "pack:2 [numa] l3:2 core:2 pu:2";
    check(small, REQUEST(.unit = CPORT_UNIT_CORE), "0-1 2-3 4-5 6-7 8-9 10-11 12-13 14-15");
    check(small, REQUEST(.unit = CPORT_UNIT_PU), "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15");
    check(small, REQUEST(.unit = CPORT_UNIT_L3), "0-3 4-7 8-11 12-15");
    check(small, REQUEST(.unit = CPORT_UNIT_NUMA), "0-7 8-15");
    check(small, REQUEST(.unit = CPORT_UNIT_ALL), "0-15");
    check(small, REQUEST(.unit = 5), "CPORT_EINVAL");
}

static void w01_a_large_machine(void **state)
{
    (void)state;
    hwloc_topology_t topology = topology_of(BIG, 0);
    struct plan plan;
    struct plan_request request = {
        .unit = CPORT_UNIT_CORE, .allowed = hwloc_topology_get_allowed_cpuset(topology)};
    assert_int_equal(plan_make(topology, &request, &plan), 0);
    assert_int_equal(plan.count, 128);
    for (unsigned i = 0; i < plan.count; i++) {
        assert_int_equal(hwloc_bitmap_weight(plan.places[i].cpuset), 2);
        assert_int_equal(hwloc_bitmap_first(plan.places[i].cpuset), 2 * (int)i);
        assert_int_equal(plan.places[i].numa, i < 64 ? 0 : 1);
        assert_int_equal(plan.places[i].kind, 0);
    }
    plan_free(&plan);
    request.unit = CPORT_UNIT_PU;
    assert_int_equal(plan_make(topology, &request, &plan), 0);
    assert_int_equal(plan.count, 256);
    plan_free(&plan);
    request.unit = CPORT_UNIT_L3;
    assert_int_equal(plan_make(topology, &request, &plan), 0);
    assert_int_equal(plan.count, 16);
    plan_free(&plan);
    hwloc_topology_destroy(topology);
}

/* The same machine as somebody has saved it. */
static void w01_a_large_machine_from_its_description(void **state)
{
    (void)state;
    hwloc_topology_t topology = topology_of(BIG, 0), loaded;
    char *xml;
    int size;
    struct plan plan, again;
    struct plan_request request = {
        .unit = CPORT_UNIT_L3, .allowed = hwloc_topology_get_allowed_cpuset(topology)};
    assert_int_equal(hwloc_topology_export_xmlbuffer(topology, &xml, &size, 0), 0);
    assert_int_equal(hwloc_topology_init(&loaded), 0);
    assert_int_equal(hwloc_topology_set_xmlbuffer(loaded, xml, size), 0);
    assert_int_equal(hwloc_topology_load(loaded), 0);
    assert_int_equal(plan_make(topology, &request, &plan), 0);
    assert_int_equal(plan_make(loaded, &request, &again), 0);
    assert_int_equal(plan.count, 16);
    assert_int_equal(again.count, 16);
    for (unsigned i = 0; i < 16; i++) {
        assert_true(hwloc_bitmap_isequal(plan.places[i].cpuset, again.places[i].cpuset));
        assert_int_equal(plan.places[i].numa, again.places[i].numa);
    }
    plan_free(&again);
    plan_free(&plan);
    hwloc_free_xmlbuffer(topology, xml);
    hwloc_topology_destroy(loaded);
    hwloc_topology_destroy(topology);
}

/* As Linux numbers them: the second hardware threads after all the first ones. */
static void w01_hardware_threads_are_found_by_core(void **state)
{
    (void)state;
    const char *machine = "core:4 pu:2(indexes=0,4,1,5,2,6,3,7)";
    check(machine, REQUEST(.unit = CPORT_UNIT_CORE), "0,4 1,5 2,6 3,7");
    check(machine, REQUEST(.unit = CPORT_UNIT_PU), "0 4 1 5 2 6 3 7");
}

static void w01_what_a_system_does_not_know_is_stood_in_for(void **state)
{
    (void)state;
    check("pu:4", REQUEST(.unit = CPORT_UNIT_CORE), "0 1 2 3");
    check("pu:1", REQUEST(.unit = CPORT_UNIT_CORE), "0");
    check("pu:1", REQUEST(.unit = CPORT_UNIT_L3), "0");
    check("pu:1", REQUEST(.unit = CPORT_UNIT_NUMA), "0");
    check("numa:2 core:2 pu:2", REQUEST(.unit = CPORT_UNIT_L3), "0-3 4-7");
}

/* Fast and slow memory of the same processors make one place. */
static void w01_two_memories_with_the_same_processors(void **state)
{
    (void)state;
    check("group:2 [numa] [numa] core:2 pu:1", REQUEST(.unit = CPORT_UNIT_NUMA), "0-1 2-3");
}

/* ---- W02 ---- */

static void w02_one_thread_per_core(void **state)
{
    (void)state;
    const char *machine = "l3:2 core:2 pu:2";
    check(machine, REQUEST(.unit = CPORT_UNIT_CORE, .one_per_core = true), "0 2 4 6");
    check(machine, REQUEST(.unit = CPORT_UNIT_PU, .one_per_core = true), "0 2 4 6");
    check(machine, REQUEST(.unit = CPORT_UNIT_L3, .one_per_core = true), "0,2 4,6");
    check("pu:2", REQUEST(.unit = CPORT_UNIT_CORE, .one_per_core = true), "0 1");

    hwloc_bitmap_t allowed = set_of("1,2-4");
    check(machine, REQUEST(.unit = CPORT_UNIT_CORE, .one_per_core = true, .allowed = allowed),
        "1 2 4");
    hwloc_bitmap_free(allowed);
}

/* ---- W03 ---- */

static void w03_only_what_is_allowed(void **state)
{
    (void)state;
    hwloc_bitmap_t allowed = set_of("1-4,9,100");
    const char *machine = "pack:2 [numa] core:4 pu:2";
    check(machine, REQUEST(.unit = CPORT_UNIT_CORE, .allowed = allowed), "1 2-3 4 9");
    check(machine, REQUEST(.unit = CPORT_UNIT_NUMA, .allowed = allowed), "1-4 9");
    hwloc_bitmap_free(allowed);

    allowed = set_of("100-200");
    check(machine, REQUEST(.unit = CPORT_UNIT_CORE, .allowed = allowed), "CPORT_EINVAL");
    hwloc_bitmap_free(allowed);
}

/* A topology that shows what a cgroup forbids, beside what it allows. */
static void w03_what_the_topology_forbids_is_left_out(void **state)
{
    (void)state;
    hwloc_bitmap_t allowed = set_of("2-5"), all = set_of("0-7");
    hwloc_topology_t topology =
        topology_of("numa:2 core:2 pu:2", HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    assert_int_equal(hwloc_topology_allow(topology, allowed, NULL, HWLOC_ALLOW_FLAG_CUSTOM), 0);
    check_on(topology, REQUEST(.unit = CPORT_UNIT_CORE, .allowed = all), "2-3 4-5");
    check_on(topology, REQUEST(.unit = CPORT_UNIT_NUMA, .allowed = all), "2-3 4-5");
    hwloc_topology_destroy(topology);
    hwloc_bitmap_free(all);
    hwloc_bitmap_free(allowed);
}

/* ---- W04 ---- */

static void kind_set(hwloc_topology_t topology, const char *list, int efficiency)
{
    hwloc_bitmap_t set = set_of(list);
    assert_int_equal(hwloc_cpukinds_register(topology, set, efficiency, 0, NULL, 0), 0);
    hwloc_bitmap_free(set);
}

static void w04_the_fastest_cores_come_first(void **state)
{
    (void)state;
    hwloc_topology_t topology = topology_of("core:8 pu:1", 0);
    kind_set(topology, "0-1,6-7", 1);
    kind_set(topology, "2-3", 20);
    kind_set(topology, "4-5", 300);
    check_on(topology, REQUEST(.unit = CPORT_UNIT_CORE), "4 5 2 3 0 1 6 7");
    check_on(topology, REQUEST(.unit = CPORT_UNIT_CORE, .ports = 3), "4 5 2");
    check_on(topology, REQUEST(.unit = CPORT_UNIT_ALL), "0-7");
    hwloc_topology_destroy(topology);
}

static void w04_fewer_ports_and_more(void **state)
{
    (void)state;
    check("core:3 pu:1", REQUEST(.unit = CPORT_UNIT_CORE, .ports = 2), "0 1");
    check("core:3 pu:1", REQUEST(.unit = CPORT_UNIT_CORE, .ports = 8), "0 1 2 0 1 2 0 1");
    check("core:3 pu:1", REQUEST(.unit = CPORT_UNIT_CORE, .ports = PLAN_PORTS_MAX + 1),
        "CPORT_EINVAL");
}

/* Two threads on one core have half of it each. */
static void w04_each_core_gets_a_port_before_any_gets_two(void **state)
{
    (void)state;
    check("core:3 pu:2", REQUEST(.unit = CPORT_UNIT_PU, .ports = 2), "0 2");
    check("core:3 pu:2", REQUEST(.unit = CPORT_UNIT_PU, .ports = 4), "0 2 4 1");
    check("core:3 pu:2", REQUEST(.unit = CPORT_UNIT_PU, .ports = 6), "0 1 2 3 4 5");
    check("pack:2 core:2 pu:4", REQUEST(.unit = CPORT_UNIT_PU, .ports = 9), "0 4 8 12 1 5 9 13 2");
    hwloc_topology_t topology = topology_of("core:4 pu:2", 0);
    kind_set(topology, "0-3", 1);
    kind_set(topology, "4-7", 20);
    check_on(topology, REQUEST(.unit = CPORT_UNIT_PU, .ports = 5), "4 6 5 7 0");
    hwloc_topology_destroy(topology);
}

/* More than a place can hold: Windows binds threads within a group of processors only. */
static void w04_no_place_crosses_a_fence(void **state)
{
    (void)state;
    hwloc_bitmap_t fences[] = {set_of("0-5"), set_of("6-9"), set_of("10-11")};
    check("numa:2 core:6 pu:1",
        REQUEST(.unit = CPORT_UNIT_NUMA, .fences = fences, .fence_count = 3), "0-5 6-9 10-11");
    check("numa:2 core:6 pu:1", REQUEST(.unit = CPORT_UNIT_ALL, .fences = fences, .fence_count = 3),
        "0-5 6-9 10-11");
    check("core:12 pu:1", REQUEST(.unit = CPORT_UNIT_ALL, .fences = fences + 1, .fence_count = 1),
        "6-9 0-5,10-11");
    for (unsigned i = 0; i < 3; i++)
        hwloc_bitmap_free(fences[i]);
}

/* ---- Texts ---- */

static void lists_are_read_and_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ",", "-", "1-", "-1", "1,,2", "1--2", "a", "1,", ",1",
        "0x3", "1 2", "1-2-", "all", "5-2", "100000", "1\n"};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        hwloc_bitmap_t set;
        if (plan_list_parse(bad[i], &set) != CPORT_EINVAL)
            fail_msg("\"%s\" was read as a list", bad[i]);
    }
    hwloc_bitmap_t set = set_of("0-3,8,99999");
    char text[64];
    plan_list_text(set, text, sizeof(text));
    assert_string_equal(text, "0-3,8,99999");
    plan_list_text(set, text, 9);
    assert_string_equal(text, "0-3,8...");
    hwloc_bitmap_free(set);
}

static void names_keep_their_numbers(void **state)
{
    (void)state;
    char text[16];
    plan_thread_name(text, sizeof(text), "cport", 3, 1);
    assert_string_equal(text, "cport/3.1");
    plan_thread_name(text, sizeof(text), "a-rather-long-name", 127, 15);
    assert_string_equal(text, "a-rather/127.15");
    plan_thread_name(text, sizeof(text), "", 0, 0);
    assert_string_equal(text, "/0.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(w01_a_port_for_each_unit),
        cmocka_unit_test(w01_a_large_machine),
        cmocka_unit_test(w01_a_large_machine_from_its_description),
        cmocka_unit_test(w01_hardware_threads_are_found_by_core),
        cmocka_unit_test(w01_what_a_system_does_not_know_is_stood_in_for),
        cmocka_unit_test(w01_two_memories_with_the_same_processors),
        cmocka_unit_test(w02_one_thread_per_core),
        cmocka_unit_test(w03_only_what_is_allowed),
        cmocka_unit_test(w03_what_the_topology_forbids_is_left_out),
        cmocka_unit_test(w04_the_fastest_cores_come_first),
        cmocka_unit_test(w04_fewer_ports_and_more),
        cmocka_unit_test(w04_each_core_gets_a_port_before_any_gets_two),
        cmocka_unit_test(w04_no_place_crosses_a_fence),
        cmocka_unit_test(lists_are_read_and_refused),
        cmocka_unit_test(names_keep_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
