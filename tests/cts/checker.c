/* The contract checker's heart: records, submits and events. */
#include "checker_records.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

cts_mutex checker_lock = CTS_MUTEX_INIT;

static ptr_map ops_by_address, handles_by_address;
static port_record *ports;
static op_record *ops;
static uint64_t clock_now; /* counts waits begun and events recorded */
static uint64_t wait_last;

static const char *const kind_names[] = {"post", "close", "accept", "connect", "recv",
    "recv_pooled", "recvmsg", "recvmsg_pooled", "send", "sendmsg", "shutdown", "poll", "read",
    "write", "sync", "timer", "resolve"};

#define BROKEN(...) cts_fail("contract", 0, __VA_ARGS__)

/* ---- Records ---- */

static void *new_record(size_t size)
{
    void *rec = calloc(1, size);
    CHECK(rec != NULL);
    return rec;
}

port_record *checker_port(const cport_port *port)
{
    for (port_record *p = ports; p != NULL; p = p->next)
        if (p->port == port && p->open)
            return p;
    return NULL;
}

handle_record *checker_handle(const cport_handle *h)
{
    return ptr_map_get(&handles_by_address, h);
}

op_record *checker_op(const cport_op *op)
{
    return ptr_map_get(&ops_by_address, op);
}

static op_record *op_record_for(cport_op *op)
{
    op_record *rec = checker_op(op);
    if (rec == NULL) {
        rec = new_record(sizeof *rec);
        rec->op = op;
        rec->next = ops;
        ops = rec;
        ptr_map_put(&ops_by_address, op, rec);
    }
    return rec;
}

void checker_port_opened(cport_port *port)
{
    cts_lock(&checker_lock);
    if (checker_port(port) != NULL)
        BROKEN("cport_port_open returned a port that is open");
    port_record *rec = new_record(sizeof *rec);
    rec->port = port;
    rec->open = true;
    cport_port_info info = {.size = sizeof info};
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    rec->caps = info.caps;
    rec->next = ports;
    ports = rec;
    cts_unlock(&checker_lock);
}

/* A closed port drops armed timers and queued events: their ops are the caller's again. */
void checker_port_closed(cport_port *port)
{
    cts_lock(&checker_lock);
    port_record *rec = checker_port(port);
    CHECK(rec != NULL);
    rec->open = false;
    for (op_record *op = ops; op != NULL; op = op->next) {
        if (op->port != rec || op->state == OP_IDLE)
            continue;
        if (op->kind != KIND_TIMER && op->kind != KIND_POST && op->kind != KIND_RESOLVE)
            BROKEN("the port closed while a %s was outstanding", kind_names[op->kind]);
        op->state = OP_IDLE;
    }
    rec->outstanding = 0;
    cts_unlock(&checker_lock);
}

void checker_handle_opened(cport_handle *h, cport_port *port, uintptr_t key)
{
    cts_lock(&checker_lock);
    handle_record *old = checker_handle(h);
    if (old != NULL && !old->gone && !old->closing)
        BROKEN("cport_attach returned a handle that is attached");
    handle_record *rec = new_record(sizeof *rec);
    rec->handle = h;
    rec->port = checker_port(port);
    rec->key = key;
    rec->before = old;
    ptr_map_put(&handles_by_address, h, rec);
    cts_unlock(&checker_lock);
}

/* Not by its address, under which there may be another by now. */
void checker_handle_detached(handle_record *h)
{
    cts_lock(&checker_lock);
    if (h->pending > 0)
        BROKEN("cport_detach let a handle go with %u operations pending", h->pending);
    h->gone = true;
    h->gone_clock = clock_now;
    cts_unlock(&checker_lock);
}

/* ---- Lanes: the order of receives, and of sends, of one handle ---- */

