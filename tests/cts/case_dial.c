/* S61: one connection to the first of several addresses that answers. The dial's own operations are none of the checker's, so
 * the ports here are opened, and waited at, without it. */
#include "cport/dial.h"

#include "io.h"
#include "names.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define KEY   ((uintptr_t)0xD1)
#define NEVER ((int64_t)3600 * 1000000000)
#define PATIENT                                                                                    \
    {                                                                                              \
        .size = sizeof(cport_dial_options), .key = KEY, .attempt_delay_ns = NEVER                  \
    }
#define IMPATIENT                                                                                  \
    {                                                                                              \
        .size = sizeof(cport_dial_options), .key = KEY, .attempt_delay_ns = 1                      \
    }

/* Where a dial may lead. A listener takes connections without anybody's accept; one that is full takes none, and says nothing. */
typedef struct place {
    cport_os_handle listener;
    cport_socklen len; /* of its address */
    cport_os_handle fillers[IO_FILLERS];
    bool full;
} place;

static void place_open(place *p, struct sockaddr_storage *ret_address)
{
    cport_socklen len;
    *p = (place){.listener = cts_sock_listen(8, ret_address, &len)};
}

static void place_open_full(place *p, struct sockaddr_storage *ret_address)
{
    cport_socklen len;
    p->full = true;
    p->listener = io_listen_full(ret_address, &len, p->fillers);
}

static void place_open_at(place *p, const char *host, uint16_t number, unsigned backlog,
    struct sockaddr_storage *ret_address)
{
    cport_socklen len;
    cport_socket_options opt = {.size = sizeof opt, .backlog = backlog};
    *p = (place){0};
    CHECK_EQ(cport_address(host, number, ret_address, &len), 0);
    CHECK_EQ(cport_socket_tcp_listen((struct sockaddr *)ret_address, len, &opt, &p->listener), 0);
    CHECK_EQ(cport_socket_local(p->listener, ret_address, &p->len), 0);
}

static void place_fill(place *p, const struct sockaddr_storage *address)
{
    p->full = true;
    for (int i = 0; i < IO_FILLERS; i++) {
        p->fillers[i] = cts_sock_tcp();
        cts_sock_nonblocking(p->fillers[i], true);
        (void)cts_sock_connect(p->fillers[i], (const struct sockaddr *)address, p->len);
    }
}

static void place_close(place *p)
{
    for (int i = 0; p->full && i < IO_FILLERS; i++)
        cts_sock_close(p->fillers[i]);
    cts_sock_close(p->listener);
}

/* An address where nobody listens. */
static void refused_address(struct sockaddr_storage *ret_address)
{
    place p;
    place_open(&p, ret_address);
    place_close(&p);
}

static cport_port *port_open(void)
{
    cport_port *port;
    cport_port_options opt;
    cts_options(&opt);
    CHECK_EQ(cport_port_open(&opt, &port), 0);
    return port;
}

static unsigned handles_of(cport_port *port)
{
    cport_port_info info = {.size = sizeof info};
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    return info.handles;
}

/* Until the outcome is told. */
static int outcome_of(cport_port *port, cport_handle **ret_handle)
{
    for (;;) {
        cport_event ev;
        CHECK_EQ(cport_wait(port, &ev, 1, CTS_PATIENCE_NS), 1);
        CHECK(ev.op->user == port);
        int outcome = cport_dial_event(&ev, ret_handle);
        if (outcome)
            return outcome;
    }
}

/* Nothing is left of the dial but the connection, if any: and then closes that, and the port. */
static void end(cport_port *port, cport_handle *connection)
{
    cport_op op = {0};
    cport_handle *none;
    bool posted = false, over = false;
    while (!over) {
        cport_event ev;
        if (!posted && handles_of(port) == (connection != NULL)) {
            CHECK_EQ(
                cport_post(port, &op, 0, 0), 0); /* the last of its events are before this one */
            posted = true;
        }
        CHECK_EQ(cport_wait(port, &ev, 1, CTS_PATIENCE_NS), 1);
        over = ev.op == &op;
        if (!over)
            CHECK_EQ(cport_dial_event(&ev, &none), 0); /* told once */
    }
    if (connection != NULL) {
        cport_event ev;
        CHECK_EQ(cport_close(connection, &op, CPORT_ABORT), 0);
        CHECK_EQ(cport_wait(port, &ev, 1, CTS_PATIENCE_NS), 1);
        CHECK(ev.op == &op);
    }
    CHECK_EQ(cport_port_close(port), 0);
}

