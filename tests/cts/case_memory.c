/* Memory: refused at every point, and not asked for where it must not be. */
#include "datagram.h"

#include <string.h>

/* ---- Every allocation fails once ---- */

enum { SWEEP_PAIRS = 40 };

typedef struct sweep {
    cport_port *port;
    cport_bufs *pools[2];
    cport_handle *listener;
    struct sockaddr_storage address;
    cport_socklen address_len;
    cport_op accept;
    cport_handle *clients[SWEEP_PAIRS];
    cport_handle *servers[SWEEP_PAIRS];
    cport_handle *lent[SWEEP_PAIRS];
    cport_op connect[SWEEP_PAIRS];
    cport_op recv[SWEEP_PAIRS], send[SWEEP_PAIRS], poll[SWEEP_PAIRS], timer[SWEEP_PAIRS];
    char in[SWEEP_PAIRS][8];
    dg_socket udp;
    cport_op datagrams; /* into pools[1] */
    dg_msg out[SWEEP_PAIRS], back[SWEEP_PAIRS / 2];
} sweep;

static void sweep_open(sweep *s)
{
    cport_port_options opt;
    cts_options(&opt);
    opt.entries = 8;
    cport_port *port = NULL;
    CTS_PERSIST(cport_port_open(&opt, &port));
    s->port = port;
    checker_port_opened(port);
    CTS_PERSIST(cts_bufs_open(s->port, 64, 4, &s->pools[0]));
    CTS_PERSIST(cts_bufs_open(s->port, 1000, 40, &s->pools[1]));
}

static void sweep_connect(sweep *s)
{
    cport_os_handle fd = cts_sock_listen(SWEEP_PAIRS, &s->address, &s->address_len);
    CTS_PERSIST(cts_attach_try(s->port, fd, CTS_KEY_A, 0, &s->listener));
    CTS_PERSIST(cts_accept(s->listener, &s->accept, CPORT_MULTISHOT));
    for (int i = 0; i < SWEEP_PAIRS; i++) {
        fd = cts_sock_tcp();
        CTS_PERSIST(cts_attach_try(s->port, fd, (uintptr_t)i, 0, &s->clients[i]));
        CTS_PERSIST(cts_connect(
            s->clients[i], &s->connect[i], (struct sockaddr *)&s->address, s->address_len, 0));
    }
    for (int i = 0; i < SWEEP_PAIRS;) {
        cport_event ev = cts_next(s->port, &s->accept);
        CHECK_EQ(ev.flags, CPORT_MORE);
        if (ev.result == CPORT_ENOMEM)
            continue; /* told, and it goes on */
        CHECK(ev.result >= 0);
        CTS_PERSIST(
            cts_attach_try(s->port, (cport_os_handle)ev.result, (uintptr_t)i, 0, &s->servers[i]));
        i++;
    }
    for (int i = 0; i < SWEEP_PAIRS; i++) {
        CHECK_EQ(cts_result(s->port, &s->connect[i]), 0);
        CTS_PERSIST(cts_attach_try(
            s->port, cport_handle_fd(s->clients[i]), 0, CPORT_ATTACH_BORROWED, &s->lent[i]));
    }
}

static void sweep_talk(sweep *s)
{
    int64_t now = cport_now_ns(s->port);
    for (int i = 0; i < SWEEP_PAIRS; i++) {
        cport_buf in[2] = {{.base = s->in[i], .len = 4}, {.base = s->in[i] + 4, .len = 4}};
        cport_buf out[2] = {{.base = s->in[i], .len = 3}, {.base = s->in[i], .len = 5}};
        if (i % 2)
            CTS_PERSIST(cts_recv_pooled(s->servers[i], &s->recv[i], s->pools[1], CPORT_MULTISHOT));
        else
            CTS_PERSIST(cts_recvv(s->servers[i], &s->recv[i], in, 2, CPORT_RECV_ALL));
        CTS_PERSIST(cts_poll(s->servers[i], &s->poll[i], CPORT_POLL_IN));
        CTS_PERSIST(cts_timer(s->port, &s->timer[i], now + i, 0));
        CTS_PERSIST(cts_sendv(s->clients[i], &s->send[i], out, 2, 0));
    }
    for (int i = 0; i < SWEEP_PAIRS; i++) {
        CHECK_EQ(cts_result(s->port, &s->send[i]), 8);
        CHECK_EQ(cts_result(s->port, &s->timer[i]), 0);
        int64_t got = cts_next(s->port, &s->recv[i]).result;
        CHECK(got == 8 || (i % 2 && got > 0));
    }
}

