/* The caller's blocking mode and timeouts make no difference: S38. */
#include "io.h"

#include <stdlib.h>

/* Much shorter than what is waited for below: an engine that heeds it ends the operation with an error. Without a timeout, an
 * engine that blocks does so for good. */
#define SHORT_MS 10

#define MODES    4

static void set_mode(cport_os_handle s, int mode)
{
    cts_sock_nonblocking(s, mode % 2 != 0);
    io_sock_timeouts(s, mode / 2 ? SHORT_MS : 0);
}

/* Nothing may come for longer than the socket's timeouts. */
static void check_patient(cport_port *port, const cport_op *op)
{
    cport_event ev;
    CHECK_EQ(cts_wait(port, &ev, 1, 4 * SHORT_MS * CTS_MS), 0);
    CHECK(cts_pending(op));
}

void s38_receives_heed_no_mode_and_no_timeout(void)
{
    for (int mode = 0; mode < MODES; mode++) {
        unsigned char data[8];
        cport_os_handle mine;
        cport_op op[3] = {0};
        cts_pair pair = {0};
        cport_port *port = cts_port_open();
        pair.port = port;
        cts_sock_pair(&mine, &pair.peer);
        set_mode(mine, mode);
        pair.a = cts_attach(port, mine, CTS_KEY_A);
        CHECK_EQ(cts_recv(pair.a, &op[0], NULL, 0, 0), 0);
        CHECK_EQ(cts_recv(pair.a, &op[1], data, 8, CPORT_RECV_ALL), 0);
        CHECK_EQ(cts_recv(pair.a, &op[2], data, 8, 0), 0);
        check_patient(port, &op[0]);
        cts_sock_send_all(pair.peer, "1234", 4);
        CHECK_EQ(cts_result(port, &op[0]), 0);
        check_patient(port, &op[1]);
        cts_sock_send_all(pair.peer, "5678", 4);
        CHECK_EQ(cts_result(port, &op[1]), 8);
        check_patient(port, &op[2]);
        cts_sock_send_all(pair.peer, "9", 1);
        CHECK_EQ(cts_result(port, &op[2]), 1);
        cts_pair_close(&pair);
        cts_port_close(port);
    }
}

void s38_pooled_receives_heed_no_mode_and_no_timeout(void)
{
    for (int mode = 0; mode < MODES; mode++) {
        cport_os_handle mine;
        cport_op op = {0};
        cport_bufs *pool;
        cts_pair pair = {0};
        cport_port *port = cts_port_open();
        pair.port = port;
        cts_sock_pair(&mine, &pair.peer);
        set_mode(mine, mode);
        pair.a = cts_attach(port, mine, CTS_KEY_A);
        CHECK_EQ(cts_bufs_open(port, 64, 4, &pool), 0);
        CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_MULTISHOT), 0);
        for (int i = 0; i < 2; i++) {
            check_patient(port, &op);
            cts_sock_send_all(pair.peer, "x", 1);
            cport_event ev = cts_next(port, &op);
            CHECK_EQ(ev.result, 1);
            CHECK_EQ(cts_bufs_return(pool, ev.aux), 0);
        }
        cts_pair_close(&pair);
        CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
        cts_bufs_close(pool);
        cts_port_close(port);
    }
}

void s38_sends_heed_no_mode_and_no_timeout(void)
{
    unsigned char *data = io_stream(MIB);
    for (int mode = 0; mode < MODES; mode++) {
        cport_os_handle mine;
        cport_op op[2] = {0};
        io_peer reader;
        cts_pair pair = {0};
        cport_port *port = cts_port_open();
        pair.port = port;
        cts_sock_pair(&mine, &pair.peer);
        set_mode(mine, mode);
        cts_sock_buffers(mine, 32 * 1024, 0);
        cts_sock_buffers(pair.peer, 0, 32 * 1024);
        pair.a = cts_attach(port, mine, CTS_KEY_A);
        CHECK_EQ(cts_send(pair.a, &op[0], data, MIB - 1, 0), 0);
        CHECK_EQ(cts_send(pair.a, &op[1], data + MIB - 1, 1, 0), 0);
        check_patient(port, &op[0]);
        io_peer_read(&reader, pair.peer, MIB);
        CHECK_EQ(cts_result(port, &op[0]), MIB - 1);
        CHECK_EQ(cts_result(port, &op[1]), 1);
        io_peer_join(&reader);
        CHECK_EQ(reader.at, MIB);
        cts_pair_close(&pair);
        cts_port_close(port);
    }
    free(data);
}

void s38_accepts_heed_no_mode_and_no_timeout(void)
{
    for (int mode = 0; mode < 2 * MODES; mode++) {
        struct sockaddr_storage address;
        cport_socklen len;
        cport_op op = {0};
        cport_port *port = cts_port_open();
        cport_os_handle raw = cts_sock_listen(16, &address, &len), client = cts_sock_tcp();
        set_mode(raw, mode % MODES);
        cport_handle *listener = cts_attach(port, raw, CTS_KEY_A);
        CHECK_EQ(cts_accept(listener, &op, mode / MODES ? CPORT_MULTISHOT : 0), 0);
        check_patient(port, &op);
        CHECK(cts_sock_connect(client, (struct sockaddr *)&address, len));
        cport_event ev = cts_next(port, &op);
        CHECK(ev.result >= 0);
        cts_sock_close((cport_os_handle)ev.result);
        if (mode / MODES)
            check_patient(port, &op);
        cts_close_wait(listener, 0);
        if (mode / MODES)
            CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
        cts_sock_close(client);
        cts_port_close(port);
    }
}

void s38_connects_heed_no_mode_and_no_timeout(void)
{
    for (int mode = 0; mode < MODES; mode++) {
        struct sockaddr_storage address;
        cport_socklen len;
        cport_os_handle fillers[IO_FILLERS];
        cport_op op = {0};
        cport_port *port = cts_port_open();
        cport_os_handle listener = io_listen_full(&address, &len, fillers), raw = cts_sock_tcp();
        set_mode(raw, mode);
        cport_handle *h = cts_attach(port, raw, CTS_KEY_A);
        CHECK_EQ(cts_connect(h, &op, (struct sockaddr *)&address, len, 0), 0);
        check_patient(port, &op);
        cts_close_wait(h, 0);
        CHECK_EQ(cts_result(port, &op), CPORT_ECANCELED);
        for (int i = 0; i < IO_FILLERS; i++)
            cts_sock_close(fillers[i]);
        cts_sock_close(listener);
        cts_port_close(port);
    }
}
