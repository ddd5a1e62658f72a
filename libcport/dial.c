/*
 * dial.c: one connection to the first of several addresses that answers: RFC 8305 above the public interface.
 *
 * The lookup brings both families together and in order, so there is no delay between their answers to wait for (section 3). The
 * families take turns from the preferred one on (section 4), and each attempt has a head start of the attempt delay (section 5).
 */
#include "cport/dial.h"

#include <assert.h>
#include <string.h>

#include "addresses.h"
#include "options.h"
#include "port.h"

#define NS_PER_MS        INT64_C(1000000)
#define DELAY_DEFAULT_NS (250 * NS_PER_MS) /* what the RFC recommends, as it does the least */
#define DELAY_LEAST_NS   (10 * NS_PER_MS)

enum part { PART_RESOLVE, PART_TIMER, PART_CONNECT, PART_CLOSE };

/* An op of a dial, which its event is led back to. */
struct dial_op {
    cport_op op;
    cport_dial *dial;
    enum part part;
};

struct attempt {
    struct dial_op connect;
    struct dial_op close;
    cport_handle *handle;
    bool connecting;
    bool closing;
};

struct cport_dial {
    struct dial_op resolve;
    struct dial_op timer;

    struct cport_port *port; /* constant, as are the next six */
    void *user;
    uintptr_t key;
    int64_t delay_ns;
    int64_t deadline_ns; /* INT64_MAX: none */
    cport_socket_options socket;
    bool has_socket;

    struct lock lock; /* shared ports: for the rest */
    struct cport_addresses *addresses;
    struct attempt *attempts; /* one for each address, once they are known */
    size_t attempts_size;
    uint8_t order[ADDRESSES_MOST]; /* addresses, by turns of their families */
    unsigned next;                 /* in order: the next to be tried */
    int64_t next_ns;               /* when, unless all others have failed before */
    unsigned pending;              /* ops in flight */
    unsigned connecting;
    bool resolving;
    bool timing;
    bool told;
    int last_error;
    int outcome; /* 0: open */
    cport_handle *winner;
};

static void dial_lock(cport_dial *d)
{
    if (d->port->shared)
        lock_acquire(&d->lock);
}

static void dial_unlock(cport_dial *d)
{
    if (d->port->shared)
        lock_release(&d->lock);
}

/* The first, then the next of the other family, then the next of the first one's, and so on; what is left of one at the end. */
static void order_addresses(cport_dial *d)
{
    const struct cport_addresses *a = d->addresses;
    unsigned at[2] = {0, 0}; /* of the first address's family, and of the other */
    for (unsigned n = 0; n < a->count; n++) {
        unsigned other = n % 2;
        for (unsigned tries = 0; tries < 2; tries++, other = !other) {
            unsigned i = at[other];
            while (i < a->count && (a->list[i].ss_family != a->list[0].ss_family) != other)
                i++;
            at[other] = i;
            if (i < a->count)
                break;
        }
        d->order[n] = (uint8_t)at[other]++;
    }
}

static void attempt_close(cport_dial *d, struct attempt *attempt)
{
    attempt->closing = true;
    if (cport_close(attempt->handle, &attempt->close.op, CPORT_ABORT) == 0)
        d->pending++;
}

/* The outcome is known: everything else comes to its end. */
static void decide(cport_dial *d, int outcome)
{
    d->outcome = outcome;
    if (d->resolving)
        cport_cancel(&d->resolve.op);
    if (d->timing)
        cport_cancel(&d->timer.op);
    for (unsigned i = 0; i < d->next; i++)
        if (d->attempts[i].connecting && !d->attempts[i].closing)
            attempt_close(d, &d->attempts[i]);
}

static int attempt_open(cport_dial *d, struct attempt *attempt, int family)
{
    cport_os_handle fd;
    int r = cport_socket_tcp(family, d->has_socket ? &d->socket : NULL, &fd);
    if (r < 0)
        return r;
    r = cport_attach(d->port, fd, d->key, 0, &attempt->handle);
    if (r < 0)
        cport_socket_close(fd);
    return r;
}

static void part_init(cport_dial *d, struct dial_op *op, enum part part)
{
    cport_op_init(&op->op, d->user);
    op->dial = d;
    op->part = part;
}

