#include "addresses.h"

#include "hash.h"
#include "os.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LISTS 1024u

struct address {
    struct address *next;
    uint32_t count;
    size_t len;
    uint8_t text[];
};

struct addresses {
    struct sys_lock *lock;
    struct address *lists[LISTS];
};

struct addresses *addresses_open(void)
{
    struct addresses *addresses = calloc(1, sizeof(*addresses));
    if (!addresses)
        return NULL;
    addresses->lock = sys_lock_new();
    if (addresses->lock)
        return addresses;
    free(addresses);
    return NULL;
}

void addresses_close(struct addresses *addresses)
{
    if (!addresses)
        return;
    sys_lock_free(addresses->lock);
    free(addresses);
}

static struct address **place_of(struct addresses *addresses, struct bytes text)
{
    struct address **at = &addresses->lists[hash_bytes(text) % LISTS];
    while (*at && !((*at)->len == text.len && memcmp((*at)->text, text.data, text.len) == 0))
        at = &(*at)->next;
    return at;
}

bool addresses_take(struct addresses *addresses, struct bytes text, uint32_t limit)
{
    sys_lock_take(addresses->lock);
    struct address **at = place_of(addresses, text);
    if (!*at) {
        *at = calloc(1, sizeof(**at) + text.len);
        if (*at) {
            (*at)->len = text.len;
            memcpy((*at)->text, text.data, text.len);
        }
    }
    bool taken = *at && (*at)->count < limit;
    if (taken)
        (*at)->count++;
    sys_lock_give(addresses->lock);
    return taken;
}

void addresses_give(struct addresses *addresses, struct bytes text)
{
    sys_lock_take(addresses->lock);
    struct address **at = place_of(addresses, text);
    struct address *address = *at;
    assert(address && address->count > 0);
    if (--address->count == 0) {
        *at = address->next;
        free(address);
    }
    sys_lock_give(addresses->lock);
}

struct bytes address_host(const char *text)
{
    const char *colon = strrchr(text, ':');
    return (struct bytes){(const uint8_t *)text, colon ? (size_t)(colon - text) : strlen(text)};
}
