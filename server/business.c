#include "business.h"

#include "os.h"

#include <assert.h>
#include <stdlib.h>

struct lane {
    struct task *first;
    struct task **last;
};

struct business {
    struct sys_lock *lock;
    struct sys_signal *work; /* of the lock: tasks are there, or the end is near */
    struct lane quick;
    struct lane slow;
    unsigned slow_running;
    unsigned threads;
    bool ending;
    struct sys_thread *thread[];
};

static void lane_init(struct lane *lane)
{
    lane->first = NULL;
    lane->last = &lane->first;
}

static void lane_put(struct lane *lane, struct task *task)
{
    task->next = NULL;
    *lane->last = task;
    lane->last = &task->next;
}

static struct task *lane_take(struct lane *lane)
{
    struct task *task = lane->first;
    if (task) {
        lane->first = task->next;
        if (!lane->first)
            lane->last = &lane->first;
    }
    return task;
}

/* Called with the lock. */
static struct task *task_take(struct business *business)
{
    struct task *task = lane_take(&business->quick);
    if (!task && business->slow_running + 1 < business->threads) {
        task = lane_take(&business->slow);
        if (task)
            business->slow_running++;
    }
    return task;
}

static void thread_main(void *arg)
{
    struct business *business = arg;
    sys_lock_take(business->lock);
    for (;;) {
        struct task *task = task_take(business);
        if (!task) {
            if (business->ending && !business->slow.first)
                break;
            sys_signal_wait(business->work, business->lock);
            continue;
        }
        bool slow = task->slow;
        sys_lock_give(business->lock);
        task->run(task);
        int error = cport_post(task->port, &task->op, 0, 0);
        assert(error == 0);
        (void)error;
        sys_lock_take(business->lock);
        if (slow) {
            business->slow_running--;
            /* A slow task may have waited for this one's end; or, at the end of all, everybody. */
            sys_signal_all(business->work);
        }
    }
    sys_lock_give(business->lock);
}

struct business *business_open(unsigned threads)
{
    if (threads < 2)
        threads = 2;
    struct business *business = calloc(1, sizeof(*business) + threads * sizeof(void *));
    if (!business)
        return NULL;
    business->lock = sys_lock_new();
    business->work = sys_signal_new();
    lane_init(&business->quick);
    lane_init(&business->slow);
    if (!business->lock || !business->work)
        goto close;
    /* Constant before the first thread looks at it; fewer that start leave the rest waiting for no one. */
    business->threads = threads;
    for (unsigned i = 0; i < threads; i++) {
        if (!sys_thread_start(thread_main, business, &business->thread[i]))
            goto close;
    }
    return business;

close:
    business_close(business);
    return NULL;
}

void business_submit(struct business *business, struct task *task)
{
    sys_lock_take(business->lock);
    lane_put(task->slow ? &business->slow : &business->quick, task);
    sys_signal_one(business->work);
    sys_lock_give(business->lock);
}

void business_close(struct business *business)
{
    if (!business)
        return;
    if (business->lock && business->work) {
        sys_lock_take(business->lock);
        business->ending = true;
        sys_signal_all(business->work);
        sys_lock_give(business->lock);
    }
    for (unsigned i = 0; i < business->threads; i++) {
        if (business->thread[i])
            sys_thread_join(business->thread[i]);
    }
    sys_signal_free(business->work);
    sys_lock_free(business->lock);
    free(business);
}
