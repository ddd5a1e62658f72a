/*
 * calls: functions that the program around the server offers to Message clients, by group and name.
 *
 * A function runs on a thread of the business pool: it may block, and while it does nobody else waits. It must come back: a
 * server that stops waits for it.
 *
 * Ownership: the program's; constant while the server runs. Threading: a function runs on any number of threads at once.
 */
#ifndef CPORT_SERVER_CALLS_H
#define CPORT_SERVER_CALLS_H

#include "fields.h"
#include "frame.h"
#include "users.h"

struct call {
    struct bytes args; /* fields, checked */
    const char *user;  /* who asks; "": nobody has logged in */
    enum role role;
};

/* Appends fields to reply. The reply goes out with STATUS_OK alone; any other status goes out without. */
typedef enum message_status call_function(void *ctx, const struct call *call, struct buffer *reply);

struct call_entry {
    const char *group;
    const char *function;
    call_function *run;
    void *ctx;
};

struct calls {
    const struct call_entry *entries;
    size_t count;
};

/* NULL: no such group or function. */
const struct call_entry *calls_find(
    const struct calls *calls, struct bytes group, struct bytes function);

#endif
