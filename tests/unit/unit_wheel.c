/*
 * The wheel against a model that looks at every timer: what expires, when, and in which order.
 */
#include "wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TICK_NS (UINT64_C(1) << WHEEL_TICK_SHIFT)
#define HOUR_NS (UINT64_C(3600) * 1000 * 1000 * 1000)

struct timer {
    struct wheel_node node;
    uint64_t tick; /* when it should expire, in ticks */
    uint64_t order;
    bool armed;
    bool moved; /* since it was armed: its place among those of its tick is any */
};

struct model {
    struct wheel wheel;
    struct timer *timers;
    size_t timers_count;
    uint64_t now_ns;
    uint64_t order;
};

static uint64_t random_next(uint64_t *state)
{
    *state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = *state;
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* Every magnitude is as likely as any other. */
static uint64_t random_span(uint64_t *state, unsigned bits_max)
{
    uint64_t bits = random_next(state) % (bits_max + 1);
    return bits == 0 ? 0 : random_next(state) >> (64 - bits);
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void model_open(struct model *model, size_t timers_count, uint64_t now_ns)
{
    memset(&model->wheel, 0xA5, sizeof model->wheel);
    wheel_init(&model->wheel, now_ns);
    model->timers = calloc(timers_count, sizeof *model->timers);
    assert_non_null(model->timers);
    model->timers_count = timers_count;
    model->now_ns = now_ns;
    model->order = 0;
}

static void model_close(struct model *model)
{
    free(model->timers);
}

static uint64_t model_tick(const struct model *model, uint64_t deadline_ns)
{
    uint64_t tick = deadline_ns / TICK_NS + (deadline_ns % TICK_NS != 0);
    return tick < model->wheel.current ? model->wheel.current : tick;
}

static void model_add(struct model *model, struct timer *timer, uint64_t deadline_ns)
{
    timer->tick = model_tick(model, deadline_ns);
    timer->order = model->order++;
    timer->armed = true;
    timer->moved = false;
    wheel_add(&model->wheel, &timer->node, deadline_ns);
    assert_true(wheel_armed(&timer->node));
    assert_true(timer->node.deadline_ns == deadline_ns);
}

static void model_move(struct model *model, struct timer *timer, uint64_t deadline_ns)
{
    timer->tick = model_tick(model, deadline_ns);
    timer->moved = true;
    wheel_move(&model->wheel, &timer->node, deadline_ns);
    assert_true(wheel_armed(&timer->node));
    assert_true(timer->node.deadline_ns == deadline_ns);
}

static void model_remove(struct model *model, struct timer *timer)
{
    timer->armed = false;
    wheel_remove(&model->wheel, &timer->node);
    assert_false(wheel_armed(&timer->node));
}

/* The chain is in the order of the ticks, and within a tick in that of arming. */
static void check_order(const struct timer *timer, uint64_t *tick, uint64_t *order_least)
{
    assert_true(timer->tick >= *tick);
    if (timer->tick > *tick) {
        *tick = timer->tick;
        *order_least = 0;
    }
    if (!timer->moved) {
        assert_true(timer->order >= *order_least);
        *order_least = timer->order + 1;
    }
}

/* Expires at now_ns and holds the chain against what the model says; returns its length. */
static size_t model_expire(struct model *model, uint64_t now_ns)
{
    size_t due = 0, armed = 0, expired = 0;
    for (size_t i = 0; i < model->timers_count; i++) {
        const struct timer *timer = &model->timers[i];
        if (!timer->armed)
            continue;
        armed++;
        if (now_ns == UINT64_MAX || timer->tick <= now_ns / TICK_NS)
            due++;
    }

    uint64_t tick = 0, order_least = 0;
    for (struct wheel_node *node = wheel_expire(&model->wheel, now_ns); node; node = node->next) {
        struct timer *timer = (struct timer *)(void *)node; /* its first member */
        assert_true(timer->armed);
        assert_true(now_ns == UINT64_MAX || timer->tick <= now_ns / TICK_NS);
        assert_false(wheel_armed(node));
        assert_true(node->deadline_ns <= now_ns);
        check_order(timer, &tick, &order_least);
        timer->armed = false;
        expired++;
    }
    assert_int_equal(expired, due);
    /* A timer between this time and the current tick would be taken for overdue. */
    assert_true(now_ns == UINT64_MAX || model->wheel.current <= now_ns / TICK_NS);
    assert_int_equal(wheel_count(&model->wheel), armed - due);
    model->now_ns = now_ns;
    return due;
}

/* The first tick that a timer is due at, UINT64_MAX if there is none. */
static uint64_t model_first_tick(const struct model *model)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < model->timers_count; i++) {
        if (model->timers[i].armed && model->timers[i].tick < first)
            first = model->timers[i].tick;
    }
    return first;
}

