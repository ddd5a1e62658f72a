/*
 * http: the head of a request, as far as a monitor's question needs it: the method and the path. What the rules of HTTP/1.1 do not
 * allow is refused, and so is a head that goes on for too long; a body is nobody's business here.
 *
 * The verdict depends on the bytes alone, not on the pieces that they came in.
 *
 * Ownership: a request points into the bytes it was parsed from. Threading: pure.
 */
#ifndef CPORT_SERVER_HTTP_H
#define CPORT_SERVER_HTTP_H

#include "bytes.h"

#define HTTP_HEAD_BYTES_MAX 8192u

enum http_verdict {
    HTTP_PARTIAL,   /* the head goes on: at least one byte more */
    HTTP_WHOLE,     /* the request is set */
    HTTP_MALFORMED, /* 400 */
    HTTP_VERSION,   /* 505: it is not HTTP/1.x */
    HTTP_TOO_LONG,  /* 431 */
};

struct http_request {
    struct bytes method;
    struct bytes path; /* without what follows a question mark */
    size_t len;        /* of the head, with the empty line */
};

enum http_verdict http_parse(struct bytes run, struct http_request *ret_request);

#endif
