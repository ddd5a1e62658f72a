/*
 * login: the job that checks a name and a password, whatever protocol asks. One of these at a time per connection.
 *
 * Ownership: the job frees itself. Threading: as proto.h says.
 */
#ifndef CPORT_SERVER_LOGIN_H
#define CPORT_SERVER_LOGIN_H

#include "proto.h"

struct login {
    struct job job;
    struct users *users;
    char name[USER_NAME_BYTES_MAX + 1];
    size_t name_len;
    char md5_text[MD5_HEX_BYTES + 1];
    enum role role; /* what came out; ROLE_NONE: wrong user or password */
    uint64_t tag;   /* the protocol's own */
    char text[16];  /* the same */
    /* Appends the reply. False: no memory. */
    bool (*reply)(struct login *login, struct buffer *out);
};

/* NULL: no memory. A name that cannot be a user's is one that is not there. The caller fills tag and text. */
struct login *login_new(struct peer *peer, struct bytes name,
    const char md5_text[MD5_HEX_BYTES + 1], bool (*reply)(struct login *login, struct buffer *out));

void logout(struct peer *peer);

#endif
