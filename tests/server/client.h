/*
 * client: cport-cli, run against a server on 127.0.0.1. Its path is in the environment's CPORT_CLI.
 */
#ifndef CPORT_TESTS_SERVER_CLIENT_H
#define CPORT_TESTS_SERVER_CLIENT_H

#include "check.h"
#include "peer.h"

struct outcome {
    int status;
    char output[8192]; /* lines, each ended by \n */
    char errors[4096];
};

/* Starts it with a port and these words, ended by NULL. */
struct child *client_start(uint16_t tcp_port, const char *const *words);

/* What it says until its end, and how it ends. */
void client_wait(struct child *child, struct outcome *outcome);

/* Both; the test fails if it ends otherwise. */
void client_run(struct outcome *outcome, int status, uint16_t tcp_port, const char *const *words);
#define CLIENT_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
