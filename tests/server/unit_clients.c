/* The table of clients: numbers, users, addresses. */
#include "check.h"
#include "clients.h"

#include <stdio.h>

static struct client *client_new(struct clients *clients, unsigned port)
{
    struct client *client = calloc(1, sizeof(*client));
    assert_non_null(client);
    snprintf(client->remote, sizeof(client->remote), "127.0.0.1:%u", port);
    client->conn = client;
    client->protocol = "none";
    assert_true(client_add(clients, client));
    return client;
}

static void client_end(struct clients *clients, struct client *client)
{
    client_remove(clients, client);
    free(client);
}

static bool count(void *ctx, const struct client *client)
{
    (void)client;
    ++*(unsigned *)ctx;
    return true;
}

static void generations_tell_old_numbers(void **state)
{
    (void)state;
    struct clients *clients = clients_open();
    struct client *old = client_new(clients, 1);
    uint64_t number = old->number;
    assert_int_not_equal(number, 0);
    assert_ptr_equal(client_conn(clients, number), old);
    client_end(clients, old);
    assert_null(client_conn(clients, number));
    for (unsigned i = 0; i < 1000; i++) {
        struct client *young = client_new(clients, i); /* in the same place */
        assert_int_equal((uint32_t)young->number, (uint32_t)number);
        assert_int_not_equal(young->number, number);
        assert_null(client_conn(clients, number));
        assert_ptr_equal(client_conn(clients, young->number), young);
        client_end(clients, young);
    }
    assert_null(client_conn(clients, 0));
    assert_null(client_conn(clients, UINT64_MAX));
    clients_close(clients);
}

static void many_are_found(void **state)
{
    (void)state;
    enum { CLIENTS = 3000 };
    static struct client *all[CLIENTS];
    struct clients *clients = clients_open();
    unsigned seen = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        all[i] = client_new(clients, i);
        if (i % 3)
            client_set_user(clients, all[i], text_bytes(i % 3 == 1 ? "ann" : "bob"), ROLE_USER);
    }
    assert_int_equal(clients_each(clients, count, &seen), CLIENTS);
    assert_int_equal(seen, CLIENTS);
    assert_int_equal(clients_of_user(clients, text_bytes("ann"), count, &seen), CLIENTS / 3);
    assert_int_equal(clients_of_user(clients, text_bytes("an"), count, &seen), 0);
    assert_int_equal(clients_at(clients, text_bytes("127.0.0.1:2999"), count, &seen), 1);
    assert_int_equal(clients_at(clients, text_bytes("127.0.0.1:3000"), count, &seen), 0);
    for (unsigned i = 0; i < CLIENTS; i += 2)
        client_end(clients, all[i]);
    assert_int_equal(clients_of_user(clients, text_bytes("ann"), count, &seen), CLIENTS / 6);
    client_set_user(clients, all[1], (struct bytes){0}, ROLE_NONE);
    assert_int_equal(clients_of_user(clients, text_bytes("ann"), count, &seen), CLIENTS / 6 - 1);
    for (unsigned i = 1; i < CLIENTS; i += 2)
        client_end(clients, all[i]);
    assert_int_equal(clients_each(clients, count, &seen), 0);
    clients_close(clients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generations_tell_old_numbers),
        cmocka_unit_test(many_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
