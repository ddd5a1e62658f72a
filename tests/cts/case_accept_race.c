/* Accepts that are cancelled, or lose their listener, while connections come in: S25, S29. No socket may be lost. */
#include "cts.h"

#include <stdatomic.h>

enum { ACCEPT_ROUNDS = 150 };

typedef struct dialler {
    struct sockaddr_storage address;
    cport_socklen address_len;
    atomic_int round; /* main: the round that may begin */
    atomic_int done;  /* dialler: the last round that is over */
    int connected;
} dialler;

/* One connection per round, closed at once. Without a listener it is refused. */
static void dial_main(void *arg)
{
    dialler *d = arg;
    for (int round = 1; round <= ACCEPT_ROUNDS; round++) {
        while (atomic_load(&d->round) < round)
            cts_spin();
        cport_os_handle s = cts_sock_tcp();
        d->connected += cts_sock_connect(s, (struct sockaddr *)&d->address, d->address_len);
        cts_sock_close(s);
        atomic_store(&d->done, round);
    }
}

/* Takes the events of an accept up to its final one. Returns the sockets that it got. */
static int finish_accept(cport_port *port, cport_op *op)
{
    int sockets = 0;
    for (;;) {
        cport_event ev = cts_next(port, op);
        if (ev.result >= 0) {
            CHECK_EQ(cport_socket_close((cport_os_handle)ev.result), 0);
            sockets++;
        } else {
            CHECK_EQ(ev.result, CPORT_ECANCELED);
        }
        if ((ev.flags & CPORT_MORE) == 0)
            return sockets;
    }
}

/* What is not accepted before the cancel waits for the next accept. */
static void cancel_against_accepts(uint32_t flags)
{
    dialler d = {0};
    cport_op op = {0};
    int accepted = 0;
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &d.address, &d.address_len);
    cts_thread *t = cts_thread_start(dial_main, &d, 0);
    for (int round = 1; round <= ACCEPT_ROUNDS; round++) {
        CHECK_EQ(cts_accept(listener, &op, flags), 0);
        CHECK_EQ(cport_flush(port), 0);
        atomic_store(&d.round, round);
        for (int i = 0; i < round % 50; i++)
            cts_spin();
        int ret = cts_cancel(&op);
        CHECK(ret == 0 || ret == CPORT_ENOENT);
        accepted += finish_accept(port, &op);
        while (atomic_load(&d.done) < round)
            cts_spin();
    }
    cts_thread_join(t);
    CHECK_EQ(d.connected, ACCEPT_ROUNDS);
    while (accepted < ACCEPT_ROUNDS) {
        CHECK_EQ(cts_accept(listener, &op, 0), 0);
        accepted += finish_accept(port, &op);
    }
    CHECK_EQ(accepted, ACCEPT_ROUNDS);
    cts_close_wait(listener, 0);
    cts_port_close(port);
}

void s25_cancel_against_accepts(void)
{
    cancel_against_accepts(0);
}

void s25_cancel_against_multishot_accepts(void)
{
    cancel_against_accepts(CPORT_MULTISHOT);
}

/* The end of the case counts the descriptors. */
void s29_close_a_listener_against_connections(void)
{
    dialler d = {0};
    cport_port *port = cts_port_open();
    cts_thread *t = cts_thread_start(dial_main, &d, 0);
    for (int round = 1; round <= ACCEPT_ROUNDS; round++) {
        cport_op multi = {0}, single[2] = {0}, close = {0};
        cport_handle *listener = cts_listen(port, &d.address, &d.address_len);
        for (int i = 0; i < 2; i++)
            CHECK_EQ(cts_accept(listener, &single[i], 0), 0);
        CHECK_EQ(cts_accept(listener, &multi, CPORT_MULTISHOT), 0);
        CHECK_EQ(cport_flush(port), 0);
        atomic_store(&d.round, round);
        for (int i = 0; i < round % 50; i++)
            cts_spin();
        CHECK_EQ(cts_close(listener, &close, 0), 0);
        CHECK_EQ(cts_result(port, &close), 0);
        for (int i = 0; i < 2; i++)
            finish_accept(port, &single[i]);
        finish_accept(port, &multi);
        while (atomic_load(&d.done) < round)
            cts_spin();
    }
    cts_thread_join(t);
    cts_port_close(port);
}
