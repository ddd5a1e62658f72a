/* S17: sockets that another library reads, writes and closes; the port only polls them. */
#include "io.h"

#include <string.h>

typedef struct loan {
    cport_os_handle s, peer;
    cport_handle *h;
    cport_op in, out, close;
} loan;

static cport_handle *borrow(cport_port *port, cport_os_handle s, uintptr_t key)
{
    cport_handle *h;
    CHECK_EQ(cts_attach_try(port, s, key, CPORT_ATTACH_BORROWED, &h), 0);
    CHECK(cport_handle_fd(h) == s);
    CHECK_EQ(cport_handle_key(h), key);
    return h;
}

static void loan_open(cport_port *port, loan *l)
{
    memset(l, 0, sizeof *l);
    cts_sock_pair(&l->s, &l->peer);
    cts_sock_nonblocking(l->s, true);
    l->h = borrow(port, l->s, (uintptr_t)l->s);
}

static void loan_close(loan *l)
{
    cts_close_wait(l->h, 0);
    cts_sock_close(l->s);
    cts_sock_close(l->peer);
}

static int64_t poll_now(cport_port *port, cport_handle *h, uint32_t mask)
{
    cport_op op = {0};
    CHECK_EQ(cts_poll(h, &op, mask), 0);
    return cts_result(port, &op);
}

void s17_a_borrowed_socket_survives_its_handle(void)
{
    char byte;
    loan l;
    cport_port *port = cts_port_open();
    loan_open(port, &l);
    CHECK_EQ(poll_now(port, l.h, CPORT_POLL_OUT), CPORT_POLL_OUT);
    cts_close_wait(l.h, 0);
    cts_sock_send_all(l.s, "a", 1);
    cts_sock_recv_all(l.peer, &byte, 1);
    CHECK_EQ(byte, 'a');
    cts_sock_send_all(l.peer, "b", 1);
    l.h = borrow(port, l.s, 7); /* and may be lent again */
    CHECK_EQ(poll_now(port, l.h, CPORT_POLL_IN), CPORT_POLL_IN);
    cts_sock_recv_all(l.s, &byte, 1);
    CHECK_EQ(byte, 'b');
    loan_close(&l);
    cts_port_close(port);
}

/* A socket that waits now would keep this case waiting for ever. */
void s17_a_borrowed_socket_keeps_its_mode(void)
{
    char byte;
    loan l;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    loan_open(port, &l);
    io_sock_timeouts(l.s, 0);
    CHECK_EQ(cts_sock_recv(l.s, &byte, 1), -1);
    CHECK_EQ(cts_poll(l.h, &op, CPORT_POLL_IN), 0);
    io_check_still_pending(port, &op);
    CHECK_EQ(cts_sock_recv(l.s, &byte, 1), -1);
    cts_sock_send_all(l.peer, "x", 1);
    CHECK_EQ(cts_result(port, &op), CPORT_POLL_IN);
    CHECK_EQ(cts_sock_recv(l.s, &byte, 1), 1);
    cts_close_wait(l.h, 0);
    CHECK_EQ(cts_sock_recv(l.s, &byte, 1), -1);
    l.h = borrow(port, l.s, 0);
    loan_close(&l);
    cts_port_close(port);
}

