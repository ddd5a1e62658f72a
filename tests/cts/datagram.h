/*
 * What the datagram cases share: attached UDP sockets on the loopback interface, and a message with room for all.
 *
 * Ownership: all of it is the case's. Threading: as the port's.
 */
#ifndef CTS_DATAGRAM_H
#define CTS_DATAGRAM_H

#include "io.h"

typedef struct dg_socket {
    cport_handle *h;
    struct sockaddr_storage address; /* its own */
    cport_socklen len;
} dg_socket;

#define DG_ROOM 2048

/* A message and what it names. */
typedef struct dg_msg {
    cport_op op;
    cport_msg msg;
    cport_buf buf;
    struct sockaddr_storage address;
    uint64_t control[CPORT_MSG_CONTROL_ROOM / 8];
    char data[DG_ROOM];
} dg_msg;

/* A UDP socket on a free port of host, and the same attached. */
cport_os_handle dg_socket_raw(const char *host, uint32_t flags, dg_socket *ret_socket);
void dg_open(cport_port *port, const char *host, uint32_t flags, dg_socket *ret_socket);
void dg_connect(cport_port *port, const dg_socket *from, const dg_socket *to);

/* Rooms for all, of `room` bytes of data; and `len` bytes of the pattern from place `at`, to an address. */
void dg_to_receive(dg_msg *m, size_t room);
void dg_to_send(dg_msg *m, const dg_socket *to, size_t len, size_t at);
void dg_recv(const dg_socket *s, dg_msg *m, size_t room);
void dg_send(cport_port *port, const dg_socket *from, const dg_socket *to, size_t len, size_t at);
/* The same, but somebody else waits for it. */
void dg_send_start(const dg_socket *from, dg_msg *m, const dg_socket *to, size_t len, size_t at);
/* The receive has ended with all of a datagram of the pattern from place `at`. */
void dg_check(cport_port *port, dg_msg *m, const dg_socket *from, size_t len, size_t at);
uint64_t dg_caps(cport_port *port);

#endif
