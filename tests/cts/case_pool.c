/* Pools of receive buffers: who has a buffer, and what a dry pool does. */
#include "io.h"

#include <stdlib.h>
#include <string.h>

/* A pair whose a receives into a pool of its own. */
static cport_port *pool_pair_open(
    cts_pair *ret_pair, cport_bufs **ret_pool, uint32_t size, uint32_t count)
{
    cport_port *port = cts_port_open();
    cts_pair_open(port, ret_pair);
    CHECK_EQ(cts_bufs_open(port, size, count, ret_pool), 0);
    return port;
}

static void pool_pair_close(cport_port *port, cts_pair *pair, cport_bufs *pool)
{
    cts_pair_close(pair);
    cts_bufs_close(pool);
    cts_port_close(port);
}

/* The next event of op has bytes from place at of the stream; returns how many, and the buffer. */
static size_t take(cport_port *port, cport_op *op, cport_bufs *pool, size_t at, uint32_t *ret_id)
{
    cport_event ev = cts_next(port, op);
    CHECK(ev.result > 0);
    CHECK_EQ(ev.flags & CPORT_BUFFER, CPORT_BUFFER);
    io_check(cport_bufs_data(pool, ev.aux), (size_t)ev.result, at);
    *ret_id = ev.aux;
    return (size_t)ev.result;
}

static size_t take_and_return(cport_port *port, cport_op *op, cport_bufs *pool, size_t at)
{
    uint32_t id;
    size_t n = take(port, op, pool, at, &id);
    CHECK_EQ(cts_bufs_return(pool, id), 0);
    return n;
}

static void send_stream(cts_pair *pair, size_t at, size_t len)
{
    unsigned char data[1024];
    CHECK(len <= sizeof data);
    io_fill(data, len, at);
    cts_sock_send_all(pair->peer, data, len);
}

void pool_checks_its_arguments(void)
{
    cport_bufs *pool = NULL, *other = NULL;
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open(), *elsewhere = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 0, 1, &pool), CPORT_EINVAL);
    CHECK_EQ(cts_bufs_open(port, 1, 0, &pool), CPORT_EINVAL);
    CHECK_EQ(cts_bufs_open(port, (1u << 20) + 1, 1, &pool), CPORT_EINVAL);
    CHECK_EQ(cts_bufs_open(port, 1, 32769, &pool), CPORT_EINVAL);
    CHECK_EQ(cts_bufs_open(port, 1, 1, NULL), CPORT_EINVAL);
    CHECK_EQ(cport_bufs_open(NULL, 1, 1, &pool), CPORT_EINVAL);
    CHECK_EQ(cport_bufs_close(NULL), CPORT_EINVAL);
    CHECK_EQ(cts_bufs_open(port, 100, 3, &pool), 0);
    CHECK_EQ(cts_bufs_open(elsewhere, 100, 3, &other), 0);
    CHECK(cport_bufs_data(pool, 2) != NULL);
    CHECK(cport_bufs_data(pool, 3) == NULL);
    CHECK(cport_bufs_data(NULL, 0) == NULL);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, other, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_INLINE_OK), CPORT_EINVAL);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_RECV_ALL), CPORT_EINVAL);
    CHECK_EQ(cts_recv_pooled(NULL, &op, pool, 0), CPORT_EINVAL);
    cts_pair_close(&pair);
    cts_bufs_close(other);
    cts_bufs_close(pool);
    cts_port_close(elsewhere);
    cts_port_close(port);
}

void pool_buffers_lie_apart(void)
{
    static const uint32_t sizes[] = {1, 63, 64, 4097};
    cport_bufs *pool;
    cport_port *port = cts_port_open();
    for (size_t s = 0; s < CTS_COUNT_OF(sizes); s++) {
        enum { COUNT = 33 };
        CHECK_EQ(cts_bufs_open(port, sizes[s], COUNT, &pool), 0);
        for (uint32_t i = 0; i < COUNT; i++)
            for (uint32_t k = 0; k < i; k++) {
                uintptr_t one = (uintptr_t)cport_bufs_data(pool, i);
                uintptr_t other = (uintptr_t)cport_bufs_data(pool, k);
                CHECK(one >= other + sizes[s] || other >= one + sizes[s]);
            }
        CHECK_EQ(cts_bufs_close_try(pool), 0);
    }
    CHECK_EQ(cts_bufs_open(port, 1, 32768, &pool), 0);
    CHECK(cport_bufs_data(pool, 32767) != NULL);
    CHECK_EQ(cts_bufs_close_try(pool), 0);
    CHECK_EQ(cts_bufs_open(port, 1u << 20, 2, &pool), 0);
    memset(cport_bufs_data(pool, 1), 1, 1u << 20);
    CHECK_EQ(cts_bufs_close_try(pool), 0);
    cts_port_close(port);
}

