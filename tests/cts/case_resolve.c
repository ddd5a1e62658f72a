/* S60: names to addresses. */
#include "io.h"
#include "names.h"

#include <stdlib.h>
#include <string.h>

#define HTTP 8080
/* Lookups at once. The pool of threads that Wine has for more than 63 keeps a handle for each further 63. */
#define FEW  45

/* The addresses that an op has found, each as text with a blank behind it. */
static const char *found_text(cport_op *op, int64_t count)
{
    static char text[128 * 64];
    cport_addresses *found = cport_resolve_take(op);
    CHECK(found != NULL);
    CHECK_EQ(cport_addresses_count(found), count);
    text[0] = '\0';
    for (unsigned i = 0; i < (unsigned)count; i++) {
        cport_socklen len = 0;
        const struct sockaddr *address = cport_addresses_get(found, i, &len);
        CHECK(address != NULL && len > 0);
        char one[64];
        CHECK_EQ(cport_address_text(address, len, one, sizeof one), 0);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", one);
    }
    CHECK(cport_addresses_get(found, (unsigned)count, NULL) == NULL);
    CHECK(cport_resolve_take(op) == NULL);
    cport_addresses_free(found);
    return text;
}

static void check_text(const char *actual, const char *expected)
{
    if (strcmp(actual, expected) != 0)
        cts_fail(__FILE__, __LINE__, "\"%s\", not \"%s\"", actual, expected);
}

static void check_finds(cport_port *port, const char *host, uint32_t flags, const char *expected)
{
    cport_op op = {0};
    CHECK_EQ(cts_resolve(port, &op, host, HTTP, flags), 0);
    int64_t count = cts_result(port, &op);
    CHECK(count > 0);
    check_text(found_text(&op, count), expected);
}

static void check_fails(cport_port *port, const char *host, uint32_t flags, int expected)
{
    cport_op op = {0};
    CHECK_EQ(cts_resolve(port, &op, host, HTTP, flags), 0);
    cport_event ev = cts_next(port, &op);
    if (ev.result != expected)
        cts_fail(__FILE__, __LINE__, "%s: %s, the system's %u", host,
            cport_error_name((int)ev.result), ev.aux);
    CHECK(cport_resolve_take(&op) == NULL);
}

void s60_a_numeric_address_is_itself(void)
{
    cport_port *port = cts_port_open();
    check_finds(port, "127.0.0.1", 0, "127.0.0.1:8080 ");
    check_finds(port, "::1", 0, "[::1]:8080 ");
    check_finds(port, "127.0.0.1", CPORT_RESOLVE_IPV4, "127.0.0.1:8080 ");
    check_finds(port, "::1", CPORT_RESOLVE_IPV6 | CPORT_RESOLVE_IPV4, "[::1]:8080 ");
    cts_port_close(port);
}

void s60_an_address_of_the_other_family_is_none(void)
{
    cport_port *port = cts_port_open();
    check_fails(port, "127.0.0.1", CPORT_RESOLVE_IPV6, CPORT_ENOENT);
    check_fails(port, "::1", CPORT_RESOLVE_IPV4, CPORT_ENOENT);
    cts_port_close(port);
}

void s60_this_host_has_a_name(void)
{
    cport_port *port = cts_port_open();
    check_finds(port, "localhost", CPORT_RESOLVE_IPV4, "127.0.0.1:8080 ");
    cts_port_close(port);
}

void s60_addresses_keep_their_order(void)
{
    cport_port *port = cts_port_open();
    check_finds(
        port, "127.0.0.3,::1,127.0.0.2.cts", 0, "127.0.0.3:8080 [::1]:8080 127.0.0.2:8080 ");
    check_finds(
        port, "127.0.0.3,::1,127.0.0.2.cts", CPORT_RESOLVE_IPV4, "127.0.0.3:8080 127.0.0.2:8080 ");
    check_finds(port, "127.0.0.3,::1,127.0.0.2.cts", CPORT_RESOLVE_IPV6, "[::1]:8080 ");
    check_fails(port, "127.0.0.3,127.0.0.2.cts", CPORT_RESOLVE_IPV6, CPORT_ENOENT);
    cts_port_close(port);
}

void s60_no_name_has_more_than_64(void)
{
    static char host[100 * 16];
    cport_op op = {0};
    cport_port *port = cts_port_open();
    for (int i = 0; i < 80; i++)
        snprintf(host + strlen(host), sizeof host - strlen(host), "127.0.1.%d%s", i,
            i < 79 ? "," : ".cts");
    host[1024] = 'x';
    CHECK_EQ(cts_resolve(port, &op, host, HTTP, 0), 0);
    CHECK_EQ(cts_result(port, &op), 64);
    cport_addresses_free(cport_resolve_take(&op));
    cts_port_close(port);
}

void s60_each_way_to_fail_has_its_code(void)
{
    cport_port *port = cts_port_open();
    check_fails(port, "none.cts", 0, CPORT_ENOENT);
    check_fails(port, "again.cts", 0, CPORT_ETIMEDOUT);
    check_fails(port, "fail.cts", 0, CPORT_EIO);
    check_fails(port, "memory.cts", 0, CPORT_ENOMEM);
    cts_port_close(port);
}

void s60_many_names_at_once(void)
{
    enum { COUNT = FEW };
    static cport_op ops[COUNT];
    cport_port *port = cts_port_open();
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(cts_resolve(port, &ops[i], i % 2 ? "127.0.0.1" : "::1", (uint16_t)(i + 1), 0), 0);
    for (int i = 0; i < COUNT; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, i % 2 ? "127.0.0.1:%d " : "[::1]:%d ", i + 1);
        CHECK_EQ(cts_result(port, &ops[i]), 1);
        check_text(found_text(&ops[i], 1), expected);
    }
    cts_port_close(port);
}

