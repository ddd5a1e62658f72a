/*
 * cport-cli-session: a connection to the server, one step after the other: send, then wait for what comes back.
 *
 * Ownership: a session is the command's, from open to close. Threading: one thread.
 */
#ifndef CPORT_TOOLS_CPORT_CLI_SESSION_H
#define CPORT_TOOLS_CPORT_CLI_SESSION_H

#include "command.h"
#include "cport-cli.h"
#include "frame.h"

struct cli_session {
    const struct cli_options *options;
    cport_port *port;
    cport_handle *handle;
    cport_op op;
    cport_op close_op;
    bool patient; /* waits for ever, or until something is posted */
    bool ended;   /* the server has closed the connection, or a post ended the wait */
    uint8_t *received;
    size_t capacity, start, end;
};

/* All return a cli_status, and have said on standard error what went wrong. */
int cli_session_open(
    struct cli_session *session, const struct cli_options *options, uint8_t preface);
void cli_session_close(struct cli_session *session);

int cli_lost(int64_t result); /* says what ended it: CLI_NO_ANSWER */

int cli_send(struct cli_session *session, const void *data, size_t len);
int cli_need(struct cli_session *session, size_t len); /* so many bytes at least have come */
struct bytes cli_have(const struct cli_session *session);
void cli_take(struct cli_session *session, size_t len);

/* ---- The command family ---- */

struct cli_reply {
    struct command command;
    struct bytes data; /* both until the next receive */
    int64_t code;
};

int cli_packet_send(struct cli_session *session, const char *text, const void *data, size_t len);
int cli_packet_receive(struct cli_session *session, struct cli_reply *ret_reply);

/* Sends and receives; a code other than 0 is CLI_REFUSED. text is what follows [Request]. */
int cli_ask(struct cli_session *session, const char *text, const void *data, size_t len,
    struct cli_reply *ret_reply);
int cli_refused(const struct cli_reply *reply); /* says so */

/* The password of --user: from the file that the options name, $CPORT_PASSWORD or the first line of standard input. */
#define CLI_PASSWORD_BYTES 1024u
int cli_password(const struct cli_options *options, char text[CLI_PASSWORD_BYTES]);

/* Opens, and logs in if the options name a user. */
int cli_session_login(
    struct cli_session *session, const struct cli_options *options, uint8_t preface);

#endif
