/*
 * This library, one SINGLE port: a receive into the connection's buffer, a send from it, the next receive. Both may be done at
 * once (CPORT_INLINE_OK), which spares an event where the engine tries before it waits.
 * The first argument chooses another kind, the second one the handlers: see below.
 */
#include "cport_peer.h"
#include "handlers.h"
#include "peer.h"

#include <stdlib.h>
#include <string.h>

struct connection {
    cport_handle *handle;
    cport_op recv_op;
    cport_op send_op;
    cport_op close_op;
    unsigned char buffer[PEER_BUFFER_BYTES];
};

static void (*begin_blocking)(void);
static void (*end_blocking)(void);

static void connection_close(struct connection *x)
{
    cport_peer_check("close", cport_close(x->handle, &x->close_op, 0));
}

/* Goes on until something has to be waited for. received: what is in the buffer; 0: nothing yet; < 0: an error or the end. */
static void connection_run(struct connection *x, int64_t received)
{
    for (;;) {
        if (received > 0) {
            handlers_run(begin_blocking, end_blocking);
            int done =
                cport_send(x->handle, &x->send_op, x->buffer, (size_t)received, CPORT_INLINE_OK);
            if (done == 0)
                return;
            received = done < 0 || cport_op_result(&x->send_op) < 0 ? -1 : 0;
        }
        if (received == 0) {
            int done =
                cport_recv(x->handle, &x->recv_op, x->buffer, sizeof x->buffer, CPORT_INLINE_OK);
            if (done == 0)
                return;
            received = done < 0 ? done : cport_op_result(&x->recv_op);
        }
        if (received <= 0) {
            connection_close(x);
            return;
        }
    }
}

static void on_event(const cport_event *event)
{
    struct connection *x = (struct connection *)event->key;
    if (event->op == &x->recv_op)
        connection_run(x, event->result > 0 ? event->result : -1);
    else if (event->op == &x->send_op)
        connection_run(x, event->result > 0 ? 0 : -1);
    else
        cport_peer_closed(x);
}

static void on_connection(cport_port *port, cport_os_handle fd)
{
    struct connection *x = peer_allocate(sizeof *x);
    peer_connection_opened();
    cport_peer_check("attach", cport_attach(port, fd, (uintptr_t)x, 0, &x->handle));
    connection_run(x, 0);
}

/* "shared-N" puts N threads on one shared port; "told-N" also says when its handlers block. */
static void choose_kind(const char *kind, struct cport_peer *ret_peer)
{
    if (strcmp(kind, "pooled") == 0) {
        ret_peer->opened = cport_pooled_open;
        ret_peer->connection = cport_pooled_connection;
        ret_peer->event = cport_pooled_event;
        return;
    }
    ret_peer->connection = on_connection;
    ret_peer->event = on_event;
    if (strncmp(kind, "shared-", 7) != 0 && strncmp(kind, "told-", 5) != 0)
        return;
    ret_peer->shared = true;
    ret_peer->threads = (unsigned)strtoul(strchr(kind, '-') + 1, NULL, 10);
    if (kind[0] == 't') {
        begin_blocking = cport_blocking_begin;
        end_blocking = cport_blocking_end;
    }
}

int main(int argc, char **argv)
{
    struct cport_peer peer = {.threads = 1, .batch = CPORT_PEER_BATCH};
    choose_kind(argc > 1 ? argv[1] : "", &peer);
    if (argc > 2) {
        handlers_choose(argv[2]);
        if (peer.shared)
            peer.batch = 1; /* a handler that blocks would keep back the rest of its batch */
    }
    cport_peer_serve(&peer);
}
