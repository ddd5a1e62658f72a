/* What the tests of running pools share. */
#include "pool_under_test.h"

#include <stdlib.h>
#include <string.h>

/* ---- The allocator ---- */

static atomic_int_fast64_t live;
static atomic_uint_fast64_t calls, refuse_call;
static atomic_bool refused;

struct block {
    size_t size;
    void *base;
};

static void *counted_alloc(void *ctx, size_t size, size_t align)
{
    (void)ctx;
    if (atomic_fetch_add(&calls, 1) + 1 == atomic_load(&refuse_call)) {
        atomic_store(&refused, true);
        return NULL;
    }
    char *base = malloc(size + sizeof(struct block) + align);
    assert_non_null(base);
    uintptr_t at = ((uintptr_t)base + sizeof(struct block) + align - 1) & ~(uintptr_t)(align - 1);
    struct block block = {size, base};
    memcpy((char *)at - sizeof(block), &block, sizeof(block));
    memset((void *)at, 0xA5, size);
    atomic_fetch_add(&live, 1);
    /* cppcheck-suppress memleak ; the block in front of it remembers the base */
    return (void *)at;
}

static void counted_free(void *ctx, void *memory, size_t size)
{
    (void)ctx;
    if (!memory)
        return;
    struct block block;
    memcpy(&block, (char *)memory - sizeof(block), sizeof(block));
    if (block.size != size)
        abort(); /* on whatever thread */
    memset(memory, 0xDD, size);
    atomic_fetch_sub(&live, 1);
    free(block.base);
}

const cport_allocator *counting_allocator(void)
{
    static const cport_allocator counting = {counted_alloc, counted_free, NULL};
    return &counting;
}

int64_t allocations_live(void)
{
    return atomic_load(&live);
}

void allocation_fails(uint64_t n)
{
    atomic_store(&refused, false);
    atomic_store(&refuse_call, n ? atomic_load(&calls) + n : 0);
}

bool allocation_failed(void)
{
    return atomic_load(&refused);
}

/* ---- Waiting ---- */

int64_t now_ns(void)
{
    static cport_port *clock;
    if (!clock) {
        cport_port_options opt = {.size = sizeof(opt), .flags = CPORT_PORT_SINGLE};
        assert_int_equal(cport_port_open(&opt, &clock), 0);
    }
    return cport_now_ns(clock);
}

void until(atomic_uint *value, unsigned least)
{
    int64_t limit = now_ns() + PATIENCE_NS;
    while (atomic_load(value) < least) {
        assert_true(now_ns() < limit);
        os_pause();
    }
}

/* ---- The server ---- */

struct echo_conn {
    cport_op recv_op, send_op, close_op;
    cport_handle *handle;
    struct echo_conn *next; /* all there ever were: freed when the pool has stopped */
    char data[64];
};

static void conn_receive(struct echo *e, struct echo_conn *c)
{
    int r = cport_recv(c->handle, &c->recv_op, c->data, sizeof(c->data), 0);
    if (r < 0 && !e->stubborn)
        (void)cport_close(c->handle, &c->close_op, 0);
}

static void conn_open(struct echo *e, cport_port *port, cport_os_handle fd)
{
    struct echo_conn *c = calloc(1, sizeof(*c));
    if (!c || cport_attach(port, fd, (uintptr_t)c, 0, &c->handle) < 0)
        abort();
    c->next = atomic_load(&e->conns);
    while (!atomic_compare_exchange_weak(&e->conns, &c->next, c))
        continue;
    atomic_fetch_add(&e->accepted, 1);
    conn_receive(e, c);
}

static void conn_event(struct echo *e, struct echo_conn *c, const cport_event *ev)
{
    if (ev->result == CPORT_ECANCELED)
        atomic_fetch_add(&e->cancelled, 1);
    if (ev->op == &c->close_op) {
        atomic_fetch_add(&e->closed, 1);
    } else if (ev->op == &c->recv_op && ev->result > 0) {
        if (cport_send(c->handle, &c->send_op, c->data, (size_t)ev->result, 0) < 0)
            (void)cport_close(c->handle, &c->close_op, 0);
    } else if (ev->op == &c->send_op && ev->result > 0) {
        atomic_fetch_add(&e->echoed, 1);
        conn_receive(e, c);
    } else if (e->stubborn) {
        conn_receive(e, c);
    } else {
        (void)cport_close(c->handle, &c->close_op, 0);
    }
}