static void check_peer(const cport_handle *h, const struct sockaddr_storage *expected)
{
    struct sockaddr_storage peer;
    cport_socklen len;
    CHECK_EQ(cport_handle_key(h), KEY);
    CHECK_EQ(cport_accept_address(cport_handle_fd(h), &peer, &len), 0);
    io_check_same_address(&peer, expected);
}

static int dial(cport_port *port, const struct sockaddr_storage *addresses, unsigned count,
    cport_dial_options opt)
{
    opt.user = port;
    return cport_dial_addresses(port, addresses, count, &opt, NULL);
}

void s61_the_first_that_answers_is_taken(void)
{
    struct sockaddr_storage addresses[3];
    place full[2], good;
    cport_handle *h;
    cport_port *port = port_open();
    place_open_full(&full[0], &addresses[0]);
    place_open_full(&full[1], &addresses[1]);
    place_open(&good, &addresses[2]);
    CHECK_EQ(dial(port, addresses, 3, (cport_dial_options)IMPATIENT), 0);
    CHECK_EQ(outcome_of(port, &h), CPORT_DIAL_CONNECTED);
    check_peer(h, &addresses[2]);
    end(port, h);
    place_close(&full[0]);
    place_close(&full[1]);
    place_close(&good);
}

/* With this delay it would be over next hour. */
void s61_after_a_failure_the_next_does_not_wait(void)
{
    struct sockaddr_storage addresses[4];
    place good;
    cport_handle *h;
    cport_port *port = port_open();
    for (int i = 0; i < 3; i++)
        refused_address(&addresses[i]);
    place_open(&good, &addresses[3]);
    CHECK_EQ(dial(port, addresses, 4, (cport_dial_options)PATIENT), 0);
    CHECK_EQ(outcome_of(port, &h), CPORT_DIAL_CONNECTED);
    check_peer(h, &addresses[3]);
    end(port, h);
    place_close(&good);
}

/* The second address is good, and comes third: the first of the other family is before it. */
void s61_families_take_turns(void)
{
    struct sockaddr_storage addresses[4];
    place v6, v4;
    cport_handle *h;
    cport_port *port = port_open();
    refused_address(&addresses[0]);
    place_open(&v4, &addresses[1]);
    refused_address(&addresses[2]);
    place_open_at(&v6, "::1", 0, 8, &addresses[3]);
    CHECK_EQ(dial(port, addresses, 4, (cport_dial_options)PATIENT), 0);
    CHECK_EQ(outcome_of(port, &h), CPORT_DIAL_CONNECTED);
    check_peer(h, &addresses[3]);
    end(port, h);
    place_close(&v4);
    place_close(&v6);
}

void s61_the_error_is_that_of_the_last_attempt(void)
{
    struct sockaddr_storage addresses[5];
    cport_handle *h;
    cport_port *port = port_open();
    for (int i = 0; i < 5; i++)
        refused_address(&addresses[i]);
    CHECK_EQ(dial(port, addresses, 5, (cport_dial_options)IMPATIENT), 0);
    CHECK_EQ(outcome_of(port, &h), CPORT_ECONNREFUSED);
    end(port, NULL);
}

void s61_the_whole_has_a_deadline(void)
{
    struct sockaddr_storage addresses[2];
    place full[2];
    cport_handle *h;
    cport_dial_options opt = IMPATIENT;
    cport_port *port = port_open();
    for (int i = 0; i < 2; i++)
        place_open_full(&full[i], &addresses[i]);
    opt.timeout_ns = 30 * CTS_MS;
    int64_t before = cport_now_ns(port);
    CHECK_EQ(dial(port, addresses, 2, opt), 0);
    CHECK_EQ(outcome_of(port, &h), CPORT_ETIMEDOUT);
    CHECK(cport_now_ns(port) - before >= opt.timeout_ns);
    end(port, NULL);
    for (int i = 0; i < 2; i++)
        place_close(&full[i]);
}

void s61_a_dial_can_be_cancelled(void)
{
    struct sockaddr_storage address;
    place full;
    cport_dial *d;
    cport_handle *h;
    cport_port *port = port_open();
    cport_dial_options opt = IMPATIENT;
    opt.user = port;
    place_open_full(&full, &address);
    CHECK_EQ(cport_dial_addresses(port, &address, 1, &opt, &d), 0);
    CHECK_EQ(cport_dial_cancel(d), 0);
    CHECK_EQ(cport_dial_cancel(d), 0);
    CHECK_EQ(outcome_of(port, &h), CPORT_ECANCELED);
    CHECK_EQ(cport_dial_name(port, "127.0.0.1", 1, &opt, &d), 0);
    CHECK_EQ(cport_dial_cancel(d), 0);
    CHECK_EQ(outcome_of(port, &h), CPORT_ECANCELED);
    end(port, NULL);
    place_close(&full);
}

