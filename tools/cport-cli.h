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
    int64_t depth; /* packets under way on each connection */
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

#endif
