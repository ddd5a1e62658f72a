/*
 * This library, one SINGLE port: a cport_sendfile of the whole file for each byte that a connection asks with.
 */
#include "cport_peer.h"

static const char *file_path;
static cport_handle *file;

struct connection {
    cport_handle *handle;
    cport_op recv_op;
    cport_op send_op;
    cport_op close_op;
    char asked;
};

static void connection_receive(struct connection *x)
{
    cport_peer_check("receive", cport_recv(x->handle, &x->recv_op, &x->asked, 1, 0));
}

static void on_opened(cport_port *port)
{
    cport_os_handle fd;
    if (file_path == NULL)
        return;
    cport_peer_check("file", cport_file_open(file_path, CPORT_FILE_READ, 0, &fd));
    cport_peer_check("file", cport_attach(port, fd, 1, 0, &file));
}

static void on_connection(cport_port *port, cport_os_handle fd)
{
    struct connection *x = peer_allocate(sizeof *x);
    peer_connection_opened();
    cport_peer_check("attach", cport_attach(port, fd, (uintptr_t)x, 0, &x->handle));
    connection_receive(x);
}

static void on_event(const cport_event *event)
{
    struct connection *x = (struct connection *)event->key;
    if (event->op == &x->close_op)
        cport_peer_closed(x);
    else if (event->result <= 0)
        cport_peer_check("close", cport_close(x->handle, &x->close_op, 0));
    else if (event->op == &x->recv_op)
        cport_peer_check("send", cport_sendfile(x->handle, &x->send_op, file, 0, 0, NULL, 0));
    else
        connection_receive(x);
}

int main(int argc, char **argv)
{
    const struct cport_peer peer = {.threads = 1,
        .batch = CPORT_PEER_BATCH,
        .opened = on_opened,
        .connection = on_connection,
        .event = on_event};
    file_path = argc > 2 ? argv[2] : NULL;
    cport_peer_serve(&peer);
}
