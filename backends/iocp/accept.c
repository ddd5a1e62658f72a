/*
 * accept.c: accepts. AcceptEx wants the new socket beforehand, and takes one connection: behind a multishot accept there are
 * always SLOTS_MOST of them, each replaced as soon as it has ended.
 *
 * Ownership. The acceptor hangs off the listener's handle until that is closed, and is its op's from the op's start to its final
 * event; no slot is outstanding outside that time. All under the handle's lock.
 */
#include "functions.h"

/* As many connections arrive without one of them waiting for us, more wait in the kernel's backlog. */
#define SLOTS_MOST   64u

/* AcceptEx writes both addresses here, which nobody reads; it insists on 16 bytes more than they have. */
#define ADDRESS_ROOM (sizeof(struct sockaddr_in6) + 16)

struct slot {
    OVERLAPPED overlapped;
    SOCKET socket; /* INVALID_SOCKET: not outstanding */
    char addresses[2 * ADDRESS_ROOM];
};

struct acceptor {
    struct op *op;
    int family;
    int protocol;
    unsigned capacity;    /* of slots */
    unsigned outstanding; /* among them */
    struct ending ending; /* why no more shall be started; code 0: go on */
    struct slot slots[];
};

static size_t acceptor_bytes(unsigned capacity)
{
    return sizeof(struct acceptor) + capacity * sizeof(struct slot);
}

void accept_free(struct cport_handle *h)
{
    struct acceptor *a = h->engine;
    if (a)
        port_free(h->port, a, acceptor_bytes(a->capacity));
    h->engine = NULL;
}

/* The listener's acceptor, with at least `capacity` slots; NULL and an error. */
static struct acceptor *acceptor_of(struct cport_handle *h, unsigned capacity, int *ret_error)
{
    struct acceptor *a = h->engine;
    if (a && a->capacity >= capacity)
        return a;
    WSAPROTOCOL_INFOW protocol;
    int len = sizeof(protocol);
    if (getsockopt((SOCKET)h->fd, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&protocol, &len) != 0)
        goto fail_socket;
    a = port_alloc(h->port, acceptor_bytes(capacity), _Alignof(struct acceptor));
    if (!a)
        goto fail_memory;
    *a = (struct acceptor){
        .family = protocol.iAddressFamily,
        .protocol = protocol.iProtocol,
        .capacity = capacity,
    };
    for (unsigned i = 0; i < capacity; i++)
        a->slots[i].socket = INVALID_SOCKET;
    accept_free(h);
    h->engine = a;
    return a;

fail_socket:
    *ret_error = os_socket_error();
    return NULL;
fail_memory:
    *ret_error = CPORT_ENOMEM;
    return NULL;
}

static void slot_drop(struct slot *slot)
{
    closesocket(slot->socket);
    slot->socket = INVALID_SOCKET;
}

