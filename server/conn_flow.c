/* The bytes of a connection: received, parsed, answered, sent. */
#include "conn_state.h"

#include <assert.h>
#include <stdlib.h>

/* One send: it must go out within write-timeout, and a long queue must not look like a stall. */
#define SEND_BYTES_MAX     ((size_t)256 << 10)

/* What is missing of a frame is received directly into its memory from this size on; below, one pooled receive brings
 * it together with what follows. */
#define DIRECT_BYTES_MIN   BUFFER_BLOCK_BYTES
#define DIRECT_BYTES_FIRST ((size_t)64 << 10)

#define LINGER_NS          INT64_C(2000000000)

static void on_recv(struct worker *worker, const cport_event *event);
static void on_send(struct worker *worker, const cport_event *event);
static void on_shutdown(struct worker *worker, const cport_event *event);

static const struct route recv_route = {on_recv};
static const struct route send_route = {on_send};
static const struct route shutdown_route = {on_shutdown};

void conn_flow_init(struct conn *conn)
{
    cport_op_init(&conn->recv_op, (void *)&recv_route);
    cport_op_init(&conn->send_op, (void *)&send_route);
    buffer_init(&conn->in, &conn->worker->buffers);
    buffer_init(&conn->out, &conn->worker->buffers);
    buffer_init(&conn->flight, &conn->worker->buffers);
}

/* Bytes went either way. */
static void conn_active(struct conn *conn)
{
    struct worker *worker = conn->worker;
    atomic_store_explicit(
        &conn->client.active_ns, worker->now_ns + worker->unix_offset_ns, memory_order_relaxed);
    if (conn->stage == STAGE_OPEN && !conn->waiting && !conn->proto->listens)
        deadline_set(
            &conn->deadlines, DEADLINE_IDLE, worker->now_ns, worker->config.idle_timeout_ns);
}

/* ---- Sending ---- */

size_t conn_queued(const struct conn *conn)
{
    return buffer_len(&conn->out) + buffer_len(&conn->flight);
}

static void conn_sent(struct conn *conn, size_t len)
{
    counter_add(&conn->worker->counters, COUNTER_bytes_out, len);
    buffer_take(&conn->flight, len);
    conn_active(conn);
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
            deadline_set(&conn->deadlines, DEADLINE_WRITE, conn->worker->now_ns,
                conn->worker->config.write_timeout_ns);
            conn_timer_set(conn);
            return;
        }
        if (started < 0 || cport_op_result(&conn->send_op) < 0) {
            conn_abort(conn);
            return;
        }
        conn_sent(conn, len);
    }
}

/* ---- Receiving ---- */

/* Nothing of the input is needed any more. What a receive still writes into stays until the connection is freed. */
static void conn_drop_input(struct conn *conn)
{
    if (!(conn->receiving && conn->direct))
        buffer_clear(&conn->in);
}

void conn_finish_with(struct conn *conn, enum message_status why)
{
    if (conn->proto && conn->proto->goodbye)
        (void)conn->proto->goodbye(&conn->out, why);
    conn->stage = STAGE_FINISHING;
    conn_drop_input(conn);
}

