/*
 * resolve.h: a lookup of a name on its way.
 *
 * Ownership. From the port's allocator. It is its own, not its op's: where the system cannot be interrupted, a cancelled op
 * is final at once, and the lookup comes back later to find nobody waiting.
 *
 * Threading. `op` under the port's lock; what is found is written by whoever looks, and read once `job` has ended.
 */
#ifndef CPORT_RESOLVE_H
#define CPORT_RESOLVE_H

#include "addresses.h"
#include "offload.h"

/* The longest name in the domain name system has 253 characters; files of hosts know longer ones. */
#define LOOKUP_HOST_MOST 1024u

struct lookup {
    struct op job; /* of the port's threads, or of the engine; not the caller's */
    struct cport_port *port;
    struct op *op; /* the caller's; NULL once it has been cancelled */
    bool native;   /* the engine has it: constant from the start on */
    int code;      /* found it, or an error */
    uint32_t raw;
    struct cport_addresses *found;
    uint32_t flags;
    uint16_t tcp_port;
    size_t size;         /* of this */
    uint64_t engine[10]; /* the engine's */
    char host[];
};

static inline struct lookup *lookup_of_job(struct op *job)
{
    return CPORT_CONTAINER_OF(job, struct lookup, job);
}

/* The family that is asked for, AF_UNSPEC for both. */
int lookup_family(const struct lookup *l);
/* Sets code and found; addresses NULL: there was no memory for them. */
void lookup_found(struct lookup *l, struct cport_addresses *addresses);
/* It is over: makes the caller's op ready, if that is still waiting, and frees the lookup. As job_kind.end. */
void lookup_end(struct op *job, struct harvest *out);

/* For cport_cancel, and for ops whose event nobody will have. */
int resolve_cancel(struct op *op);
void resolve_drop(struct op *op);

#endif
