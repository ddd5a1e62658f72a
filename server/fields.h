/*
 * fields: the typed fields of a Message payload: checked and read in place, and written.
 *
 * Ownership: a field borrows from its run; writers append to the caller's buffer. Threading: any.
 */
#ifndef CPORT_SERVER_FIELDS_H
#define CPORT_SERVER_FIELDS_H

#include "buffer.h"

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

/* One field. value: the bytes of a fixed kind; of a string, bytes or a record those behind the length. */
struct field {
    enum field_kind kind;
    struct bytes name;
    struct bytes value;
};

/* Takes the first field off a run that fields_check has passed. False: the run is empty. */
bool field_next(struct bytes *run, struct field *ret_field);

/* The first field of that name and kind; the case of names matters. */
bool field_find(struct bytes run, const char *name, enum field_kind kind, struct field *ret_field);

/* Writers. False: no memory; the buffer then ends in a piece of a field, for the caller to truncate. */
bool field_put_string(struct buffer *out, const char *name, struct bytes text);
bool field_put_u32(struct buffer *out, const char *name, uint32_t value);
bool field_put_i64(struct buffer *out, const char *name, int64_t value);
bool field_put_time(struct buffer *out, const char *name, int64_t unix_ns);

/* A record around what is written between begin and end; begin tells end where it began. */
bool field_record_begin(struct buffer *out, const char *name, size_t *ret_start);
void field_record_end(struct buffer *out, size_t start);

bool utf8_check(struct bytes text); /* no overlong forms, no surrogates, nothing above U+10FFFF */

#endif
