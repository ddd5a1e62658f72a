/*
 * users: who may log in. A file of lines, NAME:ROLE:RECORD; empty lines and those that begin with '#' do not count.
 *
 *     ann:admin:$argon2id$v=19$m=65536,t=2,p=1$...
 *
 * A table never changes once it is read: a reload makes a new one, and whoever still checks a password against the old one
 * holds it until done.
 *
 * Ownership: users_load gives one hold; each hold ends with users_release. Threading: any.
 */
#ifndef CPORT_SERVER_USERS_H
#define CPORT_SERVER_USERS_H

#include "password.h"

#define USER_NAME_BYTES_MAX 64u
#define USERS_ERROR_BYTES   256u

enum role { ROLE_NONE, ROLE_USER, ROLE_ADMIN };

struct user {
    char name[USER_NAME_BYTES_MAX + 1];
    enum role role;
    char record[PASSWORD_RECORD_BYTES];
};

struct users;

/* NULL: error says in one line what is wrong, and where. An absent file is wrong too. */
struct users *users_load(const char *file, char error[USERS_ERROR_BYTES]);
struct users *users_hold(struct users *users);
void users_release(struct users *users); /* NULL is fine */

size_t users_count(const struct users *users);
const struct user *users_find(const struct users *users, struct bytes name);

/* The role of who has this name and password, or ROLE_NONE. An unknown name takes as long as a wrong password; NULL users has
 * nobody. Blocks: see password.h. */
enum role users_check(
    const struct users *users, struct bytes name, const char md5_text[MD5_HEX_BYTES + 1]);

/* True: 1 to 64 bytes of UTF-8 without control characters, ':' and '='. */
bool user_name_is_sound(struct bytes name);

/* Adds or replaces a user, or removes it if user->role is ROLE_NONE: writes a new file beside the old one, then renames it.
 * Lines that are no users stay. False: error says why, and the file is as it was. */
bool users_edit(const char *file, const struct user *user, char error[USERS_ERROR_BYTES]);

#endif