/* The time to wait for must not be later than the first timer, and must lie ahead once expire has
 * run. */
static void model_check_next(const struct model *model, bool expired)
{
    uint64_t first = model_first_tick(model), next_ns = wheel_next_ns(&model->wheel);
    if (first == UINT64_MAX)
        assert_true(next_ns == UINT64_MAX);
    else if (first <= UINT64_MAX / TICK_NS) /* else it is due at the end of time */
        assert_true(next_ns <= first * TICK_NS);
    if (expired)
        assert_true(next_ns > model->now_ns || model->now_ns == UINT64_MAX);
}

static uint64_t random_deadline(struct model *model, uint64_t *state)
{
    uint64_t now_ns = model->now_ns;
    switch (random_next(state) % 8) {
    case 0: /* overdue */
        return now_ns - now_ns % (random_span(state, 40) + 1);
    case 1: /* the same as another's */
        return model->timers[random_next(state) % model->timers_count].node.deadline_ns;
    case 2: /* on a tick */
        return add_saturated(now_ns, random_span(state, 44)) / TICK_NS * TICK_NS;
    case 3:
        return UINT64_MAX - random_span(state, 40);
    default:
        return add_saturated(now_ns, random_span(state, 48));
    }
}

static void run_random(uint64_t seed, uint64_t start_ns, unsigned steps)
{
    struct model model;
    uint64_t state = seed;
    model_open(&model, 300, start_ns);
    for (unsigned step = 0; step < steps; step++) {
        struct timer *timer = &model.timers[random_next(&state) % model.timers_count];
        if (timer->armed && random_next(&state) % 2 == 0) {
            model_move(&model, timer, random_deadline(&model, &state));
            model_check_next(&model, false);
        } else if (random_next(&state) % 8 != 0) {
            if (timer->armed)
                model_remove(&model, timer);
            if (random_next(&state) % 4 != 0)
                model_add(&model, timer, random_deadline(&model, &state));
            model_check_next(&model, false);
        } else {
            uint64_t next_ns = wheel_next_ns(&model.wheel);
            uint64_t now_ns = add_saturated(model.now_ns, random_span(&state, 42));
            if (random_next(&state) % 4 == 0 && next_ns > model.now_ns && next_ns != UINT64_MAX)
                now_ns = next_ns - random_next(&state) % 2;
            model_expire(&model, now_ns);
            model_check_next(&model, true);
        }
    }
    model_expire(&model, UINT64_MAX);
    assert_int_equal(wheel_count(&model.wheel), 0);
    model_close(&model);
}

static void random_operations_match_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        uint64_t random = seed, start_ns = random_span(&random, 63);
        print_message(
            "seed %llu, start %llu ns\n", (unsigned long long)seed, (unsigned long long)start_ns);
        run_random(seed, start_ns, 6000);
    }
    run_random(100, UINT64_MAX - HOUR_NS, 6000);
    run_random(101, UINT64_MAX, 1000);
}

static void a_zeroed_node_is_idle(void **state)
{
    (void)state;
    struct wheel_node node = {0};
    assert_false(wheel_armed(&node));
}

static void an_empty_wheel_has_no_next_time(void **state)
{
    (void)state;
    struct model model;
    model_open(&model, 1, 5);
    assert_true(wheel_next_ns(&model.wheel) == UINT64_MAX);
    assert_null(wheel_expire(&model.wheel, HOUR_NS));
    model_add(&model, &model.timers[0], 2 * HOUR_NS);
    model_remove(&model, &model.timers[0]);
    assert_true(wheel_next_ns(&model.wheel) == UINT64_MAX);
    assert_null(wheel_expire(&model.wheel, UINT64_MAX));
    model_close(&model);
}

/* One deadline, from one starting time: not a nanosecond early, not more than a tick late. */
static void check_alone(uint64_t start_ns, uint64_t deadline_ns)
{
    struct model model;
    model_open(&model, 1, start_ns);
    model_add(&model, &model.timers[0], deadline_ns);
    uint64_t next_ns = wheel_next_ns(&model.wheel);
    assert_true(next_ns >= deadline_ns && next_ns - deadline_ns < TICK_NS);
    if (deadline_ns > start_ns)
        assert_int_equal(model_expire(&model, deadline_ns - 1), 0);
    assert_int_equal(model_expire(&model, add_saturated(deadline_ns, TICK_NS - 1)), 1);
    assert_true(wheel_next_ns(&model.wheel) == UINT64_MAX);
    model_close(&model);
}

