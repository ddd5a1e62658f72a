#include "login.h"

#include "clients.h"
#include "log.h"
#include "shared.h"

#include <stdlib.h>
#include <string.h>

static void login_run(struct job *job)
{
    struct login *login = (struct login *)job;
    struct bytes name = {(const uint8_t *)login->name, login->name_len};
    login->role = users_check(login->users, name, login->md5_text);
}

static enum proto_step login_done(struct peer *peer, struct job *job, struct buffer *out)
{
    struct login *login = (struct login *)job;
    struct bytes name = {(const uint8_t *)login->name, login->name_len};
    bool good = login->role != ROLE_NONE;
    counter_add(peer->context->counters, good ? COUNTER_logins : COUNTER_login_failed, 1);
    log_line(LOG_INFO, good ? "login" : "login_failed", "remote=%s protocol=%s user=%s",
        peer->client->remote, peer->client->protocol, login->name);
    peer->offended = !good;
    /* A wrong password leaves who is logged in as it was. */
    if (good) {
        peer->role = login->role;
        client_set_user(peer->context->shared->clients, peer->client, name, login->role);
    }
    return login->reply(login, out) ? PROTO_NEXT : PROTO_NO_MEMORY;
}

static void login_free(struct job *job)
{
    struct login *login = (struct login *)job;
    users_release(login->users);
    password_wipe(login, sizeof(*login));
    free(login);
}

struct login *login_new(struct peer *peer, struct bytes name,
    const char md5_text[MD5_HEX_BYTES + 1], bool (*reply)(struct login *login, struct buffer *out))
{
    struct login *login = calloc(1, sizeof(*login));
    if (!login)
        return NULL;
    login->job =
        (struct job){.run = login_run, .done = login_done, .free = login_free, .slow = true};
    login->users = shared_users(peer->context->shared);
    if (user_name_is_sound(name)) {
        memcpy(login->name, name.data, name.len);
        login->name_len = name.len;
    }
    memcpy(login->md5_text, md5_text, sizeof(login->md5_text));
    login->reply = reply;
    return login;
}

void logout(struct peer *peer)
{
    peer->role = ROLE_NONE;
    client_set_user(peer->context->shared->clients, peer->client, (struct bytes){0}, ROLE_NONE);
}
