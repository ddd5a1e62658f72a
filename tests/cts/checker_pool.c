/* The checker's books of the buffer pools: who has each buffer. */
#include "checker_records.h"

#include <stdlib.h>

static pool_record *pools;

pool_record *checker_pool(const cport_bufs *pool)
{
    for (pool_record *p = pools; p != NULL; p = p->next)
        if (p->pool == pool)
            return p;
    return NULL;
}

/* Called with checker_lock held. */
void checker_pool_event(op_record *rec, const cport_event *ev)
{
    pool_record *p = rec->pool;
    if ((ev->flags & CPORT_BUFFER) == 0)
        return;
    if (ev->aux >= p->count)
        cts_fail("contract", 0, "buffer %u of a pool of %u", ev->aux, p->count);
    if (p->lent[ev->aux])
        cts_fail("contract", 0, "buffer %u was given out twice", ev->aux);
    p->lent[ev->aux] = 1;
    p->lent_count++;
}

int cts_bufs_open(cport_port *port, uint32_t size, uint32_t count, cport_bufs **ret_pool)
{
    cport_bufs *pool = NULL;
    int ret = cport_bufs_open(port, size, count, ret_pool != NULL ? &pool : NULL);
    CHECK(ret <= 0);
    if (ret < 0) {
        CHECK(pool == NULL);
        return ret;
    }
    pool_record *p = calloc(1, sizeof *p);
    CHECK(pool != NULL && p != NULL);
    p->lent = calloc(count, 1);
    CHECK(p->lent != NULL);
    p->pool = pool;
    p->size = size;
    p->count = count;
    cts_lock(&checker_lock);
    p->port = checker_port(port);
    p->next = pools;
    pools = p;
    cts_unlock(&checker_lock);
    *ret_pool = pool;
    return 0;
}

int cts_bufs_return(cport_bufs *pool, uint32_t id)
{
    cts_lock(&checker_lock);
    pool_record *p = checker_pool(pool);
    bool ours = p != NULL && id < p->count && p->lent[id];
    if (ours) {
        p->lent[id] = 0; /* before the call: another thread may be given it at once */
        p->lent_count--;
    }
    cts_unlock(&checker_lock);
    int ret = cport_bufs_return(pool, id);
    CHECK_EQ(ret, ours ? 0 : CPORT_EINVAL);
    return ret;
}

int cts_bufs_close_try(cport_bufs *pool)
{
    pool_record *p = checker_pool(pool);
    int ret = cport_bufs_close(pool);
    CHECK(ret <= 0);
    if (ret < 0)
        return ret;
    cts_lock(&checker_lock);
    p->pool = NULL;
    cts_unlock(&checker_lock);
    return 0;
}

/* Takes every buffer of the pool once, sees that the next receive finds it dry, and gives them all back. */
static void take_census(const pool_record *p)
{
    cport_port *port = p->port->port;
    cts_pair pair;
    cport_op op = {0};
    cts_pair_open(port, &pair);
    for (uint32_t i = 0; i < p->count; i++) {
        cts_sock_send_all(pair.peer, "c", 1);
        CHECK_EQ(cts_recv_pooled(pair.a, &op, p->pool, 0), 0);
        cport_event ev = cts_next(port, &op);
        if (ev.result != 1)
            cts_fail("contract", 0, "the pool has lost buffers: %u of %u are left (%s)", i,
                p->count, cport_error_name((int)ev.result));
    }
    cts_sock_send_all(pair.peer, "c", 1);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, p->pool, 0), 0);
    CHECK_EQ(cts_result(port, &op), CPORT_ENOBUFS);
    for (uint32_t id = 0; id < p->count; id++)
        CHECK_EQ(cts_bufs_return(p->pool, id), 0);
    char last;
    CHECK_EQ(cts_recv(pair.a, &op, &last, 1, 0), 0);
    CHECK_EQ(cts_result(port, &op), 1);
    cts_pair_close(&pair);
}

void cts_bufs_close(cport_bufs *pool)
{
    pool_record *p = checker_pool(pool);
    CHECK(p != NULL);
    if (p->lent_count == 0)
        take_census(p);
    CHECK_EQ(cts_bufs_close_try(pool), 0);
}
