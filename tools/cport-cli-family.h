/*
 * family: requests and answers of the command family over a session.
 *
 * Ownership: an answer is good until the next receive. Threading: one thread. Those that return an int return a cli_status,
 * and have said on standard error what went wrong.
 */
#ifndef CPORT_TOOLS_CPORT_CLI_FAMILY_H
#define CPORT_TOOLS_CPORT_CLI_FAMILY_H

#include "command.h"
#include "cport-cli-session.h"
#include "frame.h"

#define CLI_UPLOAD        0x02
#define CLI_DOWNLOAD      0x03
#define CLI_REMOTE_STREAM 0x04
#define CLI_CONTROL       0x08

struct cli_reply {
    struct command command;
    struct bytes data;
    int64_t code;
};

/* Opens, and logs in if the options name a user. */
int cli_family_open(
    struct cli_session *session, const struct cli_options *options, uint8_t preface);

/* One key and value after the other, ended by NULL; as they are, however long. A value that no command can carry is CLI_USAGE. */
#define CLI_VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define CLI_NO_VALUES   CLI_VALUES(NULL)

/* A command and its data as a packet; malloc'ed. NULL: a value holds what it must not, or no memory. */
uint8_t *cli_packet_make(
    const char *command, const char *const *values, const void *data, size_t len, size_t *ret_len);

/* Sends and receives; a code other than 0 is CLI_REFUSED. */
int cli_ask(struct cli_session *session, const char *command, const char *const *values,
    struct cli_reply *ret_reply);
int cli_ask_with(struct cli_session *session, const char *command, const void *data, size_t len,
    struct cli_reply *ret_reply);

/* The same, but the code is the caller's to look at. */
int cli_try(struct cli_session *session, const char *command, const char *const *values,
    struct cli_reply *ret_reply);

int cli_family_receive(struct cli_session *session, struct cli_reply *ret_reply);
int cli_refused(const struct cli_session *session, const struct cli_reply *reply); /* says why */

/* The answer in front of a run. FRAME_OK: *ret_len bytes of it; FRAME_PARTIAL: *ret_len are needed; else it is none. */
enum frame_result cli_reply_parse(struct bytes run, struct cli_reply *ret_reply, size_t *ret_len);

#endif
