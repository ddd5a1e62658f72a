/*
 * guard: who comes too often, and who has misbehaved: a limit on the new connections of an address in a second, and a ban for an
 * address with too many offences in a minute.
 *
 * What it knows of addresses has a fixed size. A new address takes the place of the one that was not seen for longest among a few,
 * one that is banned last of all: so a crowd makes it forget, but neither makes it grow nor shuts others out
 * (a_crowd_takes_no_more_room). An IPv6 address counts by its first 64 bits, since whoever has one has all that share them.
 *
 * Ownership: the server's. Threading: any. Time is the caller's: monotonic nanoseconds.
 */
#ifndef CPORT_SERVER_GUARD_H
#define CPORT_SERVER_GUARD_H

#include "bytes.h"

#include <cport/cport.h>

#include <stdbool.h>

#define GUARD_WINDOW_NS INT64_C(60000000000) /* offences are counted from the first for so long */

/* 0: off. */
struct guard_rules {
    int64_t rate;      /* new connections in a second; as many may come at once */
    int64_t ban_after; /* offences */
    int64_t ban_ns;
};

struct guard_address {
    uint8_t bytes[16];
};

enum guard_verdict { GUARD_GOOD, GUARD_TOO_OFTEN, GUARD_BANNED };
enum guard_sentence { GUARD_NOTED, GUARD_BANS, GUARD_HAS_BANNED };

struct guard;

struct guard *guard_open(void); /* with all rules off. NULL: no memory */
void guard_close(struct guard *guard);

/* Forgets whatever was known. */
void guard_rules_set(struct guard *guard, const struct guard_rules *rules);

struct guard_address guard_address_of(const struct sockaddr_storage *address);

/* A new connection. */
enum guard_verdict guard_enter(
    struct guard *guard, const struct guard_address *address, int64_t now_ns);

/* What only a bad client does. GUARD_BANS: that was once too often; GUARD_HAS_BANNED: it is banned already. */
enum guard_sentence guard_offence(
    struct guard *guard, const struct guard_address *address, int64_t now_ns);

#endif