static void deadlines_at_the_edges_of_each_level(void **state)
{
    (void)state;
    for (unsigned level = 0; level <= WHEEL_LEVELS; level++) {
        unsigned shift = WHEEL_TICK_SHIFT + level * WHEEL_LEVEL_BITS;
        uint64_t edge_ns = shift < 64 ? UINT64_C(1) << shift : UINT64_MAX;
        const uint64_t offsets[] = {0, 1, TICK_NS - 1, TICK_NS, TICK_NS + 1};
        for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
            if (offsets[i] >= edge_ns)
                continue;
            uint64_t before_ns = edge_ns - offsets[i];
            uint64_t after_ns = add_saturated(edge_ns, offsets[i]);
            check_alone(0, before_ns);
            check_alone(0, after_ns);
            check_alone(before_ns - 1, after_ns); /* every lower digit turns over */
            if (after_ns < UINT64_MAX - HOUR_NS)
                check_alone(after_ns, add_saturated(after_ns, edge_ns));
        }
    }
}

static void the_last_deadlines_expire_at_the_end_of_time(void **state)
{
    (void)state;
    struct model model;
    model_open(&model, 3, HOUR_NS);
    model_add(&model, &model.timers[0], UINT64_MAX);
    model_add(&model, &model.timers[1], UINT64_MAX - 1);
    model_add(&model, &model.timers[2], UINT64_MAX - TICK_NS);
    assert_int_equal(model_expire(&model, UINT64_MAX - 1), 1);
    assert_true(wheel_next_ns(&model.wheel) == UINT64_MAX);
    assert_int_equal(model_expire(&model, UINT64_MAX), 2);
    model_add(&model, &model.timers[0], UINT64_MAX);
    assert_int_equal(model_expire(&model, UINT64_MAX), 1);
    model_close(&model);
}

static void an_overdue_timer_expires_at_the_next_call(void **state)
{
    (void)state;
    struct model model;
    model_open(&model, 3, HOUR_NS);
    assert_int_equal(model_expire(&model, 2 * HOUR_NS), 0);
    model_add(&model, &model.timers[0], HOUR_NS);
    model_add(&model, &model.timers[1], 0);
    model_add(&model, &model.timers[2], 2 * HOUR_NS);
    assert_true(wheel_next_ns(&model.wheel) <= 2 * HOUR_NS);
    assert_int_equal(model_expire(&model, 2 * HOUR_NS), 3);
    model_close(&model);
}

/* Timers of one deadline, armed from near and from far, with the wheel turning in between. */
static void equal_deadlines_expire_in_the_order_armed(void **state)
{
    (void)state;
    enum { TIMERS = 400 };
    struct model model;
    model_open(&model, TIMERS, 0);
    for (unsigned i = 0; i < TIMERS - 1; i++) {
        model_add(&model, &model.timers[i], HOUR_NS);
        if (i % 3 == 0) { /* something to turn the wheel with */
            model_add(&model, &model.timers[TIMERS - 1], HOUR_NS / TIMERS * i);
            assert_int_equal(model_expire(&model, HOUR_NS / TIMERS * (i + 1)), 1);
        }
    }
    model_remove(&model, &model.timers[7]); /* re-arming counts as arming: it goes last */
    model_add(&model, &model.timers[7], HOUR_NS);
    assert_int_equal(model_expire(&model, HOUR_NS + TICK_NS), TIMERS - 1);
    model_close(&model);
}

/* Each is put off with every tick, as the timers of busy connections are, and comes when that has ended. */
static void what_is_put_off_again_and_again_comes_late(void **state)
{
    (void)state;
    enum { TIMERS = 64, ROUNDS = 5000 };
    struct model model;
    uint64_t random = 5;
    model_open(&model, TIMERS, HOUR_NS);
    for (unsigned i = 0; i < TIMERS; i++)
        model_add(&model, &model.timers[i], HOUR_NS + (i + 2) * TICK_NS);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        uint64_t now_ns = HOUR_NS + round * TICK_NS;
        for (unsigned i = 0; i < TIMERS; i++)
            model_move(
                &model, &model.timers[i], now_ns + (2 + random_next(&random) % 300) * TICK_NS);
        assert_int_equal(model_expire(&model, now_ns), 0);
        model_check_next(&model, true);
    }
    assert_int_equal(model_expire(&model, model.now_ns + 302 * TICK_NS), TIMERS);
    model_close(&model);
}

