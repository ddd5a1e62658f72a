/*
 * message: requests and answers of the Message protocol over a session.
 *
 * Ownership: an answer is good until the next receive. Threading: one thread. All return a cli_status, and have said on
 * standard error what went wrong.
 */
#ifndef CPORT_TOOLS_CPORT_CLI_MESSAGE_H
#define CPORT_TOOLS_CPORT_CLI_MESSAGE_H

#include "cport-cli-session.h"
#include "frame.h"

/* Opens, and logs in if the options name a user. */
int cli_message_open(struct cli_session *session, const struct cli_options *options);

/* Any frame. */
int cli_message_receive(struct cli_session *session, struct message *ret_message);

/* Sends, and receives the answer; pushes that come before it are dropped. A status other than 0 is CLI_REFUSED. */
int cli_message_ask(struct cli_session *session, uint8_t flags, uint16_t verb, const void *payload,
    size_t len, struct message *ret_reply);

/* ---- Topics ---- */

int cli_topic_publish(
    struct cli_session *session, const char *topic, struct bytes data, uint32_t *ret_receivers);

int cli_topic_subscribe(struct cli_session *session, const char *topic);

/* Calls print with every push of the topic until that says false, or the server says goodbye or ends; then too that is CLI_OK.
 * A server that is silent is asked for a sign of life now and then. */
typedef bool cli_topic_print(void *ctx, uint32_t number, struct bytes data);
int cli_topic_follow(
    struct cli_session *session, const char *topic, cli_topic_print *print, void *ctx);

/* The data of a push, if it is one of that topic. */
bool cli_push_parse(const struct message *message, const char *topic, struct bytes *ret_data);

/* Prints a push as --json does. */
void cli_push_json(uint32_t number, struct bytes data);

#endif
