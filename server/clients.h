/*
 * clients: who is connected, over all workers: for those who ask, send to a user, or kick.
 *
 * A client's number is never given twice: its low half is a place in the table, its high half counts how often the place was
 * given. So a number that comes late finds nobody, not somebody else (generations_tell_old_numbers).
 *
 * Ownership: an entry is its connection's from client_add to client_remove; the table frees it there, under the lock, so nobody
 * sees it half gone. Threading: any; the pointer that client_get returns is good on the entry's own worker alone.
 */
#ifndef CPORT_SERVER_CLIENTS_H
#define CPORT_SERVER_CLIENTS_H

#include "users.h"

#include <stdatomic.h>

#define CLIENT_ADDRESS_BYTES 64u

struct client {
    uint64_t number; /* constant once added, as all down to active */
    unsigned worker;
    void *conn;
    char remote[CLIENT_ADDRESS_BYTES];
    char local[CLIENT_ADDRESS_BYTES];
    int64_t connected_ns;               /* since 1970, as active */
    _Atomic int64_t active_ns;          /* the connection's thread writes it */
    const char *protocol;               /* under the lock, as all below */
    char user[USER_NAME_BYTES_MAX + 1]; /* "": not logged in */
    enum role role;
    struct client *next_user, **link_user; /* others with the same hash of the user's name */
};

struct clients;

struct clients *clients_open(void);          /* NULL: no memory */
void clients_close(struct clients *clients); /* all have been removed */

/* False: no memory. Fills number; the rest is the caller's, before the call. */
bool client_add(struct clients *clients, struct client *client);
void client_remove(struct clients *clients, struct client *client); /* not the memory */

void client_set_protocol(struct clients *clients, struct client *client, const char *protocol);
void client_set_user(
    struct clients *clients, struct client *client, struct bytes user, enum role role);

/* From the worker of the connection: NULL if it has gone. */
void *client_conn(struct clients *clients, uint64_t number);

/* Calls visit for every client, those of one user, or the one with that remote address, until it returns false. visit runs
 * under the lock: it must neither block nor call back. Returns how many were visited. */
typedef bool client_visit(void *ctx, const struct client *client);
size_t clients_each(struct clients *clients, client_visit *visit, void *ctx);
size_t clients_of_user(struct clients *clients, struct bytes user, client_visit *visit, void *ctx);
size_t clients_at(struct clients *clients, struct bytes remote, client_visit *visit, void *ctx);

#endif
