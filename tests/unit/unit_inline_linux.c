/*
 * A million operations in a row, each done in its own call: where completions call each other that many frames lie on the stack, and
 * it ends; here it grows by none. Eight bytes a frame would be too much for the usual stack of 8 MiB.
 */
#include <cport/cport.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef __SANITIZE_THREAD__
#define MILLION 100000u /* ten times as slow */
#else
#define MILLION 1000000u
#endif

struct pair {
    cport_port *port;
    cport_handle *handle;
    int peer;
};

static void pair_open(struct pair *pair, uint32_t backend, uint32_t flags)
{
    int ends[2];
    cport_port_options options = {.size = sizeof(options), .flags = flags, .backend = backend};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(cport_port_open(&options, &pair->port), 0);
    assert_int_equal(cport_attach(pair->port, ends[0], 0, 0, &pair->handle), 0);
    pair->peer = ends[1];
}

static void pair_close(struct pair *pair)
{
    cport_op op = {0};
    cport_event event;
    assert_int_equal(cport_close(pair->handle, &op, 0), 0);
    assert_int_equal(cport_wait(pair->port, &event, 1, INT64_MAX), 1);
    assert_int_equal(cport_port_close(pair->port), 0);
    close(pair->peer);
}

/* A send of nothing finds room at once, always. */
static void sends_in_a_row(uint32_t flags)
{
    struct pair pair;
    cport_op op = {0};
    cport_event event;
    cport_port_stats stats = {.size = sizeof(stats)};
    pair_open(&pair, CPORT_BACKEND_EPOLL, flags);
    for (unsigned i = 0; i < MILLION; i++) {
        int started = cport_send(pair.handle, &op, "", 0, CPORT_INLINE_OK);
        if (started != 1 || cport_op_result(&op) != 0)
            fail_msg("send %u: %d", i, started);
    }
    assert_int_equal(cport_wait(pair.port, &event, 1, 0), 0);
    assert_int_equal(cport_port_get_stats(pair.port, &stats), 0);
    assert_int_equal(stats.inline_done, MILLION);
    pair_close(&pair);
}

static void a_million_on_a_port_of_one_thread(void **state)
{
    (void)state;
    sends_in_a_row(CPORT_PORT_SINGLE);
}

static void a_million_on_a_shared_port(void **state)
{
    (void)state;
    sends_in_a_row(0);
}

/* The same with events: what each event's handler starts is done before the next wait, and queued behind it. */
static void events_in_a_row(uint32_t backend)
{
    enum { EVENTS = 100000 };
    struct pair pair;
    cport_op op = {0};
    cport_event event;
    pair_open(&pair, backend, CPORT_PORT_SINGLE);
    assert_int_equal(write(pair.peer, "x", 1), 1);
    for (unsigned i = 0; i < EVENTS; i++) {
        if (cport_recv(pair.handle, &op, NULL, 0, 0) != 0 ||
            cport_wait(pair.port, &event, 1, INT64_MAX) != 1 || event.result != 0)
            fail_msg("event %u", i);
    }
    pair_close(&pair);
}

static void events_in_a_row_by_epoll(void **state)
{
    (void)state;
    events_in_a_row(CPORT_BACKEND_EPOLL);
}

static void events_in_a_row_by_io_uring(void **state)
{
    (void)state;
    events_in_a_row(CPORT_BACKEND_IO_URING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_on_a_port_of_one_thread),
        cmocka_unit_test(a_million_on_a_shared_port),
        cmocka_unit_test(events_in_a_row_by_epoll),
        cmocka_unit_test(events_in_a_row_by_io_uring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
