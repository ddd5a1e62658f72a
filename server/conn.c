#include "conn.h"

#include "log.h"
#include "server.h"

#include <assert.h>
#include <stdlib.h>

#define NEVER              INT64_MAX

/* One send: it must go out within write-timeout, and a long queue must not look like a stall. */
#define SEND_BYTES_MAX     ((size_t)256 << 10)

/* What is missing of a frame is received directly into its memory from this size on; below, one pooled receive brings
 * it together with what follows. */
#define DIRECT_BYTES_MIN   BUFFER_BLOCK_BYTES
#define DIRECT_BYTES_FIRST ((size_t)64 << 10)

#define LINGER_NS          INT64_C(2000000000)

enum stage {
    STAGE_PREFACE,   /* no byte yet */
    STAGE_OPEN,      /* frames come and are answered */
    STAGE_FINISHING, /* no further answers: send what there is */
    STAGE_LINGERING, /* all sent and the sending side shut: wait for the client to close */
    STAGE_CLOSING    /* closed, or being closed: wait for the last events */
};

struct conn {
    cport_op recv_op;
    cport_op send_op; /* sends, then the shutdown */
    cport_op timer_op;
    cport_op close_op;
    struct worker *worker;
    cport_handle *handle;
    const struct proto *proto; /* NULL in STAGE_PREFACE */
    struct conn *next, **link;

    enum stage stage;
    unsigned pending; /* ops with an event still to come */
    bool receiving;
    bool direct; /* the receive under way goes into `in` */
    bool sending;
    bool paused; /* the send queue is full: neither parse nor receive */
    bool eof;
    bool draining;
    bool timer_armed;

    struct buffer in;     /* the start of a frame, or what was received before a pause */
    struct buffer out;    /* replies gathered */
    struct buffer flight; /* replies being sent */
    size_t frame_need;    /* bytes of the incomplete frame in `in`, as far as its head tells */
    size_t slice;         /* bytes of the send under way */

    int64_t timer_at;
    int64_t preface_at; /* deadlines, or NEVER */
    int64_t write_at;
    int64_t linger_at;
};

static void on_recv(struct worker *worker, const cport_event *event);
static void on_send(struct worker *worker, const cport_event *event);
static void on_shutdown(struct worker *worker, const cport_event *event);
static void on_timer(struct worker *worker, const cport_event *event);
static void on_close(struct worker *worker, const cport_event *event);

static const struct route recv_route = {on_recv};
static const struct route send_route = {on_send};
static const struct route shutdown_route = {on_shutdown};
static const struct route timer_route = {on_timer};
static const struct route close_route = {on_close};

/* ---- The log ---- */

static void conn_log(
    const struct conn *conn, enum log_level level, const char *event, const char *detail, int value)
{
    struct sockaddr_storage address;
    cport_socklen len;
    char remote[64] = "?";
    if (cport_accept_address(cport_handle_fd(conn->handle), &address, &len) == 0)
        (void)cport_address_text((struct sockaddr *)&address, len, remote, sizeof(remote));
    log_line(level, event, "remote=%s protocol=%s %s=%d", remote,
        conn->proto ? conn->proto->name : "none", detail, value);
}

/* ---- Birth and end ---- */

static void conn_free(struct conn *conn)
{
    struct worker *worker = conn->worker;
    *conn->link = conn->next;
    if (conn->next)
        conn->next->link = conn->link;
    buffer_clear(&conn->in);
    buffer_clear(&conn->out);
    buffer_clear(&conn->flight);
    free(conn);
    atomic_fetch_sub_explicit(&worker->server->connections, 1, memory_order_relaxed);
}

/* One event less to come. True: it was the last, or the connection is on its way out and the event means nothing. */
static bool conn_ended(struct conn *conn)
{
    conn->pending--;
    if (conn->stage != STAGE_CLOSING)
        return false;
    if (conn->pending == 0)
        conn_free(conn);
    return true;
}

static void conn_close(struct conn *conn, uint32_t flags)
{
    if (conn->stage == STAGE_CLOSING)
        return;
    conn->stage = STAGE_CLOSING;
    if (conn->timer_armed)
        (void)cport_cancel(&conn->timer_op);
    int error = cport_close(conn->handle, &conn->close_op, flags);
    assert(error == 0);
    (void)error;
    conn->pending++;
}

static void conn_abort(struct conn *conn)
{
    conn_close(conn, CPORT_ABORT);
}

/* What the system has taken of the last replies it goes on delivering: a slow reader still gets them. */
void conn_expire(struct conn *conn)
{
    conn_close(conn, conn->stage == STAGE_LINGERING ? 0 : CPORT_ABORT);
}

