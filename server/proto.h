/*
 * proto: what a protocol is to a connection: a name, the byte that chooses it, and a function from bytes to bytes.
 *
 * A protocol never sees a socket. It is shown the bytes at hand, takes at most one frame from their front and appends its answer
 * to a buffer, so a test or a fuzzer drives it exactly as a connection does. What may block, it leaves in a job: whoever drives
 * the protocol has it run elsewhere and shows no further bytes until it is done, so replies keep the order of their requests.
 * A new protocol is a file proto_<name>.c and a line in proto.c.
 *
 * Ownership: borrows all it is given; a job is its own until it leaves it in peer->job, and again from done on. Threading: a
 * context and its peers belong to one worker; run alone is called on another thread.
 */
#ifndef CPORT_SERVER_PROTO_H
#define CPORT_SERVER_PROTO_H

#include "buffer.h"
#include "counters.h"
#include "hub.h"
#include "payload.h"
#include "users.h"

struct job;
struct peer;
struct shared;

enum proto_step {
    PROTO_NEXT,      /* *ret_count bytes were consumed and answered */
    PROTO_PARTIAL,   /* the frame is incomplete: it needs *ret_count bytes in all */
    PROTO_WAIT,      /* *ret_count bytes were consumed, and peer->job will answer */
    PROTO_END,       /* answered, and that was the last */
    PROTO_CLOSE,     /* broken: the answer is the last; what follows cannot be read */
    PROTO_NO_MEMORY, /* the answer does not fit in memory; nothing was appended */
};

/* What may block, and the answer that follows. */
struct job {
    void (*run)(struct job *job); /* on any thread; touches nothing but the job */
    /* Back on the worker: appends the answer. PROTO_WAIT: peer->job is set again, to this one or another. */
    enum proto_step (*done)(struct peer *peer, struct job *job, struct buffer *out);
    void (*free)(struct job
            *job); /* after done, or in its place when the connection has gone; may be NULL */
    bool slow;     /* see business.h */
};

/* What all connections of a worker share. */
struct proto_context {
    unsigned worker;
    uint32_t frame_max; /* Message: the most that a frame's length may say */
    struct payload_reader payloads;
    struct counters *counters;
    struct shared *shared; /* what all workers share */
};

/* A connection, as its protocol sees it. */
struct peer {
    struct proto_context *context;
    void *who;             /* the connection, for those that push to it */
    struct client *client; /* its entry among all clients */
    void *state;           /* the protocol's own, zeroed at first: proto->state_bytes */
    struct job *job; /* set by a step that returns PROTO_WAIT; whoever runs it takes it away */
    enum role role;  /* ROLE_NONE: not logged in */
    bool offended;   /* set by what only a bad client does; whoever looks takes it away */
};

struct proto {
    const char *name;
    uint8_t preface;
    bool wants_login; /* who has not logged in is waited for only so long */
    bool wants_files; /* served only where the server offers a folder */
    bool lossy;       /* what is pushed to a client too slow is dropped, not the client */
    bool listens;     /* a client may say nothing for as long as it likes */
    size_t state_bytes;
    /* What the server says first. NULL: nothing. False: no memory. */
    bool (*open)(struct peer *peer, struct buffer *out);
    enum proto_step (*step)(
        struct peer *peer, struct bytes run, struct buffer *out, size_t *ret_count);
    /* The connection ends, and nothing of the peer runs any more. NULL: nothing to do. */
    void (*close)(struct peer *peer);
    /* Appends what the protocol says before the server closes of its own accord. NULL: nothing. */
    bool (*goodbye)(struct buffer *out, enum message_status why);
    /* Appends what it says once a slow client that lost pushes can take some again. Of a lossy protocol. */
    bool (*lost)(struct buffer *out, uint64_t count);
};

extern const struct proto proto_upload;
extern const struct proto proto_download;
extern const struct proto proto_remote_stream;
extern const struct proto proto_throughput;
extern const struct proto proto_control;
extern const struct proto proto_log_output;
extern const struct proto proto_message;
extern const struct proto proto_admin; /* on a port of its own */

const struct proto *proto_by_preface(uint8_t first_byte); /* NULL: none */

#endif