static lane *lane_of(const op_record *rec)
{
    if (rec->handle == NULL || rec->zero_copy) /* such a send ends when its memory is free */
        return NULL;
    switch (rec->kind) {
    case KIND_RECV:
    case KIND_RECV_POOLED:
    case KIND_RECVMSG:
    case KIND_RECVMSG_POOLED:
        return &rec->handle->lanes[LANE_RECV];
    case KIND_SEND:
    case KIND_SENDMSG:
        return &rec->handle->lanes[LANE_SEND];
    default:
        return NULL;
    }
}

static void lane_append(op_record *rec)
{
    lane *l = lane_of(rec);
    rec->node = NULL;
    if (l == NULL)
        return;
    rec->node = new_record(sizeof *rec->node);
    if (l->last != NULL)
        l->last->next = rec->node;
    else
        l->first = rec->node;
    l->last = rec->node;
}

static void lane_pop_done(lane *l)
{
    while (l->first != NULL && l->first->done) {
        lane_node *node = l->first;
        l->ahead -= node->counted;
        l->first = node->next;
        if (l->first == NULL)
            l->last = NULL;
        free(node);
    }
}

/* The node leaves the order without an event: refused, or done in its submit. */
static void lane_withdraw(op_record *rec)
{
    if (rec->node == NULL)
        return;
    rec->node->done = true;
    rec->node->exempt = true;
    rec->node = NULL;
    lane_pop_done(lane_of(rec));
}

static void lane_finish(op_record *rec, cts_wait_mark wait)
{
    lane_node *node = rec->node;
    if (node == NULL)
        return;
    lane *l = lane_of(rec);
    node->exempt = rec->cancelled;
    for (const lane_node *later = node->next; l->ahead > 0 && later != NULL && !node->exempt;
         later = later->next)
        if (later->done && !later->exempt && (later->wait == wait.id || later->clock < wait.entry))
            BROKEN("a later %s of handle %p ended before this one", kind_names[rec->kind],
                (void *)rec->handle->handle);
    node->done = true;
    node->wait = wait.id;
    node->clock = clock_now;
    node->counted = node != l->first;
    l->ahead += node->counted;
    rec->node = NULL;
    lane_pop_done(l);
}

/* ---- Submits ---- */

submit_token checker_submit_begins(cport_op *op, const submit_plan *plan)
{
    submit_token token = {0};
    if (op == NULL)
        return token;
    cts_lock(&checker_lock);
    op_record *rec = op_record_for(op);
    token.rec = rec;
    token.was_in_flight = rec->state != OP_IDLE;
    if (!token.was_in_flight) {
        if (rec->stash_first != NULL)
            BROKEN("the case submits an op whose events it has not looked at");
        rec->kind = plan->kind;
        rec->state = OP_SUBMITTING;
        rec->submit++;
        rec->handle = plan->handle != NULL ? checker_handle(plan->handle) : NULL;
        rec->port = rec->handle != NULL ? rec->handle->port : checker_port(plan->port);
        rec->pool = plan->pool != NULL ? checker_pool(plan->pool) : NULL;
        rec->key = rec->handle != NULL ? rec->handle->key : plan->key;
        rec->posted = plan->posted;
        rec->len = plan->len;
        rec->may_repeat = plan->may_repeat;
        rec->zero_copy = plan->zero_copy;
        rec->user = op->user;
        rec->cancelled = false;
        rec->events = 0;
        if (rec->handle != NULL && rec->handle->gone)
            BROKEN("the case uses a handle whose close event it has had");
        if (rec->handle != NULL && rec->kind != KIND_CLOSE)
            rec->handle->pending++;
        if (rec->port != NULL)
            rec->port->outstanding++;
        lane_append(rec);
    }
    token.submit = rec->submit;
    cts_unlock(&checker_lock);
    return token;
}

/* The op stays the caller's: it was refused, or is done already. */
static void submit_undo(op_record *rec)
{
    rec->state = OP_IDLE;
    lane_withdraw(rec);
    if (rec->port != NULL)
        rec->port->outstanding--;
    if (rec->handle != NULL && rec->kind != KIND_CLOSE)
        rec->handle->pending--;
}

