/*
 * This library, one SINGLE port: a receive into the connection's buffer, a send from it, the next receive. Both may be done at
 * once (CPORT_INLINE_OK), which spares an event where the engine tries before it waits.
 * With the argument "pooled" it is the server of cport_pooled.c instead, with "shared" its port is a shared one.
 */
#include "cport_peer.h"
#include "peer.h"

#include <string.h>

struct connection {
    cport_handle *handle;
    cport_op recv_op;
    cport_op send_op;
    cport_op close_op;
    unsigned char buffer[PEER_BUFFER_BYTES];
};

static void connection_close(struct connection *x)
{
    cport_peer_check("close", cport_close(x->handle, &x->close_op, 0));
}

/* Goes on until something has to be waited for. received: what is in the buffer; 0: nothing yet; < 0: an error or the end. */
static void connection_run(struct connection *x, int64_t received)
{
    for (;;) {
        if (received > 0) {
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

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "pooled") == 0)
        cport_peer_serve(false, cport_pooled_open, cport_pooled_connection, cport_pooled_event);
    cport_peer_serve(argc > 1 && strcmp(argv[1], "shared") == 0, NULL, on_connection, on_event);
}
