/*
 * poll.c: readiness, asked of the socket's driver (what select is made of).
 */
#include "error.h"
#include "functions.h"

#define IOCTL_AFD_POLL        0x00012024

#define AFD_POLL_RECEIVE      0x0001u
#define AFD_POLL_SEND         0x0004u
#define AFD_POLL_DISCONNECT   0x0008u
#define AFD_POLL_ABORT        0x0010u
#define AFD_POLL_LOCAL_CLOSE  0x0020u
#define AFD_POLL_ACCEPT       0x0080u
#define AFD_POLL_CONNECT_FAIL 0x0100u

struct afd_poll {
    LARGE_INTEGER timeout;
    ULONG handles;
    ULONG exclusive;
    HANDLE handle;
    ULONG events;
    NTSTATUS status;
};
_Static_assert(
    sizeof(struct afd_poll) <= sizeof(((struct op *)NULL)->poll_info), "the driver's answer fits");

static struct afd_poll *info_of(struct op *op)
{
    return (struct afd_poll *)(void *)op->poll_info;
}

/* The mask's place is the driver's from the call on; behind the two words of the IO_STATUS_BLOCK nothing is. */
static void keep_mask(struct op *op, uint32_t mask)
{
    op->engine[2] = mask | CPORT_POLL_ERR | CPORT_POLL_HUP;
}

static uint32_t kept_mask(const struct op *op)
{
    return (uint32_t)op->engine[2];
}

static ULONG events_of_mask(uint32_t mask)
{
    ULONG events = AFD_POLL_ABORT | AFD_POLL_CONNECT_FAIL | AFD_POLL_LOCAL_CLOSE;
    if (mask & CPORT_POLL_IN)
        events |= AFD_POLL_RECEIVE | AFD_POLL_ACCEPT | AFD_POLL_DISCONNECT;
    if (mask & CPORT_POLL_OUT)
        events |= AFD_POLL_SEND;
    return events;
}

static uint32_t mask_of_events(ULONG events)
{
    uint32_t mask = 0;
    if (events & (AFD_POLL_RECEIVE | AFD_POLL_ACCEPT | AFD_POLL_DISCONNECT))
        mask |= CPORT_POLL_IN;
    if (events & AFD_POLL_SEND)
        mask |= CPORT_POLL_OUT;
    /* A call would not wait, but fail: that is readable and writable too. */
    if (events & (AFD_POLL_ABORT | AFD_POLL_CONNECT_FAIL))
        mask |= CPORT_POLL_IN | CPORT_POLL_OUT | CPORT_POLL_ERR | CPORT_POLL_HUP;
    return mask;
}

static void took(struct op *op, int code, uint32_t raw)
{
    const struct afd_poll *info = info_of(op);
    if (code < 0)
        op_fail(op, (struct ending){code, raw, 0});
    else if (info->handles == 0 || (info->events & AFD_POLL_LOCAL_CLOSE))
        op->result = CPORT_ECANCELED;
    else
        op->result = mask_of_events(info->events) & kept_mask(op);
}

int poll_start(struct op *op)
{
    uint32_t mask = op->poll_mask;
    struct afd_poll *info = info_of(op);
    IO_STATUS_BLOCK *status = (IO_STATUS_BLOCK *)(void *)op->engine;
    keep_mask(op, mask);
    *info = (struct afd_poll){
        .timeout = {.QuadPart = INT64_MAX},
        .handles = 1,
        .handle = file_of(op->handle),
        .events = events_of_mask(mask),
    };
    NTSTATUS r = functions()->device_io_control(probe_of(op->handle), NULL, NULL, overlapped_of(op),
        status, IOCTL_AFD_POLL, info, sizeof(*info), info, sizeof(*info));
    /* STATUS_PENDING is among the successes, which queue a packet unless the handle skips. */
    if (r == (NTSTATUS)STATUS_PENDING || (r >= 0 && !(op->handle->engine_bits & HANDLE_SKIPS)))
        return START_PENDING;
    took(op, r < 0 ? error_from_ntstatus((uint32_t)r) : 0, (uint32_t)r);
    return START_DONE;
}

void poll_ended(struct op *op, struct harvest *out)
{
    struct ending e = ending_of_packet(overlapped_of(op));
    took(op, e.code, e.raw);
    handle_op_final(op, op->result, out);
}
