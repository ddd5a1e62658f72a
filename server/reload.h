/*
 * reload: new users and limits for a server that goes on serving, all of them or, if anything cannot be read, none.
 *
 * Threading: the server's main thread.
 */
#ifndef CPORT_SERVER_RELOAD_H
#define CPORT_SERVER_RELOAD_H

struct server;

void reload(struct server *server); /* and says in the log what came of it */

#endif
