/* chat PORT: whatever line somebody of this machine writes, all others read: nc 127.0.0.1 PORT. Nobody waits for a slow reader: it
 * is dropped once its buffer is full. */
#include <cport/cport.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct member {
    cport_op recv_op, send_op, close_op;
    cport_handle *handle;
    struct member *next, **link;
    unsigned number;
    bool sending, closing;
    char line[512]; /* the start of one that has not ended yet */
    size_t line_len;
    char out[2][32768]; /* one is sent while the other fills */
    size_t out_len;
    unsigned filling;
};

static struct member *members;
static unsigned members_ever;

static int check(int result) /* of what must not fail */
{
    if (result < 0)
        exit((fprintf(stderr, "chat: %s\n", cport_strerror(result)), 1));
    return result;
}

/* What is pending comes back with an error, then the close event: the last, which frees the member. */
static void leave(struct member *m, uint32_t flags)
{
    if (m->closing)
        return;
    m->closing = true;
    *m->link = m->next;
    if (m->next)
        m->next->link = m->link;
    check(cport_close(m->handle, &m->close_op, flags));
}

static void send_queued(struct member *m)
{
    if (m->sending || m->closing || m->out_len == 0)
        return;
    check(cport_send(m->handle, &m->send_op, m->out[m->filling], m->out_len, 0));
    m->sending = true;
    m->filling = !m->filling;
    m->out_len = 0;
}

static void tell_others(const struct member *from, const char *text, size_t len)
{
    char said[600];
    int said_len = snprintf(said, sizeof(said), "%u: %.*s\n", from->number, (int)len, text);
    for (struct member *m = members, *next; m; m = next) {
        next = m->next;
        if (m == from)
            continue;
        if ((size_t)said_len > sizeof(m->out[0]) - m->out_len) {
            leave(m, CPORT_ABORT);
            continue;
        }
        memcpy(m->out[m->filling] + m->out_len, said, (size_t)said_len);
        m->out_len += (size_t)said_len;
        send_queued(m);
    }
}

/* Everything up to the last newline is said; the rest waits for its own. A line that fills the buffer is said in pieces. */
static void heard(struct member *m, size_t bytes)
{
    m->line_len += bytes;
    char *start = m->line, *end;
    while ((end = memchr(start, '\n', m->line_len)) != NULL) {
        tell_others(m, start, (size_t)(end - start));
        m->line_len -= (size_t)(end + 1 - start);
        start = end + 1;
    }
    memmove(m->line, start, m->line_len);
    if (m->line_len == sizeof(m->line)) {
        tell_others(m, m->line, m->line_len);
        m->line_len = 0;
    }
}

static void receive(struct member *m)
{
    size_t room = sizeof(m->line) - m->line_len;
    check(cport_recv(m->handle, &m->recv_op, m->line + m->line_len, room, 0));
}

static void join(cport_port *port, cport_os_handle fd)
{
    struct member *m = calloc(1, sizeof(*m));
    if (!m) {
        (void)cport_socket_close(fd);
        return;
    }
    check(cport_attach(port, fd, (uintptr_t)m, 0, &m->handle));
    m->number = ++members_ever;
    m->next = members;
    m->link = &members;
    if (m->next)
        m->next->link = &m->next;
    members = m;
    receive(m);
}

static void member_event(struct member *m, const cport_event *event)
{
    if (event->op == &m->close_op) {
        free(m);
    } else if (m->closing) {
        return; /* the close event is still to come */
    } else if (event->op == &m->recv_op && event->result > 0) {
        heard(m, (size_t)event->result);
        receive(m);
    } else if (event->op == &m->send_op && event->result >= 0) {
        m->sending = false;
        send_queued(m);
    } else {
        leave(m, 0);
    }
}

int main(int argc, char **argv)
{
    cport_port_options single = {.size = sizeof(single), .flags = CPORT_PORT_SINGLE};
    struct sockaddr_storage at;
    cport_socklen len;
    cport_os_handle fd;
    cport_port *port;
    cport_handle *listener;
    cport_op accept_op = {0};
    check(cport_port_open(&single, &port));
    check(
        cport_address("127.0.0.1", (uint16_t)(argc > 1 ? strtol(argv[1], 0, 0) : 7777), &at, &len));
    check(cport_socket_tcp_listen((struct sockaddr *)&at, len, NULL, &fd));
    check(cport_attach(port, fd, 0, 0, &listener));
    check(cport_accept(listener, &accept_op, CPORT_MULTISHOT));
    for (;;) {
        cport_event ev[64];
        for (int i = 0, n = check(cport_wait(port, ev, 64, -1)); i < n; i++) {
            if (ev[i].op != &accept_op)
                member_event((struct member *)ev[i].key, &ev[i]);
            else if (ev[i].result >= 0)
                join(port, (cport_os_handle)ev[i].result);
        }
    }
}
