/*
 * relay.c: files to sockets by way of memory, a piece at a time, for Windows that is no server: of all TransmitFile calls of all
 * programs it works on two at a time, and two peers that do not read would hold up everybody else's.
 *
 * Ownership. A relay is a sendfile's from its start to its end. Then it is the port's, who keeps some for those to come.
 * Threading. The port's relays are under its lock, a sendfile's is under its handle's.
 */
#include "error.h"
#include "iocp.h"

/* A peer that does not read holds this much memory. */
#define PIECE     65536u
#define KEPT_MOST 16u
/* What reads past the cache wants: a multiple of any disk's block. */
#define BLOCK     4096u

struct relay {
    char bytes[PIECE];
    struct relay *next; /* among the port's */
    HANDLE event;       /* constant */
    uint64_t offset;    /* in the file, of the first of its bytes */
    DWORD len;
};

static struct relay *relay_of(const struct op *op)
{
    return (struct relay *)(uintptr_t)op->io.vec->engine[0];
}

static struct relay *relay_new(struct cport_port *port)
{
    struct relay *r = port_alloc(port, sizeof(*r), BLOCK);
    if (!r)
        return NULL;
    r->event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!r->event) {
        port_free(port, r, sizeof(*r));
        return NULL;
    }
    return r;
}

static void relay_free(struct cport_port *port, struct relay *r)
{
    CloseHandle(r->event);
    port_free(port, r, sizeof(*r));
}

bool relay_take(struct op *op)
{
    struct cport_port *port = op->handle->port;
    struct iocp *iocp = iocp_of(port);
    port_lock(port);
    struct relay *r = iocp->relays;
    if (r) {
        iocp->relays = r->next;
        iocp->relays_kept--;
    }
    port_unlock(port);
    if (!r)
        r = relay_new(port);
    if (r)
        r->len = 0;
    op->io.vec->engine[0] = (uintptr_t)r;
    return r != NULL;
}

void relay_give(struct op *op)
{
    struct cport_port *port = op->handle->port;
    struct iocp *iocp = iocp_of(port);
    struct relay *r = relay_of(op);
    if (!r)
        return;
    op->io.vec->engine[0] = 0;
    port_lock(port);
    bool kept = iocp->relays_kept < KEPT_MOST;
    if (kept) {
        r->next = iocp->relays;
        iocp->relays = r;
        iocp->relays_kept++;
    }
    port_unlock(port);
    if (!kept)
        relay_free(port, r);
}

void relay_close(struct cport_port *port)
{
    struct relay *r;
    while ((r = iocp_of(port)->relays) != NULL) {
        iocp_of(port)->relays = r->next;
        relay_free(port, r);
    }
}

/* In whole blocks, the one that has the passage's next byte first. This thread waits for the disk, as it does for a file that is
 * sent on Linux: a packet would go to the file's port, which may be another one. */
static struct ending relay_read(struct relay *r, const struct passage *p)
{
    r->offset = p->offset - p->offset % BLOCK;
    r->len = 0;
    uint64_t wanted = p->offset - r->offset + p->left;
    DWORD len = wanted < PIECE ? (DWORD)((wanted + BLOCK - 1) / BLOCK * BLOCK) : PIECE;
    OVERLAPPED overlapped = {
        .Offset = (DWORD)r->offset,
        .OffsetHigh = (DWORD)(r->offset >> 32),
        .hEvent = (HANDLE)((ULONG_PTR)r->event | 1), /* the bit says: no packet */
    };
    const HANDLE file = file_of(p->file);
    DWORD error = 0;
    if (!ReadFile(file, r->bytes, len, NULL, &overlapped))
        error = GetLastError();
    if (error == 0 || error == ERROR_IO_PENDING)
        error = GetOverlappedResult(file, &overlapped, &r->len, TRUE) ? 0 : GetLastError();
    return ending_of_error(error == ERROR_HANDLE_EOF ? 0 : error);
}

static bool holds(const struct relay *r, uint64_t offset)
{
    return offset >= r->offset && offset - r->offset < r->len;
}

bool relay_ask(struct op *op, size_t head, size_t tail, struct ending *ret_ending)
{
    struct relay *r = relay_of(op);
    const struct passage *p = &op->io.vec->passage;
    if (!holds(r, p->offset)) {
        *ret_ending = relay_read(r, p);
        if (ret_ending->code < 0 || !holds(r, p->offset))
            return true;
    }
    const size_t at = (size_t)(p->offset - r->offset), there = r->len - at;
    const bool all = there >= p->left;
    WSABUF bufs[3];
    DWORD n = 0;
    if (head)
        bufs[n++] = (WSABUF){(ULONG)head, (char *)(uintptr_t)p->head};
    bufs[n++] = (WSABUF){(ULONG)(all ? p->left : there), r->bytes + at};
    if (all && tail)
        bufs[n++] = (WSABUF){(ULONG)tail, (char *)(uintptr_t)p->tail};
    OVERLAPPED *overlapped = overlapped_of(op);
    *overlapped = (OVERLAPPED){0};
    int result = WSASend((SOCKET)op->handle->fd, bufs, n, NULL, 0, overlapped, NULL);
    return ending_of_call(op->handle, result == 0, overlapped, ret_ending);
}
