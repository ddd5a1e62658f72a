/* The verbs whose answer is made on a thread of the business pool. */
#ifndef CPORT_SERVER_VERBS_JOBS_H
#define CPORT_SERVER_VERBS_JOBS_H

#include "verbs.h"

enum proto_step verb_who(struct peer *peer, const struct verb_request *request, struct buffer *out);
enum proto_step verb_call(
    struct peer *peer, const struct verb_request *request, struct buffer *out);

#endif
