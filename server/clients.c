#include "clients.h"

#include "hash.h"
#include "os.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define USER_LISTS 256u

struct place {
    struct client *client; /* NULL: free */
    uint32_t given;        /* how often; the first time is 1, so that no number is 0 */
    uint32_t next_free;
};

struct clients {
    struct sys_lock *lock;
    struct place *places;
    uint32_t capacity;
    uint32_t free; /* the first free place, or capacity */
    struct client *users[USER_LISTS];
};

struct clients *clients_open(void)
{
    struct clients *clients = calloc(1, sizeof(*clients));
    if (!clients)
        return NULL;
    clients->lock = sys_lock_new();
    if (!clients->lock) {
        free(clients);
        return NULL;
    }
    return clients;
}

void clients_close(struct clients *clients)
{
    if (!clients)
        return;
    sys_lock_free(clients->lock);
    free(clients->places);
    free(clients);
}

static bool grow(struct clients *clients)
{
    uint32_t capacity = clients->capacity ? clients->capacity * 2 : 64;
    struct place *places = realloc(clients->places, capacity * sizeof(*places));
    if (!places)
        return false;
    for (uint32_t i = clients->capacity; i < capacity; i++)
        places[i] = (struct place){.next_free = i + 1};
    clients->places = places;
    clients->free = clients->capacity;
    clients->capacity = capacity;
    return true;
}

bool client_add(struct clients *clients, struct client *client)
{
    sys_lock_take(clients->lock);
    bool room = clients->free < clients->capacity || grow(clients);
    if (room) {
        uint32_t at = clients->free;
        struct place *place = &clients->places[at];
        clients->free = place->next_free;
        place->client = client;
        place->given++;
        client->number = (uint64_t)place->given << 32 | at;
    }
    sys_lock_give(clients->lock);
    return room;
}

static void unlink_user(struct client *client)
{
    if (!client->link_user)
        return;
    *client->link_user = client->next_user;
    if (client->next_user)
        client->next_user->link_user = client->link_user;
    client->link_user = NULL;
    client->next_user = NULL;
}

void client_remove(struct clients *clients, struct client *client)
{
    uint32_t at = (uint32_t)client->number;
    sys_lock_take(clients->lock);
    struct place *place = &clients->places[at];
    assert(place->client == client);
    unlink_user(client);
    place->client = NULL;
    place->next_free = clients->free;
    clients->free = at;
    sys_lock_give(clients->lock);
}

void client_set_protocol(struct clients *clients, struct client *client, const char *protocol)
{
    sys_lock_take(clients->lock);
    client->protocol = protocol;
    sys_lock_give(clients->lock);
}

static struct client **user_list(struct clients *clients, struct bytes user)
{
    return &clients->users[hash_bytes(user) % USER_LISTS];
}

void client_set_user(
    struct clients *clients, struct client *client, struct bytes user, enum role role)
{
    assert(user.len <= USER_NAME_BYTES_MAX);
    sys_lock_take(clients->lock);
    unlink_user(client);
    memset(client->user, 0, sizeof(client->user));
    client->role = role;
    if (user.len > 0) {
        memcpy(client->user, user.data, user.len);
        struct client **list = user_list(clients, user);
        client->next_user = *list;
        if (*list)
            (*list)->link_user = &client->next_user;
        client->link_user = list;
        *list = client;
    }
    sys_lock_give(clients->lock);
}

void *client_conn(struct clients *clients, uint64_t number)
{
    uint32_t at = (uint32_t)number;
    void *conn = NULL;
    sys_lock_take(clients->lock);
    if (at < clients->capacity) {
        const struct client *client = clients->places[at].client;
        if (client && client->number == number)
            conn = client->conn;
    }
    sys_lock_give(clients->lock);
    return conn;
}

static bool text_is(const char *text, struct bytes bytes)
{
    return strlen(text) == bytes.len && memcmp(text, bytes.data, bytes.len) == 0;
}

size_t clients_each(struct clients *clients, client_visit *visit, void *ctx)
{
    size_t visited = 0;
    sys_lock_take(clients->lock);
    for (uint32_t i = 0; i < clients->capacity; i++) {
        const struct client *client = clients->places[i].client;
        if (!client)
            continue;
        visited++;
        if (!visit(ctx, client))
            break;
    }
    sys_lock_give(clients->lock);
    return visited;
}

size_t clients_of_user(struct clients *clients, struct bytes user, client_visit *visit, void *ctx)
{
    size_t visited = 0;
    sys_lock_take(clients->lock);
    for (const struct client *client = *user_list(clients, user); client;
         client = client->next_user) {
        if (!text_is(client->user, user))
            continue;
        visited++;
        if (!visit(ctx, client))
            break;
    }
    sys_lock_give(clients->lock);
    return visited;
}

size_t clients_at(struct clients *clients, struct bytes remote, client_visit *visit, void *ctx)
{
    size_t visited = 0;
    sys_lock_take(clients->lock);
    for (uint32_t i = 0; i < clients->capacity; i++) {
        const struct client *client = clients->places[i].client;
        if (!client || !text_is(client->remote, remote))
            continue;
        visited++;
        if (!visit(ctx, client))
            break;
    }
    sys_lock_give(clients->lock);
    return visited;
}
