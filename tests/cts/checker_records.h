/*
 * What the checker knows: one record per port, handle, pool and op. Shared by checker.c (events), checker_submit.c (the
 * twins of the calls) and checker_pool.c.
 *
 * Ownership: records live to the end of the process. Threading: everything under checker_lock.
 */
#ifndef CTS_CHECKER_RECORDS_H
#define CTS_CHECKER_RECORDS_H

#include "cts.h"
#include "ptr_map.h"

typedef enum op_kind {
    KIND_POST,
    KIND_CLOSE,
    KIND_ACCEPT,
    KIND_CONNECT,
    KIND_RECV,
    KIND_RECV_POOLED,
    KIND_RECVMSG,
    KIND_RECVMSG_POOLED,
    KIND_SEND,
    KIND_SENDMSG,
    KIND_SHUTDOWN,
    KIND_POLL,
    KIND_READ,
    KIND_WRITE,
    KIND_SYNC,
    KIND_TIMER,
    KIND_RESOLVE
} op_kind;

typedef enum op_state { OP_IDLE, OP_SUBMITTING, OP_PENDING } op_state;

typedef struct port_record {
    cport_port *port;
    bool open;
    uint64_t caps;
    unsigned outstanding;
    uint64_t events, inline_done, posts;
    struct port_record *next;
} port_record;

/* One receive or send in its handle's order. */
typedef struct lane_node {
    bool done;
    bool exempt;    /* cancelled by itself: may end out of order */
    bool counted;   /* in its lane's ahead */
    uint64_t wait;  /* that dequeued it */
    uint64_t clock; /* when it was recorded */
    struct lane_node *next;
} lane_node;

typedef enum lane_name { LANE_RECV, LANE_SEND, LANE_COUNT } lane_name;

typedef struct lane {
    lane_node *first;
    lane_node *last;
    unsigned ahead; /* nodes that have ended before the first */
} lane;

typedef struct handle_record {
    cport_handle *handle;
    port_record *port;
    uintptr_t key;
    bool closing; /* a close was accepted, or is being submitted */
    bool gone;    /* the close event was recorded */
    uint64_t gone_wait, gone_clock;
    unsigned pending; /* ops that are neither final nor the close */
    lane lanes[LANE_COUNT];
    struct handle_record *before; /* at the same address: its ops may still name it */
} handle_record;

typedef struct pool_record {
    cport_bufs *pool;
    port_record *port;
    uint32_t size, count;
    uint32_t lent_count;
    unsigned char *lent; /* per id: 1 while the caller has it */
    struct pool_record *next;
} pool_record;

typedef struct stashed_event {
    cport_event event;
    struct stashed_event *next;
} stashed_event;

typedef struct op_record {
    cport_op *op;
    op_kind kind;
    op_state state;
    uint64_t submit; /* counts the submits: tells the latest from those before */
    port_record *port;
    handle_record *handle; /* NULL for posts and timers */
    pool_record *pool;
    lane_node *node;
    uintptr_t key;  /* expected in each event */
    int64_t posted; /* posts: the result to come */
    size_t len;     /* bytes asked for */
    void *user;     /* the op's, which nobody but the case may change */
    bool may_repeat;
    bool zero_copy;
    bool cancelled;
    unsigned events; /* of the latest submit */
    uint64_t final_wait, final_clock;
    stashed_event *stash_first, *stash_last;
    struct op_record *next; /* all ops, for the dump */
} op_record;

/* What a submit is about to start. */
typedef struct submit_plan {
    op_kind kind;
    cport_port *port;
    cport_handle *handle;
    cport_bufs *pool;
    uintptr_t key;
    int64_t posted;
    size_t len;
    bool may_repeat;
    bool zero_copy;
} submit_plan;

typedef struct submit_token {
    op_record *rec; /* NULL: a call whose arguments cannot be accepted */
    uint64_t submit;
    bool was_in_flight;
} submit_token;

extern cts_mutex checker_lock;

port_record *checker_port(const cport_port *port);
handle_record *checker_handle(const cport_handle *h);
pool_record *checker_pool(const cport_bufs *pool);
op_record *checker_op(const cport_op *op);

void checker_handle_opened(cport_handle *h, cport_port *port, uintptr_t key);
void checker_handle_detached(handle_record *h);
submit_token checker_submit_begins(cport_op *op, const submit_plan *plan);
int checker_submit_ends(submit_token token, int ret);
void checker_handle_cancelled(const cport_handle *handle);
void checker_pool_event(op_record *rec, const cport_event *ev);

#endif
