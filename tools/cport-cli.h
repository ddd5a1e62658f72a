/*
 * cport-cli: the command-line client of the reference server, on libcport itself, so it runs where the library does.
 *
 * Ownership: a session is the command's. Threading: one thread.
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
    CLI_USAGE = 2,
    CLI_NO_SERVER = 3,
    CLI_NO_ANSWER = 4
};

struct cli_options {
    const char *host;
    int64_t tcp_port;
    int64_t timeout_s; /* for one answer */
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
};

struct cli_address {
    struct sockaddr_storage storage;
    cport_socklen len;
};

/* Both say what went wrong on standard error. */
int cli_address_of(const struct cli_options *options, struct cli_address *ret_address);
int cli_port_open(cport_port **ret_port);

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