int checker_submit_ends(submit_token token, int ret)
{
    op_record *rec = token.rec;
    if (ret > 1 || (ret < 0 && (ret > CPORT_EINVAL || ret < CPORT_ENOSPC)))
        BROKEN("a submit returned %d", ret);
    if (rec == NULL) {
        if (ret >= 0)
            BROKEN("a submit without an op returned %d", ret);
        return ret;
    }
    cts_lock(&checker_lock);
    if (ret >= 0 && rec->port == NULL)
        BROKEN("a submit without a port or a handle returned %d", ret);
    if (token.was_in_flight) {
        if (ret >= 0)
            BROKEN("an op in flight was accepted again, returned %d", ret);
    } else if (rec->submit != token.submit || rec->state != OP_SUBMITTING) {
        /* Another thread has dequeued the final event meanwhile. */
        if (ret != 0)
            BROKEN("a submit returned %d, but its event came", ret);
    } else if (ret == 0) {
        rec->state = OP_PENDING;
    } else {
        if (rec->events > 0)
            BROKEN("a submit returned %d, but its event came", ret);
        submit_undo(rec);
        if (ret == 1)
            rec->port->inline_done++;
    }
    cts_unlock(&checker_lock);
    return ret;
}

void checker_handle_cancelled(const cport_handle *handle)
{
    cts_lock(&checker_lock);
    handle_record *h = checker_handle(handle);
    for (op_record *rec = ops; rec != NULL && h != NULL; rec = rec->next)
        if (rec->handle == h && rec->state != OP_IDLE)
            rec->cancelled = true;
    cts_unlock(&checker_lock);
}

/* ---- Events ---- */

cts_wait_mark checker_wait_begins(void)
{
    cts_lock(&checker_lock);
    cts_wait_mark wait = {++wait_last, ++clock_now};
    cts_unlock(&checker_lock);
    return wait;
}

static bool is_receive(op_kind kind)
{
    return kind == KIND_RECV || kind == KIND_RECV_POOLED || kind == KIND_RECVMSG ||
           kind == KIND_RECVMSG_POOLED;
}

static void check_result(const op_record *rec, const cport_event *ev)
{
    int64_t r = ev->result;
    const char *kind = kind_names[rec->kind];
    if (rec->kind == KIND_POST) {
        if (r != rec->posted)
            BROKEN("a post came out with result %" PRId64 ", not %" PRId64, r, rec->posted);
        return;
    }
    if (r < 0 && (r > CPORT_EINVAL || r < CPORT_ENOSPC))
        BROKEN("a %s ended with the unknown code %" PRId64, kind, r);
    if ((is_receive(rec->kind) || rec->kind == KIND_READ) && r > (int64_t)rec->len)
        BROKEN("a %s of %zu bytes got %" PRId64, kind, rec->len, r);
    if ((rec->kind == KIND_SEND || rec->kind == KIND_SENDMSG || rec->kind == KIND_WRITE) &&
        r >= 0 && r != (int64_t)rec->len)
        BROKEN("a %s of %zu bytes ended with %" PRId64, kind, rec->len, r);
    if (rec->kind == KIND_RESOLVE && r == 0)
        BROKEN("a %s found nothing, and calls that a success", kind);
    if ((rec->kind == KIND_CONNECT || rec->kind == KIND_SHUTDOWN || rec->kind == KIND_CLOSE ||
            rec->kind == KIND_SYNC) &&
        r > 0)
        BROKEN("a %s ended with %" PRId64, kind, r);
}

