/* Connections counted by address. */
#include "addresses.h"
#include "check.h"

#include <stdio.h>

static void an_address_has_so_many(void **state)
{
    (void)state;
    struct addresses *addresses = addresses_open();
    struct bytes one = text_bytes("127.0.0.1"), other = text_bytes("127.0.0.11");
    assert_non_null(addresses);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5; i++)
            assert_true(addresses_take(addresses, one, 5));
        assert_false(addresses_take(addresses, one, 5));
        assert_true(addresses_take(addresses, other, 5));
        addresses_give(addresses, one);
        assert_true(addresses_take(addresses, one, 5));
        assert_false(addresses_take(addresses, one, 4));
        for (int i = 0; i < 5; i++)
            addresses_give(addresses, one);
        addresses_give(addresses, other);
    }
    addresses_close(addresses);
}

static void many_addresses_do_not_mix(void **state)
{
    (void)state;
    enum { ADDRESSES = 5000 };
    struct addresses *addresses = addresses_open();
    char text[32];
    for (int i = 0; i < ADDRESSES; i++) {
        snprintf(text, sizeof(text), "10.0.%d.%d", i / 256, i % 256);
        assert_true(addresses_take(addresses, text_bytes(text), 1));
        assert_false(addresses_take(addresses, text_bytes(text), 1));
    }
    for (int i = 0; i < ADDRESSES; i++) {
        snprintf(text, sizeof(text), "10.0.%d.%d", i / 256, i % 256);
        addresses_give(addresses, text_bytes(text));
    }
    addresses_close(addresses);
}

static void hosts_go_without_their_port(void **state)
{
    (void)state;
    assert_bytes(address_host("127.0.0.1:50000"), "127.0.0.1", 9);
    assert_bytes(address_host("[::1]:50000"), "[::1]", 5);
    assert_bytes(address_host("?"), "?", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_so_many),
        cmocka_unit_test(many_addresses_do_not_mix),
        cmocka_unit_test(hosts_go_without_their_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