/* Returns START_PENDING: its packet is to come; START_DONE: it has ended at once, with *ret_ending. */
static int slot_start(struct acceptor *a, struct slot *slot, struct ending *ret_ending)
{
    const struct cport_handle *h = a->op->handle;
    SOCKET s = WSASocketW(a->family, SOCK_STREAM, a->protocol, NULL, 0,
        WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (s == INVALID_SOCKET) {
        *ret_ending = ending_of_error((uint32_t)WSAGetLastError());
        return START_DONE;
    }
    DWORD n = 0;
    slot->socket = s;
    slot->overlapped = (OVERLAPPED){0};
    bool ok = functions()->accept_ex(
        (SOCKET)h->fd, s, slot->addresses, 0, ADDRESS_ROOM, ADDRESS_ROOM, &n, &slot->overlapped);
    if (!ending_of_call(h, ok, &slot->overlapped, ret_ending))
        return START_PENDING;
    if (ret_ending->code < 0)
        slot_drop(slot);
    return START_DONE;
}

static bool is_want(int code)
{
    return code == CPORT_EMFILE || code == CPORT_ENOBUFS || code == CPORT_ENOMEM;
}

/* The connection went away before it was ours. */
static bool is_transient(int code)
{
    return code == CPORT_ECONNRESET || code == CPORT_ECONNABORTED || code == CPORT_ENOTCONN ||
           code == CPORT_ETIMEDOUT || code == CPORT_EPIPE;
}

/* The connected socket, or INVALID_SOCKET and why not. */
static SOCKET slot_take(struct acceptor *a, struct slot *slot, struct ending *ending)
{
    const struct cport_handle *h = a->op->handle;
    SOCKET s = slot->socket;
    SOCKET listener = (SOCKET)h->fd;
    slot->socket = INVALID_SOCKET;
    if (ending->code == 0 && setsockopt(s, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                                 (const char *)&listener, sizeof(listener)) != 0)
        *ending = ending_of_error((uint32_t)WSAGetLastError());
    if (ending->code == 0)
        return s;
    closesocket(s);
    if (is_transient(ending->code))
        port_count(h->port, &h->port->stats.accept_aborted);
    return INVALID_SOCKET;
}

/* One connection is under way to the slot: returns 0, or why not. */
static struct ending slot_fill(struct acceptor *a, struct slot *slot)
{
    const struct cport_handle *h = a->op->handle;
    struct ending e;
    while (slot_start(a, slot, &e) == START_DONE) {
        if (e.code == 0 && !queue_repeat(a->op, &slot->overlapped)) {
            slot_drop(slot);
            e = ending_of_error(WSAENOBUFS);
        }
        if (e.code == 0)
            break; /* connected at once: its packet is ours */
        if (!is_transient(e.code))
            return e;
        port_count(h->port, &h->port->stats.accept_aborted);
    }
    a->outstanding++;
    return (struct ending){0, 0, 0};
}

/* Starts what is not outstanding. Returns 0, or why not all of it could be. */
static struct ending refill(struct acceptor *a)
{
    struct ending e = {0, 0, 0};
    unsigned most = op_is_multishot(a->op) ? SLOTS_MOST : 1;
    for (unsigned i = 0; i < most && e.code == 0; i++)
        if (a->slots[i].socket == INVALID_SOCKET)
            e = slot_fill(a, &a->slots[i]);
    return e;
}

/* Nothing is outstanding, because of a want of descriptors or memory. It is told where there is room for an event. */
static int starve_later(struct op *op)
{
    return queue_repeat(op, overlapped_of(op)) ? START_PENDING : CPORT_ENOBUFS;
}

/* Starts the op's accepts. True: some are outstanding; false: why none could be. */
static bool begin(struct op *op, struct ending *ret_ending)
{
    int error = 0;
    struct acceptor *a = acceptor_of(op->handle, op_is_multishot(op) ? SLOTS_MOST : 1, &error);
    if (!a) {
        *ret_ending = (struct ending){error, 0, 0};
        return false;
    }
    a->op = op;
    a->ending = (struct ending){0, 0, 0};
    *ret_ending = refill(a);
    return a->outstanding > 0;
}

int accept_start(struct op *op)
{
    struct ending e;
    if (begin(op, &e))
        return START_PENDING;
    if (op_is_multishot(op) && is_want(e.code))
        return starve_later(op);
    op_fail(op, e);
    return START_DONE;
}

/* Another try after starve_later. */
void accept_ended(struct op *op, struct harvest *out)
{
    struct ending e;
    if (op->bits & OP_CANCELLED) {
        handle_op_final(op, CPORT_ECANCELED, out);
    } else if (begin(op, &e)) {
        return;
    } else if (is_want(e.code)) {
        handle_accept_starved(op, e.code, e.raw, out);
    } else {
        op_fail(op, e);
        handle_op_final(op, op->result, out);
    }
}

static void cancel_slots(struct acceptor *a, const struct cport_handle *h)
{
    for (unsigned i = 0; i < a->capacity; i++)
        if (a->slots[i].socket != INVALID_SOCKET)
            CancelIoEx(file_of(h), &a->slots[i].overlapped);
}

void accept_cancel(struct op *op)
{
    struct acceptor *a = op->handle->engine;
    if (a)
        cancel_slots(a, op->handle);
}

/* One event of the op, or its end; then its slots are filled again. */
static void slot_ended(struct acceptor *a, SOCKET s, struct ending e, struct harvest *out)
{
    struct op *op = a->op;
    bool cancelled = (op->bits & OP_CANCELLED) != 0;
    if (s != INVALID_SOCKET) {
        op->bits &= (uint16_t)~OP_EPISODE;
        op->accept.backoff_ns = 0;
        if (!op_is_multishot(op)) {
            handle_op_final(op, (int64_t)s, out);
            return;
        }
        handle_op_more(op, (int64_t)s, 0, 0, out);
    } else if (!is_transient(e.code) && !is_want(e.code) && !cancelled && a->ending.code == 0) {
        a->ending = e; /* the listener is not one any more */
        cancel_slots(a, op->handle);
    }
    e = a->ending;
    if (!cancelled && a->ending.code == 0)
        e = refill(a);
    if (a->outstanding)
        return;
    if (cancelled) {
        handle_op_final(op, CPORT_ECANCELED, out);
    } else if (!is_want(e.code)) {
        op_fail(op, e);
        handle_op_final(op, op->result, out);
    } else if (!harvest_full(out)) {
        handle_accept_starved(op, e.code, e.raw, out);
    } else if (starve_later(op) < 0) {
        handle_op_final(op, CPORT_ENOBUFS, out);
    }
}

bool accept_took(struct cport_handle *h, const OVERLAPPED *overlapped, struct harvest *out)
{
    struct acceptor *a = h->engine;
    if (!a || (uintptr_t)overlapped < (uintptr_t)a->slots ||
        (uintptr_t)overlapped >= (uintptr_t)(a->slots + a->capacity))
        return false;
    struct slot *slot = CPORT_CONTAINER_OF(overlapped, struct slot, overlapped);
    struct ending e = ending_of_packet(overlapped);
    SOCKET s = slot_take(a, slot, &e);
    a->outstanding--;
    slot_ended(a, s, e, out);
    return true;
}
