/* The histogram that cport-cli reports latencies from. */
#include "check.h"
#include "cport-cli-histogram.h"

static struct histogram histogram;

static double quantile_of_one(int64_t value)
{
    memset(&histogram, 0, sizeof(histogram));
    histogram_add(&histogram, value);
    histogram_add(&histogram, INT64_MAX); /* so that the maximum does not cut the bucket's edge */
    return histogram_quantile(&histogram, 0.5);
}

static void a_bucket_is_within_a_32nd_of_its_values(void **state)
{
    (void)state;
    for (int64_t value = 0; value < 100000; value++) {
        double edge = quantile_of_one(value);
        assert_true(edge >= (double)value && edge <= (double)value * 33 / 32);
    }
    for (int shift = 17; shift < 62; shift++) {
        for (int64_t value = ((int64_t)1 << shift) - 2; value <= ((int64_t)1 << shift) + 2;
             value++) {
            double edge = quantile_of_one(value);
            assert_true(edge >= (double)value && edge <= (double)value * 33 / 32);
        }
    }
    memset(&histogram, 0, sizeof(histogram));
    histogram_add(&histogram, INT64_MAX);
    assert_true(histogram_quantile(&histogram, 1) == (double)INT64_MAX);
}

static void quantiles_cut_where_they_say(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof(histogram));
    assert_true(histogram_quantile(&histogram, 0.5) == 0);
    for (int64_t value = 1; value <= 20; value++)
        histogram_add(&histogram, value);
    assert_true(histogram_quantile(&histogram, 0) == 1);
    assert_true(histogram_quantile(&histogram, 0.5) == 10);
    assert_true(histogram_quantile(&histogram, 0.95) == 19);
    assert_true(histogram_quantile(&histogram, 1) == 20);
    histogram_add(&histogram, -5); /* a clock that stood still counts as none */
    assert_true(histogram_quantile(&histogram, 0) == 0);
    assert_int_equal(histogram.max, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_is_within_a_32nd_of_its_values),
        cmocka_unit_test(quantiles_cut_where_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