struct conn *conn_next(const struct conn *conn)
{
    return conn->next;
}

/* ---- Deadlines ---- */

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The timer may fire too early, after a deadline has moved: it is then set anew. So the deadlines of each message cost
 * an assignment, and the timer a wheel operation now and then. */
static void conn_timer_set(struct conn *conn)
{
    int64_t at = earliest(earliest(conn->preface_at, conn->write_at), conn->linger_at);
    if (at == NEVER || (conn->timer_armed && conn->timer_at <= at))
        return;
    int error = conn->timer_armed ? cport_timer_rearm(&conn->timer_op, at)
                                  : cport_timer(conn->worker->port, &conn->timer_op, at, 0);
    if (error < 0)
        return; /* it has just expired: its event comes, and sets it anew */
    if (!conn->timer_armed)
        conn->pending++;
    conn->timer_armed = true;
    conn->timer_at = at;
}

/* ---- Sending ---- */

static size_t conn_queued(const struct conn *conn)
{
    return buffer_len(&conn->out) + buffer_len(&conn->flight);
}

/* Starts sends until one is under way, there is nothing to send, or the connection has failed. */
static void conn_send(struct conn *conn)
{
    while (!conn->sending && conn_queued(conn) > 0) {
        if (buffer_len(&conn->flight) == 0) {
            struct buffer gathered = conn->out;
            conn->out = conn->flight;
            conn->flight = gathered;
        }
        struct bytes bytes = buffer_bytes(&conn->flight);
        size_t len = bytes.len < SEND_BYTES_MAX ? bytes.len : SEND_BYTES_MAX;
        int started = cport_send(conn->handle, &conn->send_op, bytes.data, len, CPORT_INLINE_OK);
        if (started == 0) {
            conn->sending = true;
            conn->pending++;
            conn->slice = len;
            conn->write_at = conn->worker->now_ns + conn->worker->server->config->write_timeout_ns;
            conn_timer_set(conn);
            return;
        }
        if (started < 0 || cport_op_result(&conn->send_op) < 0) {
            conn_abort(conn);
            return;
        }
        buffer_take(&conn->flight, len);
    }
}

/* ---- Receiving ---- */

/* Nothing of the input is needed any more. What a receive still writes into stays until the connection is freed. */
static void conn_drop_input(struct conn *conn)
{
    if (!(conn->receiving && conn->direct))
        buffer_clear(&conn->in);
}

/* No memory for what the client sends or is owed: the others' share is not touched, this one ends. */
static void conn_out_of_memory(struct conn *conn)
{
    conn->worker->counts.memory++;
    conn_log(conn, LOG_WARN, "out_of_memory", "held", (int)(conn->worker->buffers.held >> 20));
    if (conn->proto->goodbye)
        (void)conn->proto->goodbye(&conn->out, STATUS_BUSY);
    conn->stage = STAGE_FINISHING;
    conn_drop_input(conn);
}

/* Bytes of the incomplete frame to receive straight into `in`; 0: better through the pool. */
static size_t direct_bytes(const struct conn *conn)
{
    size_t have = buffer_len(&conn->in);
    if (conn->stage != STAGE_OPEN || have == 0 || conn->frame_need < have + DIRECT_BYTES_MIN)
        return 0;
    size_t grow = have < DIRECT_BYTES_FIRST ? DIRECT_BYTES_FIRST : have;
    size_t missing = conn->frame_need - have;
    return missing < grow ? missing : grow;
}

static void conn_receive(struct conn *conn)
{
    if (conn->receiving || conn->eof || conn->paused || conn->stage == STAGE_CLOSING)
        return;
    size_t direct = direct_bytes(conn);
    assert(direct == 0 || direct <= buffer_room(&conn->in));
    conn->direct = direct > 0;
    int error =
        conn->direct
            ? cport_recv(conn->handle, &conn->recv_op, conn->in.memory + conn->in.end, direct, 0)
            : cport_recv_pooled(conn->handle, &conn->recv_op, conn->worker->bufs, 0);
    if (error < 0) {
        conn_abort(conn);
        return;
    }
    conn->receiving = true;
    conn->pending++;
}

