/* What comes and goes with a datagram besides its bytes: S50, and segments. */
#include "datagram.h"

#include <stdlib.h>
#include <string.h>

static cport_packet_info info_of(const char *host)
{
    cport_packet_info info;
    cport_socklen len;
    memset(&info, 0, sizeof info);
    CHECK_EQ(cport_address(host, 0, &info.address, &len), 0);
    return info;
}

static void check_host(const struct sockaddr_storage *address, const char *host)
{
    char text[80], expected[80];
    snprintf(expected, sizeof expected, strchr(host, ':') ? "[%s]:" : "%s:", host);
    CHECK_EQ(
        cport_address_text((const struct sockaddr *)address, sizeof *address, text, sizeof text),
        0);
    if (strncmp(text, expected, strlen(expected)) != 0)
        cts_fail(__FILE__, __LINE__, "%s is not %s", text, host);
}

void s50_packet_info_tells_where_a_datagram_came_to(void)
{
    static const char *const hosts[][2] = {{"*", "127.0.0.1"}, {"*", "127.0.0.2"}, {"::", "::1"}};
    cport_port *port = cts_port_open();
    for (size_t i = 0; i < CTS_COUNT_OF(hosts); i++) {
        dg_socket a, b;
        dg_msg m = {0};
        cport_packet_info info;
        cport_socklen len;
        dg_open(port, hosts[i][0], CPORT_SOCKET_PACKET_INFO, &b);
        dg_open(port, i == 2 ? "::1" : "127.0.0.1", 0, &a);
        dg_socket to = b;
        struct sockaddr_storage local = b.address;
        CHECK_EQ(cport_address(hosts[i][1], 0, &to.address, &len), 0);
        /* The port of the one, the host of the other: the port lies at the same place in both families. */
        memcpy((char *)&to.address + 2, (char *)&local + 2, 2);
        for (int waits = 0; waits < 2; waits++) {
            if (!waits)
                dg_send(port, &a, &to, 10, 0);
            dg_recv(&b, &m, 100);
            if (waits)
                dg_send(port, &a, &to, 10, 0);
            dg_check(port, &m, &a, 10, 0);
            CHECK(m.msg.control_len > 0 && m.msg.control_len <= m.msg.control_room);
            memset(&info, 0x5A, sizeof info);
            CHECK_EQ(cport_msg_get_packet_info(&m.msg, &info), 0);
            check_host(&info.address, hosts[i][1]);
            CHECK(info.interface_index != 0);
            CHECK_EQ(info.reserved, 0);
        }
        /* A socket that was not asked tells nothing. */
        dg_recv(&a, &m, 100);
        dg_send(port, &b, &a, 10, 0);
        CHECK_EQ(cts_result(port, &m.op), 10);
        CHECK_EQ(m.msg.control_len, 0);
        CHECK_EQ(cport_msg_get_packet_info(&m.msg, &info), CPORT_ENOENT);
        cts_close_wait(a.h, 0);
        cts_close_wait(b.h, 0);
    }
    cts_port_close(port);
}

