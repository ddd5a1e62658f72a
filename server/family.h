/*
 * family: what the protocols of the command family have in common: the packet, the text, Active and Login, and a table of the
 * commands that each has of its own.
 *
 * Ownership: borrows. Threading: a peer's worker.
 */
#ifndef CPORT_SERVER_FAMILY_H
#define CPORT_SERVER_FAMILY_H

#include "proto.h"
#include "response.h"

struct family_request {
    const struct command *command;
    struct bytes data;
};

struct family_command {
    const char *name;
    bool anonymous; /* needs no login */
    enum proto_step (*run)(
        struct peer *peer, const struct family_request *request, struct buffer *out);
};

struct family {
    const struct family_command *commands;
    size_t count;
    bool has_login;
};

enum proto_step family_step(struct peer *peer, const struct family *family, struct bytes run,
    struct buffer *out, size_t *ret_count);

/* Replies that are whole: PROTO_NEXT or PROTO_NO_MEMORY. */
enum proto_step family_ok(const struct family_request *request, struct buffer *out);
enum proto_step family_fail(
    const struct family_request *request, struct buffer *out, enum command_code code);

/* A command's name as the client wrote it, to be kept beyond the request: cut, if it is no name of ours. */
#define FAMILY_NAME_BYTES 16u
struct bytes family_name_keep(
    const struct family_request *request, char ret_name[FAMILY_NAME_BYTES]);

#endif