static uint16_t number_of(const struct sockaddr_storage *address)
{
    char text[64];
    CHECK_EQ(
        cport_address_text((const struct sockaddr *)address, sizeof *address, text, sizeof text),
        0);
    return (uint16_t)strtoul(strrchr(text, ':') + 1, NULL, 10);
}

void s61_a_name_is_dialled(void)
{
    static const char *const names[] = {"127.0.0.1", "localhost"};
    struct sockaddr_storage address;
    place good;
    place_open(&good, &address);
    for (size_t i = 0; i < CTS_COUNT_OF(names); i++) {
        cport_handle *h;
        cport_port *port = port_open();
        cport_dial_options opt = PATIENT;
        opt.user = port;
        opt.resolve_flags = CPORT_RESOLVE_IPV4;
        CHECK_EQ(cport_dial_name(port, names[i], number_of(&address), &opt, NULL), 0);
        CHECK_EQ(outcome_of(port, &h), CPORT_DIAL_CONNECTED);
        check_peer(h, &address);
        end(port, h);
    }
    place_close(&good);
}

/* One name, one port number; the preferred address swallows what is sent to it. */
void s61_a_name_whose_first_address_is_silent(void)
{
    struct sockaddr_storage silent, good;
    place places[2];
    cport_handle *h;
    cport_port *port = port_open();
    cport_dial_options opt = IMPATIENT;
    opt.user = port;
    place_open_at(&places[0], "127.0.0.2", 0, 1, &silent);
    place_fill(&places[0], &silent);
    place_open_at(&places[1], "127.0.0.3", number_of(&silent), 8, &good);
    CHECK_EQ(cport_dial_name(port, "127.0.0.2,127.0.0.3.cts", number_of(&silent), &opt, NULL), 0);
    CHECK_EQ(outcome_of(port, &h), CPORT_DIAL_CONNECTED);
    check_peer(h, &good);
    end(port, h);
    place_close(&places[0]);
    place_close(&places[1]);
}

void s61_a_lookup_may_fail_or_take_too_long(void)
{
    cport_handle *h;
    cport_dial_options opt = IMPATIENT;
    cport_port *port = port_open();
    opt.user = port;
    CHECK_EQ(cport_dial_name(port, "none.cts", 1, &opt, NULL), 0);
    CHECK_EQ(outcome_of(port, &h), CPORT_ENOENT);
    names_hold();
    opt.timeout_ns = 20 * CTS_MS;
    CHECK_EQ(cport_dial_name(port, "held.127.0.0.1.cts", 1, &opt, NULL), 0);
    CHECK_EQ(outcome_of(port, &h), CPORT_ETIMEDOUT);
    names_release();
    end(port, NULL);
}

/* ---- Many at once, by all threads that the port takes ---- */

enum { DIALS = 40, THREADS = 4 };

typedef struct crowd {
    cport_port *port;
    struct sockaddr_storage good;
    cport_op closes[DIALS], stops[THREADS];
    unsigned threads;
    atomic_uint connected, closed;
} crowd;

static void crowd_event(crowd *c, const cport_event *ev)
{
    cport_handle *h;
    if (ev->op->user == c) {
        int outcome = cport_dial_event(ev, &h);
        if (outcome == 0)
            return;
        CHECK_EQ(outcome, CPORT_DIAL_CONNECTED);
        check_peer(h, &c->good);
        CHECK_EQ(cport_close(h, &c->closes[atomic_fetch_add(&c->connected, 1)], CPORT_ABORT), 0);
    } else if (atomic_fetch_add(&c->closed, 1) + 1 == DIALS) {
        for (unsigned i = 0; i < c->threads; i++)
            CHECK_EQ(cport_post(c->port, &c->stops[i], 0, 1), 0);
    }
}

static void crowd_run(void *arg)
{
    crowd *c = arg;
    for (;;) {
        cport_event ev;
        CHECK_EQ(cport_wait(c->port, &ev, 1, CTS_PATIENCE_NS), 1);
        if (ev.result == 1 && ev.op->user == &c->stops)
            return;
        crowd_event(c, &ev);
    }
}

