/* Pooled receives while data flows: order, several pools and handles, ends, cancels and closes in between. */
#include "io.h"

#include <stdlib.h>
#include <string.h>

/* Checks an event that may have bytes at place *at, and gives the buffer back. True while more events come. */
static bool consume(const cport_event *ev, cport_bufs *pool, size_t *at)
{
    if (ev->flags & CPORT_BUFFER) {
        io_check(cport_bufs_data(pool, ev->aux), (size_t)ev->result, *at);
        *at += (size_t)ev->result;
        CHECK_EQ(cts_bufs_return(pool, ev->aux), 0);
    }
    return (ev->flags & CPORT_MORE) != 0;
}

/* Megabytes through few buffers: whenever the pool has run dry, the receive is started again. */
void pool_flow_of_megabytes(void)
{
    for (int multishot = 0; multishot < 2; multishot++) {
        size_t at = 0;
        cport_bufs *pool;
        cport_op op = {0};
        cts_pair pair;
        io_peer writer;
        cport_event ev = {0};
        cport_port *port = cts_port_open();
        cts_pair_open(port, &pair);
        CHECK_EQ(cts_bufs_open(port, 4096, 8, &pool), 0);
        io_peer_write(&writer, pair.peer, IO_MUCH / 2);
        while (at < IO_MUCH / 2) {
            if (!(ev.flags & CPORT_MORE))
                CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, multishot ? CPORT_MULTISHOT : 0), 0);
            ev = cts_next(port, &op);
            CHECK(ev.result > 0 || ev.result == CPORT_ENOBUFS);
            consume(&ev, pool, &at);
        }
        io_peer_join(&writer);
        cts_pair_close(&pair);
        if (ev.flags & CPORT_MORE)
            CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
        cts_bufs_close(pool);
        cts_port_close(port);
    }
}

void pool_flow_ends_with_the_stream(void)
{
    for (int reset = 0; reset < 2; reset++) {
        size_t at = 0;
        cport_bufs *pool;
        cport_op op = {0};
        cts_pair pair;
        io_peer writer;
        cport_port *port = cts_port_open();
        cts_pair_open(port, &pair);
        CHECK_EQ(cts_bufs_open(port, 1000, 64, &pool), 0);
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), 0);
        io_peer_write(&writer, pair.peer, 20000);
        while (at < 20000) {
            cport_event ev = cts_next(port, &op);
            CHECK(consume(&ev, pool, &at));
        }
        io_peer_join(&writer);
        if (reset)
            cts_sock_reset(pair.peer);
        else
            cts_sock_close(pair.peer);
        pair.peer = CPORT_OS_HANDLE_INVALID;
        CHECK_EQ(cts_result(port, &op), reset ? CPORT_ECONNRESET : 0);
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), 0);
        CHECK(cts_result(port, &op) <= 0);
        cts_pair_close(&pair);
        cts_bufs_close(pool);
        cts_port_close(port);
    }
}

/* The last bytes and the end are both there before the receive is looked at, or before it starts. */
static void end_behind_bytes(bool reset, bool started_before)
{
    char bytes[100];
    size_t at = 0;
    cport_bufs *pool;
    cport_op op = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 64, 8, &pool), 0);
    if (started_before) {
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), 0);
        CHECK_EQ(cport_flush(port), 0);
    }
    io_fill(bytes, sizeof bytes, 0);
    cts_sock_send_all(pair.peer, bytes, sizeof bytes);
    if (reset)
        cts_sock_reset(pair.peer);
    else
        cts_sock_close(pair.peer);
    pair.peer = CPORT_OS_HANDLE_INVALID;
    if (!started_before)
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), 0);
    cport_event ev = cts_next(port, &op);
    while (consume(&ev, pool, &at))
        ev = cts_next(port, &op);
    /* A reset may take the bytes before it along. */
    CHECK(reset ? at <= sizeof bytes : at == sizeof bytes);
    CHECK_EQ(ev.result, reset ? CPORT_ECONNRESET : 0);
    cts_pair_close(&pair);
    cts_bufs_close(pool);
    cts_port_close(port);
}

void pool_flow_hides_no_end_behind_bytes(void)
{
    for (unsigned round = 0; round < 4; round++)
        end_behind_bytes(round & 1, round & 2);
}

/* Cancelled and started again in mid-stream: every byte comes once. */
void pool_flow_with_cancels(void)
{
    size_t at = 0;
    unsigned round = 0;
    cport_bufs *pool;
    cport_op op = {0};
    cts_pair pair;
    io_peer writer;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 2000, 16, &pool), 0);
    io_peer_write(&writer, pair.peer, MIB);
    for (; at < MIB; round++) {
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), 0);
        bool more = true;
        for (unsigned i = 0; i < round % 5 && more && at < MIB; i++) {
            cport_event ev = cts_next(port, &op);
            more = consume(&ev, pool, &at);
        }
        if (!more)
            continue;
        int ret = cts_cancel(&op);
        CHECK(ret == 0 || ret == CPORT_ENOENT);
        while (more) {
            cport_event ev = cts_next(port, &op);
            more = consume(&ev, pool, &at);
            CHECK(ev.result > 0 || ev.result == CPORT_ECANCELED || ev.result == CPORT_ENOBUFS);
        }
    }
    CHECK_EQ(at, MIB);
    io_peer_join(&writer);
    cts_pair_close(&pair);
    cts_bufs_close(pool);
    cts_port_close(port);
}

