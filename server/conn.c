#include "conn_state.h"

#include "addresses.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Two full segments. */
#define PUSH_SEND_BYTES 4096u

static void on_timer(struct worker *worker, const cport_event *event);
static void on_close(struct worker *worker, const cport_event *event);

static const struct route timer_route = {on_timer};
static const struct route close_route = {on_close};

/* ---- The log ---- */

void conn_log(
    const struct conn *conn, enum log_level level, const char *event, const char *detail, int value)
{
    log_line(level, event, "remote=%s protocol=%s %s=%d", conn->client.remote,
        conn->client.protocol, detail, value);
}

/* ---- Birth and end ---- */

static bool address_count(struct conn *conn)
{
    const struct worker *worker = conn->worker;
    /* Clients of a monitor's machine do not shut it out. */
    uint32_t limit = worker->proto ? 0 : (uint32_t)worker->config.max_per_address;
    conn->counted = limit > 0 && addresses_take(conn->worker->server->addresses,
                                     address_host(conn->client.remote), limit);
    if (limit == 0 || conn->counted)
        return true;
    return false;
}

static void address_uncount(struct conn *conn)
{
    if (conn->counted)
        addresses_give(conn->worker->server->addresses, address_host(conn->client.remote));
}

static void conn_free(struct conn *conn)
{
    struct worker *worker = conn->worker;
    *conn->link = conn->next;
    if (conn->next)
        conn->next->link = conn->link;
    buffer_clear(&conn->in);
    buffer_clear(&conn->out);
    buffer_clear(&conn->flight);
    if (conn->proto && conn->proto->close && conn->peer.state)
        conn->proto->close(&conn->peer);
    if (conn->peer.job && conn->peer.job->free)
        conn->peer.job->free(conn->peer.job);
    free(conn->peer.state);
    client_remove(worker->server->shared.clients, &conn->client);
    address_uncount(conn);
    free(conn);
    atomic_fetch_sub_explicit(worker->slots, 1, memory_order_relaxed);
}

/* One event less to come. True: it was the last, or the connection is on its way out and the event means nothing. */
bool conn_ended(struct conn *conn)
{
    conn->pending--;
    if (conn->stage != STAGE_CLOSING)
        return false;
    if (conn->pending == 0)
        conn_free(conn);
    return true;
}

void conn_close(struct conn *conn, uint32_t flags)
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

void conn_abort(struct conn *conn)
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

/* The timer may fire too early, after a deadline has moved: it is then set anew. So the deadlines of each message cost
 * an assignment, and the timer a wheel operation now and then. */