static void echo_handle(cport_worker *me, const cport_event *events, unsigned count)
{
    struct echo *e = me->ctx;
    for (unsigned i = 0; i < count; i++) {
        const cport_event *ev = &events[i];
        if (ev->op == &e->close_op)
            continue;
        if (ev->op != &e->accept_op)
            conn_event(e, (struct echo_conn *)ev->key, ev);
        else if (ev->result >= 0)
            conn_open(e, me->port, (cport_os_handle)ev->result);
    }
}

static int echo_start(cport_worker *me)
{
    struct echo *e = me->ctx;
    struct sockaddr_storage at;
    cport_socklen len;
    cport_os_handle fd;
    if (me->index != 0 || me->thread != 0)
        return 0;
    int r = cport_address("127.0.0.1", e->tcp_port, &at, &len);
    if (r == 0)
        r = cport_socket_tcp_listen((struct sockaddr *)&at, len, NULL, &fd);
    if (r == 0)
        r = cport_socket_local(fd, &at, &len);
    if (r == 0)
        r = cport_attach(me->port, fd, 0, 0, &e->listener);
    if (r < 0)
        return r;
    char text[64];
    (void)cport_address_text((struct sockaddr *)&at, len, text, sizeof(text));
    e->tcp_port = (uint16_t)strtoul(strchr(text, ':') + 1, NULL, 10);
    return cport_accept(e->listener, &e->accept_op, CPORT_MULTISHOT);
}

void echo_end(struct echo *e)
{
    for (struct echo_conn *c = atomic_load(&e->conns); c; c = c->next)
        (void)cport_close(c->handle, &c->close_op, 0);
}

static void echo_drain(cport_worker *me)
{
    struct echo *e = me->ctx;
    if (me->index != 0)
        return;
    (void)cport_close(e->listener, &e->close_op, 0);
    if (!e->keep)
        echo_end(e);
}

static void echo_stop(cport_worker *me)
{
    struct echo *e = me->ctx;
    if (me->index != 0 || me->thread != 0)
        return;
    for (struct echo_conn *c = atomic_exchange(&e->conns, NULL), *next; c; c = next) {
        next = c->next;
        free(c);
    }
}

int echo_open(struct echo *e, cport_workers_options *opt)
{
    opt->size = sizeof(*opt);
    opt->handle = echo_handle;
    opt->start = echo_start;
    opt->drain = echo_drain;
    opt->stop = echo_stop;
    opt->ctx = e;
    return cport_workers_open(opt, &e->pool);
}

/* ---- Clients ---- */

static int64_t client_result(struct client *c, cport_op *op)
{
    cport_event ev;
    assert_int_equal(cport_wait(c->port, &ev, 1, PATIENCE_NS), 1);
    assert_ptr_equal(ev.op, op);
    return ev.result;
}

void client_connect(struct client *c, uint16_t tcp_port)
{
    cport_port_options opt = {.size = sizeof(opt), .flags = CPORT_PORT_SINGLE};
    struct sockaddr_storage at;
    cport_socklen len;
    cport_os_handle fd;
    cport_op op = {0};
    assert_int_equal(cport_port_open(&opt, &c->port), 0);
    assert_int_equal(cport_address("127.0.0.1", tcp_port, &at, &len), 0);
    assert_int_equal(cport_socket_tcp(AF_INET, NULL, &fd), 0);
    assert_int_equal(cport_attach(c->port, fd, 0, 0, &c->handle), 0);
    assert_int_equal(cport_connect(c->handle, &op, (struct sockaddr *)&at, len, 0), 0);
    assert_int_equal(client_result(c, &op), 0);
}

void client_talk(struct client *c, char byte)
{
    cport_op op = {0};
    char back = 0;
    assert_int_equal(cport_send(c->handle, &op, &byte, 1, 0), 0);
    assert_int_equal(client_result(c, &op), 1);
    assert_int_equal(cport_recv(c->handle, &op, &back, 1, 0), 0);
    assert_int_equal(client_result(c, &op), 1);
    assert_int_equal(back, byte);
}

bool client_sees_end(struct client *c)
{
    cport_op op = {0};
    char byte;
    assert_int_equal(cport_recv(c->handle, &op, &byte, 1, 0), 0);
    int64_t result = client_result(c, &op);
    return result == 0 || result == CPORT_ECONNRESET || result == CPORT_ECONNABORTED;
}

void client_close(struct client *c)
{
    cport_op op = {0};
    assert_int_equal(cport_close(c->handle, &op, 0), 0);
    assert_int_equal(client_result(c, &op), 0);
    assert_int_equal(cport_port_close(c->port), 0);
}
