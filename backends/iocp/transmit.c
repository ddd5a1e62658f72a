/*
 * transmit.c: files to sockets, by TransmitFile or, where that is rationed, by way of memory: relay.c.
 */
#include "functions.h"

/* TransmitFile counts in 31 bits, head and tail included; and Wine does nothing else meanwhile, if the peer is fast. Memory
 * beyond a page or two gains nothing by riding along. */
#define FILE_MOST          ((uint64_t)1 << 26)
#define MEMORY_MOST        ((size_t)1 << 20)

/* As for sends: transfer.c. */
#define LOCKED_MOST        ((size_t)1 << 24)

/* Then everybody else has a turn, as on Linux. */
#define TURN_MOST          ((size_t)1 << 20)

#define END_OF_FILE_STATUS 0xC0000011u

/* How much of what lies in memory goes with the file: all of it, or nothing. */
static size_t riding(size_t len)
{
    return len <= MEMORY_MOST ? len : 0;
}

static bool is_relayed(const struct op *op)
{
    return !(op->handle->port->caps & CPORT_CAP_SENDFILE);
}

/* The next of what lies in memory, alone. */
static bool ask_memory(struct op *op, const char *from, size_t left, struct ending *ret_ending)
{
    OVERLAPPED *overlapped = overlapped_of(op);
    WSABUF buf = {(ULONG)(left < LOCKED_MOST ? left : LOCKED_MOST), (char *)(uintptr_t)from};
    *overlapped = (OVERLAPPED){0};
    int r = WSASend((SOCKET)op->handle->fd, &buf, 1, NULL, 0, overlapped, NULL);
    return ending_of_call(op->handle, r == 0, overlapped, ret_ending);
}

/* The next `bytes` of the file, and of the memory around it what rides along. */
static bool ask_file(struct op *op, uint64_t bytes, struct ending *ret_ending)
{
    const struct passage *p = &op->io.vec->passage;
    TRANSMIT_FILE_BUFFERS *around = (TRANSMIT_FILE_BUFFERS *)(void *)op->io.vec->engine;
    _Static_assert(sizeof(*around) <= sizeof(op->io.vec->engine), "it fits the engine's part");
    *around = (TRANSMIT_FILE_BUFFERS){0};
    around->Head = (void *)(uintptr_t)p->head;
    around->HeadLength = (DWORD)riding(p->head_left);
    around->Tail = (void *)(uintptr_t)p->tail;
    around->TailLength = bytes == p->left ? (DWORD)riding(p->tail_left) : 0;
    OVERLAPPED *overlapped = overlapped_of(op);
    *overlapped = (OVERLAPPED){0};
    overlapped->Offset = (DWORD)p->offset;
    overlapped->OffsetHigh = (DWORD)(p->offset >> 32);
    BOOL ok = functions()->transmit_file(
        (SOCKET)op->handle->fd, file_of(p->file), (DWORD)bytes, 0, overlapped, around, 0);
    return ending_of_call(op->handle, ok, overlapped, ret_ending);
}

/* How much of the file the next call shall send: no more than there is. 0: less is there than there was. */
static int bytes_there(const struct passage *p, uint64_t *ret_bytes)
{
    uint64_t size;
    int r = os_file_size(p->file->fd, &size);
    uint64_t most = p->left < FILE_MOST ? p->left : FILE_MOST;
    uint64_t there = r == 0 && size > p->offset ? size - p->offset : 0;
    *ret_bytes = there < most ? there : most;
    return r;
}

static void too_short(struct op *op)
{
    op->result = CPORT_EIO;
    op->aux = 0;
}

/* True: the call has ended, or was not made, and *ret_ending tells how; a file that is too short ends with 0 bytes. */
static bool ask(struct op *op, struct ending *ret_ending)
{
    const struct passage *p = &op->io.vec->passage;
    if (p->head_left && (p->left == 0 || !riding(p->head_left)))
        return ask_memory(op, p->head, p->head_left, ret_ending);
    if (p->left == 0)
        return ask_memory(op, p->tail, p->tail_left, ret_ending);
    uint64_t bytes;
    *ret_ending = (struct ending){.code = bytes_there(p, &bytes)};
    if (ret_ending->code < 0 || bytes == 0)
        return true;
    if (is_relayed(op))
        return relay_ask(op, riding(p->head_left), riding(p->tail_left), ret_ending);
    return ask_file(op, bytes, ret_ending);
}

static size_t take(size_t *bytes, size_t left)
{
    size_t n = *bytes < left ? *bytes : left;
    *bytes -= n;
    return n;
}

static void advance(struct op *op, size_t bytes)
{
    struct passage *p = &op->io.vec->passage;
    op->transferred += bytes;
    size_t n = take(&bytes, p->head_left);
    p->head += n;
    p->head_left -= n;
    n = take(&bytes, (size_t)p->left);
    p->offset += n;
    p->left -= n;
    n = take(&bytes, p->tail_left);
    p->tail += n;
    p->tail_left -= n;
}

/* True: the op has ended. */
static bool took(struct op *op, struct ending e)
{
    advance(op, e.bytes);
    /* Unlike a send, this call may find that there is no connection where there is none any more. */
    if (e.code == CPORT_ENOTCONN && (op->handle->engine_bits & HANDLE_TOLD))
        e.code = CPORT_ECONNRESET;
    bool all = op->transferred == op->io.len;
    op->result = all ? (int64_t)op->transferred : CPORT_ECANCELED;
    if (e.raw == END_OF_FILE_STATUS || e.raw == ERROR_HANDLE_EOF)
        too_short(op);
    else if (e.code < 0)
        send_fail(op, e);
    else if (!all && !(op->bits & OP_CANCELLED) && e.bytes == 0)
        too_short(op);
    else
        return all || (op->bits & OP_CANCELLED);
    return true;
}

static int run(struct op *op)
{
    const size_t before = op->transferred;
    struct ending e;
    for (;;) {
        if (!ask(op, &e))
            return START_PENDING;
        if (took(op, e))
            return START_DONE;
        if (op->transferred - before >= TURN_MOST && queue_repeat(op, overlapped_of(op)))
            return START_PENDING;
    }
}

int transmit_start(struct op *op)
{
    op->result = 0;
    if (op->io.len == 0)
        return START_DONE;
    if (!is_relayed(op))
        return run(op);
    if (!relay_take(op))
        return CPORT_ENOMEM;
    int r = run(op);
    if (r == START_DONE)
        relay_give(op);
    return r;
}

/* Nothing was sent, and nothing has failed: the turn was over; or it waited for room, and Wine ends what waits when it sees that
 * the peer has ended its side. */
static bool is_interrupted(const struct op *op, const struct ending *e)
{
    return e->code == 0 && e->bytes == 0 && !(op->bits & OP_CANCELLED);
}

void transmit_ended(struct op *op, struct harvest *out)
{
    const struct ending e = ending_of_packet(overlapped_of(op));
    if (is_interrupted(op, &e) || !took(op, e)) {
        if (run(op) == START_PENDING)
            return;
    }
    if (is_relayed(op))
        relay_give(op);
    handle_op_final(op, op->result, out);
}
