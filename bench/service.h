/*
 * Servers that were not written for this benchmark: the reference server, and those that Debian packages. Each is started on a
 * free port of 127.0.0.1 with what it needs in a temporary folder, and ends when it is asked to.
 *
 * Returns: 0, or -1 after a message on standard error.
 */
#ifndef BENCH_SERVICE_H
#define BENCH_SERVICE_H

#include "server.h"

struct start;

struct service {
    const char *program;
    /* argument: the peer's. */
    bool (*is_there)(const struct service *service, const char *argument);
    /* files: a folder to serve, or NULL. Fills in all of ret_server. */
    int (*start)(const struct service *service, const char *argument, const char *files, int core,
        struct server *ret_server);
    /* For packaged.c alone. */
    int (*prepare)(struct start *s);
    const char *version; /* what it is asked with for its version */
};

/* NULL: no such service here. */
const struct service *service_find(const char *program);
/* Once connections have closed. */
int service_stop(struct server *s);
void service_kill(struct server *s);

/* Those in packaged.c; ends with a nameless one. */
extern const struct service packaged_services[];

/* The one user of the reference server when it serves files, whose clients log in with the MD5 of "password". The file of users is
 * beside the folder that is served, and is called "users". */
#define SERVICE_USER     "bench"
#define SERVICE_PASSWORD "5f4dcc3b5aa765d61d8327deb882cf99"

#endif
