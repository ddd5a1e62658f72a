/*
 * password: what the server keeps of a password: Argon2id by libsodium, with its salt and its cost in one text. What is hashed
 * is the lower-case hex MD5 of the password, since that is all that a client of the command family tells.
 *
 * Threading: any, once password_prepare has returned true. Blocks: hashing and checking take tens of milliseconds and tens of
 * megabytes by design.
 */
#ifndef CPORT_SERVER_PASSWORD_H
#define CPORT_SERVER_PASSWORD_H

#include "md5.h"

#include <stdbool.h>

#define PASSWORD_RECORD_BYTES 128u /* with the terminator */

enum password_cost {
    PASSWORD_COST_LEAST, /* for tests: nothing that should keep anybody out */
    PASSWORD_COST_USUAL, /* 64 MiB */
    PASSWORD_COST_HIGH   /* 256 MiB */
};

bool password_prepare(void);

/* False: no memory. */
bool password_hash(const char md5_text[MD5_HEX_BYTES + 1], enum password_cost cost,
    char ret_record[PASSWORD_RECORD_BYTES]);
bool password_matches(
    const char record[PASSWORD_RECORD_BYTES], const char md5_text[MD5_HEX_BYTES + 1]);
bool password_record_is_sound(const char *record);

/* A client's hex text in the case that was hashed. False: it is not the hex of an MD5. */
bool password_md5_text(struct bytes sent, char ret_md5_text[MD5_HEX_BYTES + 1]);

void password_wipe(void *memory, size_t len);

#endif