static void check_flags(const op_record *rec, const cport_event *ev)
{
    const char *kind = kind_names[rec->kind];
    bool copies = rec->zero_copy && !(rec->port->caps & CPORT_CAP_ZERO_COPY);
    if (((ev->flags & CPORT_COPIED) != 0 && !rec->zero_copy) ||
        (copies && (ev->flags & CPORT_COPIED) == 0))
        BROKEN("a %s has event flags 0x%x: was it copied?", kind, ev->flags);
    if ((ev->flags & ~(CPORT_MORE | CPORT_BUFFER | CPORT_COPIED)) != 0)
        BROKEN("a %s has the unknown event flags 0x%x", kind, ev->flags);
    if ((ev->flags & CPORT_MORE) != 0 && !rec->may_repeat)
        BROKEN("a %s that is not multishot has CPORT_MORE", kind);
    bool with_buffer = rec->kind == KIND_RECV_POOLED && ev->result > 0;
    if (rec->kind == KIND_RECVMSG_POOLED)
        with_buffer = ev->result >= 0 || ev->result == CPORT_EMSGSIZE;
    if (((ev->flags & CPORT_BUFFER) != 0) != with_buffer)
        BROKEN("a %s with result %" PRId64 " has event flags 0x%x", kind, ev->result, ev->flags);
}

static void check_op_after_final(const op_record *rec, const cport_event *ev)
{
    if (rec->op->user != rec->user)
        BROKEN("a %s has changed its op's user pointer", kind_names[rec->kind]);
    if (rec->kind == KIND_POST)
        return;
    if (cport_op_result(rec->op) != ev->result)
        BROKEN("a %s's event has result %" PRId64 ", cport_op_result says %" PRId64,
            kind_names[rec->kind], ev->result, cport_op_result(rec->op));
    if (rec->kind == KIND_RECVMSG && ev->result == CPORT_EMSGSIZE &&
        cport_op_transferred(rec->op) != rec->len)
        BROKEN("a datagram did not fit into %zu bytes, and %zu are there", rec->len,
            cport_op_transferred(rec->op));
    bool counts = rec->kind == KIND_RECV || rec->kind == KIND_SEND || rec->kind == KIND_READ ||
                  rec->kind == KIND_WRITE || rec->kind == KIND_RECVMSG || rec->kind == KIND_SENDMSG;
    if (counts && ev->result >= 0 && cport_op_transferred(rec->op) != (size_t)ev->result)
        BROKEN("a %s of %" PRId64 " bytes, cport_op_transferred says %zu", kind_names[rec->kind],
            ev->result, cport_op_transferred(rec->op));
}

static void handle_final(op_record *rec, cts_wait_mark wait)
{
    handle_record *h = rec->handle;
    if (h == NULL)
        return;
    if (rec->kind == KIND_CLOSE) {
        h->gone = true;
        h->gone_wait = wait.id;
        h->gone_clock = clock_now;
        return;
    }
    h->pending--;
    if (h->gone && (h->gone_wait == wait.id || h->gone_clock < wait.entry))
        BROKEN("a %s of handle %p ended after its close event", kind_names[rec->kind],
            (void *)h->handle);
}

/* True for an event with CPORT_MORE that another thread dequeued before the final one but records after it. */
static bool overtaken(const op_record *rec, const cport_event *ev, cts_wait_mark wait)
{
    return (ev->flags & CPORT_MORE) != 0 && rec->may_repeat && rec->final_wait != wait.id &&
           rec->final_clock >= wait.entry;
}

void checker_event(cport_port *port, cts_wait_mark wait, const cport_event *ev)
{
    cts_lock(&checker_lock);
    clock_now++;
    op_record *rec = checker_op(ev->op);
    if (rec == NULL)
        BROKEN("an event for op %p, which nobody submitted", (void *)ev->op);
    bool final = (ev->flags & CPORT_MORE) == 0;
    if (rec->state == OP_IDLE && !overtaken(rec, ev, wait))
        BROKEN("an event for a %s that is not in flight: result %" PRId64 " flags 0x%x",
            kind_names[rec->kind], ev->result, ev->flags);
    if (rec->port == NULL || rec->port->port != port)
        BROKEN("a %s came out of another port", kind_names[rec->kind]);
    if (ev->key != rec->key)
        BROKEN("a %s came with key 0x%" PRIxPTR ", not 0x%" PRIxPTR, kind_names[rec->kind], ev->key,
            rec->key);
    check_flags(rec, ev);
    check_result(rec, ev);
    rec->events++;
    rec->port->events++;
    rec->port->posts += rec->kind == KIND_POST;
    if (rec->pool != NULL)
        checker_pool_event(rec, ev);
    if (final) {
        check_op_after_final(rec, ev);
        rec->final_wait = wait.id;
        rec->final_clock = clock_now;
        rec->state = OP_IDLE;
        rec->port->outstanding--;
        lane_finish(rec, wait);
        handle_final(rec, wait);
    }
    cts_unlock(&checker_lock);
}

