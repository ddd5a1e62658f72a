/*
 * deadlines: until when a connection may be what it is. No clock and no timer: a caller brings the time, so a test turns an hour
 * in no time at all. Limits of 0 are no limits.
 *
 *   preface  the first byte of all
 *   login    a login, where a protocol asks for one
 *   frame    the rest of a frame, from its first byte on
 *   idle     any byte in either direction
 *   write    the bytes of the send under way
 *   linger   the client's close, after the last reply
 *
 * Ownership: the connection's. Threading: its worker's.
 */
#ifndef CPORT_SERVER_DEADLINES_H
#define CPORT_SERVER_DEADLINES_H

#include <stdbool.h>
#include <stdint.h>

#define DEADLINE_NEVER INT64_MAX

enum deadline {
    DEADLINE_PREFACE,
    DEADLINE_LOGIN,
    DEADLINE_FRAME,
    DEADLINE_IDLE,
    DEADLINE_WRITE,
    DEADLINE_LINGER,
    DEADLINE_COUNT
};

struct deadlines {
    int64_t at[DEADLINE_COUNT];
};

static inline void deadlines_init(struct deadlines *deadlines)
{
    for (unsigned i = 0; i < DEADLINE_COUNT; i++)
        deadlines->at[i] = DEADLINE_NEVER;
}

static inline void deadline_set(
    struct deadlines *deadlines, enum deadline which, int64_t now_ns, int64_t limit_ns)
{
    deadlines->at[which] = limit_ns > 0 ? now_ns + limit_ns : DEADLINE_NEVER;
}

static inline void deadline_clear(struct deadlines *deadlines, enum deadline which)
{
    deadlines->at[which] = DEADLINE_NEVER;
}

/* For one that runs from its first cause on: a second cause does not move it. */
static inline void deadline_set_once(
    struct deadlines *deadlines, enum deadline which, int64_t now_ns, int64_t limit_ns)
{
    if (deadlines->at[which] == DEADLINE_NEVER)
        deadline_set(deadlines, which, now_ns, limit_ns);
}

static inline int64_t deadlines_next(const struct deadlines *deadlines)
{
    int64_t next = DEADLINE_NEVER;
    for (unsigned i = 0; i < DEADLINE_COUNT; i++)
        next = deadlines->at[i] < next ? deadlines->at[i] : next;
    return next;
}

/* The first that has passed, in the order above; DEADLINE_COUNT: none. */
static inline enum deadline deadlines_passed(const struct deadlines *deadlines, int64_t now_ns)
{
    unsigned i = 0;
    while (i < DEADLINE_COUNT && deadlines->at[i] > now_ns)
        i++;
    return (enum deadline)i;
}

#endif