/* Answers whole frames from the front of run until it is used up or the queue is full. Returns the bytes used. */
static size_t conn_parse(struct conn *conn, struct bytes run)
{
    struct worker *worker = conn->worker;
    size_t limit = (size_t)worker->server->config->send_queue;
    size_t used = 0;
    conn->frame_need = 0;
    while (used < run.len) {
        if (conn_queued(conn) >= limit) {
            conn->paused = true;
            return used;
        }
        size_t count = 0;
        struct bytes rest = {run.data + used, run.len - used};
        switch (conn->proto->step(&worker->protos, rest, &conn->out, &count)) {
        case PROTO_NEXT:
            used += count;
            break;
        case PROTO_PARTIAL:
            conn->frame_need = count;
            return used;
        case PROTO_CLOSE:
            worker->counts.broken_frame++;
            conn_log(conn, LOG_INFO, "broken_frame", "bytes", (int)rest.len);
            conn->stage = STAGE_FINISHING;
            return run.len;
        case PROTO_NO_MEMORY:
            conn_out_of_memory(conn);
            return run.len;
        }
    }
    return used;
}

static void conn_parse_in(struct conn *conn)
{
    size_t used = conn_parse(conn, buffer_bytes(&conn->in));
    /* The buffer may have been cleared meanwhile, with the connection's last words. */
    if (buffer_len(&conn->in) > 0)
        buffer_take(&conn->in, used);
}

/* The first byte of all chooses the protocol. */
static bool conn_preface(struct conn *conn, uint8_t first)
{
    conn->proto = proto_by_preface(first);
    conn->preface_at = NEVER;
    if (conn->proto) {
        conn->stage = STAGE_OPEN;
        return true;
    }
    conn->worker->counts.illegal_preface++;
    conn_log(conn, LOG_INFO, "illegal_preface", "byte", first);
    conn->stage = STAGE_FINISHING;
    return false;
}

static void conn_feed(struct conn *conn, struct bytes run)
{
    if (conn->stage == STAGE_PREFACE && conn_preface(conn, run.data[0])) {
        run.data++;
        run.len--;
    }
    if (conn->stage != STAGE_OPEN)
        return;

    if (buffer_len(&conn->in) == 0) {
        size_t used = conn_parse(conn, run);
        if (conn->stage == STAGE_OPEN && !buffer_append(&conn->in, run.data + used, run.len - used))
            conn_out_of_memory(conn);
    } else if (buffer_append(&conn->in, run.data, run.len)) {
        conn_parse_in(conn);
    } else {
        conn_out_of_memory(conn);
    }
}

/* ---- What comes next ---- */

/* All is sent. A client that has closed its side needs nothing more; another is told, and waited for. */
static void conn_finish(struct conn *conn)
{
    if (conn->eof) {
        conn_close(conn, 0);
        return;
    }
    conn->stage = STAGE_LINGERING;
    conn->linger_at = conn->worker->now_ns + LINGER_NS;
    conn_timer_set(conn);
    conn->send_op.user = (void *)&shutdown_route;
    if (cport_shutdown(conn->handle, &conn->send_op, CPORT_SHUT_SEND) < 0) {
        conn_abort(conn);
        return;
    }
    conn->sending = true;
    conn->pending++;
}

/* After every event: send, parse on if that made room, then receive again or come to the end. */
static void conn_progress(struct conn *conn)
{
    size_t low = (size_t)conn->worker->server->config->send_queue / 4;
    conn_send(conn);
    while (conn->stage == STAGE_OPEN && conn->paused && conn_queued(conn) <= low) {
        conn->paused = false;
        conn_parse_in(conn);
        conn_send(conn);
    }
    if (conn->stage == STAGE_OPEN && !conn->paused && (conn->eof || conn->draining)) {
        if (!conn->eof && conn->proto->goodbye)
            (void)conn->proto->goodbye(&conn->out, STATUS_SHUTTING_DOWN);
        conn->stage = STAGE_FINISHING;
        conn_drop_input(conn);
        conn_send(conn);
    }
    /* Room for the rest of a long frame is made here, while last words can still be sent. */
    if (!conn->receiving && !conn->paused && !buffer_reserve(&conn->in, direct_bytes(conn))) {
        conn_out_of_memory(conn);
        conn_send(conn);
    }
    /* No memory is needed to read what is dropped, so an end cannot be held up by a full queue. */
    if (conn->stage == STAGE_FINISHING) {
        conn->paused = false;
        if (!conn->sending && conn_queued(conn) == 0)
            conn_finish(conn);
    }
    conn_receive(conn);
}

/* ---- Events ---- */

