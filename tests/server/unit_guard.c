/* Rates and bans, with a clock of the test's own. */
#include "check.h"
#include "guard.h"
#include "hash.h"

#include <string.h>

#define MS     INT64_C(1000000)
#define SECOND (1000 * MS)

static struct guard *guard_with(int64_t rate, int64_t ban_after, int64_t ban_ns)
{
    struct guard *guard = guard_open();
    assert_non_null(guard);
    guard_rules_set(guard, &(struct guard_rules){rate, ban_after, ban_ns});
    return guard;
}

static struct guard_address address(const char *text)
{
    struct sockaddr_storage storage;
    cport_socklen len;
    assert_int_equal(cport_address(text, 1, &storage, &len), 0);
    return guard_address_of(&storage);
}

static int64_t enter_many(
    struct guard *guard, const struct guard_address *who, int64_t now_ns, int64_t times)
{
    int64_t good = 0;
    for (int64_t i = 0; i < times; i++)
        good += guard_enter(guard, who, now_ns) == GUARD_GOOD;
    return good;
}

static void without_rules_everybody_is_good(void **state)
{
    (void)state;
    struct guard *guard = guard_with(0, 0, 0);
    struct guard_address who = address("192.0.2.1");
    assert_int_equal(enter_many(guard, &who, 5, 100000), 100000);
    assert_int_equal(guard_offence(guard, &who, 5), GUARD_NOTED);
    guard_close(guard);
}

static void so_many_come_in_a_second(void **state)
{
    (void)state;
    struct guard *guard = guard_with(10, 0, 0);
    struct guard_address who = address("192.0.2.1"), other = address("192.0.2.2");
    int64_t now_ns = 1000 * SECOND;
    assert_int_equal(enter_many(guard, &who, now_ns, 50), 10);
    assert_int_equal(guard_enter(guard, &who, now_ns), GUARD_TOO_OFTEN);
    assert_int_equal(enter_many(guard, &other, now_ns, 50), 10);
    assert_int_equal(guard_enter(guard, &who, now_ns + 99 * MS), GUARD_TOO_OFTEN);
    assert_int_equal(enter_many(guard, &who, now_ns + 100 * MS, 50), 1);
    assert_int_equal(enter_many(guard, &who, now_ns + 600 * MS, 50), 5);
    assert_int_equal(enter_many(guard, &who, now_ns + 3600 * SECOND, 50), 10);

    /* Those that come evenly are never refused, and whoever is refused does not wait longer for it. */
    int64_t good = 0;
    for (int64_t i = 0; i < 1000; i++)
        good += guard_enter(guard, &other, now_ns + 10 * SECOND + i * 100 * MS) == GUARD_GOOD;
    assert_int_equal(good, 1000);
    guard_close(guard);
}

static void offences_in_a_minute_ban(void **state)
{
    (void)state;
    struct guard *guard = guard_with(0, 3, 600 * SECOND);
    struct guard_address who = address("192.0.2.1"), other = address("192.0.2.2");
    int64_t now_ns = 1000 * SECOND;
    assert_int_equal(guard_offence(guard, &who, now_ns), GUARD_NOTED);
    assert_int_equal(guard_offence(guard, &who, now_ns + SECOND), GUARD_NOTED);
    /* The window is over: these count from one again. */
    now_ns += GUARD_WINDOW_NS;
    assert_int_equal(guard_offence(guard, &who, now_ns), GUARD_NOTED);
    assert_int_equal(guard_offence(guard, &who, now_ns), GUARD_NOTED);
    assert_int_equal(guard_enter(guard, &who, now_ns), GUARD_GOOD);
    now_ns += GUARD_WINDOW_NS - 1;
    assert_int_equal(guard_offence(guard, &who, now_ns), GUARD_BANS);
    assert_int_equal(guard_enter(guard, &who, now_ns), GUARD_BANNED);
    assert_int_equal(guard_enter(guard, &other, now_ns), GUARD_GOOD);
    assert_int_equal(guard_offence(guard, &who, now_ns + SECOND), GUARD_HAS_BANNED);
    assert_int_equal(guard_enter(guard, &who, now_ns + 600 * SECOND - 1), GUARD_BANNED);
    assert_int_equal(guard_enter(guard, &who, now_ns + 600 * SECOND), GUARD_GOOD);
    assert_int_equal(guard_offence(guard, &who, now_ns + 600 * SECOND), GUARD_NOTED);
    guard_close(guard);
}

