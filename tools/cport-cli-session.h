/*
 * cport-cli-session: a connection to the server, one step after the other: send, then wait for what comes back.
 *
 * What a server says about lengths is never taken for memory: that grows with what has come.
 *
 * Ownership: a session is the command's, from open to close. Threading: one thread.
 */
#ifndef CPORT_TOOLS_CPORT_CLI_SESSION_H
#define CPORT_TOOLS_CPORT_CLI_SESSION_H

#include "bytes.h"
#include "cport-cli.h"

struct cli_session {
    const struct cli_options *options;
    const char *about; /* the name that errors are about; NULL: none */
    uint8_t preface;
    bool patient; /* waits for ever, or until something is posted */
    struct bytes
        heartbeat; /* sent after a silence of the time-out, if patient; another one is the end. Empty: none */

    cport_port *port;
    cport_handle *handle;
    char dial_tag; /* its address: by that a dial's events are known */
    cport_op send_op;
    cport_op recv_op;
    cport_op close_op;
    bool sending;
    bool receiving;
    bool told;     /* something was posted */
    bool answered; /* the server has sent something */
    bool alive;    /* it has since the last heartbeat */
    int64_t send_result;
    int64_t recv_result; /* 0: the server has closed the connection; < 0: an error */
    uint8_t *received;
    size_t capacity, start, end;
};

/* Those that return an int return a cli_status, and have said on standard error what went wrong. A session is {.about = …} before open. */
int cli_session_open(
    struct cli_session *session, const struct cli_options *options, uint8_t preface);
void cli_session_close(struct cli_session *session);

int cli_lost(
    const struct cli_session *session, int64_t result); /* says what ended it: CLI_NO_ANSWER */
int cli_no_memory(void);                                /* the same */
int cli_stranger(const struct cli_session *session,
    const char *why); /* no answer of a cport-server: CLI_REFUSED */

int cli_send(struct cli_session *session, const void *data, size_t len);

/* The same, but silent: returns 0, or the error that ended it. The memory is free in any case. */
int64_t cli_send_quietly(struct cli_session *session, const void *data, size_t len);

/* Receives meanwhile what the server may say while this one sends. */
int cli_listen(struct cli_session *session);
bool cli_heard(struct cli_session *session); /* bytes, or the end */

/* So many bytes at least have come. Who is patient hears nothing on standard error of an end that it may wait for: cli_ended. */
int cli_need(struct cli_session *session, size_t len);
bool cli_ended(const struct cli_session *session); /* by the server, or something was posted */
struct bytes cli_have(const struct cli_session *session);
void cli_take(
    struct cli_session *session, size_t len); /* they stay where they are until the next receive */

void cli_pause(struct cli_session *session, int64_t ns);

/* The password of --user: from the file that the options name, $CPORT_PASSWORD or the first line of standard input. */
#define CLI_PASSWORD_BYTES 1024u
int cli_password(const struct cli_options *options, char text[CLI_PASSWORD_BYTES]);

#endif