static void write_until_reset(void *arg)
{
    io_peer *peer = arg;
    unsigned char data[5000];
    do
        io_fill(data, sizeof data, peer->at);
    while (cts_sock_send_some(peer->s, data, sizeof data) == (int64_t)sizeof data &&
           (peer->at += sizeof data) > 0);
}

/* Closed in mid-stream: events that were queued have their buffers, and no buffer is lost. */
void pool_flow_with_closes(void)
{
    cport_bufs *pool;
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_bufs_open(port, 512, 32, &pool), 0);
    for (unsigned round = 0; round < 24; round++) {
        size_t at = 0;
        cport_op op = {0}, close = {0};
        cts_pair pair;
        io_peer writer = {0};
        cts_pair_open(port, &pair);
        writer.s = pair.peer;
        writer.thread = cts_thread_start(write_until_reset, &writer, 0);
        bool more = true;
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), 0);
        for (unsigned i = 0; i < round && more; i++) {
            cport_event ev = cts_next(port, &op);
            more = consume(&ev, pool, &at);
        }
        CHECK_EQ(cts_close(pair.a, &close, round % 2 ? CPORT_ABORT : 0), 0);
        pair.a = NULL;
        while (more) {
            cport_event ev = cts_next(port, &op);
            more = consume(&ev, pool, &at);
        }
        CHECK_EQ(cts_result(port, &close), 0);
        io_peer_join(&writer);
        cts_pair_close(&pair);
    }
    cts_bufs_close(pool);
    cts_port_close(port);
}

void pool_flow_of_several_pools_on_one_handle(void)
{
    enum { POOLS = 3, TOTAL = 60000 };
    static const uint32_t sizes[POOLS] = {7, 100, 3000};
    size_t at = 0;
    unsigned turn = 0;
    cport_bufs *pools[POOLS];
    cport_op ops[POOLS] = {0};
    cts_pair pair;
    io_peer writer;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < POOLS; i++) {
        CHECK_EQ(cts_bufs_open(port, sizes[i], 2, &pools[i]), 0);
        CHECK_EQ(cts_recv_pooled(pair.a, &ops[i], pools[i], 0), 0);
    }
    io_peer_write(&writer, pair.peer, TOTAL);
    for (; at < TOTAL; turn = (turn + 1) % POOLS) {
        cport_event ev = cts_next(port, &ops[turn]);
        CHECK(ev.result > 0 && (size_t)ev.result <= sizes[turn]);
        consume(&ev, pools[turn], &at);
        CHECK_EQ(cts_recv_pooled(pair.a, &ops[turn], pools[turn], 0), 0);
    }
    io_peer_join(&writer);
    cts_pair_close(&pair);
    for (int i = 0; i < POOLS; i++) {
        CHECK_EQ(cts_result(port, &ops[i]), CPORT_ECANCELED);
        cts_bufs_close(pools[i]);
    }
    cts_port_close(port);
}

void pool_flow_leaves_later_receives_behind(void)
{
    size_t at = 0;
    unsigned char data[10];
    cport_bufs *pool;
    cport_op many = {0}, one = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 64, 4, &pool), 0);
    CHECK_EQ(cts_recv_pooled(pair.a, &many, pool, CPORT_MULTISHOT), 0);
    CHECK_EQ(cts_recv(pair.a, &one, data, 10, CPORT_RECV_ALL), 0);
    for (int i = 0; i < 3; i++) {
        io_fill(data, 10, at);
        cts_sock_send_all(pair.peer, data, 10);
        for (size_t end = at + 10; at < end;) {
            cport_event ev = cts_next(port, &many);
            CHECK(consume(&ev, pool, &at));
        }
    }
    io_check_still_pending(port, &one);
    CHECK_EQ(cts_cancel(&many), 0);
    CHECK_EQ(cts_result(port, &many), CPORT_ECANCELED);
    unsigned char sent[10];
    io_fill(sent, 10, at);
    cts_sock_send_all(pair.peer, sent, 10);
    CHECK_EQ(cts_result(port, &one), 10);
    io_check(data, 10, at);
    cts_pair_close(&pair);
    cts_bufs_close(pool);
    cts_port_close(port);
}

