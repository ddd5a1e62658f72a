/* forward PORT TO_PORT [TO_HOST]: passes each connection to this machine's PORT on to TO_HOST (127.0.0.1), in both directions,
 * until each has ended. */
#include <cport/cport.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct flow {
    cport_handle *handle; /* receives from here, sends to the other flow's */
    cport_op op, close_op;
    enum { RECEIVING, SENDING, ENDING } step;
    char
        data[16384]; /* all that is ever held of a direction: a slow reader slows the sender down */
};

struct link {
    struct flow flow[2];
    cport_op connect_op;
    unsigned running; /* flows that have not ended */
    unsigned handles; /* close events to come */
    bool closing;
};

static cport_port *port;
static struct sockaddr_storage target;
static cport_socklen target_len;

static int check(int result) /* of what must not fail */
{
    if (result < 0)
        exit((fprintf(stderr, "forward: %s\n", cport_strerror(result)), 1));
    return result;
}

/* Once: what is pending fails then, and comes here again, perhaps when one of the handles is gone. */
static void link_close(struct link *l, uint32_t flags)
{
    for (unsigned i = 0; i < 2 && !l->closing; i++)
        check(cport_close(l->flow[i].handle, &l->flow[i].close_op, flags));
    l->closing = true;
}

static void link_open(cport_os_handle fd)
{
    struct link *l = calloc(1, sizeof(*l));
    cport_os_handle to;
    check(l ? 0 : CPORT_ENOMEM);
    check(cport_socket_tcp(target.ss_family, NULL, &to));
    check(cport_attach(port, fd, (uintptr_t)l, 0, &l->flow[0].handle));
    check(cport_attach(port, to, (uintptr_t)l, 0, &l->flow[1].handle));
    l->handles = l->running = 2;
    check(cport_connect(
        l->flow[1].handle, &l->connect_op, (struct sockaddr *)&target, target_len, 0));
}

/* The next step of flow i: receive, send what came, or pass the end on and be done. */
static void flow_step(struct link *l, unsigned i, int64_t result)
{
    struct flow *f = &l->flow[i], *other = &l->flow[!i];
    if (f->step == ENDING) {
        if (--l->running == 0)
            link_close(l, 0);
        return;
    }
    if (f->step == SENDING) {
        f->step = RECEIVING;
        result = cport_recv(f->handle, &f->op, f->data, sizeof(f->data), 0);
    } else if (result > 0) {
        f->step = SENDING;
        result = cport_send(other->handle, &f->op, f->data, (size_t)result, 0);
    } else {
        f->step = ENDING;
        result = cport_shutdown(other->handle, &f->op, CPORT_SHUT_SEND);
    }
    if (result < 0)
        link_close(l, CPORT_ABORT);
}

static void link_event(struct link *l, const cport_event *ev)
{
    unsigned i = ev->op == &l->flow[1].op; /* whose it is, if it is a flow's */
    if (ev->op == &l->flow[0].close_op || ev->op == &l->flow[1].close_op) {
        if (--l->handles == 0)
            free(l);
    } else if (ev->result < 0) {
        link_close(l, CPORT_ABORT);
    } else if (ev->op == &l->connect_op) {
        for (i = 0; i < 2; i++) {
            l->flow[i].step = SENDING; /* as if something had been sent: receive */
            flow_step(l, i, 0);
        }
    } else {
        flow_step(l, i, ev->result);
    }
}

int main(int argc, char **argv)
{
    cport_port_options single = {.size = sizeof(single), .flags = CPORT_PORT_SINGLE};
    struct sockaddr_storage at;
    cport_socklen len;
    cport_os_handle fd;
    cport_handle *listener;
    cport_op accept_op = {0};
    cport_event ev;
    check(argc == 3 || argc == 4 ? 0 : CPORT_EINVAL);
    check(cport_port_open(&single, &port)); /* CPORT_BACKEND in the environment steers it */
    check(cport_address(
        argc > 3 ? argv[3] : "127.0.0.1", (uint16_t)strtol(argv[2], 0, 0), &target, &target_len));
    check(cport_address("127.0.0.1", (uint16_t)strtol(argv[1], 0, 0), &at, &len));
    check(cport_socket_tcp_listen((struct sockaddr *)&at, len, NULL, &fd));
    check(cport_attach(port, fd, 0, 0, &listener));
    check(cport_accept(listener, &accept_op, CPORT_MULTISHOT));
    while (check(cport_wait(port, &ev, 1, -1)) == 1) {
        if (ev.op != &accept_op)
            link_event((struct link *)ev.key, &ev);
        else if (ev.result >= 0) /* or no descriptor was left for it: it goes on by itself */
            link_open((cport_os_handle)ev.result);
    }
}
