/*
 * verbs: what a Message request asks for, one function per verb; proto_message.c takes the frames apart and calls them.
 *
 * Ownership: borrows. Threading: a peer's worker.
 */
#ifndef CPORT_SERVER_VERBS_H
#define CPORT_SERVER_VERBS_H

#include "proto.h"

#define SUBSCRIPTIONS_MAX 1024u /* of one connection */

/* The state of a Message connection. */
struct message_state {
    struct subscriptions subscriptions;
};

struct verb_request {
    const struct message *message;
    struct bytes content; /* the payload, checked and inflated */
};

struct verb {
    uint16_t code;
    bool anonymous;
    bool fields; /* the payload must be fields */
    enum proto_step (*run)(
        struct peer *peer, const struct verb_request *request, struct buffer *out);
};

const struct verb *verb_find(uint16_t code); /* NULL: unknown */

/* A REPLY without flags. */
bool verb_reply(struct buffer *out, uint32_t id, enum message_status status, struct bytes payload);

#endif
