#include "hist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct hist h;

static void empty_has_no_quantile(void **state)
{
    (void)state;
    hist_reset(&h);
    assert_int_equal(hist_quantile(&h, 0.5), 0);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    hist_reset(&h);
    for (uint64_t v = 1; v <= 100; v++)
        hist_add(&h, v);
    assert_int_equal(h.total, 100);
    assert_int_equal(hist_quantile(&h, 0.5), 50);
    assert_int_equal(hist_quantile(&h, 0.99), 99);
    assert_int_equal(hist_quantile(&h, 0.999), 100);
    assert_int_equal(hist_quantile(&h, 0), 1);
    assert_int_equal(hist_quantile(&h, 1), 100);
}

/* A quantile is never below the value and at most 1/128 above it, at every power of two and around it. */
static void large_values_are_close(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int64_t offset = -1; offset <= 1; offset++) {
            uint64_t value = ((uint64_t)1 << bit) + (uint64_t)offset;
            hist_reset(&h);
            hist_add(&h, value);
            uint64_t told = hist_quantile(&h, 0.5);
            assert_true(told >= value);
            assert_true(told - value <= value >> HIST_SUB_BITS);
        }
    }
}

static void one_outlier_shows_only_beyond_its_rank(void **state)
{
    (void)state;
    hist_reset(&h);
    for (int i = 0; i < 999; i++)
        hist_add(&h, 10);
    hist_add(&h, 1000000);
    assert_int_equal(hist_quantile(&h, 0.999), 10);
    assert_true(hist_quantile(&h, 0.9991) >= 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_has_no_quantile),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(large_values_are_close),
        cmocka_unit_test(one_outlier_shows_only_beyond_its_rank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
