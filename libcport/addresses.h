/*
 * addresses.h: the socket addresses that a name stands for.
 *
 * Ownership: one block of the C library's, so that a list may outlive the port that has found it. Threading: constant once
 * filled.
 */
#ifndef CPORT_ADDRESSES_H
#define CPORT_ADDRESSES_H

#include "cport/cport.h"

/* Whoever answers for a name does not choose how much of it is kept. */
#define ADDRESSES_MOST 64u

struct cport_addresses {
    unsigned count;
    struct sockaddr_storage list[];
};

/* Room for `most`, none yet; NULL: no memory. */
struct cport_addresses *addresses_new(unsigned most);
/* A copy of an IPv4 or IPv6 address with that port; another family is passed over. There is room. */
void addresses_add(
    struct cport_addresses *addresses, const struct sockaddr *address, uint16_t tcp_port);
/* The length of an address of its family; 0: neither IPv4 nor IPv6. */
cport_socklen addresses_len(const struct sockaddr *address);

#endif
