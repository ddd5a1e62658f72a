/* Deadlines against a clock of our own: an hour passes in no time. */
#include "check.h"
#include "deadlines.h"

#define SECOND INT64_C(1000000000)

static void idle_times_are_exact(void **state)
{
    (void)state;
    static const int64_t limits[] = {SECOND * 9 / 10, SECOND * 11 / 10, 61 * SECOND, 3601 * SECOND};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct deadlines deadlines;
        int64_t now = 5;
        deadlines_init(&deadlines);
        /* Bytes in time move it, however often. */
        for (int n = 0; n < 100; n++) {
            deadline_set(&deadlines, DEADLINE_IDLE, now, limits[i]);
            now += limits[i] - 1;
            assert_int_equal(deadlines_passed(&deadlines, now), DEADLINE_COUNT);
        }
        assert_int_equal(deadlines_next(&deadlines), now + 1);
        assert_int_equal(deadlines_passed(&deadlines, now + 1), DEADLINE_IDLE);
        assert_int_equal(deadlines_passed(&deadlines, now + limits[i]), DEADLINE_IDLE);
    }
}

static void no_limit_is_for_ever(void **state)
{
    (void)state;
    struct deadlines deadlines;
    deadlines_init(&deadlines);
    deadline_set(&deadlines, DEADLINE_IDLE, 100, 0);
    assert_int_equal(deadlines_next(&deadlines), DEADLINE_NEVER);
    assert_int_equal(deadlines_passed(&deadlines, DEADLINE_NEVER - 1), DEADLINE_COUNT);
}

/* One byte now and then does not keep a frame alive. */
static void a_frame_runs_from_its_first_byte(void **state)
{
    (void)state;
    struct deadlines deadlines;
    deadlines_init(&deadlines);
    for (int64_t now = 0; now < 10 * SECOND; now += SECOND)
        deadline_set_once(&deadlines, DEADLINE_FRAME, now, 10 * SECOND);
    assert_int_equal(deadlines_passed(&deadlines, 10 * SECOND - 1), DEADLINE_COUNT);
    assert_int_equal(deadlines_passed(&deadlines, 10 * SECOND), DEADLINE_FRAME);
    deadline_clear(&deadlines, DEADLINE_FRAME);
    assert_int_equal(deadlines_passed(&deadlines, 10 * SECOND), DEADLINE_COUNT);
}

static void the_first_of_several_is_told(void **state)
{
    (void)state;
    struct deadlines deadlines;
    deadlines_init(&deadlines);
    deadline_set(&deadlines, DEADLINE_WRITE, 0, 3);
    deadline_set(&deadlines, DEADLINE_LOGIN, 0, 2);
    deadline_set(&deadlines, DEADLINE_IDLE, 0, 4);
    assert_int_equal(deadlines_next(&deadlines), 2);
    assert_int_equal(deadlines_passed(&deadlines, 1), DEADLINE_COUNT);
    assert_int_equal(deadlines_passed(&deadlines, 2), DEADLINE_LOGIN);
    deadline_clear(&deadlines, DEADLINE_LOGIN);
    assert_int_equal(deadlines_passed(&deadlines, 9), DEADLINE_IDLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_times_are_exact),
        cmocka_unit_test(no_limit_is_for_ever),
        cmocka_unit_test(a_frame_runs_from_its_first_byte),
        cmocka_unit_test(the_first_of_several_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
