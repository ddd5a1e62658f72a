/* Handles: S14, S16, S19. */
#include "cts.h"

#include <stdatomic.h>
#include <string.h>

void s14_a_second_attach_is_refused(void)
{
    cts_pair pair;
    cport_handle *h;
    cport_op op = {0};
    char byte;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_attach_try(port, cport_handle_fd(pair.a), 1, 0, &h), CPORT_EALREADY);
    CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0); /* and the first is unharmed */
    cts_sock_send_all(pair.peer, "x", 1);
    CHECK_EQ(cts_result(port, &op), 1);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s14_a_handle_has_one_port_for_life(void)
{
    cts_pair pair;
    cport_handle *h;
    cport_port *port = cts_port_open(), *other = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_attach_try(other, cport_handle_fd(pair.a), 1, 0, &h), CPORT_EALREADY);
    cts_pair_close(&pair);
    cts_port_close(other);
    cts_port_close(port);
}

void s14_attach_refuses_what_it_cannot_drive(void)
{
    cport_handle *h;
    cport_os_handle one, other;
    cport_port_info info = {.size = sizeof info};
    cport_port *port = cts_port_open();
    cport_os_handle folder = cts_folder_open();
    CHECK_EQ(cts_attach_try(port, folder, 0, 0, &h), CPORT_ENOTSUP);
    cts_file_close(folder);

    cts_sock_pair(&one, &other);
    CHECK_EQ(cts_attach_try(port, one, 0, 2, &h), CPORT_EINVAL);
    CHECK_EQ(cts_attach_try(port, one, 0, 0x80000000u, &h), CPORT_EINVAL);
    CHECK_EQ(cts_attach_try(port, one, 0, 0, NULL), CPORT_EINVAL);
    CHECK_EQ(cts_attach_try(NULL, one, 0, 0, &h), CPORT_EINVAL);
    CHECK_EQ(cts_attach_try(port, CPORT_OS_HANDLE_INVALID, 0, 0, &h), CPORT_EINVAL);
    cts_sock_close(one);
    CHECK_EQ(cts_attach_try(port, one, 0, 0, &h), CPORT_EINVAL); /* not open any more */
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    CHECK_EQ(info.handles, 0);

    h = cts_attach(port, other, 0); /* what was refused has left nothing in the way */
    cts_close_wait(h, 0);
    cts_port_close(port);
}

void s14_a_handle_knows_what_it_was_made_of(void)
{
    cport_os_handle one, other;
    cport_port *port = cts_port_open();
    cts_sock_pair(&one, &other);
    cport_handle *h = cts_attach(port, one, UINTPTR_MAX);
    CHECK(cport_handle_fd(h) == one);
    CHECK(cport_handle_key(h) == UINTPTR_MAX);
    CHECK(cport_handle_port(h) == port);
    cts_close_wait(h, 0);
    cts_sock_close(other);
    cts_port_close(port);
}

/* ---- S16: numbers and addresses that come back ---- */

/* What belonged to the first life arrives in the second, if it arrives anywhere. */
void s16_a_reused_descriptor_gets_no_stale_events(void)
{
    enum { CYCLES = 1000 };
    char byte;
    int reused = 0;
    cport_port *port = cts_port_open();
    cport_os_handle before = CPORT_OS_HANDLE_INVALID;
    for (int i = 0; i < CYCLES; i++) {
        cts_pair pair;
        cport_op recv = {0}, close = {0};
        cts_pair_open(port, &pair);
        reused += cport_handle_fd(pair.a) == before;
        before = cport_handle_fd(pair.a);
        CHECK_EQ(cts_recv(pair.a, &recv, &byte, 1, 0), 0);
        CHECK_EQ(cport_flush(port), 0);
        if (i % 3 == 0)
            cts_sock_send_all(pair.peer, "x", 1);
        else if (i % 3 == 1)
            cts_pair_close_peer(&pair);
        CHECK_EQ(cts_close(pair.a, &close, i % 2 ? CPORT_ABORT : 0), 0);
        CHECK_EQ(cts_result(port, &close), 0);
        int64_t result = cts_result(port, &recv);
        CHECK(result == CPORT_ECANCELED || (i % 3 == 0 && result == 1) ||
              (i % 3 == 1 && result == 0));
        pair.a = NULL;
        cts_pair_close(&pair);
    }
    if (!cts_is(CTS_IOCP)) /* numbers come back at once where the lowest free one is taken */
        CHECK(reused > CYCLES / 2);
    cts_port_close(port);
}

