/*
 * conn_state: what a connection is, for the files conn*.c alone: conn.c for its life, conn_flow.c for its bytes, conn_jobs.c for
 * what it waits for.
 *
 * Ownership, threading: see conn.h.
 */
#ifndef CPORT_SERVER_CONN_STATE_H
#define CPORT_SERVER_CONN_STATE_H

#include "business.h"
#include "clients.h"
#include "conn.h"
#include "deadlines.h"
#include "log.h"
#include "server.h"

enum stage {
    STAGE_PREFACE,   /* no byte yet */
    STAGE_OPEN,      /* frames come and are answered */
    STAGE_FINISHING, /* no further answers: send what there is */
    STAGE_LINGERING, /* all sent and the sending side shut: wait for the client to close */
    STAGE_CLOSING    /* closed, or being closed: wait for the last events */
};

struct conn_task;

struct conn {
    cport_op recv_op;
    cport_op send_op; /* sends, then the shutdown */
    cport_op timer_op;
    cport_op close_op;
    struct worker *worker;
    cport_handle *handle;
    const struct proto *proto; /* NULL in STAGE_PREFACE */
    struct peer peer;
    struct client client;
    struct guard_address address;
    struct conn *next, **link;
    struct conn *next_dirty; /* of those that got pushes in this turn */

    enum stage stage;
    unsigned pending; /* ops with an event still to come */
    bool receiving;
    bool direct; /* the receive under way goes into `in` */
    bool sending;
    bool paused;  /* the send queue is full: neither parse nor receive */
    bool waiting; /* for the job in peer.job, or for the one under way: the same */
    bool eof;
    bool draining;
    bool timer_armed;
    bool reprieved; /* a deadline was put off since the last whole frame */
    bool dirty;
    bool spoken;  /* a frame has been answered, or will be */
    bool counted; /* among its address's connections */

    struct buffer in;       /* the start of a frame, or what was received before a pause */
    struct buffer out;      /* replies gathered */
    struct buffer flight;   /* replies being sent */
    size_t frame_need;      /* bytes of the incomplete frame in `in`, as far as its head tells */
    size_t slice;           /* bytes of the send under way */
    struct conn_task *task; /* the job under way; NULL: none */
    uint64_t lost;          /* pushes that a slow client of a lossy protocol did not get */

    struct deadlines deadlines;
    int64_t timer_at;
};

/* ---- conn.c ---- */

void conn_log(const struct conn *conn, enum log_level level, const char *event, const char *detail,
    int value);
void conn_judge(struct conn *conn); /* what its client has done: one that is banned is ended */
bool conn_ended(struct conn *conn); /* one event less to come; true: leave the connection alone */
void conn_close(struct conn *conn, uint32_t flags);
void conn_abort(struct conn *conn);
void conn_timer_set(struct conn *conn); /* after a deadline was set */

/* ---- conn_flow.c ---- */

void conn_flow_init(struct conn *conn);
size_t conn_queued(const struct conn *conn); /* bytes not yet taken by the system */
bool conn_begin(struct conn *conn, const struct proto *proto); /* false: it is ending already */
void conn_receive(struct conn *conn);
void conn_parse_in(struct conn *conn); /* answers what lies in `in` */
void conn_progress(struct conn *conn); /* after whatever has changed */
void conn_finish_with(
    struct conn *conn, enum message_status why); /* says goodbye, once all is sent */
void conn_out_of_memory(struct conn *conn);

/* ---- conn_jobs.c ---- */

void conn_job_start(
    struct conn *conn); /* what peer.job asks for, if there is room for its answer */

#endif
