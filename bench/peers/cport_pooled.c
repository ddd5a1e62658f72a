#include "cport_peer.h"

#include <stdbool.h>

#define POOL_BYTES            16384
#define POOL_COUNT            512

#define CONNECTIONS_PER_BLOCK 64

/* One op for receiving and then for closing, which begins when no receive is in flight any more; while its receive is starved,
 * op.user is the next connection that is. */
struct connection {
    cport_op op;
    cport_handle *handle;
    unsigned sends;  /* in flight */
    bool is_ending;  /* nothing more to receive: close after the last send */
    bool is_closing; /* the op is the close's */
    bool is_starved; /* its receive found the pool dry */
};

/* A received buffer on its way out. Sends of a connection leave in the order of the calls, so each may have its own op. */
struct outgoing {
    cport_op op;
    struct connection *connection;
};

static cport_bufs *pool;
static struct outgoing outgoing[POOL_COUNT];
static struct connection *starved;
static struct connection *unused; /* linked by op.user */

void cport_pooled_open(cport_port *port)
{
    cport_peer_check("buffer pool", cport_bufs_open(port, POOL_BYTES, POOL_COUNT, &pool));
}

/* In blocks, since each by itself would have its allocator's header and padding, a tenth of its size. */
static struct connection *connection_take(void)
{
    if (unused == NULL) {
        struct connection *block = peer_allocate(CONNECTIONS_PER_BLOCK * sizeof *block);
        for (unsigned i = CONNECTIONS_PER_BLOCK; i-- > 0;) {
            block[i].op.user = unused;
            unused = &block[i];
        }
    }
    struct connection *x = unused;
    unused = x->op.user;
    *x = (struct connection){0};
    return x;
}

static void connection_return(struct connection *x)
{
    x->op.user = unused;
    unused = x;
    peer_connection_closed();
}

static void connection_receive(struct connection *x)
{
    cport_peer_check("receive", cport_recv_pooled(x->handle, &x->op, pool, CPORT_MULTISHOT));
}

/* Only when nothing is in flight: a close would cancel the sends. */
static void connection_end(struct connection *x)
{
    x->is_ending = true;
    if (x->sends == 0 && !x->is_starved) {
        x->is_closing = true;
        cport_peer_check("close", cport_close(x->handle, &x->op, 0));
    }
}

static void buffer_return(uint32_t id)
{
    cport_peer_check("buffer", cport_bufs_return(pool, id));
    while (starved != NULL) {
        struct connection *x = starved;
        starved = x->op.user;
        x->is_starved = false;
        connection_receive(x);
    }
}

static void on_sent(struct outgoing *out, int64_t result)
{
    struct connection *x = out->connection;
    x->sends--;
    buffer_return((uint32_t)(out - outgoing));
    if (result < 0)
        cport_cancel(&x->op); /* its event, now or already queued, ends the connection */
    if (x->is_ending)
        connection_end(x);
}

static void connection_send(struct connection *x, uint32_t id, int64_t bytes)
{
    struct outgoing *out = &outgoing[id];
    out->connection = x;
    x->sends++;
    int done =
        cport_send(x->handle, &out->op, cport_bufs_data(pool, id), (size_t)bytes, CPORT_INLINE_OK);
    if (done != 0)
        on_sent(out, done < 0 ? done : cport_op_result(&out->op));
}

static void on_received(struct connection *x, const cport_event *event)
{
    bool is_final = (event->flags & CPORT_MORE) == 0;
    if ((event->flags & CPORT_BUFFER) != 0)
        connection_send(x, event->aux, event->result);
    if (!is_final)
        return;
    if (event->result > 0) {
        connection_receive(x);
    } else if (event->result == CPORT_ENOBUFS) {
        x->is_starved = true;
        x->op.user = starved;
        starved = x;
    } else {
        connection_end(x);
    }
}

void cport_pooled_event(const cport_event *event)
{
    struct connection *x = (struct connection *)event->key;
    if (event->op != &x->op)
        on_sent(CPORT_CONTAINER_OF(event->op, struct outgoing, op), event->result);
    else if (x->is_closing)
        connection_return(x);
    else
        on_received(x, event);
}

void cport_pooled_connection(cport_port *port, cport_os_handle fd)
{
    struct connection *x = connection_take();
    peer_connection_opened();
    cport_peer_check("attach", cport_attach(port, fd, (uintptr_t)x, 0, &x->handle));
    connection_receive(x);
}