static void attempt_start(cport_dial *d)
{
    cport_socklen len;
    struct attempt *attempt = &d->attempts[d->next];
    const struct sockaddr *to = cport_addresses_get(d->addresses, d->order[d->next++], &len);
    memset(attempt, 0, sizeof(*attempt));
    part_init(d, &attempt->connect, PART_CONNECT);
    part_init(d, &attempt->close, PART_CLOSE);
    int r = attempt_open(d, attempt, to->sa_family);
    if (r == 0) {
        r = cport_connect(attempt->handle, &attempt->connect.op, to, len, 0);
        if (r < 0)
            attempt_close(d, attempt);
    }
    if (r < 0) {
        d->last_error = r;
        return;
    }
    attempt->connecting = true;
    d->connecting++;
    d->pending++;
    d->next_ns = cport_now_ns(d->port) + d->delay_ns;
}

static bool more_to_try(const cport_dial *d)
{
    return d->addresses && d->next < d->addresses->count;
}

/* The timer rings for the next attempt or for the end of all, whichever comes first. One whose event is on its way already is
 * set again when that has come. */
static void set_timer(cport_dial *d)
{
    int64_t due = d->deadline_ns;
    if (more_to_try(d) && d->next_ns < due)
        due = d->next_ns;
    if (due == INT64_MAX)
        return;
    if (d->timing) {
        (void)cport_timer_rearm(&d->timer.op, due);
    } else if (cport_timer(d->port, &d->timer.op, due, 0) == 0) {
        d->timing = true;
        d->pending++;
    }
}

/* As many attempts as there should be by now. */
static void go_on(cport_dial *d)
{
    if (d->outcome || d->resolving)
        return;
    while (more_to_try(d) && (!d->connecting || cport_now_ns(d->port) >= d->next_ns))
        attempt_start(d);
    if (d->connecting)
        set_timer(d);
    else
        decide(d, d->last_error);
}

static int make_attempts(cport_dial *d)
{
    d->attempts_size = d->addresses->count * sizeof(*d->attempts);
    d->attempts = port_alloc(d->port, d->attempts_size, _Alignof(struct attempt));
    if (!d->attempts)
        return CPORT_ENOMEM;
    order_addresses(d);
    return 0;
}

static void resolved(cport_dial *d, const cport_event *event)
{
    d->resolving = false;
    d->addresses = cport_resolve_take(&d->resolve.op);
    if (d->outcome)
        return;
    int r = event->result < 0 ? (int)event->result : make_attempts(d);
    if (r < 0)
        decide(d, r);
    else
        go_on(d);
}

static void rang(cport_dial *d)
{
    d->timing = false;
    if (d->outcome)
        return;
    if (cport_now_ns(d->port) >= d->deadline_ns)
        decide(d, CPORT_ETIMEDOUT);
    else if (d->resolving)
        set_timer(d);
    else
        go_on(d);
}

static void connected(cport_dial *d, struct attempt *attempt, const cport_event *event)
{
    attempt->connecting = false;
    d->connecting--;
    if (d->outcome)
        return; /* it is being closed */
    if (event->result < 0) {
        d->last_error = (int)event->result;
        d->next_ns = 0; /* the next need not wait for this one any longer */
        attempt_close(d, attempt);
        go_on(d);
        return;
    }
    d->winner = attempt->handle;
    attempt->handle = NULL;
    decide(d, CPORT_DIAL_CONNECTED);
}

static void take_event(cport_dial *d, struct dial_op *op, const cport_event *event)
{
    switch (op->part) {
    case PART_RESOLVE:
        resolved(d, event);
        break;
    case PART_TIMER:
        rang(d);
        break;
    case PART_CONNECT:
        connected(d, CPORT_CONTAINER_OF(op, struct attempt, connect), event);
        break;
    case PART_CLOSE:
        break;
    }
}

static void dial_free(cport_dial *d)
{
    if (d->attempts)
        port_free(d->port, d->attempts, d->attempts_size);
    cport_addresses_free(d->addresses);
    lock_destroy(&d->lock);
    port_free(d->port, d, sizeof(*d));
}

int cport_dial_event(const cport_event *event, cport_handle **ret_handle)
{
    if (!event || !event->op || !ret_handle)
        return CPORT_EINVAL;
    struct dial_op *op = CPORT_CONTAINER_OF(event->op, struct dial_op, op);
    cport_dial *d = op->dial;
    if (!port_is_mine(d->port))
        return CPORT_EWRONGTHREAD;
    int told = 0;
    dial_lock(d);
    assert(d->pending);
    d->pending--;
    take_event(d, op, event);
    if (d->outcome && !d->told) {
        d->told = true;
        told = d->outcome;
        if (told == CPORT_DIAL_CONNECTED)
            *ret_handle = d->winner;
    }
    bool last = d->pending == 0;
    dial_unlock(d);
    if (last)
        dial_free(d);
    return told;
}