/* Both sockets are ready when the first event is handled; the handler closes the second one, and its number and address
 * go to a socket that is not ready. */
void s16_an_event_in_the_same_batch_as_the_close_is_not_passed_on(void)
{
    char bytes[3];
    cts_pair pairs[3];
    cport_op recv[3] = {0}, close = {0};
    cport_event ev;
    cport_port *port = cts_port_open();
    for (int i = 0; i < 2; i++) {
        cts_pair_open(port, &pairs[i]);
        CHECK_EQ(cts_recv(pairs[i].a, &recv[i], &bytes[i], 1, 0), 0);
    }
    CHECK_EQ(cport_flush(port), 0);
    for (int i = 0; i < 2; i++)
        cts_sock_send_all(pairs[i].peer, "x", 1);
    CHECK_EQ(cts_wait(port, &ev, 1, CTS_PATIENCE_NS), 1);
    int second = ev.op == &recv[0] ? 1 : 0;
    CHECK_EQ(cts_close(pairs[second].a, &close, 0), 0);
    pairs[second].a = NULL;
    int64_t result = cts_result(port, &recv[second]);
    CHECK(result == 1 || result == CPORT_ECANCELED);
    CHECK_EQ(cts_result(port, &close), 0);

    cts_pair_open(port, &pairs[2]);
    CHECK_EQ(cts_recv(pairs[2].a, &recv[2], &bytes[2], 1, 0), 0);
    cts_settle(port);
    CHECK(cts_pending(&recv[2]));
    cts_sock_send_all(pairs[2].peer, "z", 1);
    CHECK_EQ(cts_result(port, &recv[2]), 1);
    CHECK_EQ(bytes[2], 'z');
    for (int i = 0; i < 3; i++)
        cts_pair_close(&pairs[i]);
    cts_port_close(port);
}

/* The socket lives on under another number when its handle closes: what happens on it is no business of the port. */
void s16_a_duplicate_brings_no_events_back(void)
{
    char byte;
    cport_os_handle one, other, duplicate;
    cts_pair pair;
    cport_op recv = {0};
    cport_event ev;
    cport_port *port = cts_port_open();
    for (int round = 0; round < 20; round++) {
        cts_sock_pair(&one, &other);
        duplicate = cts_sock_duplicate(one);
        cts_close_wait(cts_attach(port, one, 1), 0);
        cts_pair_open(port, &pair);
        CHECK_EQ(cts_recv(pair.a, &recv, &byte, 1, 0), 0);
        CHECK_EQ(cport_flush(port), 0);
        cts_sock_send_all(other, "stale", 5);
        CHECK_EQ(cts_wait(port, &ev, 1, CTS_MS), 0);
        cts_sock_send_all(pair.peer, "n", 1);
        CHECK_EQ(cts_result(port, &recv), 1);
        CHECK_EQ(byte, 'n');
        cts_pair_close(&pair);
        cts_sock_close(duplicate);
        cts_sock_close(other);
    }
    cts_port_close(port);
}

/* 2,000 lives through one port, some at the same time. */
void s16_two_thousand_lives(void)
{
    enum { AT_ONCE = 10, ROUNDS = 100 };
    cport_port *port = cts_port_open();
    for (int round = 0; round < ROUNDS; round++) {
        cts_pair pairs[AT_ONCE];
        cport_op recv[AT_ONCE][2] = {0}, send[AT_ONCE][2] = {0};
        char got[AT_ONCE][2], sent[2] = {'a', 'b'};
        for (int i = 0; i < AT_ONCE; i++) {
            cts_pair_open_both(port, &pairs[i]);
            for (int side = 0; side < 2; side++) {
                cport_handle *h = side ? pairs[i].b : pairs[i].a;
                CHECK_EQ(cts_recv(h, &recv[i][side], &got[i][side], 1, 0), 0);
                CHECK_EQ(cts_send(h, &send[i][side], &sent[side], 1, 0), 0);
            }
        }
        cts_drain(port);
        for (int i = 0; i < AT_ONCE; i++) {
            for (int side = 0; side < 2; side++) {
                CHECK_EQ(cts_result(port, &recv[i][side]), 1);
                CHECK_EQ(cts_result(port, &send[i][side]), 1);
                CHECK_EQ(got[i][side], sent[1 - side]);
            }
            cts_pair_close(&pairs[i]);
        }
    }
    cts_port_close(port);
}

