#include "password.h"

#include <sodium.h>
#include <string.h>

_Static_assert(crypto_pwhash_STRBYTES == PASSWORD_RECORD_BYTES, "records are libsodium's");

bool password_prepare(void)
{
    return sodium_init() >= 0;
}

bool password_hash(const char md5_text[MD5_HEX_BYTES + 1], enum password_cost cost,
    char ret_record[PASSWORD_RECORD_BYTES])
{
    unsigned long long work = crypto_pwhash_OPSLIMIT_INTERACTIVE;
    size_t memory = crypto_pwhash_MEMLIMIT_INTERACTIVE;
    if (cost == PASSWORD_COST_LEAST) {
        work = crypto_pwhash_OPSLIMIT_MIN;
        memory = crypto_pwhash_MEMLIMIT_MIN;
    } else if (cost == PASSWORD_COST_HIGH) {
        work = crypto_pwhash_OPSLIMIT_MODERATE;
        memory = crypto_pwhash_MEMLIMIT_MODERATE;
    }
    return crypto_pwhash_str(ret_record, md5_text, MD5_HEX_BYTES, work, memory) == 0;
}

bool password_matches(
    const char record[PASSWORD_RECORD_BYTES], const char md5_text[MD5_HEX_BYTES + 1])
{
    return crypto_pwhash_str_verify(record, md5_text, MD5_HEX_BYTES) == 0;
}

/* The question whether it should be made anew can be answered only for a text that is a record. */
bool password_record_is_sound(const char *record)
{
    char padded[PASSWORD_RECORD_BYTES] = {0};
    size_t len = strlen(record);
    if (len >= sizeof(padded))
        return false;
    memcpy(padded, record, len);
    return crypto_pwhash_str_needs_rehash(
               padded, crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE) >= 0;
}

bool password_md5_text(struct bytes sent, char ret_md5_text[MD5_HEX_BYTES + 1])
{
    if (sent.len != MD5_HEX_BYTES)
        return false;
    for (size_t i = 0; i < sent.len; i++) {
        uint8_t c = sent.data[i];
        if (c >= 'A' && c <= 'F')
            c = (uint8_t)(c + ('a' - 'A'));
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        ret_md5_text[i] = (char)c;
    }
    ret_md5_text[MD5_HEX_BYTES] = '\0';
    return true;
}

void password_wipe(void *memory, size_t len)
{
    sodium_memzero(memory, len);
}