void s61_many_dials_at_once(void)
{
    static crowd c;
    struct sockaddr_storage addresses[2];
    place full, good;
    cts_thread *threads[THREADS - 1];
    cport_dial_options opt = IMPATIENT;
    memset(&c, 0, sizeof c);
    c.port = port_open();
    opt.user = &c;
    place_open_full(&full, &addresses[0]);
    place_open_at(&good, "127.0.0.1", 0, DIALS, &addresses[1]);
    c.good = addresses[1];
    c.threads = cts_is(CTS_SHARED) ? THREADS : 1;
    for (int i = 0; i < THREADS; i++)
        c.stops[i].user = &c.stops;
    for (unsigned i = 0; i < c.threads - 1; i++)
        threads[i] = cts_thread_start(crowd_run, &c, 0);
    for (int i = 0; i < DIALS; i++)
        CHECK_EQ(cport_dial_addresses(c.port, addresses, 2, &opt, NULL), 0);
    crowd_run(&c);
    for (unsigned i = 0; i < c.threads - 1; i++)
        cts_thread_join(threads[i]);
    end(c.port, NULL);
    place_close(&full);
    place_close(&good);
}

/* ---- Refusals ---- */

void s61_a_dial_may_find_no_memory(void)
{
    struct sockaddr_storage address;
    place good;
    bool refused = true;
    place_open(&good, &address);
    for (uint64_t n = 1; refused; n++) {
        cport_handle *h = NULL;
        cport_port *port = port_open();
        cport_dial_options opt = PATIENT;
        opt.user = port;
        cts_alloc_fail_at(n);
        int r = cport_dial_name(port, "127.0.0.1", number_of(&address), &opt, NULL);
        if (r == 0)
            r = outcome_of(port, &h);
        refused = cts_alloc_refused();
        cts_alloc_fail_at(0);
        CHECK_EQ(r, refused ? CPORT_ENOMEM : CPORT_DIAL_CONNECTED);
        end(port, h);
        CHECK_EQ(cts_alloc_live(), 0);
        if (!refused)
            CHECK(n > 2);
    }
    place_close(&good);
}

void s61_dial_checks_its_arguments(void)
{
    cport_handle *h;
    cport_event ev = {0};
    struct sockaddr_storage address = {0}, unknown = {0};
    cport_socklen len;
    cport_port *port = port_open();
    CHECK_EQ(cport_address("127.0.0.1", 1, &address, &len), 0);
    cport_dial_options opt = PATIENT;
    CHECK_EQ(cport_dial_addresses(NULL, &address, 1, &opt, NULL), CPORT_EINVAL);
    CHECK_EQ(cport_dial_addresses(port, NULL, 1, &opt, NULL), CPORT_EINVAL);
    CHECK_EQ(cport_dial_addresses(port, &address, 0, &opt, NULL), CPORT_EINVAL);
    CHECK_EQ(cport_dial_addresses(port, &address, 65, &opt, NULL), CPORT_EINVAL);
    CHECK_EQ(cport_dial_addresses(port, &unknown, 1, &opt, NULL), CPORT_EINVAL);
    CHECK_EQ(cport_dial_name(port, NULL, 1, &opt, NULL), CPORT_EINVAL);
    CHECK_EQ(cport_dial_name(port, "", 1, NULL, NULL), CPORT_EINVAL);
    CHECK_EQ(cport_dial_event(NULL, &h), CPORT_EINVAL);
    CHECK_EQ(cport_dial_event(&ev, &h), CPORT_EINVAL);
    CHECK_EQ(cport_dial_cancel(NULL), CPORT_EINVAL);
    opt.resolve_flags = 4;
    CHECK_EQ(cport_dial_name(port, "127.0.0.1", 1, &opt, NULL), CPORT_EINVAL);
    opt = (cport_dial_options)PATIENT;
    opt.timeout_ns = -1;
    CHECK_EQ(cport_dial_addresses(port, &address, 1, &opt, NULL), CPORT_EINVAL);
    opt = (cport_dial_options)PATIENT;
    opt.attempt_delay_ns = -1;
    CHECK_EQ(cport_dial_addresses(port, &address, 1, &opt, NULL), CPORT_EINVAL);
    opt = (cport_dial_options)PATIENT;
    opt.size = 3;
    CHECK_EQ(cport_dial_addresses(port, &address, 1, &opt, NULL), CPORT_EINVAL);
    opt = (cport_dial_options)PATIENT;
    cport_socket_options socket = {.size = sizeof socket, .flags = 0x8000};
    opt.socket = &socket;
    CHECK_EQ(cport_dial_addresses(port, &address, 1, &opt, NULL), CPORT_EINVAL);
    CHECK_EQ(handles_of(port), 0);
    CHECK_EQ(cport_port_close(port), 0);
}