/* ---- S19 ---- */

/* Marks each handle that the walk meets; it must be one of the count, met for the first time. */
static int walk(cport_port *port, cport_handle *const *handles, int count)
{
    bool met[64] = {false};
    int total = 0;
    size_t cursor = 0;
    CHECK(count <= 64);
    for (cport_handle *h; (h = cport_port_next_handle(port, &cursor)) != NULL; total++) {
        bool known = false;
        for (int i = 0; i < count && !known; i++) {
            known = handles[i] == h && !met[i];
            met[i] = met[i] || known;
        }
        CHECK(known);
    }
    CHECK(cport_port_next_handle(port, &cursor) == NULL); /* the end stays the end */
    return total;
}

void s19_a_walk_meets_every_handle(void)
{
    enum { COUNT = 20 };
    cts_pair pairs[COUNT];
    cport_handle *handles[COUNT];
    size_t cursor = 0;
    cport_handle *loan;
    cport_port *port = cts_port_open(), *other = cts_port_open();
    CHECK_EQ(walk(port, NULL, 0), 0);
    for (int i = 0; i < COUNT; i++) {
        cts_pair_open(i % 3 ? port : other, &pairs[i]);
        handles[i] = pairs[i].a;
    }
    CHECK_EQ(walk(port, handles, COUNT), 13);
    CHECK_EQ(walk(other, handles, COUNT), 7);
    for (int i = 0; i < COUNT; i += 2) {
        cts_close_wait(pairs[i].a, 0);
        pairs[i].a = NULL;
        handles[i] = NULL;
    }
    CHECK_EQ(walk(port, handles, COUNT), 7);
    CHECK_EQ(walk(other, handles, COUNT), 3);
    CHECK_EQ(cts_attach_try(port, pairs[0].peer, 0, CPORT_ATTACH_BORROWED, &loan), 0);
    handles[0] = loan;
    CHECK_EQ(walk(port, handles, COUNT), 8);
    cts_close_wait(loan, 0);
    CHECK(cport_port_next_handle(NULL, &cursor) == NULL);
    CHECK(cport_port_next_handle(port, NULL) == NULL);
    for (int i = 0; i < COUNT; i++)
        cts_pair_close(&pairs[i]);
    cts_port_close(other);
    cts_port_close(port);
}

typedef struct walker {
    cport_port *port;
    atomic_bool stop;
} walker;

static void walker_main(void *arg)
{
    walker *w = arg;
    while (!atomic_load(&w->stop)) {
        size_t cursor = 0;
        for (cport_handle *h; (h = cport_port_next_handle(w->port, &cursor)) != NULL;)
            CHECK_EQ(cport_cancel_all(h), 0);
    }
}

/* The walker cancels what it meets, while the handles that it meets come and go. */
void s19_a_walk_takes_handles_that_are_gone(void)
{
    enum { ROUNDS = 200 };
    walker w = {.port = cts_port_open()};
    cts_thread *t = cts_thread_start(walker_main, &w, 0);
    for (int i = 0; i < ROUNDS; i++) {
        cts_pair pair;
        cport_op recv = {0};
        char byte;
        cts_pair_open(w.port, &pair);
        CHECK_EQ(cts_recv(pair.a, &recv, &byte, 1, 0), 0);
        CHECK_EQ(cts_cancel_all(pair.a), 0);
        CHECK_EQ(cts_result(w.port, &recv), CPORT_ECANCELED);
        cts_pair_close(&pair);
    }
    atomic_store(&w.stop, true);
    cts_thread_join(t);
    cts_port_close(w.port);
}