/* To itself: some into the pool, the others one by one. */
static void sweep_datagrams(sweep *s)
{
    cport_os_handle fd = dg_socket_raw("127.0.0.1", 0, &s->udp);
    CTS_PERSIST(cts_attach_try(s->port, fd, CTS_KEY_A, 0, &s->udp.h));
    for (int i = 0; i < SWEEP_PAIRS / 2; i++) {
        dg_to_receive(&s->back[i], 100);
        CTS_PERSIST(cts_recvmsg(s->udp.h, &s->back[i].op, &s->back[i].msg, 0));
    }
    CTS_PERSIST(cts_recvmsg_pooled(s->udp.h, &s->datagrams, s->pools[1], CPORT_MULTISHOT));
    for (int i = 0; i < SWEEP_PAIRS; i++) {
        dg_to_send(&s->out[i], &s->udp, 10, 0);
        CTS_PERSIST(cts_sendmsg(s->udp.h, &s->out[i].op, &s->out[i].msg, 0));
    }
    for (int i = 0; i < SWEEP_PAIRS; i++)
        CHECK_EQ(cts_result(s->port, &s->out[i].op), 10);
    for (int i = 0; i < SWEEP_PAIRS / 2; i++)
        CHECK_EQ(cts_result(s->port, &s->back[i].op), 10);
    for (int i = 0; i < SWEEP_PAIRS / 2; i++) {
        cport_event ev = cts_next(s->port, &s->datagrams);
        CHECK_EQ(ev.result, 10);
        CHECK_EQ(cts_bufs_return(s->pools[1], ev.aux), 0);
    }
    cts_close_wait(s->udp.h, 0);
    CHECK_EQ(cts_result(s->port, &s->datagrams), CPORT_ECANCELED);
}