void pool_single_receives(void)
{
    cport_bufs *pool;
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = pool_pair_open(&pair, &pool, 32, 3);
    size_t at = 0;
    for (size_t len = 1; len <= 100; len += 9) {
        size_t end = at + len;
        if (len % 2)
            send_stream(&pair, at, len);
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, 0), 0);
        if (len % 2 == 0) {
            io_check_still_pending(port, &op);
            send_stream(&pair, at, len);
        }
        at += take_and_return(port, &op, pool, at);
        while (at < end) {
            CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, 0), 0);
            at += take_and_return(port, &op, pool, at);
        }
        CHECK_EQ(at, end);
    }
    pool_pair_close(port, &pair, pool);
}

void pool_multishot_receives(void)
{
    cport_bufs *pool;
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = pool_pair_open(&pair, &pool, 50, 8);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), 0);
    size_t at = 0;
    for (size_t len = 1; len <= 300; len += 23) {
        io_check_still_pending(port, &op);
        send_stream(&pair, at, len);
        for (size_t end = at + len; at < end;)
            at += take_and_return(port, &op, pool, at);
    }
    CHECK_EQ(cts_cancel(&op), 0);
    CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    pool_pair_close(port, &pair, pool);
}

/* ---- Dry pools ---- */

void pool_that_is_dry_loses_nothing(void)
{
    enum { COUNT = 4, SIZE = 16, TOTAL = 300 };
    uint32_t held[COUNT];
    cport_bufs *pool;
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = pool_pair_open(&pair, &pool, SIZE, COUNT);
    send_stream(&pair, 0, TOTAL);
    size_t at = 0;
    while (at < TOTAL) {
        unsigned n = 0;
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), 0);
        while (n < COUNT && at < TOTAL)
            at += take(port, &op, pool, at, &held[n++]);
        if (at < TOTAL) {
            CHECK_EQ(cts_result(port, &op), CPORT_ENOBUFS);
            /* Still dry: again, as often as one asks. */
            CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), 0);
            CHECK_EQ(cts_result(port, &op), CPORT_ENOBUFS);
            CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, 0), 0);
            CHECK_EQ(cts_result(port, &op), CPORT_ENOBUFS);
        }
        for (unsigned i = 0; i < n; i++)
            CHECK_EQ(cts_bufs_return(pool, held[i]), 0);
    }
    CHECK_EQ(at, TOTAL);
    cts_pair_close(&pair);
    CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
    cts_bufs_close(pool);
    cts_port_close(port);
}

/* A plain receive needs no buffer of the pool. */
void pool_that_is_dry_leaves_the_data_to_others(void)
{
    unsigned char data[100];
    uint32_t id;
    cport_bufs *pool;
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = pool_pair_open(&pair, &pool, 10, 1);
    send_stream(&pair, 0, 100);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, 0), 0);
    size_t at = take(port, &op, pool, 0, &id);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, 0), 0);
    CHECK_EQ(cts_result(port, &op), CPORT_ENOBUFS);
    CHECK_EQ(cts_recv(pair.a, &op, data, 20, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_result(port, &op), 20);
    io_check(data, 20, at);
    CHECK_EQ(cts_bufs_return(pool, id), 0);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, 0), 0);
    take_and_return(port, &op, pool, at + 20);
    CHECK_EQ(cts_recv(pair.a, &op, data, 60, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_result(port, &op), 60);
    io_check(data, 60, at + 30);
    pool_pair_close(port, &pair, pool);
}

/* A buffer is taken only when there is something to read: till then a dry pool is no reason to end. */
void pool_that_is_dry_is_no_matter_without_data(void)
{
    for (int refilled = 0; refilled < 2; refilled++) {
        uint32_t id;
        cport_bufs *pool;
        cport_op op = {0};
        cts_pair pair;
        cport_port *port = pool_pair_open(&pair, &pool, 10, 1);
        send_stream(&pair, 0, 5);
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, 0), 0);
        CHECK_EQ(take(port, &op, pool, 0, &id), 5);
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), 0);
        io_check_still_pending(port, &op);
        if (refilled)
            CHECK_EQ(cts_bufs_return(pool, id), 0);
        io_check_still_pending(port, &op);
        send_stream(&pair, 5, 5);
        if (refilled) {
            CHECK_EQ(take_and_return(port, &op, pool, 5), 5);
            CHECK_EQ(cts_cancel(&op), 0);
            CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
        } else {
            CHECK_EQ(cts_result(port, &op), CPORT_ENOBUFS);
            CHECK_EQ(cts_bufs_return(pool, id), 0);
            CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, 0), 0);
            CHECK_EQ(take_and_return(port, &op, pool, 5), 5);
        }
        pool_pair_close(port, &pair, pool);
    }
}

void pool_that_is_dry_hides_no_end(void)
{
    for (int reset = 0; reset < 2; reset++) {
        uint32_t id;
        cport_bufs *pool;
        cport_op op = {0};
        cts_pair pair;
        cport_port *port = pool_pair_open(&pair, &pool, 10, 1);
        send_stream(&pair, 0, 5);
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, 0), 0);
        CHECK_EQ(take(port, &op, pool, 0, &id), 5);
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), 0);
        io_check_still_pending(port, &op);
        if (reset)
            cts_sock_reset(pair.peer);
        else
            cts_sock_close(pair.peer);
        pair.peer = CPORT_OS_HANDLE_INVALID;
        CHECK_EQ(cts_result(port, &op), reset ? CPORT_ECONNRESET : 0);
        CHECK_EQ(cts_bufs_return(pool, id), 0);
        pool_pair_close(port, &pair, pool);
    }
}