void s17_a_borrowed_socket_is_only_polled(void)
{
    char byte;
    cport_buf buf = {.base = &byte, .len = 1};
    struct sockaddr_storage address;
    cport_socklen len;
    cport_os_handle fd;
    cport_bufs *pool;
    cport_op op = {0};
    loan l;
    cport_port *port = cts_port_open();
    loan_open(port, &l);
    CHECK_EQ(cport_socket_local(l.peer, &address, &len), 0);
    CHECK_EQ(cts_bufs_open(port, 16, 2, &pool), 0);
    CHECK_EQ(cts_recv(l.h, &op, &byte, 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recvv(l.h, &op, &buf, 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recv_pooled(l.h, &op, pool, 0), CPORT_EINVAL);
    CHECK_EQ(cts_send(l.h, &op, "x", 1, CPORT_INLINE_OK), CPORT_EINVAL);
    CHECK_EQ(cts_sendv(l.h, &op, &buf, 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_accept(l.h, &op, 0), CPORT_EINVAL);
    CHECK_EQ(cts_connect(l.h, &op, (struct sockaddr *)&address, len, 0), CPORT_EINVAL);
    CHECK_EQ(cts_shutdown(l.h, &op, CPORT_SHUT_BOTH), CPORT_EINVAL);
    CHECK_EQ(cts_close(l.h, &op, CPORT_ABORT), CPORT_EINVAL);
    int detached = cts_detach(l.h, &fd);
    CHECK(detached == CPORT_EINVAL || detached == CPORT_ENOTSUP);
    CHECK_EQ(poll_now(port, l.h, CPORT_POLL_IN | CPORT_POLL_OUT), CPORT_POLL_OUT);
    cts_bufs_close(pool);
    loan_close(&l);
    cts_port_close(port);
}

void s17_attach_refuses_to_borrow_what_it_cannot_poll(void)
{
    cport_handle *h;
    cport_os_handle one, other;
    cport_port *port = cts_port_open();
    cport_os_handle file = cts_file_open();
    CHECK_EQ(cts_attach_try(port, file, 0, CPORT_ATTACH_BORROWED, &h), CPORT_ENOTSUP);
    cts_file_close(file);
    cts_sock_pair(&one, &other);
    CHECK_EQ(cts_attach_try(port, one, 0, CPORT_ATTACH_BORROWED | 0x80000000u, &h), CPORT_EINVAL);
    cts_sock_close(one);
    CHECK_EQ(cts_attach_try(port, one, 0, CPORT_ATTACH_BORROWED, &h), CPORT_EINVAL);
    cts_sock_close(other);
    cts_port_close(port);
}

/* As libraries do it: one op waits for reading, another for writing, each started again after its event. */
void s17_both_directions_by_an_op_each(void)
{
    enum { ROUNDS = 20 };
    char byte;
    loan l;
    cport_port *port = cts_port_open();
    loan_open(port, &l);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(cts_poll(l.h, &l.in, CPORT_POLL_IN), 0);
        CHECK_EQ(cts_poll(l.h, &l.out, CPORT_POLL_OUT), 0);
        CHECK_EQ(cts_result(port, &l.out), CPORT_POLL_OUT);
        io_check_still_pending(port, &l.in);
        cts_sock_send_all(l.peer, "xy", 2);
        CHECK_EQ(cts_result(port, &l.in), CPORT_POLL_IN);
        CHECK_EQ(poll_now(port, l.h, CPORT_POLL_IN), CPORT_POLL_IN);
        cts_sock_recv_all(l.s, &byte, 1);
        CHECK_EQ(poll_now(port, l.h, CPORT_POLL_IN), CPORT_POLL_IN); /* there is one left */
        cts_sock_recv_all(l.s, &byte, 1);
    }
    loan_close(&l);
    cts_port_close(port);
}

void s17_out_waits_for_room_that_its_owner_has_filled(void)
{
    loan l;
    cport_port *port = cts_port_open();
    loan_open(port, &l);
    size_t filled = cts_fill_socket(l.s);
    CHECK_EQ(cts_poll(l.h, &l.out, CPORT_POLL_OUT), 0);
    io_check_still_pending(port, &l.out);
    cts_reader *reader = cts_read_start(l.peer, NULL, filled);
    CHECK_EQ(cts_result(port, &l.out), CPORT_POLL_OUT);
    CHECK_EQ(cts_read_join(reader), filled);
    loan_close(&l);
    cts_port_close(port);
}

void s17_polls_end_when_the_loan_does(void)
{
    char byte;
    loan l;
    cport_op again = {0};
    cport_port *port = cts_port_open();
    loan_open(port, &l);
    CHECK_EQ(cts_poll(l.h, &l.in, CPORT_POLL_IN), 0);
    CHECK_EQ(cts_poll(l.h, &l.out, CPORT_POLL_ERR), 0);
    io_check_still_pending(port, &l.in);
    CHECK_EQ(cts_close(l.h, &l.close, 0), 0);
    CHECK_EQ(cts_poll(l.h, &again, CPORT_POLL_OUT), CPORT_ECANCELED);
    CHECK_EQ(cts_close(l.h, &again, 0), CPORT_EALREADY);
    CHECK_EQ(cts_result(port, &l.close), 0);
    CHECK_EQ(cts_result(port, &l.in), CPORT_ECANCELED);
    CHECK_EQ(cts_result(port, &l.out), CPORT_ECANCELED);
    cts_sock_close(l.s);
    CHECK_EQ(cts_sock_recv(l.peer, &byte, 1), 0); /* nothing keeps the connection open */
    cts_sock_close(l.peer);
    cts_port_close(port);
}

static void check_ended(int64_t result)
{
    CHECK(result > 0 || result == CPORT_ECANCELED);
}

/* Sockets come and go by the hundred under the same few numbers, before their handles have had a close event. */
void s17_a_number_may_be_lent_again_at_once(void)
{
    enum { ROUNDS = 60 };
    static loan loans[ROUNDS];
    cport_port *port = cts_port_open();
    for (int i = 0; i < ROUNDS; i++) {
        loan *l = &loans[i];
        loan_open(port, l);
        CHECK_EQ(cts_poll(l->h, &l->in, CPORT_POLL_IN), 0);
        if (i % 2)
            cts_sock_send_all(l->peer, "x", 1);
        if (i % 3 == 0)
            CHECK_EQ(cts_poll(l->h, &l->out, CPORT_POLL_OUT), 0);
        if (i % 5 == 0)
            cts_settle(port);
        CHECK_EQ(cts_close(l->h, &l->close, 0), 0);
        cts_sock_close(l->s);
        cts_sock_close(l->peer);
    }
    loan silent;
    loan_open(port, &silent);
    CHECK_EQ(cts_poll(silent.h, &silent.in, CPORT_POLL_IN), 0);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(cts_result(port, &loans[i].close), 0);
        /* Cancelled, or what held of its own socket, whose peer has left by now. */
        check_ended(cts_result(port, &loans[i].in));
        if (i % 3 == 0)
            check_ended(cts_result(port, &loans[i].out));
    }
    io_check_still_pending(port, &silent.in);
    cts_close_wait(silent.h, 0);
    CHECK_EQ(cts_result(port, &silent.in), CPORT_ECANCELED);
    cts_sock_close(silent.s);
    cts_sock_close(silent.peer);
    cts_port_close(port);
}

void s17_the_owner_may_close_first(void)
{
    loan l, next;
    cport_port *port = cts_port_open();
    loan_open(port, &l);
    CHECK_EQ(cts_poll(l.h, &l.in, CPORT_POLL_IN), 0);
    io_check_still_pending(port, &l.in);
    cts_sock_close(l.s);
    loan_open(port, &next); /* with its number, most likely */
    CHECK_EQ(cts_poll(next.h, &next.in, CPORT_POLL_IN), 0);
    CHECK_EQ(cts_close(l.h, &l.close, 0), 0);
    CHECK_EQ(cts_result(port, &l.close), 0);
    CHECK_EQ(cts_result(port, &l.in), CPORT_ECANCELED);
    io_check_still_pending(port, &next.in);
    cts_sock_send_all(next.peer, "x", 1);
    CHECK_EQ(cts_result(port, &next.in), CPORT_POLL_IN);
    cts_sock_close(l.peer);
    loan_close(&next);
    cts_port_close(port);
}

void s17_a_socket_may_be_lent_to_several(void)
{
    cport_op op[3] = {0};
    cport_handle *h[3];
    cport_os_handle s, peer;
    cport_port *port = cts_port_open(), *other = cts_port_open();
    cts_sock_pair(&s, &peer);
    h[0] = borrow(port, s, 1);
    h[1] = borrow(port, s, 2);
    h[2] = borrow(other, s, 3);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(cts_poll(h[i], &op[i], CPORT_POLL_IN), 0);
    cts_sock_send_all(peer, "x", 1);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(cts_result(i < 2 ? port : other, &op[i]), CPORT_POLL_IN);
    cts_close_wait(h[0], 0);
    CHECK_EQ(poll_now(port, h[1], CPORT_POLL_IN), CPORT_POLL_IN);
    CHECK_EQ(poll_now(other, h[2], CPORT_POLL_IN), CPORT_POLL_IN);
    cts_close_wait(h[1], 0);
    cts_close_wait(h[2], 0);
    cts_sock_close(s);
    cts_sock_close(peer);
    cts_port_close(other);
    cts_port_close(port);
}

void s17_borrowing_needs_a_descriptor(void)
{
    cport_handle *h;
    loan l;
    cport_port *port = cts_port_open();
    loan_open(port, &l);
    io_table_limit();
    io_table_fill();
    CHECK_EQ(cts_attach_try(port, l.s, 0, CPORT_ATTACH_BORROWED, &h), CPORT_EMFILE);
    io_table_empty();
    io_table_restore();
    loan_close(&l);
    cts_port_close(port);
}
