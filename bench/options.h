/* The command line of the measuring commands. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "client.h"
#include "server.h"

#define OPTIONS_LIST_MAX  16
#define OPTIONS_PEERS_MAX 32

struct options_list {
    unsigned count;
    unsigned values[OPTIONS_LIST_MAX];
};

struct options {
    const struct peer *table; /* NULL: the echo servers */
    bool has_handlers;        /* the command takes --handlers, and servers that have some */
    const char *handlers;     /* NULL: all kinds, one after the other */
    const struct peer *peers[OPTIONS_PEERS_MAX];
    unsigned peer_count;
    const struct transport *transport; /* of the client */
    struct options_list connections;
    struct options_list message_bytes;
    unsigned bytes_max;   /* of them; 0: 16 MiB */
    bool keeps_workloads; /* --quick shortens the rounds and leaves the rest as it is */
    struct options_list depths;
    unsigned rounds;
    double seconds;
    double warmup_seconds;
    /* Not 0: rounds of so many messages instead of timed ones. */
    unsigned messages;
    int server_core;
    int client_core;
    /* Repeat a round in which other work took more than so much of a core; 0: never. */
    double foreign_max;
    bool verify;
    const char *json;   /* NULL: none */
    const char *folder; /* for files, meanwhile; NULL: the system's for temporary ones */
};

extern const char options_help[];

/* options holds the command's defaults and is overwritten by what is said. 0, or -1 after a message. */
int options_parse(int argc, char **argv, struct options *options);

#endif
