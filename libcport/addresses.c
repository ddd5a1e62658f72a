/*
 * addresses.c: lists of socket addresses.
 */
#include "addresses.h"

#include <string.h>

#include "os.h"

struct cport_addresses *addresses_new(unsigned most)
{
    struct cport_addresses *addresses =
        os_alloc(sizeof(*addresses) + most * sizeof(*addresses->list), _Alignof(max_align_t));
    if (addresses)
        addresses->count = 0;
    return addresses;
}

cport_socklen addresses_len(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return sizeof(struct sockaddr_in);
    return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : 0;
}

void addresses_add(
    struct cport_addresses *addresses, const struct sockaddr *address, uint16_t tcp_port)
{
    cport_socklen len = addresses_len(address);
    if (len == 0)
        return;
    struct sockaddr_storage *to = &addresses->list[addresses->count++];
    memset(to, 0, sizeof(*to));
    memcpy(to, address, (size_t)len);
    if (to->ss_family == AF_INET)
        ((struct sockaddr_in *)to)->sin_port = htons(tcp_port);
    else
        ((struct sockaddr_in6 *)to)->sin6_port = htons(tcp_port);
}

unsigned cport_addresses_count(const cport_addresses *addresses)
{
    return addresses ? addresses->count : 0;
}

const struct sockaddr *cport_addresses_get(
    const cport_addresses *addresses, unsigned i, cport_socklen *ret_len)
{
    if (!addresses || i >= addresses->count)
        return NULL;
    const struct sockaddr *address = (const struct sockaddr *)&addresses->list[i];
    if (ret_len)
        *ret_len = addresses_len(address);
    return address;
}

void cport_addresses_free(cport_addresses *addresses)
{
    if (addresses)
        os_free(addresses);
}