static void time_may_jump_ahead(void **state)
{
    (void)state;
    struct model model;
    uint64_t random = 7;
    model_open(&model, 5000, HOUR_NS / 2);
    for (unsigned round = 0; round < 20; round++) {
        for (size_t i = 0; i < model.timers_count; i++) {
            if (!model.timers[i].armed)
                model_add(
                    &model, &model.timers[i], model.now_ns + random_next(&random) % (3 * HOUR_NS));
        }
        assert_true(model_expire(&model, model.now_ns + HOUR_NS) > model.timers_count / 8);
        model_check_next(&model, true);
    }
    model_close(&model);
}

/* A wheel that is woken at the times it asks for wakes once per deadline, however far that is. */
static void the_next_time_is_exact_while_nothing_is_removed_or_moved(void **state)
{
    (void)state;
    enum { TIMERS = 200 };
    struct model model;
    uint64_t random = 11;
    model_open(&model, TIMERS, HOUR_NS);
    for (unsigned i = 0; i < TIMERS; i++)
        model_add(&model, &model.timers[i], HOUR_NS + random_span(&random, 50));
    while (wheel_count(&model.wheel) > 0) {
        uint64_t next_ns = wheel_next_ns(&model.wheel);
        assert_true(next_ns == model_first_tick(&model) * TICK_NS);
        assert_true(model_expire(&model, next_ns) > 0);
    }
    model_close(&model);
}

/* After idling, or a short timer would come down all the levels that an hour takes. */
static void an_empty_wheel_moves_on_with_time(void **state)
{
    (void)state;
    struct model model;
    model_open(&model, 1, 0);
    assert_null(wheel_expire(&model.wheel, HOUR_NS));
    assert_true(model.wheel.current == HOUR_NS / TICK_NS);
    model_close(&model);
}

static void a_million_timers(void **state)
{
    (void)state;
    enum { TIMERS = 1000000 };
    struct model model;
    uint64_t random = 3;
    model_open(&model, TIMERS, HOUR_NS);
    for (size_t i = 0; i < TIMERS; i++)
        model_add(&model, &model.timers[i], HOUR_NS + random_next(&random) % HOUR_NS);
    assert_int_equal(wheel_count(&model.wheel), TIMERS);
    for (size_t i = 0; i < TIMERS; i += 2)
        model_remove(&model, &model.timers[i]);
    for (size_t i = 0; i < TIMERS; i += 4)
        model_add(&model, &model.timers[i], HOUR_NS + random_next(&random) % HOUR_NS);
    size_t expired = 0;
    for (unsigned quarter = 1; quarter <= 4; quarter++)
        expired += model_expire(&model, HOUR_NS + HOUR_NS / 4 * quarter + TICK_NS);
    assert_int_equal(expired, TIMERS / 4 * 3);
    assert_int_equal(wheel_count(&model.wheel), 0);
    model_close(&model);
}

static void the_lowest_and_the_highest_bit(void **state)
{
    (void)state;
    for (unsigned low = 0; low < 64; low++) {
        for (unsigned high = low; high < 64; high++) {
            uint64_t word = UINT64_C(1) << low | UINT64_C(1) << high;
            assert_int_equal(bits_lowest(word), low);
            assert_int_equal(bits_highest(word), high);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lowest_and_the_highest_bit),
        cmocka_unit_test(a_zeroed_node_is_idle),
        cmocka_unit_test(an_empty_wheel_has_no_next_time),
        cmocka_unit_test(deadlines_at_the_edges_of_each_level),
        cmocka_unit_test(the_last_deadlines_expire_at_the_end_of_time),
        cmocka_unit_test(an_overdue_timer_expires_at_the_next_call),
        cmocka_unit_test(equal_deadlines_expire_in_the_order_armed),
        cmocka_unit_test(time_may_jump_ahead),
        cmocka_unit_test(the_next_time_is_exact_while_nothing_is_removed_or_moved),
        cmocka_unit_test(what_is_put_off_again_and_again_comes_late),
        cmocka_unit_test(an_empty_wheel_moves_on_with_time),
        cmocka_unit_test(random_operations_match_the_model),
        cmocka_unit_test(a_million_timers),
    };
    return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
