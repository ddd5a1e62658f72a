/* The bar that cport-cli shows while it transfers. */
#include "check.h"
#include "cport-cli-progress.h"

#define FULL  "########################################"
#define EMPTY "                                        "

static void expect(int64_t done, int64_t all, const char *wanted)
{
    char text[PROGRESS_TEXT_BYTES];
    progress_text(text, done, all, 0);
    if (strncmp(text, wanted, strlen(wanted)) != 0)
        fail_msg("%s, not %s", text, wanted);
}

static void a_bar_is_as_long_as_the_share(void **state)
{
    (void)state;
    expect(0, 1000, "[" EMPTY "]   0 %       0.0 MB");
    expect(999, 1000, "[####################################### ]  99 %");
    expect(1000, 1000, "[" FULL "] 100 %");
    expect(500000, 1000000, "[####################                    ]  50 %       0.5 MB");
    expect(0, 0, "[" FULL "] 100 %");
}

/* What a server says may be anything. */
static void absurd_sizes_have_a_bar_too(void **state)
{
    (void)state;
    char text[PROGRESS_TEXT_BYTES];
    expect(INT64_MAX / 2, INT64_MAX, "[####################");
    expect(INT64_MAX, INT64_MAX, "[" FULL "] 100 %");
    expect(1, INT64_MAX, "[" EMPTY "]   0 %");
    expect(10, 5, "[" FULL "] 100 %");
    progress_text(text, INT64_MAX, INT64_MAX, 1e19);
    assert_true(strlen(text) < PROGRESS_TEXT_BYTES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bar_is_as_long_as_the_share),
        cmocka_unit_test(absurd_sizes_have_a_bar_too),
    };
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
