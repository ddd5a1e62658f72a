/*
 * ending.c: how calls to the kernel end, in one shape.
 */
#include "error.h"
#include "iocp.h"

struct ending ending_of_packet(const OVERLAPPED *overlapped)
{
    uint32_t status = (uint32_t)overlapped->Internal;
    return (struct ending){error_from_ntstatus(status), status, (size_t)overlapped->InternalHigh};
}

struct ending ending_of_error(uint32_t win32_error)
{
    return (struct ending){error_from_win32(win32_error), win32_error, 0};
}

bool ending_of_call(
    const struct cport_handle *h, bool ok, const OVERLAPPED *overlapped, struct ending *ret_ending)
{
    if (ok) {
        if (!(h->engine_bits & HANDLE_SKIPS))
            return false;
        *ret_ending = (struct ending){0, 0, (size_t)overlapped->InternalHigh};
        return true;
    }
    int error = WSAGetLastError();
    if (error == WSA_IO_PENDING)
        return false;
    /* The OVERLAPPED says "pending" still: only the error counts. */
    *ret_ending = ending_of_error((uint32_t)error);
    return true;
}

struct ending ending_of_stream(const struct cport_handle *h)
{
    /* Where the reset came before the receive, Wine says that the stream has ended; but it knows better if asked. */
    WSAPOLLFD state = {.fd = (SOCKET)h->fd, .events = POLLRDNORM};
    bool reset = WSAPoll(&state, 1, 0) > 0 && (state.revents & POLLERR);
    return ending_of_error(reset ? WSAECONNRESET : 0);
}

void send_fail(struct op *op, struct ending ending)
{
    bool reset = ending.code == CPORT_ECONNRESET || ending.code == CPORT_ECONNABORTED;
    if (reset && !(op->bits & OP_CANCELLED))
        ending.code = op->handle->engine_bits & HANDLE_TOLD ? CPORT_EPIPE : CPORT_ECONNRESET;
    op_fail(op, ending);
}

void op_fail(struct op *op, struct ending ending)
{
    bool aborted = ending.code == CPORT_ECONNABORTED || ending.code == CPORT_EINVAL;
    if (ending.code == CPORT_ECONNRESET)
        op->handle->engine_bits |= HANDLE_TOLD;
    op->result = aborted && (op->bits & OP_CANCELLED) ? CPORT_ECANCELED : ending.code;
    op->aux = ending.raw;
}
