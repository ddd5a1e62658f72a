/*
 * addresses: how many connections each address has, so that one client cannot take the place of all. An address is known only
 * while it has some.
 *
 * Ownership: a count that addresses_take gave ends with addresses_give. Threading: any.
 */
#ifndef CPORT_SERVER_ADDRESSES_H
#define CPORT_SERVER_ADDRESSES_H

#include "bytes.h"

#include <stdbool.h>

struct addresses;

struct addresses *addresses_open(void);            /* NULL: no memory */
void addresses_close(struct addresses *addresses); /* all have been given back */

/* False: the address has limit connections already, or there is no memory. */
bool addresses_take(struct addresses *addresses, struct bytes address, uint32_t limit);
void addresses_give(struct addresses *addresses, struct bytes address);

/* "127.0.0.1" of "127.0.0.1:50000", "[::1]" of "[::1]:50000". */
struct bytes address_host(const char *text);

#endif