static void on_recv(struct worker *worker, const cport_event *event)
{
    struct conn *conn = CPORT_CONTAINER_OF(event->op, struct conn, recv_op);
    conn->receiving = false;
    if (event->result > 0 && conn->stage < STAGE_FINISHING) {
        size_t len = (size_t)event->result;
        if (conn->direct) {
            conn->in.end += len;
            conn_parse_in(conn);
        } else {
            conn_feed(conn, (struct bytes){cport_bufs_data(worker->bufs, event->aux), len});
        }
    }
    if (event->flags & CPORT_BUFFER)
        (void)cport_bufs_return(worker->bufs, event->aux);
    if (conn_ended(conn))
        return;

    if (event->result == 0) {
        conn->eof = true;
        if (conn->stage == STAGE_PREFACE || conn->stage == STAGE_LINGERING) {
            conn_close(conn, 0);
            return;
        }
    } else if (event->result < 0 && event->result != CPORT_ENOBUFS) {
        conn_abort(conn);
        return;
    }
    /* A dry pool needs no waiting: whatever it is short of lies in events behind this one, and each gives its buffer back
     * before the next is looked at. */
    conn_progress(conn);
}

static void on_send(struct worker *worker, const cport_event *event)
{
    (void)worker;
    struct conn *conn = CPORT_CONTAINER_OF(event->op, struct conn, send_op);
    conn->sending = false;
    conn->write_at = NEVER;
    if (conn_ended(conn))
        return;
    if (event->result < 0) {
        conn_abort(conn);
        return;
    }
    buffer_take(&conn->flight, conn->slice);
    conn_progress(conn);
}

static void on_shutdown(struct worker *worker, const cport_event *event)
{
    (void)worker;
    struct conn *conn = CPORT_CONTAINER_OF(event->op, struct conn, send_op);
    conn->sending = false;
    if (!conn_ended(conn) && event->result < 0)
        conn_abort(conn);
}

static void on_timer(struct worker *worker, const cport_event *event)
{
    struct conn *conn = CPORT_CONTAINER_OF(event->op, struct conn, timer_op);
    conn->timer_armed = false;
    if (conn_ended(conn))
        return;
    if (conn->preface_at <= worker->now_ns) {
        worker->counts.preface_timeout++;
        conn_log(conn, LOG_INFO, "preface_timeout", "bytes", 0);
        conn_close(conn, 0);
    } else if (conn->write_at <= worker->now_ns) {
        worker->counts.write_timeout++;
        conn_log(conn, LOG_INFO, "write_timeout", "queued", (int)conn_queued(conn));
        conn_abort(conn);
    } else if (conn->linger_at <= worker->now_ns) {
        conn_expire(conn);
    } else {
        conn_timer_set(conn);
    }
}

static void on_close(struct worker *worker, const cport_event *event)
{
    (void)worker;
    (void)conn_ended(CPORT_CONTAINER_OF(event->op, struct conn, close_op));
}

/* ---- From outside ---- */

void conn_drain(struct conn *conn)
{
    conn->draining = true;
    if (conn->stage == STAGE_PREFACE)
        conn_close(conn, 0);
    else if (conn->stage == STAGE_OPEN)
        conn_progress(conn);
}

static void conn_init(struct conn *conn, struct worker *worker)
{
    conn->worker = worker;
    cport_op_init(&conn->recv_op, (void *)&recv_route);
    cport_op_init(&conn->send_op, (void *)&send_route);
    cport_op_init(&conn->timer_op, (void *)&timer_route);
    cport_op_init(&conn->close_op, (void *)&close_route);
    buffer_init(&conn->in, &worker->buffers);
    buffer_init(&conn->out, &worker->buffers);
    buffer_init(&conn->flight, &worker->buffers);
    conn->preface_at = worker->now_ns + worker->server->config->preface_timeout_ns;
    conn->write_at = NEVER;
    conn->linger_at = NEVER;
}

/* Takes one of the connections that the server allows. */
static bool slot_take(struct server *server)
{
    unsigned before = atomic_fetch_add_explicit(&server->connections, 1, memory_order_relaxed);
    if (before < server->connections_max)
        return true;
    atomic_fetch_sub_explicit(&server->connections, 1, memory_order_relaxed);
    return false;
}

void conn_open(struct worker *worker, cport_os_handle fd)
{
    if (!slot_take(worker->server))
        goto refuse;
    struct conn *conn = calloc(1, sizeof(*conn));
    if (!conn)
        goto give_slot;
    conn_init(conn, worker);
    if (cport_attach(worker->port, fd, (uintptr_t)conn, 0, &conn->handle) < 0)
        goto free_conn;

    conn->next = worker->conns;
    conn->link = &worker->conns;
    if (conn->next)
        conn->next->link = &conn->next;
    worker->conns = conn;
    conn_timer_set(conn);
    conn_receive(conn);
    return;

free_conn:
    free(conn);
give_slot:
    atomic_fetch_sub_explicit(&worker->server->connections, 1, memory_order_relaxed);
refuse:
    worker->counts.refused_full++;
    (void)cport_socket_close(fd);
}
