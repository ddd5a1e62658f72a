/* Submits and their events: S18, S20 to S22, and what is refused. */
#include "io.h"

#include <stdlib.h>
#include <string.h>

void s18_the_array_of_buffers_is_captured_at_the_call(void)
{
    char got[3][4] = {{0}}, wrong[4] = {0};
    cts_pair pair;
    cport_op recv = {0}, send = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    cport_buf in[3], out[2];
    for (int i = 0; i < 3; i++)
        in[i] = (cport_buf){.base = got[i], .len = 3};
    CHECK_EQ(cts_recvv(pair.a, &recv, in, 3, CPORT_RECV_ALL), 0);
    for (int i = 0; i < 3; i++)
        in[i] = (cport_buf){.base = wrong, .len = sizeof wrong};
    char first[] = "abc", second[] = "defghi", third[] = "xxx";
    out[0] = (cport_buf){.base = first, .len = 3};
    out[1] = (cport_buf){.base = second, .len = 6};
    CHECK_EQ(cts_sendv(pair.a, &send, out, 2, 0), 0);
    out[0] = out[1] = (cport_buf){.base = third, .len = 3};
    char echoed[9];
    CHECK_EQ(cport_flush(port), 0);
    cts_sock_recv_all(pair.peer, echoed, sizeof echoed);
    CHECK(memcmp(echoed, "abcdefghi", 9) == 0);
    cts_sock_send_all(pair.peer, echoed, sizeof echoed);
    CHECK_EQ(cts_result(port, &send), 9);
    CHECK_EQ(cts_result(port, &recv), 9);
    CHECK(strcmp(got[0], "abc") == 0 && strcmp(got[1], "def") == 0 && strcmp(got[2], "ghi") == 0);
    CHECK_EQ(wrong[0], 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s18_the_address_is_captured_at_the_call(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cport_os_handle listener = cts_sock_listen(4, &address, &len);
    cport_handle *h = cts_attach(port, cts_sock_tcp(), 7);
    CHECK_EQ(cts_connect(h, &op, (struct sockaddr *)&address, len, 0), 0);
    memset(&address, 0, sizeof address);
    CHECK_EQ(cts_result(port, &op), 0);
    cport_os_handle accepted = cts_sock_accept(listener);
    cts_close_wait(h, 0);
    cts_sock_close(accepted);
    cts_sock_close(listener);
    cts_port_close(port);
}

void s20_success_queues_an_event(void)
{
    char data[8] = {0};
    cts_pair pair;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_send(pair.a, &op, "hello", 5, 0), 0);
    CHECK_EQ(cts_result(port, &op), 5);
    cts_sock_recv_all(pair.peer, data, 5);
    CHECK(memcmp(data, "hello", 5) == 0);
    cts_sock_send_all(pair.peer, "world", 5);
    CHECK_EQ(cts_recv(pair.a, &op, data, 5, CPORT_RECV_ALL), 0);
    CHECK_EQ(cts_result(port, &op), 5);
    CHECK(memcmp(data, "world", 5) == 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* With CPORT_INLINE_OK a submit may return 1, and then there is no event; or 0, and then there is one. */
void s20_inline_completion_is_the_only_way_to_have_no_event(void)
{
    enum { ROUNDS = 1000 };
    char byte, echo;
    cts_pair pair;
    cport_op send = {0}, recv = {0};
    int done_inline = 0;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < ROUNDS; i++) {
        byte = (char)i;
        int ret = cts_send(pair.a, &send, &byte, 1, CPORT_INLINE_OK);
        CHECK(ret >= 0);
        CHECK_EQ(ret == 1 ? cport_op_result(&send) : cts_result(port, &send), 1);
        CHECK_EQ(cport_op_transferred(&send), 1);
        done_inline += ret;
        cts_sock_recv_all(pair.peer, &echo, 1);
        cts_sock_send_all(pair.peer, &echo, 1);
        echo = 0;
        ret = cts_recv(pair.a, &recv, &echo, 1, CPORT_INLINE_OK);
        CHECK(ret >= 0);
        CHECK_EQ(ret == 1 ? cport_op_result(&recv) : cts_result(port, &recv), 1);
        CHECK_EQ(echo, byte);
        done_inline += ret;
    }
    cport_port_info info = {.size = sizeof info};
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    if ((info.caps & CPORT_CAP_SPECULATIVE) != 0)
        CHECK(done_inline > ROUNDS);
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s21_a_refused_submit_queues_nothing(void)
{
    char data[4];
    cport_buf buf = {.base = data, .len = sizeof data};
    cport_buf many[CPORT_BUFS_MAX + 1];
    cts_pair pair;
    cport_op op = {0};
    struct sockaddr_storage address;
    cport_socklen len;
    cport_bufs *pool;
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    const struct sockaddr *sa = (const struct sockaddr *)&address;
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 16, 2, &pool), 0);
    for (size_t i = 0; i < CTS_COUNT_OF(many); i++)
        many[i] = buf;

    static const uint32_t stranger = 0x40000000u;
    CHECK_EQ(cts_recv(pair.a, &op, data, 4, stranger), CPORT_EINVAL);
    CHECK_EQ(cts_recv(pair.a, &op, data, 4, CPORT_MULTISHOT), CPORT_EINVAL);
    CHECK_EQ(cts_recv(pair.a, &op, data, 4, CPORT_ABORT), CPORT_EINVAL);
    CHECK_EQ(cts_recv(pair.a, &op, NULL, 4, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recv(pair.a, NULL, data, 4, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recv(NULL, &op, data, 4, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recvv(pair.a, &op, &buf, 1, stranger), CPORT_EINVAL);
    CHECK_EQ(cts_recvv(pair.a, &op, NULL, 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recvv(pair.a, &op, many, CPORT_BUFS_MAX + 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, stranger), CPORT_EINVAL);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, CPORT_INLINE_OK), CPORT_EINVAL);
    CHECK_EQ(cts_recv_pooled(pair.a, NULL, pool, 0), CPORT_EINVAL);
    CHECK_EQ(cts_send(pair.a, &op, data, 4, stranger), CPORT_EINVAL);
    CHECK_EQ(cts_send(pair.a, &op, data, 4, CPORT_RECV_ALL), CPORT_EINVAL);
    CHECK_EQ(cts_send(pair.a, &op, NULL, 4, 0), CPORT_EINVAL);
    CHECK_EQ(cts_send(pair.a, NULL, data, 4, 0), CPORT_EINVAL);
    CHECK_EQ(cts_send(NULL, &op, data, 4, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendv(pair.a, &op, &buf, 1, stranger), CPORT_EINVAL);
    CHECK_EQ(cts_sendv(pair.a, &op, NULL, 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendv(pair.a, &op, many, CPORT_BUFS_MAX + 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_accept(listener, &op, stranger), CPORT_EINVAL);
    CHECK_EQ(cts_accept(listener, &op, CPORT_MULTISHOT | CPORT_INLINE_OK), CPORT_EINVAL);
    CHECK_EQ(cts_accept(listener, NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cts_accept(NULL, &op, 0), CPORT_EINVAL);
    CHECK_EQ(cts_connect(pair.a, &op, sa, len, stranger), CPORT_EINVAL);
    CHECK_EQ(cts_connect(pair.a, &op, NULL, len, 0), CPORT_EINVAL);
    CHECK_EQ(cts_connect(pair.a, &op, sa, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_connect(pair.a, &op, sa, 100000, 0), CPORT_EINVAL);
    CHECK_EQ(cts_shutdown(pair.a, &op, 0), CPORT_EINVAL);
    CHECK_EQ(cts_shutdown(pair.a, &op, 4), CPORT_EINVAL);
    CHECK_EQ(cts_shutdown(pair.a, NULL, CPORT_SHUT_SEND), CPORT_EINVAL);
    CHECK_EQ(cts_poll(pair.a, &op, 0x100), CPORT_EINVAL);
    CHECK_EQ(cts_poll(pair.a, NULL, CPORT_POLL_IN), CPORT_EINVAL);
    CHECK_EQ(cts_close(pair.a, &op, stranger), CPORT_EINVAL);
    CHECK_EQ(cts_close(pair.a, &op, CPORT_INLINE_OK), CPORT_EINVAL);
    CHECK_EQ(cts_close(pair.a, NULL, 0), CPORT_EINVAL);
    CHECK_EQ(cts_close(NULL, &op, 0), CPORT_EINVAL);
    CHECK_EQ(cts_timer(NULL, &op, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_timer(port, NULL, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_timer(port, &op, 0, -1), CPORT_EINVAL);
    CHECK_EQ(cport_cancel(NULL), CPORT_EINVAL);
    CHECK_EQ(cport_cancel_all(NULL), CPORT_EINVAL);

    cts_settle(port);
    CHECK_EQ(cts_outstanding(port), 0);
    cts_close_wait(listener, 0);
    cts_pair_close(&pair);
    cts_bufs_close(pool);
    cts_port_close(port);
}

void s21_pools_refuse_impossible_sizes(void)
{
    cport_bufs *pool;
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_bufs_open(port, 0, 4, &pool), CPORT_EINVAL);
    CHECK_EQ(cts_bufs_open(port, (1u << 20) + 1, 4, &pool), CPORT_EINVAL);
    CHECK_EQ(cts_bufs_open(port, 64, 0, &pool), CPORT_EINVAL);
    CHECK_EQ(cts_bufs_open(port, 64, 32769, &pool), CPORT_EINVAL);
    CHECK_EQ(cts_bufs_open(port, UINT32_MAX, UINT32_MAX, &pool), CPORT_EINVAL);
    CHECK_EQ(cts_bufs_open(port, 64, 4, NULL), CPORT_EINVAL);
    CHECK_EQ(cts_bufs_open(NULL, 64, 4, &pool), CPORT_EINVAL);
    CHECK_EQ(cport_bufs_close(NULL), CPORT_EINVAL);
    cts_port_close(port);
}

/* An op has one thing to do at a time. */
void s21_an_op_in_flight_is_not_taken_again(void)
{
    char byte, other[4];
    cport_buf buf = {.base = other, .len = sizeof other};
    cts_pair pair;
    cport_op op = {0};
    struct sockaddr_storage address;
    cport_socklen len;
    cport_bufs *pool;
    cport_port *port = cts_port_open();
    cport_handle *listener = cts_listen(port, &address, &len);
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 16, 2, &pool), 0);
    CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0);
    CHECK_EQ(cts_recv(pair.a, &op, other, 4, 0), CPORT_EBUSY);
    CHECK_EQ(cts_recvv(pair.a, &op, &buf, 1, 0), CPORT_EBUSY);
    CHECK_EQ(cts_recv_pooled(pair.a, &op, pool, 0), CPORT_EBUSY);
    CHECK_EQ(cts_send(pair.a, &op, other, 4, 0), CPORT_EBUSY);
    CHECK_EQ(cts_sendv(pair.a, &op, &buf, 1, 0), CPORT_EBUSY);
    CHECK_EQ(cts_accept(listener, &op, 0), CPORT_EBUSY);
    CHECK_EQ(cts_connect(pair.a, &op, (struct sockaddr *)&address, len, 0), CPORT_EBUSY);
    CHECK_EQ(cts_shutdown(pair.a, &op, CPORT_SHUT_SEND), CPORT_EBUSY);
    CHECK_EQ(cts_poll(pair.a, &op, CPORT_POLL_IN), CPORT_EBUSY);
    CHECK_EQ(cts_timer(port, &op, 0, 0), CPORT_EBUSY);
    CHECK_EQ(cts_post(port, &op, 0, 0), CPORT_EBUSY);
    CHECK_EQ(cts_close(pair.a, &op, 0), CPORT_EBUSY);
    cts_sock_send_all(pair.peer, "x", 1);
    CHECK_EQ(cts_result(port, &op), 1);
    CHECK_EQ(byte, 'x');
    cts_close_wait(listener, 0);
    cts_pair_close(&pair);
    cts_bufs_close(pool);
    cts_port_close(port);
}

/* The first receive waits, so the second may not be done in its submit, not even when data has come meanwhile. */
void s22_nothing_is_done_inline_past_what_is_queued(void)
{
    char first = 0, second = 0;
    cts_pair pair;
    cport_op ops[2] = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_recv(pair.a, &ops[0], &first, 1, CPORT_INLINE_OK), 0);
    CHECK_EQ(cport_flush(port), 0);
    cts_sock_send_all(pair.peer, "12", 2);
    CHECK_EQ(cts_recv(pair.a, &ops[1], &second, 1, CPORT_INLINE_OK), 0);
    CHECK_EQ(cts_result(port, &ops[1]), 1);
    CHECK(!cts_pending(&ops[0]));
    CHECK_EQ(cts_result(port, &ops[0]), 1);
    CHECK_EQ(first, '1');
    CHECK_EQ(second, '2');
    cts_pair_close(&pair);
    cts_port_close(port);
}

void s22_nothing_is_sent_inline_past_what_is_queued(void)
{
    enum { BYTES = 16 << 20 };
    char *big = io_memory(BYTES), *got = io_memory(BYTES + 1);
    cts_pair pair;
    cport_op ops[2] = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    memset(big, 'b', BYTES);
    /* The buffers hold less. */
    CHECK_EQ(cts_send(pair.a, &ops[0], big, BYTES, CPORT_INLINE_OK), 0);
    CHECK_EQ(cts_send(pair.a, &ops[1], "s", 1, CPORT_INLINE_OK), 0);
    cts_reader *reader = cts_read_start(pair.peer, got, BYTES + 1);
    CHECK_EQ(cts_result(port, &ops[0]), BYTES);
    CHECK_EQ(cts_result(port, &ops[1]), 1);
    CHECK_EQ(cts_read_join(reader), BYTES + 1);
    CHECK_EQ(got[BYTES - 1], 'b');
    CHECK_EQ(got[BYTES], 's');
    cts_pair_close(&pair);
    cts_port_close(port);
    free(got);
    free(big);
}