static void new_rules_forget(void **state)
{
    (void)state;
    struct guard *guard = guard_with(1, 1, 600 * SECOND);
    struct guard_address who = address("192.0.2.1");
    assert_int_equal(guard_enter(guard, &who, 0), GUARD_GOOD);
    assert_int_equal(guard_enter(guard, &who, 0), GUARD_TOO_OFTEN);
    assert_int_equal(guard_offence(guard, &who, 0), GUARD_BANS);
    assert_int_equal(guard_enter(guard, &who, 0), GUARD_BANNED);
    guard_rules_set(guard, &(struct guard_rules){1, 1, 600 * SECOND});
    assert_int_equal(guard_enter(guard, &who, 0), GUARD_GOOD);
    guard_rules_set(guard, &(struct guard_rules){0, 0, 0});
    assert_int_equal(enter_many(guard, &who, 0, 10), 10);
    guard_close(guard);
}

static void addresses_are_taken_for_what_they_are(void **state)
{
    (void)state;
    struct guard_address a = address("2001:db8:1:2::1"), b = address("2001:db8:1:2:ffff::2"),
                         c = address("2001:db8:1:3::1"), d = address("::ffff:192.0.2.1"),
                         e = address("192.0.2.1"), f = address("::ffff:192.0.2.2");
    assert_memory_equal(&a, &b, sizeof(a));
    assert_memory_not_equal(&a, &c, sizeof(a));
    assert_memory_equal(&d, &e, sizeof(d));
    assert_memory_not_equal(&d, &f, sizeof(d));
}

static struct guard_address numbered(uint32_t number)
{
    struct guard_address one = {{0}};
    memcpy(one.bytes, &number, sizeof(number));
    return one;
}

/* A hundred thousand others come by. Who is banned is remembered longest, and each of the crowd is let in. */
static void a_crowd_takes_no_more_room(void **state)
{
    (void)state;
    struct guard *guard = guard_with(1, 1, 3600 * SECOND);
    struct guard_address bad = address("192.0.2.1");
    assert_int_equal(guard_offence(guard, &bad, SECOND), GUARD_BANS);
    for (uint32_t i = 0; i < 100000; i++) {
        struct guard_address one = numbered(i);
        assert_int_equal(guard_enter(guard, &one, 2 * SECOND), GUARD_GOOD);
    }
    assert_int_equal(guard_enter(guard, &bad, 3 * SECOND), GUARD_BANNED);
    /* Even if all of it is banned, there is room for the next. */
    for (uint32_t i = 0; i < 100000; i++) {
        struct guard_address one = numbered(i);
        assert_int_equal(guard_offence(guard, &one, 4 * SECOND + i), GUARD_BANS);
        assert_int_equal(guard_enter(guard, &one, 4 * SECOND + i), GUARD_BANNED);
    }
    struct guard_address good = address("198.51.100.1");
    assert_int_equal(guard_enter(guard, &good, 5 * SECOND), GUARD_GOOD);
    guard_close(guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_rules_everybody_is_good),
        cmocka_unit_test(so_many_come_in_a_second),
        cmocka_unit_test(offences_in_a_minute_ban),
        cmocka_unit_test(new_rules_forget),
        cmocka_unit_test(addresses_are_taken_for_what_they_are),
        cmocka_unit_test(a_crowd_takes_no_more_room),
    };
    hash_prepare();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