/* Receives that ended at their call are queued; what a multishot one behind them gets must not come out before them. */
void s31_a_multishot_receive_stays_behind_earlier_events(void)
{
    enum { SINGLES = 60, TOTAL = 200 };
    static unsigned char got[SINGLES];
    static cport_op ops[SINGLES];
    unsigned char sent[TOTAL];
    size_t at = 0;
    cport_bufs *pool;
    cport_op many = {0};
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 8, 32, &pool), 0);
    io_fill(sent, TOTAL, 0);
    cts_sock_send_all(pair.peer, sent, TOTAL);
    io_until_readable(port, pair.a);
    for (int i = 0; i < SINGLES; i++)
        CHECK_EQ(cts_recv(pair.a, &ops[i], &got[i], 1, 0), 0);
    CHECK_EQ(cts_recv_pooled(pair.a, &many, pool, CPORT_MULTISHOT), 0);
    while (at < TOTAL) {
        cport_event ev; /* one at a time: the batches are what engines fill in different ways */
        CHECK_EQ(cts_wait(port, &ev, 1, CTS_PATIENCE_NS), 1);
        if (ev.op == &many) {
            if (at < SINGLES)
                cts_fail(
                    __FILE__, __LINE__, "a later receive's event came out before number %zu", at);
            consume(&ev, pool, &at);
        } else {
            CHECK(ev.op == &ops[at]);
            CHECK_EQ(ev.result, 1);
            io_check(&got[at], 1, at);
            at++;
        }
    }
    cts_pair_close(&pair);
    cts_drain(port);
    cts_bufs_close(pool);
    cts_port_close(port);
}

/* ---- Several handles on one pool, and several threads ---- */

typedef struct stream_task {
    io_task task;
    io_loop *loop;
    cport_bufs *pool;
    cport_handle *handle;
    io_peer writer;
    cport_os_handle peer;
    size_t wanted;
    uint32_t flags;
    atomic_size_t got;
    atomic_uint sum; /* of all bytes: their order among several threads is not to be had */
} stream_task;

static unsigned sum_of(const unsigned char *data, size_t len)
{
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += data[i];
    return sum;
}

static void stream_start(stream_task *t)
{
    CHECK_EQ(cts_recv_pooled(t->handle, &t->task.op, t->pool, t->flags), 0);
}

/* The last byte ends a single receive's task, and the end of the stream the multishot one's. */
static void stream_event(io_task *task, const cport_event *ev)
{
    stream_task *t = CPORT_CONTAINER_OF(task, stream_task, task);
    if (ev->flags & CPORT_BUFFER) {
        const unsigned char *data = cport_bufs_data(t->pool, ev->aux);
        if (!(t->flags & CPORT_MULTISHOT))
            io_check(data, (size_t)ev->result, atomic_load(&t->got));
        atomic_fetch_add(&t->sum, sum_of(data, (size_t)ev->result));
        CHECK_EQ(cts_bufs_return(t->pool, ev->aux), 0);
        atomic_fetch_add(&t->got, (size_t)ev->result);
    }
    if (ev->flags & CPORT_MORE)
        return;
    CHECK(ev->result >= 0 || ev->result == CPORT_ENOBUFS);
    if (ev->result == 0)
        io_loop_done(t->loop);
    else
        stream_start(t);
}

static void write_and_end(void *arg)
{
    stream_task *t = arg;
    io_peer_write(&t->writer, t->peer, t->wanted);
    io_peer_join(&t->writer);
    cts_sock_shutdown_send(t->peer);
}

static bool stream_is_complete(void *arg)
{
    stream_task *t = arg;
    return atomic_load(&t->got) == t->wanted;
}

static void run_streams(uint32_t flags)
{
    enum { HANDLES = 12 };
    static stream_task tasks[HANDLES];
    cts_thread *threads[HANDLES];
    cts_pair pairs[HANDLES];
    cport_bufs *pool;
    io_loop loop;
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_bufs_open(port, 1500, 16, &pool), 0);
    io_loop_init(&loop, port, HANDLES);
    for (int i = 0; i < HANDLES; i++) {
        cts_pair_open(port, &pairs[i]);
        tasks[i] = (stream_task){.task = {.run = stream_event},
            .loop = &loop,
            .pool = pool,
            .handle = pairs[i].a,
            .peer = pairs[i].peer,
            .wanted = (size_t)100000 + (size_t)i * 1111,
            .flags = flags};
        stream_start(&tasks[i]);
        threads[i] = cts_thread_start(write_and_end, &tasks[i], 0);
    }
    io_loop_run(&loop);
    for (int i = 0; i < HANDLES; i++) {
        cts_thread_join(threads[i]);
        /* A thread that dequeued bytes may be slower with them than the one that dequeued the end. */
        cts_until(stream_is_complete, &tasks[i], "all bytes of a stream");
        unsigned char *data = io_stream(tasks[i].wanted);
        CHECK_EQ(atomic_load(&tasks[i].sum), sum_of(data, tasks[i].wanted));
        free(data);
        cts_pair_close(&pairs[i]);
    }
    cts_bufs_close(pool);
    cts_port_close(port);
}

void pool_flow_of_several_handles_on_one_pool(void)
{
    run_streams(0);
}

void pool_flow_of_several_multishot_handles_on_one_pool(void)
{
    run_streams(CPORT_MULTISHOT);
}
