/*
 * response: a packet of the command family on its way out: [Response], Command=, Code=, then values or a message.
 *
 * Ownership: writes into the caller's buffer; a response that does not fit in memory leaves the buffer as it was.
 * Threading: any.
 */
#ifndef CPORT_SERVER_RESPONSE_H
#define CPORT_SERVER_RESPONSE_H

#include "buffer.h"
#include "command.h"

struct response {
    struct buffer *out;
    size_t head; /* where in out the packet begins */
    bool failed; /* memory ran out: response_end tells */
};

void response_begin(struct response *response, struct buffer *out, struct bytes command_name,
    enum command_code code);
/* A value holds neither CR, LF nor '=': the caller's to see to. */
void response_bytes(struct response *response, const char *key, struct bytes value);
void response_lines(struct response *response, struct bytes lines); /* each begins with CR LF */
void response_text(struct response *response, const char *key, const char *value);
void response_i64(struct response *response, const char *key, int64_t value);

/* Adds the data and the lengths. False: no memory, and nothing was written. */
bool response_end(struct response *response, struct bytes data);

/* The whole of a reply that tells success and nothing more; of one that tells a failure. */
bool response_ok(struct buffer *out, struct bytes command_name);
bool response_failure(struct buffer *out, struct bytes command_name, enum command_code code);

#endif