static void sweep_close(sweep *s)
{
    cport_op post = {0};
    CTS_PERSIST(cts_post(s->port, &post, 0, 3));
    CHECK_EQ(cts_result(s->port, &post), 3);
    for (int i = 0; i < SWEEP_PAIRS; i++) {
        CHECK_EQ(cport_cancel_all(s->clients[i]), 0);
        cts_close_wait(s->lent[i], 0);
        cts_close_wait(s->clients[i], 0);
        cts_close_wait(s->servers[i], CPORT_ABORT);
    }
    cts_close_wait(s->listener, 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(cts_bufs_close_try(s->pools[i]), 0);
    cts_port_close(s->port);
}

static void forget_events(sweep *s)
{
    cport_op *const lists[] = {s->connect, s->recv, s->send, s->poll, s->timer};
    cport_event ev;
    while (checker_unstash(&s->accept, &ev))
        continue;
    for (size_t list = 0; list < CTS_COUNT_OF(lists); list++)
        for (int i = 0; i < SWEEP_PAIRS; i++)
            while (checker_unstash(&lists[list][i], &ev))
                continue;
}

void every_allocation_may_fail(void)
{
    static sweep s;
    uint64_t n = 0;
    bool refused;
    do {
        memset(&s, 0, sizeof(s));
        cts_alloc_fail_at(++n);
        sweep_open(&s);
        sweep_connect(&s);
        sweep_talk(&s);
        sweep_datagrams(&s);
        sweep_close(&s);
        forget_events(&s);
        refused = cts_alloc_refused();
        cts_alloc_fail_at(0);
        CHECK_EQ(cts_alloc_live(), 0);
    } while (refused);
    CHECK(n > 5);
}

/* ---- No allocation per message ---- */

enum { WARM_UP = 200, MESSAGES = 10000 };

static void echo_plain(cport_port *port, cts_pair *pair)
{
    static char out[64], in[64];
    cport_op send = {0}, recv = {0};
    CHECK_EQ(cts_recv(pair->b, &recv, in, sizeof(in), CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_send(pair->a, &send, out, sizeof(out), 0), 0);
    CHECK_EQ(cts_result(port, &recv), sizeof(in));
    CHECK_EQ(cts_result(port, &send), sizeof(out));
}

static void echo_vectored(cport_port *port, cts_pair *pair)
{
    static char out[64], in[64];
    cport_buf outs[2] = {{.base = out, .len = 10}, {.base = out + 10, .len = 54}};
    cport_buf ins[3] = {
        {.base = in, .len = 1}, {.base = in + 1, .len = 60}, {.base = in + 61, .len = 3}};
    cport_op send = {0}, recv = {0};
    CHECK_EQ(cts_recvv(pair->b, &recv, ins, 3, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_sendv(pair->a, &send, outs, 2, 0), 0);
    CHECK_EQ(cts_result(port, &recv), sizeof(in));
    CHECK_EQ(cts_result(port, &send), sizeof(out));
}

static void check_no_allocation(void (*echo)(cport_port *, cts_pair *))
{
    cts_pair pair;
    cport_port *port = cts_port_open();
    cts_pair_open_both(port, &pair);
    for (int i = 0; i < WARM_UP; i++)
        echo(port, &pair);
    uint64_t calls = cts_alloc_calls();
    for (int i = 0; i < cts_load(MESSAGES); i++)
        echo(port, &pair);
    CHECK_EQ(cts_alloc_calls(), calls);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void no_allocation_per_message(void)
{
    check_no_allocation(echo_plain);
}

void no_allocation_per_vectored_message(void)
{
    check_no_allocation(echo_vectored);
}

void no_allocation_per_pooled_message(void)
{
    cts_pair pair;
    cport_bufs *pool;
    cport_op recv = {0}, send = {0};
    uint64_t calls = 0;
    cport_port *port = cts_port_open();
    cts_pair_open_both(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 64, 16, &pool), 0);
    CHECK_EQ(cts_recv_pooled(pair.b, &recv, pool, CPORT_MULTISHOT), 0);
    for (int i = 0; i < WARM_UP + cts_load(MESSAGES); i++) {
        if (i == WARM_UP)
            calls = cts_alloc_calls();
        CHECK_EQ(cts_send(pair.a, &send, "pooled", 6, 0), 0);
        for (int64_t got = 0; got < 6;) {
            cport_event ev = cts_next(port, &recv);
            CHECK(ev.result > 0);
            got += ev.result;
            CHECK_EQ(cts_bufs_return(pool, ev.aux), 0);
        }
        CHECK_EQ(cts_result(port, &send), 6);
    }
    CHECK_EQ(cts_alloc_calls(), calls);
    CHECK_EQ(cts_cancel(&recv), 0);
    CHECK_EQ(cts_result(port, &recv), CPORT_ECANCELED);
    cts_pair_close(&pair);
    cts_bufs_close(pool);
    cts_port_close(port);
}

/* Connections come and go in what others have left. */
void no_allocation_per_connection(void)
{
    uint64_t calls = 0;
    cport_port *port = cts_port_open();
    for (int i = 0; i < 300; i++) {
        cts_pair pair;
        if (i == 100)
            calls = cts_alloc_calls();
        cts_pair_open_both(port, &pair);
        echo_vectored(port, &pair);
        cts_pair_close(&pair);
    }
    CHECK_EQ(cts_alloc_calls(), calls);
    cts_port_close(port);
}