void s60_a_cancelled_lookup_ends_at_once(void)
{
    cport_op op = {0};
    cport_port *port = cts_port_open();
    names_hold();
    CHECK_EQ(cts_resolve(port, &op, "held.127.0.0.2.cts", HTTP, 0), 0);
    names_until_held(1);
    CHECK_EQ(cts_cancel(&op), 0);
    CHECK_EQ(cts_cancel(&op), CPORT_ENOENT);
    CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    CHECK(cport_resolve_take(&op) == NULL);
    /* The op is free for another lookup while the first is still held; that one's outcome goes nowhere. */
    CHECK_EQ(cts_resolve(port, &op, "127.0.0.3.cts", HTTP, 0), 0);
    CHECK_EQ(cts_result(port, &op), 1);
    check_text(found_text(&op, 1), "127.0.0.3:8080 ");
    names_release();
    cts_port_close(port);
}

void s60_a_cancelled_lookup_that_has_not_begun_never_does(void)
{
    cport_port_options opt;
    cport_op first = {0}, second = {0};
    cts_options(&opt);
    opt.file_threads = 1;
    cport_port *port = cts_port_open_with(&opt);
    names_hold();
    unsigned asked = names_asked();
    CHECK_EQ(cts_resolve(port, &first, "held.127.0.0.2.cts", HTTP, 0), 0);
    names_until_held(1);
    CHECK_EQ(cts_resolve(port, &second, "127.0.0.3.cts", HTTP, 0), 0);
    CHECK_EQ(cts_cancel(&second), 0);
    CHECK_EQ(cts_result(port, &second), CPORT_ECANCELED);
    names_release();
    CHECK_EQ(cts_result(port, &first), 1);
    cport_addresses_free(cport_resolve_take(&first));
    CHECK_EQ(names_asked(), asked + 1);
    cts_port_close(port);
}

void s60_cancels_meet_lookups_at_every_point(void)
{
    enum { COUNT = FEW };
    static cport_op ops[COUNT];
    cport_port *port = cts_port_open();
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(cts_resolve(port, &ops[i], "127.0.0.1", HTTP, 0), 0);
        if (i % 3 == 0)
            cts_settle(port);
        if (i >= 2)
            (void)cts_cancel(&ops[i - i % 3]);
    }
    for (int i = 0; i < COUNT; i++) {
        int64_t r = cts_result(port, &ops[i]);
        CHECK(r == 1 || r == CPORT_ECANCELED);
        cport_addresses_free(cport_resolve_take(&ops[i]));
    }
    cts_port_close(port);
}

static void release(void *arg)
{
    (void)arg;
    names_release();
}

/* Some are held, one has its event queued, some have not begun. */
void s60_a_port_closes_over_its_lookups(void)
{
    enum { COUNT = 12 };
    static cport_op ops[COUNT];
    cport_port *port = cts_port_open();
    names_hold();
    CHECK_EQ(cts_resolve(port, &ops[0], "127.0.0.1.cts", HTTP, 0), 0);
    for (int i = 1; i < COUNT; i++)
        CHECK_EQ(cts_resolve(port, &ops[i], "held.127.0.0.2.cts", HTTP, 0), 0);
    names_until_held(1);
    cts_thread *releaser = cts_thread_start(release, NULL, 0);
    cts_port_close(port);
    cts_thread_join(releaser);
    for (int i = 0; i < COUNT; i++)
        CHECK(cport_resolve_take(&ops[i]) == NULL);
}

void s60_addresses_outlive_their_port(void)
{
    cport_op op = {0};
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_resolve(port, &op, "127.0.0.1", HTTP, 0), 0);
    CHECK_EQ(cts_result(port, &op), 1);
    cts_port_close(port);
    check_text(found_text(&op, 1), "127.0.0.1:8080 ");
}

void s60_resolve_checks_its_arguments(void)
{
    char host[1026];
    cport_op op = {0};
    cport_port *port = cts_port_open();
    memset(host, 'a', sizeof host);
    host[1025] = '\0';
    CHECK_EQ(cts_resolve(NULL, &op, "::1", HTTP, 0), CPORT_EINVAL);
    CHECK_EQ(cts_resolve(port, NULL, "::1", HTTP, 0), CPORT_EINVAL);
    CHECK_EQ(cts_resolve(port, &op, NULL, HTTP, 0), CPORT_EINVAL);
    CHECK_EQ(cts_resolve(port, &op, "", HTTP, 0), CPORT_EINVAL);
    CHECK_EQ(cts_resolve(port, &op, host, HTTP, 0), CPORT_EINVAL);
    CHECK_EQ(cts_resolve(port, &op, "::1", HTTP, 4), CPORT_EINVAL);
    CHECK(cport_resolve_take(NULL) == NULL);
    CHECK(cport_resolve_take(&op) == NULL);
    CHECK_EQ(cport_addresses_count(NULL), 0);
    CHECK(cport_addresses_get(NULL, 0, NULL) == NULL);
    cport_addresses_free(NULL);
    CHECK_EQ(cts_resolve(port, &op, "::1", HTTP, 0), 0);
    CHECK_EQ(cts_resolve(port, &op, "::1", HTTP, 0), CPORT_EBUSY);
    CHECK_EQ(cts_result(port, &op), 1);
    cport_addresses_free(cport_resolve_take(&op));
    cts_port_close(port);
}
