/*
 * fields: the typed fields of a Message payload, checked in place.
 *
 * Ownership: borrows. Threading: any.
 */
#ifndef CPORT_SERVER_FIELDS_H
#define CPORT_SERVER_FIELDS_H

#include "bytes.h"

#include <stdbool.h>

enum field_kind {
    FIELD_NULL = 0,
    FIELD_BOOL = 1,
    FIELD_I32 = 2,
    FIELD_U32 = 3,
    FIELD_I64 = 4,
    FIELD_F64 = 5,
    FIELD_TIME = 6,
    FIELD_STRING = 7,
    FIELD_BYTES = 8,
    FIELD_RECORD = 9
};

#define FIELDS_DEPTH_MAX 8u /* records within records */

/* True: every field of the run is well-formed, and nothing is left over. An empty run has no fields. */
bool fields_check(struct bytes run);

bool utf8_check(struct bytes text); /* no overlong forms, no surrogates, nothing above U+10FFFF */

#endif
