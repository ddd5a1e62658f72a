#include "users.h"

#include "fields.h"
#include "os.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX 512u
#define USERS_MAX      100000u

struct users {
    atomic_uint holds;
    size_t count;
    size_t capacity;
    struct user *list;
    /* What an unknown name is checked against: it costs what the first user's record costs. */
    char nobody[PASSWORD_RECORD_BYTES];
};

bool user_name_is_sound(struct bytes name)
{
    if (name.len == 0 || name.len > USER_NAME_BYTES_MAX || !utf8_check(name))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        if (c < 0x20 || c == 0x7F || c == ':' || c == '=')
            return false;
    }
    return name.data[0] != '#';
}

static bool role_parse(struct bytes text, enum role *ret_role)
{
    if (text.len == 4 && memcmp(text.data, "user", 4) == 0)
        *ret_role = ROLE_USER;
    else if (text.len == 5 && memcmp(text.data, "admin", 5) == 0)
        *ret_role = ROLE_ADMIN;
    else
        return false;
    return true;
}

/* Takes what goes before the next colon off the front. */
static bool part_next(struct bytes *rest, struct bytes *ret_part)
{
    const uint8_t *colon = rest->len > 0 ? memchr(rest->data, ':', rest->len) : NULL;
    if (!colon)
        return false;
    *ret_part = (struct bytes){rest->data, (size_t)(colon - rest->data)};
    rest->len -= ret_part->len + 1;
    rest->data = colon + 1;
    return true;
}

static bool user_parse(struct bytes line, struct user *ret_user)
{
    struct bytes name, role;
    *ret_user = (struct user){.role = ROLE_NONE};
    if (!part_next(&line, &name) || !part_next(&line, &role) || !user_name_is_sound(name) ||
        !role_parse(role, &ret_user->role) || line.len >= PASSWORD_RECORD_BYTES)
        return false;
    memcpy(ret_user->name, name.data, name.len);
    memcpy(ret_user->record, line.data, line.len);
    return password_record_is_sound(ret_user->record);
}

static bool line_is_user(const char *line)
{
    return line[strspn(line, " \t")] != '\0' && line[0] != '#';
}

static bool users_add(struct users *users, const struct user *user)
{
    if (users->count == users->capacity) {
        size_t capacity = users->capacity ? users->capacity * 2 : 8;
        struct user *list = realloc(users->list, capacity * sizeof(*list));
        if (!list)
            return false;
        users->list = list;
        users->capacity = capacity;
    }
    users->list[users->count++] = *user;
    return true;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct user *)a)->name, ((const struct user *)b)->name);
}

/* Reads on to the end of the line. False: the file has ended. A line too long has *ret_len == size. */
static bool line_read(FILE *file, char *line, size_t size, size_t *ret_len)
{
    size_t len = 0;
    int c;
    while ((c = getc(file)) != EOF && c != '\n') {
        if (len < size)
            line[len++] = (char)c;
    }
    if (c == EOF && len == 0)
        return false;
    if (len < size) {
        if (len > 0 && line[len - 1] == '\r')
            len--;
        line[len] = '\0';
    }
    *ret_len = len;
    return true;
}

static bool users_read(
    struct users *users, FILE *file, const char *name, char error[USERS_ERROR_BYTES])
{
    char line[LINE_BYTES_MAX];
    size_t len;
    for (unsigned number = 1; line_read(file, line, sizeof(line), &len); number++) {
        struct user user;
        if (len < sizeof(line) && !line_is_user(line))
            continue;
        if (len == sizeof(line) || strlen(line) != len ||
            !user_parse((struct bytes){(const uint8_t *)line, len}, &user)) {
            snprintf(error, USERS_ERROR_BYTES,
                "%.100s:%u: a user is NAME:user:RECORD or NAME:admin:RECORD, as cport-server "
                "passwd "
                "writes them",
                name, number);
            return false;
        }
        if (users->count == USERS_MAX || !users_add(users, &user)) {
            snprintf(error, USERS_ERROR_BYTES, "%.100s:%u: too many users", name, number);
            return false;
        }
    }
    if (ferror(file)) {
        snprintf(error, USERS_ERROR_BYTES, "cannot read %.100s", name);
        return false;
    }
    qsort(users->list, users->count, sizeof(*users->list), compare);
    for (size_t i = 1; i < users->count; i++) {
        if (compare(&users->list[i - 1], &users->list[i]) == 0) {
            snprintf(error, USERS_ERROR_BYTES, "%.100s: user %.64s is there twice", name,
                users->list[i].name);
            return false;
        }
    }
    return true;
}

