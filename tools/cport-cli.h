/*
 * cport-cli: the command-line client of the reference server, on libcport itself, so it runs where the library does.
 *
 * Ownership: a session is the command's. Threading: one thread; a chat has two, each with a session of its own.
 */
#ifndef CPORT_TOOLS_CPORT_CLI_H
#define CPORT_TOOLS_CPORT_CLI_H

#include <cport/cport.h>

#include <stdbool.h>
#include <stdint.h>

/* Exit statuses: documented in --help. */
enum cli_status {
    CLI_OK = 0,
    CLI_REFUSED = 1,
    CLI_USAGE = 2, /* and whatever cannot be read or written here */
    CLI_NO_SERVER = 3,
    CLI_NO_ANSWER = 4
};

struct cli_options {
    const char *host;
    int64_t tcp_port;
    int64_t timeout_s; /* for an answer, and for a connection */
    int64_t connections;
    int64_t size; /* bytes of data in a packet */
    int64_t seconds;
    int64_t depth;    /* packets under way on each connection */
    const char *user; /* NULL: log in as nobody */
    const char *password_file;
    int64_t count; /* subscribe: pushes to wait for; 0: for ever */
    bool json;
    bool restart; /* upload, download: from the start */
    bool verify;  /* the same: compare every byte afterwards */
    bool help;
    bool version;
};

/* Takes options out of argv; the words that are left, at most words_max of them, are the command and what it is about.
 * Returns how many there are, also beyond words_max; -1: wrong usage, which has been said. */
int cli_options_parse(
    int argc, char **argv, struct cli_options *ret_options, const char **words, int words_max);

/* Whether a command takes the options that were given: those of others are a mistake, which is said. */
bool cli_options_fit(const char *command);

/* The options that a command has of its own, or that all have (NULL), as lines of help on standard output. */
void cli_options_help(const char *command);

int cli_echo(const struct cli_options *options, const char *text);
int cli_ping(const struct cli_options *options);
int cli_throughput(const struct cli_options *options);

int cli_ls(const struct cli_options *options, const char *folder);
int cli_mkdir(const struct cli_options *options, const char *name);
int cli_rmdir(const struct cli_options *options, const char *name);
int cli_rm(const struct cli_options *options, const char *name);
int cli_upload(const struct cli_options *options, const char *local, const char *name);
int cli_download(const struct cli_options *options, const char *name, const char *local);
int cli_cat(const struct cli_options *options, const char *name);
int cli_put(const struct cli_options *options, const char *name);

int cli_clients(const struct cli_options *options);
int cli_stats(const struct cli_options *options);
int cli_kick(const struct cli_options *options, const char *remote);
int cli_log(const struct cli_options *options);
int cli_publish(const struct cli_options *options, const char *topic, const char *text);
int cli_subscribe(const struct cli_options *options, const char *topic);
int cli_chat(const struct cli_options *options, const char *room);

#endif