int cport_dial_cancel(cport_dial *d)
{
    if (!d)
        return CPORT_EINVAL;
    if (!port_is_mine(d->port))
        return CPORT_EWRONGTHREAD;
    dial_lock(d);
    if (!d->outcome)
        decide(d, CPORT_ECANCELED);
    dial_unlock(d);
    return 0;
}

/* Checks the options, and makes a dial of them. */
static int dial_new(cport_port *port, const cport_dial_options *given, cport_dial **ret_dial)
{
    cport_dial_options opt = {.size = sizeof(opt)};
    if (!port)
        return CPORT_EINVAL;
    if (!port_is_mine(port))
        return CPORT_EWRONGTHREAD;
    if (given) {
        int r = options_copy(given, sizeof(cport_dial_options), sizeof(opt), &opt);
        if (r < 0)
            return r;
    }
    if (opt.attempt_delay_ns < 0 || opt.timeout_ns < 0)
        return CPORT_EINVAL;
    cport_dial *d = port_alloc(port, sizeof(*d), _Alignof(cport_dial));
    if (!d)
        return CPORT_ENOMEM;
    memset(d, 0, sizeof(*d));
    lock_init(&d->lock);
    d->port = port;
    d->user = opt.user;
    d->key = opt.key;
    d->delay_ns = opt.attempt_delay_ns ? opt.attempt_delay_ns : DELAY_DEFAULT_NS;
    if (d->delay_ns < DELAY_LEAST_NS)
        d->delay_ns = DELAY_LEAST_NS;
    int64_t now = cport_now_ns(port);
    bool ends = opt.timeout_ns > 0 && opt.timeout_ns < INT64_MAX - now;
    d->deadline_ns = ends ? now + opt.timeout_ns : INT64_MAX;
    if (opt.socket) {
        int r = options_copy(opt.socket, sizeof(uint32_t) * 2, sizeof(d->socket), &d->socket);
        if (r < 0) {
            dial_free(d);
            return r;
        }
        d->socket.size = sizeof(d->socket);
        d->has_socket = true;
    }
    part_init(d, &d->resolve, PART_RESOLVE);
    part_init(d, &d->timer, PART_TIMER);
    *ret_dial = d;
    return 0;
}

int cport_dial_name(cport_port *port, const char *host, uint16_t tcp_port,
    const cport_dial_options *opt, cport_dial **ret_dial)
{
    cport_dial *d;
    int r = dial_new(port, opt, &d);
    if (r < 0)
        return r;
    dial_lock(d);
    d->resolving = true;
    d->pending = 1;
    r = cport_resolve(port, &d->resolve.op, host, tcp_port, opt ? opt->resolve_flags : 0);
    if (r == 0) {
        set_timer(d);
        if (ret_dial)
            *ret_dial = d;
    }
    dial_unlock(d);
    if (r < 0)
        dial_free(d);
    return r;
}

int cport_dial_addresses(cport_port *port, const struct sockaddr_storage *addresses, unsigned count,
    const cport_dial_options *opt, cport_dial **ret_dial)
{
    cport_dial *d;
    if (!addresses || count == 0 || count > ADDRESSES_MOST)
        return CPORT_EINVAL;
    for (unsigned i = 0; i < count; i++)
        if (addresses_len((const struct sockaddr *)&addresses[i]) == 0)
            return CPORT_EINVAL;
    int r = dial_new(port, opt, &d);
    if (r < 0)
        return r;
    d->addresses = addresses_new(count);
    if (d->addresses) {
        d->addresses->count = count;
        memcpy(d->addresses->list, addresses, count * sizeof(*addresses));
    }
    r = d->addresses ? make_attempts(d) : CPORT_ENOMEM;
    if (r < 0) {
        dial_free(d);
        return r;
    }
    dial_lock(d);
    go_on(d);
    bool idle = d->pending == 0;
    if (idle)
        r = d->outcome; /* not one attempt could be started: there will be no event */
    else if (ret_dial)
        *ret_dial = d;
    dial_unlock(d);
    if (idle)
        dial_free(d);
    return r;
}
