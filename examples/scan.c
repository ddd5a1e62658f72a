/* scan FIRST LAST [HOST]: tells which TCP ports answer, on this machine (127.0.0.1) if no other is named: many at once, each
 * with a deadline. */
#include <cport/cport.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROBES = 256 };
static const int64_t patience_ns = 500000000;

struct probe {
    cport_op connect_op, timer_op, close_op;
    cport_handle *handle;
    uint16_t tcp_port;
    unsigned events; /* to come: the probe is free when all three have */
};

static cport_port *port;
static const char *host = "127.0.0.1";
static long next_port, last_port, answered, refused, silent;

static int check(int result) /* of what must not fail */
{
    if (result < 0)
        exit((fprintf(stderr, "scan: %s\n", cport_strerror(result)), 1));
    return result;
}

/* False: no port is left. */
static int probe_start(struct probe *p)
{
    struct sockaddr_storage to;
    cport_socklen len;
    cport_os_handle fd;
    if (next_port > last_port)
        return 0;
    p->tcp_port = (uint16_t)next_port++;
    p->events = 3;
    check(cport_address(host, p->tcp_port, &to, &len));
    check(cport_socket_tcp(to.ss_family, NULL, &fd));
    check(cport_attach(port, fd, (uintptr_t)p, 0, &p->handle));
    check(cport_connect(p->handle, &p->connect_op, (struct sockaddr *)&to, len, 0));
    check(cport_timer(port, &p->timer_op, cport_now_ns(port) + patience_ns, 0));
    return 1;
}

static void probe_connected(struct probe *p, int64_t result)
{
    if (result == 0)
        printf("%u\n", p->tcp_port);
    *(result == 0 ? &answered : result == CPORT_ECANCELED ? &silent : &refused) += 1;
    (void)cport_cancel(&p->timer_op); /* or it has expired: either way it has one event */
    check(cport_close(p->handle, &p->close_op, CPORT_ABORT));
}

int main(int argc, char **argv)
{
    cport_port_options single = {.size = sizeof(single), .flags = CPORT_PORT_SINGLE};
    static struct probe probes[PROBES];
    unsigned busy = 0;
    check(argc == 3 || argc == 4 ? 0 : CPORT_EINVAL);
    next_port = strtol(argv[1], 0, 0);
    last_port = strtol(argv[2], 0, 0);
    check(next_port > 0 && last_port < 65536 ? 0 : CPORT_EINVAL);
    host = argc > 3 ? argv[3] : host;
    check(cport_port_open(&single, &port)); /* CPORT_BACKEND in the environment steers it */
    for (unsigned i = 0; i < PROBES; i++)
        busy += (unsigned)probe_start(&probes[i]);
    while (busy) {
        cport_event ev[64];
        for (int i = 0, n = check(cport_wait(port, ev, 64, -1)); i < n; i++) {
            struct probe *p = (struct probe *)ev[i].key;
            if (!p) /* a timer's, which has no key */
                p = CPORT_CONTAINER_OF(ev[i].op, struct probe, timer_op);
            if (ev[i].op == &p->connect_op)
                probe_connected(p, ev[i].result);
            else if (ev[i].op == &p->timer_op && ev[i].result == 0)
                (void)cport_cancel(&p->connect_op); /* or it has just ended */
            if (--p->events == 0 && !probe_start(p))
                busy--;
        }
    }
    fprintf(stderr, "%ld answered, %ld refused, %ld silent\n", answered, refused, silent);
    return cport_port_close(port) < 0;
}
