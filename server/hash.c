#include "hash.h"

#include <sodium.h>

static uint8_t key[crypto_shorthash_KEYBYTES]; /* constant after hash_prepare */

void hash_prepare(void)
{
    if (sodium_init() >= 0)
        crypto_shorthash_keygen(key);
}

/* SipHash: made for tables that strangers fill. */
uint64_t hash_bytes(struct bytes bytes)
{
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, bytes.data, bytes.len, key);
    return load_u64(hash);
}