struct users *users_load(const char *name, char error[USERS_ERROR_BYTES])
{
    snprintf(error, USERS_ERROR_BYTES, "no memory for the users of %.100s", name);
    struct users *users = calloc(1, sizeof(*users));
    if (!users)
        return NULL;
    atomic_init(&users->holds, 1);
    FILE *file = fopen(name, "rb");
    if (!file) {
        snprintf(error, USERS_ERROR_BYTES,
            "cannot open the users file %.100s: make one with cport-server passwd FILE NAME", name);
        goto release;
    }
    bool done = users_read(users, file, name, error);
    (void)fclose(file);
    if (!done)
        goto release;
    if (users->count > 0)
        memcpy(users->nobody, users->list[0].record, sizeof(users->nobody));
    return users;

release:
    users_release(users);
    return NULL;
}

struct users *users_hold(struct users *users)
{
    if (users)
        atomic_fetch_add_explicit(&users->holds, 1, memory_order_relaxed);
    return users;
}

void users_release(struct users *users)
{
    /* acq_rel: whoever frees has seen the last use of every other holder */
    if (!users || atomic_fetch_sub_explicit(&users->holds, 1, memory_order_acq_rel) != 1)
        return;
    if (users->list)
        password_wipe(users->list, users->count * sizeof(*users->list));
    free(users->list);
    free(users);
}

size_t users_count(const struct users *users)
{
    return users ? users->count : 0;
}

const struct user *users_find(const struct users *users, struct bytes name)
{
    struct user wanted = {.role = ROLE_NONE};
    if (!users || users->count == 0 || !user_name_is_sound(name))
        return NULL;
    memcpy(wanted.name, name.data, name.len);
    return bsearch(&wanted, users->list, users->count, sizeof(wanted), compare);
}

enum role users_check(
    const struct users *users, struct bytes name, const char md5_text[MD5_HEX_BYTES + 1])
{
    if (users_count(users) == 0)
        return ROLE_NONE;
    const struct user *user = users_find(users, name);
    bool matches = password_matches(user ? user->record : users->nobody, md5_text);
    return user && matches ? user->role : ROLE_NONE;
}

/* ---- Editing ---- */

static bool write_line(FILE *to, const char *line)
{
    return fputs(line, to) >= 0 && fputc('\n', to) != EOF;
}

/* Everything but the user's own line, then that. */
static bool copy_edited(FILE *from, FILE *to, const struct user *user, bool *ret_found)
{
    char line[LINE_BYTES_MAX];
    size_t len, name_len = strlen(user->name);
    bool good = true;
    *ret_found = false;
    while (good && from && line_read(from, line, sizeof(line), &len)) {
        good = len < sizeof(line);
        bool own =
            len > name_len && memcmp(line, user->name, name_len) == 0 && line[name_len] == ':';
        if (good && own)
            *ret_found = true;
        else if (good)
            good = write_line(to, line);
    }
    if (good && user->role != ROLE_NONE) {
        char own[LINE_BYTES_MAX];
        snprintf(own, sizeof(own), "%s:%s:%s", user->name,
            user->role == ROLE_ADMIN ? "admin" : "user", user->record);
        good = write_line(to, own);
    }
    return good && !(from && ferror(from));
}

bool users_edit(const char *name, const struct user *user, char error[USERS_ERROR_BYTES])
{
    char fresh_name[LINE_BYTES_MAX];
    if ((size_t)snprintf(fresh_name, sizeof(fresh_name), "%s.new", name) >= sizeof(fresh_name)) {
        snprintf(error, USERS_ERROR_BYTES, "the name of the users file is too long");
        return false;
    }
    FILE *fresh = sys_private_file(fresh_name);
    if (!fresh) {
        snprintf(error, USERS_ERROR_BYTES, "cannot write %.200s", fresh_name);
        return false;
    }

    bool found = false;
    errno = 0;
    FILE *old = fopen(name, "rb");
    bool readable = old || errno == ENOENT; /* a file that only we cannot read must not be lost */
    bool done = readable && copy_edited(old, fresh, user, &found);
    if (old)
        (void)fclose(old);
    done = sys_file_close_durable(fresh) && done;
    if (!done) {
        snprintf(error, USERS_ERROR_BYTES, "cannot copy %.100s to %.100s", name, fresh_name);
    } else if (user->role == ROLE_NONE && !found) {
        snprintf(error, USERS_ERROR_BYTES, "%.100s has no user %.64s", name, user->name);
        done = false;
    } else if (!sys_file_replace(fresh_name, name)) {
        snprintf(error, USERS_ERROR_BYTES, "cannot replace %.200s", name);
        done = false;
    }
    if (!done)
        (void)remove(fresh_name);
    return done;
}
