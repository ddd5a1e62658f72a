/*
 * clock.c: who wakes when a timer is due.
 *
 * An alarm where there is one: exact to half a millisecond, and no thread has to wake for it but the one that takes its
 * packet. Elsewhere one of the sleeping threads is the keeper, who sleeps no longer than until the first timer; a keeper that
 * leaves with events hands over to another sleeper by a kick. On a SINGLE port the only thread is always the keeper, and
 * an alarm makes it exact.
 *
 * A thread that sleeps counts itself as a sleeper under the port's lock before it looks at the wheel, and whoever arms an
 * earlier timer looks at the sleepers under the same lock: one of the two sees the other.
 */
#include "functions.h"

#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION /* older headers */
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 0x00000002
#endif

#define NS_PER_TICK INT64_C(100)

static HANDLE open_timer(void)
{
    const DWORD access = SYNCHRONIZE | TIMER_QUERY_STATE | TIMER_MODIFY_STATE;
    HANDLE timer =
        CreateWaitableTimerExW(NULL, NULL, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, access);
    /* Before Windows 10 1803 the flag is unknown. */
    return timer ? timer : CreateWaitableTimerExW(NULL, NULL, 0, access);
}

void clock_open(struct cport_port *port)
{
    struct alarm *alarm = &iocp_of(port)->alarm;
    const struct functions *f = functions();
    if (!f->create_wait_packet || !f->associate_wait_packet || !f->cancel_wait_packet)
        return;
    if (f->create_wait_packet(&alarm->packet, GENERIC_ALL, NULL) != 0)
        return;
    alarm->timer = open_timer();
    if (!alarm->timer)
        CloseHandle(alarm->packet);
}

static void alarm_close(struct alarm *alarm)
{
    if (!alarm->timer)
        return;
    functions()->cancel_wait_packet(alarm->packet, TRUE);
    CloseHandle(alarm->timer);
    CloseHandle(alarm->packet);
    alarm->timer = NULL;
    alarm->set = false;
}

void clock_close(struct cport_port *port)
{
    alarm_close(&iocp_of(port)->alarm);
}

/* A packet will come at at_ns or before. False: there is no alarm. */
static bool alarm_set(struct iocp *iocp, int64_t at_ns, int64_t now_ns)
{
    struct alarm *alarm = &iocp->alarm;
    if (!alarm->timer)
        return false;
    if (alarm->set && alarm->at_ns <= at_ns)
        return true; /* at worst it rings for nothing, and is set anew then: cheaper than to move it now */
    int64_t left = at_ns > now_ns ? at_ns - now_ns : 0;
    LARGE_INTEGER due = {.QuadPart = -(left / NS_PER_TICK + 1)}; /* negative: from now on */
    BOOLEAN signaled;
    /* If it is set and rings this moment its packet is queued already, and whoever takes that sets it anew. */
    bool ok = SetWaitableTimer(alarm->timer, &due, 0, NULL, NULL, FALSE);
    if (ok && !alarm->set)
        ok = functions()->associate_wait_packet(alarm->packet, iocp->queue, alarm->timer,
                 (void *)KEY_ALARM, NULL, 0, 0, &signaled) >= 0;
    if (!ok) {
        alarm_close(alarm); /* the keeper does as well */
        return false;
    }
    alarm->set = true;
    alarm->at_ns = at_ns;
    return true;
}

static int64_t next_timer(const struct cport_port *port)
{
    uint64_t next = wheel_next_ns(&port->wheel);
    return next > INT64_MAX ? INT64_MAX : (int64_t)next;
}

int64_t clock_sleep(struct cport_port *port, const void *me, int64_t left_ns)
{
    struct iocp *iocp = iocp_of(port);
    iocp->sleepers++;
    int64_t next = next_timer(port);
    if (next == INT64_MAX)
        return left_ns;
    int64_t now = os_now_ns();
    bool alarmed = alarm_set(iocp, next, now);
    if (port->shared) {
        if (alarmed || (iocp->keeper && iocp->keeper_until_ns <= next))
            return left_ns;
        iocp->keeper = me;
        iocp->keeper_until_ns = next;
    }
    return port_until_timer(port, now, left_ns);
}

void clock_woken(struct cport_port *port, const void *me)
{
    struct iocp *iocp = iocp_of(port);
    iocp->sleepers--;
    if (iocp->keeper == me)
        iocp->keeper = NULL;
}

void clock_arrange(struct cport_port *port)
{
    struct iocp *iocp = iocp_of(port);
    int64_t next = next_timer(port);
    if (next == INT64_MAX || iocp->sleepers == 0)
        return; /* whoever goes to sleep next sees to it */
    if (iocp->kicked || (iocp->keeper && iocp->keeper_until_ns <= next))
        return;
    if (alarm_set(iocp, next, os_now_ns()))
        return;
    iocp->kicked = true;
    port_count(port, &port->stats.wakeups);
    queue_post_surely(port, KEY_KICK);
}

void clock_rang(struct cport_port *port, ULONG_PTR key)
{
    if (key == KEY_ALARM)
        iocp_of(port)->alarm.set = false;
    else
        iocp_of(port)->kicked = false;
}