void s50_packet_info_chooses_where_a_datagram_goes_out(void)
{
    dg_socket a, b;
    dg_msg send = {0}, recv = {0};
    cport_port *port = cts_port_open();
    dg_open(port, "*", 0, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    static const char *const hosts[] = {"127.0.0.2", "127.0.0.3"};
    for (size_t i = 0; i < CTS_COUNT_OF(hosts); i++) {
        cport_packet_info info = info_of(hosts[i]);
        dg_recv(&b, &recv, 100);
        dg_to_send(&send, &b, 10, 0);
        CHECK_EQ(cport_msg_set_packet_info(&send.msg, &info), 0);
        CHECK(send.msg.control_len > 0);
        CHECK_EQ(cts_sendmsg(a.h, &send.op, &send.msg, 0), 0);
        CHECK_EQ(cts_result(port, &send.op), 10);
        CHECK_EQ(cts_result(port, &recv.op), 10);
        check_host(&recv.address, hosts[i]);
    }
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_port_close(port);
}

void s50_control_data_that_does_not_fit_is_told(void)
{
    dg_socket a, b;
    dg_msg m = {0};
    cport_packet_info info;
    cport_port *port = cts_port_open();
    dg_open(port, "127.0.0.1", 0, &a);
    dg_open(port, "127.0.0.1", CPORT_SOCKET_PACKET_INFO, &b);
    dg_to_receive(&m, 100);
    m.msg.control_room = 4;
    CHECK_EQ(cts_recvmsg(b.h, &m.op, &m.msg, 0), 0);
    dg_send(port, &a, &b, 10, 0);
    CHECK_EQ(cts_result(port, &m.op), 10);
    CHECK_EQ(m.msg.flags, CPORT_MSG_CONTROL_TRUNCATED);
    CHECK(m.msg.control_len <= 4);
    CHECK_EQ(cport_msg_get_packet_info(&m.msg, &info), CPORT_ENOENT);
    io_check(m.data, 10, 0);
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_port_close(port);
}

void control_data_is_written_and_read(void)
{
    uint64_t room[CPORT_MSG_CONTROL_ROOM / 8];
    cport_msg msg = {.control = room, .control_room = sizeof room};
    cport_packet_info v4 = info_of("127.0.0.7"), v6 = info_of("::1"), any, got;
    uint32_t bytes = 77;
    v6.interface_index = 5;
    memset(&any, 0, sizeof any);
    any.interface_index = 3;
    CHECK_EQ(cport_msg_get_packet_info(&msg, &got), CPORT_ENOENT);
    CHECK_EQ(cport_msg_get_segment_size(&msg, &bytes), CPORT_ENOENT);
    CHECK_EQ(bytes, 77);

    CHECK_EQ(cport_msg_set_packet_info(&msg, &v6), 0);
    CHECK_EQ(cport_msg_get_packet_info(&msg, &got), 0);
    check_host(&got.address, "::1");
    CHECK_EQ(got.interface_index, 5);
    uint32_t one = msg.control_len;
    CHECK_EQ(cport_msg_set_segment_size(&msg, 1000), 0);
    CHECK(msg.control_len > one && msg.control_len <= sizeof room);
    CHECK_EQ(cport_msg_get_packet_info(&msg, &got), 0); /* the first of several */

    msg.control_len = 0;
    CHECK_EQ(cport_msg_set_packet_info(&msg, &v4), 0);
    CHECK_EQ(cport_msg_set_segment_size(&msg, 65535), 0);
    msg.control_len = 0;
    CHECK_EQ(cport_msg_set_packet_info(&msg, &any), 0);
    CHECK_EQ(cport_msg_get_packet_info(&msg, &got), 0);
    CHECK_EQ(got.interface_index, 3);

    /* Until the room is full. */
    int r;
    unsigned times = 0;
    while ((r = cport_msg_set_segment_size(&msg, 1)) == 0)
        CHECK(++times < 100);
    CHECK_EQ(r, CPORT_ENOBUFS);
    CHECK(msg.control_len <= sizeof room);
    CHECK_EQ(cport_msg_set_packet_info(&msg, &v6), CPORT_ENOBUFS);

    v4.reserved = 1;
    CHECK_EQ(cport_msg_set_packet_info(&msg, &v4), CPORT_EINVAL);
    CHECK_EQ(cport_msg_set_packet_info(NULL, &v6), CPORT_EINVAL);
    CHECK_EQ(cport_msg_set_packet_info(&msg, NULL), CPORT_EINVAL);
    CHECK_EQ(cport_msg_set_segment_size(NULL, 1), CPORT_EINVAL);
    CHECK_EQ(cport_msg_set_segment_size(&msg, 0), CPORT_EINVAL);
    CHECK_EQ(cport_msg_set_segment_size(&msg, 65536), CPORT_EINVAL);
    CHECK_EQ(cport_msg_get_packet_info(NULL, &got), CPORT_EINVAL);
    CHECK_EQ(cport_msg_get_packet_info(&msg, NULL), CPORT_EINVAL);
    CHECK_EQ(cport_msg_get_segment_size(NULL, &bytes), CPORT_EINVAL);
    CHECK_EQ(cport_msg_get_segment_size(&msg, NULL), CPORT_EINVAL);
    v6.address.ss_family = 77;
    CHECK_EQ(cport_msg_set_packet_info(&msg, &v6), CPORT_EINVAL);
    msg.control = NULL;
    msg.control_len = 0;
    CHECK_EQ(cport_msg_set_packet_info(&msg, &any), CPORT_EINVAL);
    CHECK_EQ(cport_msg_get_packet_info(&msg, &got), CPORT_ENOENT);
}

/* ---- Segments ---- */

enum { SEGMENT = 100, SEGMENTS = 10, LAST = 30, ALL = SEGMENT * (SEGMENTS - 1) + LAST };

void segments_are_cut_by_the_kernel_or_refused(void)
{
    dg_socket a, b;
    dg_msg send = {0}, recv = {0};
    cport_port *port = cts_port_open();
    bool can = (dg_caps(port) & CPORT_CAP_UDP_GSO) != 0;
    dg_open(port, "127.0.0.1", 0, &a);
    dg_open(port, "127.0.0.1", 0, &b);
    dg_to_send(&send, &b, ALL, 0);
    CHECK_EQ(cport_msg_set_segment_size(&send.msg, SEGMENT), 0);
    CHECK_EQ(cts_sendmsg(a.h, &send.op, &send.msg, 0), can ? 0 : CPORT_ENOTSUP);
    if (can)
        CHECK_EQ(cts_result(port, &send.op), ALL);
    for (size_t i = 0; i < SEGMENTS && can; i++) {
        dg_recv(&b, &recv, DG_ROOM - 1);
        dg_check(port, &recv, &a, i + 1 < SEGMENTS ? SEGMENT : LAST, i * SEGMENT);
    }
    cts_close_wait(a.h, 0);
    cts_close_wait(b.h, 0);
    cts_port_close(port);
}

/* Segments that came together are taken together, by a socket that was asked to. */
void segments_come_together_or_the_option_is_refused(void)
{
    cport_os_handle fd = CPORT_OS_HANDLE_INVALID;
    cport_socket_options opt = {.size = sizeof opt, .flags = CPORT_SOCKET_GRO};
    cport_port *port = cts_port_open();
    int r = cport_socket_udp(AF_INET, NULL, 0, &opt, &fd);
    if (r == 0)
        CHECK_EQ(cport_socket_close(fd), 0);
    else
        CHECK_EQ(r, CPORT_ENOTSUP);
    if (dg_caps(port) & CPORT_CAP_UDP_GSO)
        CHECK_EQ(r, 0);
    if (r == 0 && (dg_caps(port) & CPORT_CAP_UDP_GSO)) {
        dg_socket a, b;
        dg_msg send = {0}, recv = {0};
        uint32_t bytes = 0;
        dg_open(port, "127.0.0.1", 0, &a);
        dg_open(port, "127.0.0.1", CPORT_SOCKET_GRO, &b);
        dg_to_send(&send, &b, ALL, 0);
        CHECK_EQ(cport_msg_set_segment_size(&send.msg, SEGMENT), 0);
        dg_recv(&b, &recv, DG_ROOM - 1);
        CHECK_EQ(cts_sendmsg(a.h, &send.op, &send.msg, 0), 0);
        CHECK_EQ(cts_result(port, &send.op), ALL);
        size_t got = (size_t)cts_result(port, &recv.op);
        io_check(recv.data, got, 0);
        if (got > SEGMENT) {
            CHECK_EQ(cport_msg_get_segment_size(&recv.msg, &bytes), 0);
            CHECK_EQ(bytes, SEGMENT);
        }
        while (got < ALL) { /* the system need not take all of them together */
            dg_recv(&b, &recv, DG_ROOM - 1);
            size_t n = (size_t)cts_result(port, &recv.op);
            io_check(recv.data, n, got);
            got += n;
        }
        cts_close_wait(a.h, 0);
        cts_close_wait(b.h, 0);
    }
    cts_port_close(port);
}