void conn_timer_set(struct conn *conn)
{
    int64_t at = deadlines_next(&conn->deadlines);
    if (at == DEADLINE_NEVER || conn->stage == STAGE_CLOSING ||
        (conn->timer_armed && conn->timer_at <= at))
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

/* ---- Events ---- */

/* What has been waited for too long. */
static void conn_passed(struct conn *conn, enum deadline passed)
{
    static const struct {
        const char *event;
        enum counter counter;
    } told[] = {[DEADLINE_PREFACE] = {"preface_timeout", COUNTER_preface_timeout},
        [DEADLINE_LOGIN] = {"login_timeout", COUNTER_login_timeout},
        [DEADLINE_FRAME] = {"frame_timeout", COUNTER_frame_timeout},
        [DEADLINE_IDLE] = {"idle_timeout", COUNTER_idle_timeout},
        [DEADLINE_WRITE] = {"write_timeout", COUNTER_write_timeout}};

    deadline_clear(&conn->deadlines, passed);
    if (passed == DEADLINE_LINGER) {
        conn_expire(conn);
        return;
    }
    if (passed == DEADLINE_LOGIN && conn->peer.role != ROLE_NONE)
        return;
    counter_add(&conn->worker->counters, told[passed].counter, 1);
    conn_log(conn, LOG_INFO, told[passed].event, "queued", (int)conn_queued(conn));
    if (passed == DEADLINE_WRITE) {
        conn_abort(conn);
    } else if (conn->stage == STAGE_PREFACE) {
        conn_close(conn, 0);
    } else if (conn->stage == STAGE_OPEN) {
        conn_finish_with(conn, STATUS_NOT_ALLOWED);
        conn_progress(conn);
    }
}

/* A worker that comes this late has been kept waiting by the system: what its clients did in time, it may not have looked at yet.
 * They have this much more, once for each frame. */
#define LATE_NS INT64_C(100000000)

static bool reprieved(struct conn *conn, enum deadline passed)
{
    int64_t now_ns = conn->worker->now_ns;
    if (conn->reprieved || now_ns - conn->timer_at < LATE_NS)
        return false;
    conn->reprieved = true;
    deadline_set(&conn->deadlines, passed, now_ns, LATE_NS);
    return true;
}

static void on_timer(struct worker *worker, const cport_event *event)
{
    struct conn *conn = CPORT_CONTAINER_OF(event->op, struct conn, timer_op);
    conn->timer_armed = false;
    if (conn_ended(conn))
        return;
    enum deadline passed = deadlines_passed(&conn->deadlines, worker->now_ns);
    if (passed != DEADLINE_COUNT && !reprieved(conn, passed))
        conn_passed(conn, passed);
    conn_timer_set(conn);
}

static void on_close(struct worker *worker, const cport_event *event)
{
    (void)worker;
    (void)conn_ended(CPORT_CONTAINER_OF(event->op, struct conn, close_op));
}

/* ---- Offences ---- */

void conn_judge(struct conn *conn)
{
    struct worker *worker = conn->worker;
    if (!conn->peer.offended || worker->proto)
        return;
    conn->peer.offended = false;
    enum guard_sentence sentence =
        guard_offence(worker->server->guard, &conn->address, worker->now_ns);
    if (sentence == GUARD_NOTED)
        return;
    if (sentence == GUARD_BANS) {
        counter_add(&worker->counters, COUNTER_bans, 1);
        conn_log(conn, LOG_WARN, "banned", "seconds",
            (int)(worker->config.ban_time_ns / INT64_C(1000000000)));
    }
    if (conn->stage == STAGE_OPEN)
        conn_finish_with(conn, STATUS_NOT_ALLOWED);
}

/* ---- From outside ---- */

void conn_drain(struct conn *conn)
{
    conn->draining = true;
    if (conn->stage == STAGE_PREFACE && !server_handed_over(conn->worker->server))
        conn_close(conn, 0);
    else if (conn->stage == STAGE_OPEN)
        conn_progress(conn);
}

void conn_kick(void *who)
{
    struct conn *conn = who;
    if (conn->stage != STAGE_PREFACE && conn->stage != STAGE_OPEN)
        return;
    counter_add(&conn->worker->counters, COUNTER_kicked, 1);
    conn_log(conn, LOG_INFO, "kicked", "queued", (int)conn_queued(conn));
    conn_finish_with(conn, STATUS_NOT_ALLOWED);
    conn_progress(conn);
}

void conn_drop(void *who)
{
    struct conn *conn = who;
    conn_log(conn, LOG_INFO, "taken_over", "queued", (int)conn_queued(conn));
    conn_close(conn, 0);
}

static void conn_mark_dirty(struct conn *conn)
{
    if (conn->dirty)
        return;
    conn->dirty = true;
    conn->next_dirty = conn->worker->dirty;
    conn->worker->dirty = conn;
}

/* The bytes are sent once the worker has handed out all that came with them: see conn_flush. Only so many that waiting for more would
 * spare no send worth the name leave at once: their memory, still in the cache, is the next connection's. */
void conn_push(void *who, struct bytes frames, unsigned count)
{
    struct conn *conn = who;
    struct worker *worker = conn->worker;
    if (conn->stage != STAGE_OPEN)
        return;
    const struct config *config = &worker->config;
    size_t limit = (size_t)(conn->proto->lossy ? config->log_queue : config->push_queue);
    size_t queued = conn_queued(conn);
    if ((queued > 0 || count > 1) && queued + frames.len > limit) {
        if (conn->proto->lossy) {
            conn->lost += count;
            counter_add(&worker->counters, COUNTER_lines_lost, count);
            return;
        }
        /* It would hold memory for as long as it likes. */
        counter_add(&worker->counters, COUNTER_slow_subscriber, 1);
        conn_log(conn, LOG_INFO, "slow_subscriber", "queued", (int)queued);
        conn_abort(conn);
        return;
    }
    if (buffer_append(&conn->out, frames.data, frames.len))
        counter_add(&worker->counters, COUNTER_pushes, count);
    else
        conn_out_of_memory(conn);
    if (conn_queued(conn) >= PUSH_SEND_BYTES && !conn->sending)
        conn_progress(conn);
    else
        conn_mark_dirty(conn);
}

/* No connection among these can have gone: its close event is still to come. */
void conn_flush(struct worker *worker)
{
    while (worker->dirty) {
        struct conn *conn = worker->dirty;
        worker->dirty = conn->next_dirty;
        conn->dirty = false;
        conn_progress(conn);
    }
}

/* ---- Birth ---- */

static void addresses_fill(struct conn *conn, cport_os_handle fd)
{
    struct client *client = &conn->client;
    struct sockaddr_storage address = {0};
    cport_socklen len;
    client->remote[0] = client->local[0] = '?'; /* if nobody knows; the rest is zeroed */
    if (cport_accept_address(fd, &address, &len) == 0) {
        conn->address = guard_address_of(&address);
        (void)cport_address_text(
            (struct sockaddr *)&address, len, client->remote, sizeof(client->remote));
    }
    if (cport_socket_local(fd, &address, &len) == 0)
        (void)cport_address_text(
            (struct sockaddr *)&address, len, client->local, sizeof(client->local));
}

static void conn_init(struct conn *conn, struct worker *worker, cport_os_handle fd)
{
    conn->worker = worker;
    cport_op_init(&conn->timer_op, (void *)&timer_route);
    cport_op_init(&conn->close_op, (void *)&close_route);
    conn_flow_init(conn);
    deadlines_init(&conn->deadlines);
    deadline_set(
        &conn->deadlines, DEADLINE_PREFACE, worker->now_ns, worker->config.preface_timeout_ns);
    addresses_fill(conn, fd);
    conn->client.worker = worker->index;
    conn->client.conn = conn;
    conn->client.protocol = "none";
    conn->client.connected_ns = worker->now_ns + worker->unix_offset_ns;
    atomic_init(&conn->client.active_ns, conn->client.connected_ns);
    conn->peer = (struct peer){.context = &worker->protos, .who = conn, .client = &conn->client};
}

/* Takes one of the connections that the server allows. */
static bool slot_take(struct worker *worker)
{
    unsigned before = atomic_fetch_add_explicit(worker->slots, 1, memory_order_relaxed);
    if (before < worker->slots_max)
        return true;
    atomic_fetch_sub_explicit(worker->slots, 1, memory_order_relaxed);
    return false;
}

/* False: why is the counter of those that were refused. No line in the log for each: they may be many. */
static bool conn_may_enter(const struct conn *conn, enum counter *ret_why)
{
    const struct worker *worker = conn->worker;
    if (worker->proto)
        return true; /* bad clients of a monitor's machine do not shut it out */
    switch (guard_enter(worker->server->guard, &conn->address, worker->now_ns)) {
    case GUARD_TOO_OFTEN:
        *ret_why = COUNTER_refused_rate;
        return false;
    case GUARD_BANNED:
        *ret_why = COUNTER_refused_banned;
        return false;
    case GUARD_GOOD:
        break;
    }
    return true;
}

void conn_open(struct worker *worker, cport_os_handle fd)
{
    const struct proto *proto = worker->proto;
    enum counter why = COUNTER_refused_full;
    if (worker->expired || !slot_take(worker))
        goto refuse;
    struct conn *conn = calloc(1, sizeof(*conn));
    if (!conn)
        goto give_slot;
    conn_init(conn, worker, fd);
    if (!conn_may_enter(conn, &why))
        goto free_conn;
    if (!address_count(conn)) {
        why = COUNTER_refused_address;
        goto free_conn;
    }
    if (!client_add(worker->server->shared.clients, &conn->client))
        goto uncount;
    if (cport_attach(worker->port, fd, (uintptr_t)conn, 0, &conn->handle) < 0)
        goto remove_client;

    conn->next = worker->conns;
    conn->link = &worker->conns;
    if (conn->next)
        conn->next->link = &conn->next;
    worker->conns = conn;
    /* Where the first byte chooses nothing, the whole request must come in its time. */
    if (proto && conn_begin(conn, proto))
        deadline_set(
            &conn->deadlines, DEADLINE_PREFACE, worker->now_ns, worker->config.preface_timeout_ns);
    conn_timer_set(conn);
    conn_receive(conn);
    if (worker->draining)
        conn_drain(conn);
    return;

remove_client:
    client_remove(worker->server->shared.clients, &conn->client);
uncount:
    address_uncount(conn);
free_conn:
    free(conn);
give_slot:
    atomic_fetch_sub_explicit(worker->slots, 1, memory_order_relaxed);
refuse:
    counter_add(&worker->counters, why, 1);
    (void)cport_socket_close(fd);
}
