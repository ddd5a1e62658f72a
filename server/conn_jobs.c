/* What a connection waits for: jobs on the business pool, and back. */
#include "conn_state.h"

#include <stdlib.h>

struct conn_task {
    struct task task;
    struct conn *conn;
    struct job *job;
};

static void on_done(struct worker *worker, const cport_event *event);
static const struct route done_route = {on_done};

static void task_run(struct task *task)
{
    struct conn_task *own = CPORT_CONTAINER_OF(task, struct conn_task, task);
    own->job->run(own->job);
}

static void job_free(struct job *job)
{
    if (job->free)
        job->free(job);
}

void conn_job_start(struct conn *conn)
{
    size_t limit = (size_t)conn->worker->config.send_queue;
    struct job *job = conn->peer.job;
    if (!job || conn->task || conn_queued(conn) >= limit)
        return;
    conn->peer.job = NULL;
    struct conn_task *own = malloc(sizeof(*own));
    if (!own) {
        job_free(job);
        conn_out_of_memory(conn);
        return;
    }
    cport_op_init(&own->task.op, (void *)&done_route);
    own->task.run = task_run;
    own->task.slow = job->slow;
    own->task.port = conn->worker->port;
    own->conn = conn;
    own->job = job;
    conn->task = own;
    conn->pending++;
    cport_workers_hold(conn->worker->self);
    business_submit(conn->worker->server->business, &own->task);
}

static void answer(struct conn *conn, struct job *job)
{
    enum proto_step step = job->done(&conn->peer, job, &conn->out);
    conn_judge(conn);
    switch (step) {
    case PROTO_WAIT:
        return;
    case PROTO_NEXT:
    case PROTO_PARTIAL:
        conn->waiting = false;
        conn_parse_in(conn);
        return;
    case PROTO_END:
    case PROTO_CLOSE:
        conn->waiting = false;
        conn->stage = STAGE_FINISHING;
        return;
    case PROTO_NO_MEMORY:
        conn->waiting = false;
        conn_out_of_memory(conn);
        return;
    }
}

static void on_done(struct worker *worker, const cport_event *event)
{
    struct conn_task *own = CPORT_CONTAINER_OF(event->op, struct conn_task, task.op);
    struct conn *conn = own->conn;
    struct job *job = own->job;
    free(own);
    cport_workers_release(worker->self);
    conn->task = NULL;
    if (conn->stage == STAGE_OPEN) {
        deadline_set(
            &conn->deadlines, DEADLINE_IDLE, worker->now_ns, worker->config.idle_timeout_ns);
        answer(conn, job);
    } else {
        conn->waiting = false;
    }
    /* A job that goes on is in peer.job again, and is not free. */
    if (conn->peer.job != job)
        job_free(job);
    if (!conn_ended(conn))
        conn_progress(conn);
}
