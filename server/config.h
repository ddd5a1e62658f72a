/*
 * config: what the shipped file and the command line say. One table, in config_table.c, holds every option: its name, its section
 * of the file, what it takes, its help. A file is read first, whatever the place of --config; the command line goes over it.
 *
 * Ownership: the caller's, by value. Threading: constant once parsed.
 */
#ifndef CPORT_SERVER_CONFIG_H
#define CPORT_SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_FILE_NAME_BYTES 256u

struct config {
    char config_file[CONFIG_FILE_NAME_BYTES]; /* "": none */
    char listen[128];                         /* as given */
    char host[64];                            /* and taken apart */
    uint16_t tcp_port;

    char admin[128]; /* "": none */
    char admin_host[64];
    uint16_t admin_port;

    char takeover[96]; /* "": nobody takes over */

    int64_t workers; /* 0: one for each processor allowed */
    int64_t backend; /* CPORT_BACKEND_… */
    int64_t acceptor;
    int64_t business_threads;

    int64_t max_frame;
    int64_t max_connections;
    int64_t max_per_address; /* connections; 0: no limit */
    int64_t rate_limit;      /* connections in a second; 0: no limit */
    int64_t ban_after;       /* offences in a minute; 0: no bans */
    int64_t ban_time_ns;
    int64_t send_queue; /* bytes at which a connection is read no further */
    int64_t push_queue; /* bytes at which a subscriber is dropped */
    int64_t log_queue;  /* bytes at which a reader of the log loses lines */
    int64_t memory;     /* bytes that all buffers may hold together */

    int64_t preface_timeout_ns;
    int64_t login_timeout_ns; /* 0: none, as the two below */
    int64_t frame_timeout_ns;
    int64_t idle_timeout_ns;
    int64_t write_timeout_ns;
    int64_t drain_timeout_ns;

    char users_file[CONFIG_FILE_NAME_BYTES]; /* "": nobody can log in */

    int64_t message_anonymous;
    int64_t remote_stream_anonymous;

    char root[CONFIG_FILE_NAME_BYTES]; /* "": no files are served */

    int64_t log_level;
    int64_t log_output;
    char log_file[CONFIG_FILE_NAME_BYTES]; /* "": standard error */

    bool check;
    bool print;
    bool help;
    bool version;
};

enum { ACCEPTOR_AUTO, ACCEPTOR_PER_WORKER, ACCEPTOR_ONE };

#define CONFIG_ERROR_BYTES 512u

/* False: error says what is wrong, as one line. */
bool config_parse(
    int argc, char *const *argv, struct config *ret_config, char error[CONFIG_ERROR_BYTES]);

void config_print_help(FILE *to);
void config_print_file(FILE *to); /* the shipped file: every option, its help and its default */

#endif