/* ---- Returning ---- */

void pool_takes_back_only_what_is_the_callers(void)
{
    uint32_t id;
    cport_bufs *pool;
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = pool_pair_open(&pair, &pool, 10, 2);
    CHECK_EQ(cport_bufs_return(NULL, 0), CPORT_EINVAL);
    for (uint32_t bad = 0; bad < 4; bad++)
        CHECK_EQ(cts_bufs_return(pool, bad), CPORT_EINVAL);
    CHECK_EQ(cts_bufs_return(pool, UINT32_MAX), CPORT_EINVAL);
    send_stream(&pair, 0, 5);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, 0), 0);
    CHECK_EQ(take(port, &op, pool, 0, &id), 5);
    CHECK_EQ(cts_bufs_return(pool, 1 - id), CPORT_EINVAL);
    CHECK_EQ(cts_bufs_return(pool, id), 0);
    CHECK_EQ(cts_bufs_return(pool, id), CPORT_EINVAL);
    pool_pair_close(port, &pair, pool);
}

typedef struct returner {
    cport_bufs *pool;
    const uint32_t *ids;
    unsigned count;
} returner;

static void return_all(void *arg)
{
    returner *r = arg;
    for (unsigned i = 0; i < r->count; i++) {
        CHECK_EQ(cts_bufs_return(r->pool, r->ids[i]), 0);
        CHECK_EQ(cts_bufs_return(r->pool, r->ids[i]), CPORT_EINVAL);
    }
}

/* On every kind of port: it is one of the calls that need not come from the owner. */
void pool_takes_buffers_back_from_other_threads(void)
{
    enum { COUNT = 6, ROUNDS = 20 };
    uint32_t held[COUNT];
    cport_bufs *pool;
    cport_op op = {0};
    cts_pair pair;
    size_t at = 0;
    cport_port *port = pool_pair_open(&pair, &pool, 10, COUNT);
    for (int round = 0; round < ROUNDS; round++) {
        size_t end = at + 10 * COUNT;
        while (at < end) {
            unsigned n = 0;
            if (at + 10 * COUNT == end)
                send_stream(&pair, at, 10 * COUNT);
            CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), 0);
            while (n < COUNT && at < end)
                at += take(port, &op, pool, at, &held[n++]);
            CHECK_EQ(cts_cancel(&op), 0);
            CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
            returner half[2] = {{pool, held, n / 2}, {pool, held + n / 2, n - n / 2}};
            cts_thread *one = cts_thread_start(return_all, &half[0], 0);
            cts_thread *other = cts_thread_start(return_all, &half[1], 0);
            cts_thread_join(one);
            cts_thread_join(other);
        }
    }
    pool_pair_close(port, &pair, pool);
}

/* ---- Closing ---- */

void pool_cannot_be_closed_while_receives_use_it(void)
{
    cport_bufs *pool;
    cport_op op[3] = {0};
    cts_pair pair;
    cport_port *port = pool_pair_open(&pair, &pool, 10, 2);
    CHECK_EQ(cts_recv_pooled(pair.a, &op[0], pool, CPORT_MULTISHOT), 0);
    CHECK_EQ(cts_bufs_close_try(pool), CPORT_EBUSY);
    CHECK_EQ(cts_recv_pooled(pair.a, &op[1], pool, 0), 0);
    CHECK_EQ(cts_recv_pooled(pair.a, &op[2], pool, 0), 0);
    CHECK_EQ(cts_cancel(&op[1]), 0);
    CHECK_EQ(cts_result(port, &op[1]), CPORT_ECANCELED);
    CHECK_EQ(cts_bufs_close_try(pool), CPORT_EBUSY);
    CHECK_EQ(cts_cancel_all(pair.a), 0);
    CHECK_EQ(cts_result(port, &op[0]), CPORT_ECANCELED);
    CHECK_EQ(cts_result(port, &op[2]), CPORT_ECANCELED);
    cts_bufs_close(pool);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void pool_open_keeps_its_port_open(void)
{
    cport_bufs *pool;
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_bufs_open(port, 10, 2, &pool), 0);
    CHECK_EQ(cts_port_close_try(port), CPORT_EBUSY);
    CHECK_EQ(cts_bufs_close_try(pool), 0);
    cts_port_close(port);
}

void pool_can_be_closed_with_buffers_lent(void)
{
    uint32_t id;
    cport_bufs *pool;
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = pool_pair_open(&pair, &pool, 10, 2);
    send_stream(&pair, 0, 10);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, 0), 0);
    take(port, &op, pool, 0, &id);
    CHECK_EQ(cts_bufs_close_try(pool), 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}