/* No memory for what the client sends or is owed: the others' share is not touched, this one ends. */
void conn_out_of_memory(struct conn *conn)
{
    counter_add(&conn->worker->counters, COUNTER_memory, 1);
    conn_log(conn, LOG_WARN, "out_of_memory", "held", (int)(conn->worker->buffers.held >> 20));
    conn_finish_with(conn, STATUS_BUSY);
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

void conn_receive(struct conn *conn)
{
    bool busy = conn->paused || (conn->waiting && conn->stage == STAGE_OPEN);
    if (conn->receiving || conn->eof || busy || conn->stage == STAGE_CLOSING)
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

/* ---- Parsing ---- */

/* The frame's time runs from its first byte, and not while the server makes it wait. */
static void frame_deadline(struct conn *conn, bool moved)
{
    const struct worker *worker = conn->worker;
    if (moved || conn->paused || conn->waiting)
        deadline_clear(&conn->deadlines, DEADLINE_FRAME);
    if (moved)
        conn->reprieved = false;
    if (conn->frame_need == 0)
        return;
    deadline_set_once(
        &conn->deadlines, DEADLINE_FRAME, worker->now_ns, worker->config.frame_timeout_ns);
    conn_timer_set(conn);
}

static void conn_offended(struct conn *conn)
{
    conn->peer.offended = true;
    conn_judge(conn);
}

/* One frame from the front of rest. Returns the bytes used. */
static size_t conn_step(struct conn *conn, struct bytes rest)
{
    size_t count = 0;
    enum proto_step step = conn->proto->step(&conn->peer, rest, &conn->out, &count);
    conn_judge(conn);
    switch (step) {
    case PROTO_NEXT:
        return count;
    case PROTO_WAIT:
        conn->waiting = true;
        deadline_clear(&conn->deadlines, DEADLINE_IDLE);
        return count;
    case PROTO_PARTIAL:
        conn->frame_need = count;
        return 0;
    case PROTO_END:
        conn->stage = STAGE_FINISHING;
        return rest.len;
    case PROTO_CLOSE:
        counter_add(&conn->worker->counters, COUNTER_broken_frame, 1);
        conn_log(conn, LOG_INFO, "broken_frame", "bytes", (int)rest.len);
        conn->stage = STAGE_FINISHING;
        conn_offended(conn);
        return rest.len;
    case PROTO_NO_MEMORY:
        conn_out_of_memory(conn);
        return rest.len;
    }
    return 0;
}

/* Answers whole frames from the front of run until it is used up, the queue is full, or an answer takes its time. Returns the
 * bytes used. */
static size_t conn_parse(struct conn *conn, struct bytes run)
{
    struct worker *worker = conn->worker;
    size_t limit = (size_t)worker->config.send_queue;
    size_t used = 0;
    uint64_t frames = 0;
    conn->frame_need = 0;
    while (used < run.len && conn->stage == STAGE_OPEN && !conn->waiting) {
        if (conn_queued(conn) >= limit) {
            conn->paused = true;
            break;
        }
        size_t count = conn_step(conn, (struct bytes){run.data + used, run.len - used});
        if (count == 0)
            break;
        used += count;
        frames++;
    }
    counter_add(&worker->counters, COUNTER_frames, frames);
    conn->spoken |= frames > 0;
    if (conn->stage != STAGE_OPEN)
        return run.len;
    frame_deadline(conn, frames > 0);
    return used;
}

void conn_parse_in(struct conn *conn)
{
    size_t used = conn_parse(conn, buffer_bytes(&conn->in));
    /* The buffer may have been cleared meanwhile, with the connection's last words. */
    if (buffer_len(&conn->in) > 0)
        buffer_take(&conn->in, used);
}

bool conn_begin(struct conn *conn, const struct proto *proto)
{
    struct worker *worker = conn->worker;
    conn->proto = proto;
    conn->stage = STAGE_OPEN;
    client_set_protocol(worker->server->shared.clients, &conn->client, proto->name);
    deadline_clear(&conn->deadlines, DEADLINE_PREFACE);
    if (proto->wants_login)
        deadline_set(
            &conn->deadlines, DEADLINE_LOGIN, worker->now_ns, worker->config.login_timeout_ns);
    conn_active(conn);
    conn_timer_set(conn);
    if (proto->state_bytes > 0)
        conn->peer.state = calloc(1, proto->state_bytes);
    if ((proto->state_bytes > 0 && !conn->peer.state) ||
        (proto->open && !proto->open(&conn->peer, &conn->out))) {
        conn_out_of_memory(conn);
        return false;
    }
    return true;
}

/* The first byte of all chooses the protocol. */
static bool conn_preface(struct conn *conn, uint8_t first)
{
    const struct proto *proto = proto_by_preface(first);
    if (proto && proto->wants_files && !conn->worker->server->shared.files)
        proto = NULL;
    if (proto == &proto_log_output && !conn->worker->config.log_output)
        proto = NULL;
    if (proto)
        return conn_begin(conn, proto);
    counter_add(&conn->worker->counters, COUNTER_illegal_preface, 1);
    conn_log(conn, LOG_INFO, "illegal_preface", "byte", first);
    deadline_clear(&conn->deadlines, DEADLINE_PREFACE);
    conn->stage = STAGE_FINISHING;
    conn_offended(conn);
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
    deadlines_init(&conn->deadlines);
    deadline_set(&conn->deadlines, DEADLINE_LINGER, conn->worker->now_ns, LINGER_NS);
    conn_timer_set(conn);
    conn->send_op.user = (void *)&shutdown_route;
    if (cport_shutdown(conn->handle, &conn->send_op, CPORT_SHUT_SEND) < 0) {
        conn_abort(conn);
        return;
    }
    conn->sending = true;
    conn->pending++;
}

/* A slow reader has caught up: it is told what it has missed. */
static void conn_tell_lost(struct conn *conn)
{
    if (conn->lost == 0 || conn->stage != STAGE_OPEN || conn_queued(conn) > 0)
        return;
    if (conn->proto->lost(&conn->out, conn->lost))
        conn->lost = 0;
    conn_send(conn);
}

/* The last answers, and then the end: the client has shut its side, or the server stops. */
static void conn_end(struct conn *conn)
{
    if (conn->eof) {
        conn->stage = STAGE_FINISHING;
        conn_drop_input(conn);
    } else {
        conn_finish_with(conn, STATUS_SHUTTING_DOWN);
    }
    conn_send(conn);
}

/* Who connected just before another server took over knows nothing of that: its first request is answered. */
static bool conn_may_end(const struct conn *conn)
{
    if (!conn->draining)
        return false;
    bool owed = !conn->spoken && !conn->proto->listens;
    return !owed || !server_handed_over(conn->worker->server);
}

/* After whatever has changed: send, go on with what waits for room, then receive again or come to the end. */
void conn_progress(struct conn *conn)
{
    if (conn->stage == STAGE_CLOSING)
        return;
    size_t low = (size_t)conn->worker->config.send_queue / 4;
    conn_send(conn);
    while (conn->stage == STAGE_OPEN && conn->paused && conn_queued(conn) <= low) {
        conn->paused = false;
        conn_parse_in(conn);
        conn_send(conn);
    }
    if (conn->stage == STAGE_OPEN && conn->waiting)
        conn_job_start(conn);
    conn_tell_lost(conn);

    bool answered = !conn->paused && !conn->waiting;
    if (conn->stage == STAGE_OPEN && answered && (conn->eof || conn_may_end(conn)))
        conn_end(conn);
    /* Room for the rest of a long frame is made here, while last words can still be sent. */
    if (!conn->receiving && answered && !buffer_reserve(&conn->in, direct_bytes(conn))) {
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
        counter_add(&worker->counters, COUNTER_bytes_in, len);
        conn_active(conn);
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
    deadline_clear(&conn->deadlines, DEADLINE_WRITE);
    if (conn_ended(conn))
        return;
    if (event->result < 0) {
        conn_abort(conn);
        return;
    }
    conn_sent(conn, conn->slice);
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