void checker_stash(const cport_event *ev)
{
    cts_lock(&checker_lock);
    op_record *rec = checker_op(ev->op);
    stashed_event *s = new_record(sizeof *s);
    s->event = *ev;
    if (rec->stash_last != NULL)
        rec->stash_last->next = s;
    else
        rec->stash_first = s;
    rec->stash_last = s;
    cts_unlock(&checker_lock);
}

bool checker_unstash(const cport_op *op, cport_event *ret_ev)
{
    cts_lock(&checker_lock);
    op_record *rec = checker_op(op);
    stashed_event *s = rec != NULL ? rec->stash_first : NULL;
    if (s != NULL) {
        rec->stash_first = s->next;
        if (rec->stash_first == NULL)
            rec->stash_last = NULL;
        *ret_ev = s->event;
        free(s);
    }
    cts_unlock(&checker_lock);
    return s != NULL;
}

/* ---- Questions and the end ---- */

void checker_port_counters(cport_port *port, cport_port_stats *ret_expected)
{
    cts_lock(&checker_lock);
    const port_record *rec = checker_port(port);
    CHECK(rec != NULL);
    ret_expected->events = rec->events;
    ret_expected->inline_done = rec->inline_done;
    ret_expected->posts = rec->posts;
    cts_unlock(&checker_lock);
}

bool cts_pending(const cport_op *op)
{
    cts_lock(&checker_lock);
    const op_record *rec = checker_op(op);
    bool pending = rec != NULL && rec->state != OP_IDLE;
    cts_unlock(&checker_lock);
    return pending;
}

unsigned cts_events_of(const cport_op *op)
{
    cts_lock(&checker_lock);
    const op_record *rec = checker_op(op);
    unsigned events = rec != NULL ? rec->events : 0;
    cts_unlock(&checker_lock);
    return events;
}

unsigned cts_outstanding(cport_port *port)
{
    cts_lock(&checker_lock);
    const port_record *rec = checker_port(port);
    unsigned count = rec != NULL ? rec->outstanding : 0;
    cts_unlock(&checker_lock);
    return count;
}

/* Called when all is lost, perhaps with the lock held: reads without it. */
void checker_dump(void)
{
    unsigned shown = 0, outstanding = 0;
    for (const op_record *rec = ops; rec != NULL; rec = rec->next) {
        if (rec->state == OP_IDLE)
            continue;
        outstanding++;
        if (shown++ < 20)
            fprintf(stderr, "  outstanding: %s op %p handle %p%s, %zu bytes, %u events so far%s\n",
                kind_names[rec->kind], (void *)rec->op,
                rec->handle != NULL ? (void *)rec->handle->handle : NULL,
                rec->handle != NULL && rec->handle->closing ? " (closing)" : "", rec->len,
                rec->events, rec->cancelled ? ", cancelled" : "");
    }
    fprintf(stderr, "  %u operations outstanding\n", outstanding);
}

void checker_case_end(void)
{
    for (const op_record *rec = ops; rec != NULL; rec = rec->next)
        if (rec->state != OP_IDLE)
            BROKEN("the case ended with a %s outstanding", kind_names[rec->kind]);
    for (const port_record *p = ports; p != NULL; p = p->next)
        if (p->open)
            BROKEN("the case ended with a port open");
}
