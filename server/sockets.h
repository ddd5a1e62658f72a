/*
 * sockets: what the server listens on: opened anew, brought by the service manager, or taken over from the server that runs.
 *
 * Ownership: the server's, until it gives a socket to a listener and puts CPORT_OS_HANDLE_INVALID in its place. Threading: one thread.
 */
#ifndef CPORT_SERVER_SOCKETS_H
#define CPORT_SERVER_SOCKETS_H

#include "config.h"
#include "takeover.h"

struct sockets {
    cport_os_handle *clients;
    unsigned count;
    cport_os_handle admin;           /* CPORT_OS_HANDLE_INVALID: none */
    bool one_acceptor;               /* one worker accepts for all */
    struct sockaddr_storage address; /* of the clients' */
};

/* For so many workers. What the heritage has and is wanted is taken from it. False: it cannot be, and why has been said; what there
 * is ends with sockets_close all the same. */
bool sockets_open(struct sockets *sockets, const struct config *config, unsigned workers,
    struct heritage *heritage);
void sockets_close(struct sockets *sockets);

#endif
