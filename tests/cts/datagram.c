/* Attached UDP sockets, and messages. */
#include "datagram.h"

#include <string.h>

cport_os_handle dg_socket_raw(const char *host, uint32_t flags, dg_socket *ret_socket)
{
    cport_os_handle fd;
    cport_socket_options opt = {.size = sizeof opt, .flags = flags};
    dg_socket s = {0};
    CHECK_EQ(cport_address(host, 0, &s.address, &s.len), 0);
    CHECK_EQ(
        cport_socket_udp(s.address.ss_family, (struct sockaddr *)&s.address, s.len, &opt, &fd), 0);
    CHECK_EQ(cport_socket_local(fd, &s.address, &s.len), 0);
    *ret_socket = s;
    return fd;
}

void dg_open(cport_port *port, const char *host, uint32_t flags, dg_socket *ret_socket)
{
    cport_os_handle fd = dg_socket_raw(host, flags, ret_socket);
    ret_socket->h = cts_attach(port, fd, CTS_KEY_A);
}

void dg_connect(cport_port *port, const dg_socket *from, const dg_socket *to)
{
    cport_op op = {0};
    CHECK_EQ(cts_connect(from->h, &op, (const struct sockaddr *)&to->address, to->len, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
}

void dg_to_receive(dg_msg *m, size_t room)
{
    CHECK(room <= sizeof m->data);
    memset(m->data, '.', sizeof m->data);
    m->buf = (cport_buf){.base = m->data, .len = (cport_buf_len)room};
    m->msg = (cport_msg){
        .address = (struct sockaddr *)&m->address,
        .address_room = sizeof m->address,
        .bufs = &m->buf,
        .bufs_count = 1,
        .control = m->control,
        .control_room = sizeof m->control,
    };
}

void dg_to_send(dg_msg *m, const dg_socket *to, size_t len, size_t at)
{
    dg_to_receive(m, len);
    io_fill(m->data, len, at);
    m->msg.address = NULL;
    if (to != NULL) {
        m->address = to->address;
        m->msg.address = (struct sockaddr *)&m->address;
        m->msg.address_len = to->len;
    }
}

void dg_recv(const dg_socket *s, dg_msg *m, size_t room)
{
    dg_to_receive(m, room);
    CHECK_EQ(cts_recvmsg(s->h, &m->op, &m->msg, 0), 0);
}

void dg_send_start(const dg_socket *from, dg_msg *m, const dg_socket *to, size_t len, size_t at)
{
    dg_to_send(m, to, len, at);
    CHECK_EQ(cts_sendmsg(from->h, &m->op, &m->msg, 0), 0);
}

void dg_send(cport_port *port, const dg_socket *from, const dg_socket *to, size_t len, size_t at)
{
    dg_msg m = {0};
    dg_send_start(from, &m, to, len, at);
    CHECK_EQ(cts_result(port, &m.op), len);
}

void dg_check(cport_port *port, dg_msg *m, const dg_socket *from, size_t len, size_t at)
{
    CHECK_EQ(cts_result(port, &m->op), len);
    io_check(m->data, len, at);
    CHECK_EQ(m->data[len], '.');
    CHECK_EQ(m->msg.flags, 0);
    if (from != NULL) {
        CHECK_EQ(m->msg.address_len, from->len);
        io_check_same_address(&m->address, &from->address);
    }
}

uint64_t dg_caps(cport_port *port)
{
    cport_port_info info = {.size = sizeof info};
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    return info.caps;
}
