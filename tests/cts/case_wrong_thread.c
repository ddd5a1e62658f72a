/* A SINGLE port belongs to its thread: every call from another one is refused, three aside. */
#include "cts.h"

typedef struct trespass {
    cport_port *port;
    cts_pair pair;
    cport_handle *listener;
    cport_bufs *pool;
    uint32_t lent; /* a buffer of the pool that the case holds */
    struct sockaddr_storage address;
    cport_socklen address_len;
    cport_op timer, recv; /* in flight */
    cport_op post;
} trespass;

static void try_port_calls(trespass *t)
{
    cport_event ev;
    cport_port_info info = {.size = sizeof info};
    cport_port_stats stats = {.size = sizeof stats};
    cport_handle *h;
    cport_bufs *pool;
    cport_op op = {0};
    size_t cursor = 0;
    cport_os_handle one, other;
    cts_sock_pair(&one, &other);
    CHECK_EQ(cport_port_close(t->port), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_wait(t->port, &ev, 1, 0), CPORT_EWRONGTHREAD);
    CHECK_EQ(cport_flush(t->port), CPORT_EWRONGTHREAD);
    CHECK(cport_port_next_handle(t->port, &cursor) == NULL);
    CHECK_EQ(cport_port_get_info(t->port, &info), CPORT_EWRONGTHREAD);
    CHECK_EQ(cport_port_get_stats(t->port, &stats), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_attach_try(t->port, one, 0, 0, &h), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_timer(t->port, &op, 0, 0), CPORT_EWRONGTHREAD);
    CHECK_EQ(cport_timer_rearm(&t->timer, 0), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_resolve(t->port, &op, "::1", 1, 0), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_bufs_open(t->port, 64, 4, &pool), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_bufs_close_try(t->pool), CPORT_EWRONGTHREAD);
    CHECK_EQ(cport_memory_pin(t->port, &op, sizeof op), CPORT_EWRONGTHREAD);
    CHECK_EQ(cport_memory_unpin(t->port, &op), CPORT_EWRONGTHREAD);
    cts_sock_close(one);
    cts_sock_close(other);
}

static void try_handle_calls(trespass *t)
{
    char data[4];
    cport_buf buf = {.base = data, .len = sizeof data};
    cport_op op = {0};
    cport_handle *h = t->pair.a;
    CHECK_EQ(cts_accept(t->listener, &op, 0), CPORT_EWRONGTHREAD);
    CHECK_EQ(
        cts_connect(h, &op, (struct sockaddr *)&t->address, t->address_len, 0), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_recv(h, &op, data, sizeof data, 0), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_recvv(h, &op, &buf, 1, 0), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_recv_pooled(h, &op, t->pool, 0), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_send(h, &op, data, sizeof data, 0), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_sendv(h, &op, &buf, 1, 0), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_shutdown(h, &op, CPORT_SHUT_SEND), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_poll(h, &op, CPORT_POLL_IN), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_read(h, &op, data, sizeof data, 0, 0), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_readv(h, &op, &buf, 1, 0, 0), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_write(h, &op, data, sizeof data, 0, 0), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_writev(h, &op, &buf, 1, 0, 0), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_sync(h, &op, 0), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_cancel(&t->recv), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_cancel(&t->timer), CPORT_EWRONGTHREAD);
    CHECK_EQ(cport_cancel_all(h), CPORT_EWRONGTHREAD);
    cport_os_handle fd;
    CHECK_EQ(cts_detach(h, &fd), CPORT_EWRONGTHREAD);
    CHECK_EQ(cts_close(h, &op, 0), CPORT_EWRONGTHREAD);
}

static void trespass_main(void *arg)
{
    trespass *t = arg;
    try_port_calls(t);
    try_handle_calls(t);
    CHECK(cport_now_ns(t->port) > 0);
    CHECK(cport_handle_port(t->pair.a) == t->port);
    CHECK_EQ(cport_handle_key(t->pair.a), CTS_KEY_A);
    CHECK_EQ(cts_post(t->port, &t->post, 3, 4), 0);
    CHECK_EQ(cts_wake(t->port), 0);
    CHECK_EQ(cts_bufs_return(t->pool, t->lent), 0);
}

void a_single_port_serves_its_owner_alone(void)
{
    char byte;
    trespass t = {0};
    t.port = cts_port_open();
    cts_pair_open(t.port, &t.pair);
    t.listener = cts_listen(t.port, &t.address, &t.address_len);
    CHECK_EQ(cts_bufs_open(t.port, 64, 4, &t.pool), 0);
    cts_sock_send_all(t.pair.peer, "x", 1);
    CHECK_EQ(cts_recv_pooled(t.pair.a, &t.recv, t.pool, 0), 0);
    t.lent = cts_next(t.port, &t.recv).aux;
    CHECK_EQ(cts_recv(t.pair.a, &t.recv, &byte, 1, 0), 0);
    CHECK_EQ(cts_timer(t.port, &t.timer, cport_now_ns(t.port) + 3600 * 1000 * CTS_MS, 0), 0);
    cts_thread_join(cts_thread_start(trespass_main, &t, 0));

    /* None of it has left a mark. */
    CHECK_EQ(cts_result(t.port, &t.post), 4);
    CHECK(cts_pending(&t.recv));
    CHECK(cts_pending(&t.timer));
    CHECK_EQ(cts_cancel(&t.timer), 0);
    CHECK_EQ(cts_result(t.port, &t.timer), CPORT_ECANCELED);
    cts_sock_send_all(t.pair.peer, "y", 1);
    CHECK_EQ(cts_result(t.port, &t.recv), 1);
    cts_close_wait(t.listener, 0);
    cts_pair_close(&t.pair);
    cts_bufs_close(t.pool);
    cts_port_close(t.port);
}

/* A port that is opened on one thread can be given up there and the next one opened elsewhere. */
static void open_and_close(void *arg)
{
    (void)arg;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_post(port, &op, 0, 6), 0);
    CHECK_EQ(cts_result(port, &op), 6);
    cts_port_close(port);
}

void each_thread_may_own_a_port(void)
{
    cts_thread *threads[4];
    for (int i = 0; i < 4; i++)
        threads[i] = cts_thread_start(open_and_close, NULL, 0);
    open_and_close(NULL);
    for (int i = 0; i < 4; i++)
        cts_thread_join(threads[i]);
}
