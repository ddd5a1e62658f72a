#include "client.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX     256
#define READ_BYTES     (256 * 1024)
/* The stream's content repeats with a prime period, so that no message size lines up with it. */
#define PATTERN_PERIOD 65521
#define PATTERN_SPAN   (128 * 1024) /* at most sent or compared in one piece */
#define SILENCE_MAX_MS 30000

struct connection {
    int fd;
    size_t partial_bytes; /* of the message being received */
    size_t unsent_bytes;  /* promised to the stream, not yet taken by the socket */
    uint32_t send_phase;  /* place in the pattern */
    uint32_t receive_phase;
    uint64_t messages_left; /* that may still be started */
    int64_t *started_ns;    /* ring of the outstanding messages, oldest at head */
    unsigned head;
    unsigned outstanding;
};

struct client {
    const struct client_options *options;
    struct client_result *result;
    struct connection *connections;
    unsigned char *pattern;
    unsigned char *inbox;
    int64_t *stamps;
    int epoll;
    uint64_t outstanding; /* messages, over all connections */
    bool is_measuring;
    bool is_draining; /* no new messages */
};

const char client_name[] = "epoll";

static int fail(const char *what)
{
    fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
    return -1;
}

static int connection_flush(struct client *c, struct connection *x)
{
    while (x->unsent_bytes > 0) {
        size_t bytes = x->unsent_bytes < PATTERN_SPAN ? x->unsent_bytes : PATTERN_SPAN;
        ssize_t sent = send(x->fd, c->pattern + x->send_phase, bytes, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN ? 0 : fail("send"); /* EPOLLOUT brings us back */
        x->unsent_bytes -= (size_t)sent;
        x->send_phase = (x->send_phase + (uint32_t)sent) % PATTERN_PERIOD;
    }
    return 0;
}

static int connection_start_messages(struct client *c, struct connection *x, int64_t now_ns)
{
    unsigned depth = c->options->depth;
    while (!c->is_draining && x->outstanding < depth && x->messages_left > 0) {
        x->started_ns[(x->head + x->outstanding) % depth] = now_ns;
        x->outstanding++;
        x->messages_left--;
        x->unsent_bytes += c->options->message_bytes;
        c->outstanding++;
    }
    return connection_flush(c, x);
}

static void connection_finish_message(struct client *c, struct connection *x, int64_t now_ns)
{
    if (c->is_measuring) {
        hist_add(&c->result->latency_ns, (uint64_t)(now_ns - x->started_ns[x->head]));
        c->result->messages++;
    }
    x->head = (x->head + 1) % c->options->depth;
    x->outstanding--;
    c->outstanding--;
}

static int connection_check(const struct client *c, const struct connection *x, size_t bytes)
{
    if (bytes > x->outstanding * c->options->message_bytes - x->partial_bytes) {
        fprintf(stderr, "client: more bytes came back than were sent\n");
        return -1;
    }
    uint32_t phase = x->receive_phase;
    for (size_t done = 0; c->options->verify && done < bytes;) {
        size_t piece = bytes - done < PATTERN_SPAN ? bytes - done : PATTERN_SPAN;
        if (memcmp(c->inbox + done, c->pattern + phase, piece) != 0) {
            fprintf(stderr, "client: other bytes came back than were sent\n");
            return -1;
        }
        phase = (uint32_t)((phase + piece) % PATTERN_PERIOD);
        done += piece;
    }
    return 0;
}

static int connection_receive(struct client *c, struct connection *x, int64_t *ret_now_ns)
{
    for (;;) {
        ssize_t got = recv(x->fd, c->inbox, READ_BYTES, 0);
        if (got < 0 && errno == EAGAIN)
            return 0;
        if (got < 0)
            return fail("recv");
        if (got == 0) {
            fprintf(stderr, "client: the server closed a connection\n");
            return -1;
        }
        if (connection_check(c, x, (size_t)got) != 0)
            return -1;
        x->receive_phase = (uint32_t)((x->receive_phase + (size_t)got) % PATTERN_PERIOD);
        x->partial_bytes += (size_t)got;
        *ret_now_ns = os_now_ns();
        for (; x->partial_bytes >= c->options->message_bytes;
             x->partial_bytes -= c->options->message_bytes)
            connection_finish_message(c, x, *ret_now_ns);
        if (connection_start_messages(c, x, *ret_now_ns) != 0)
            return -1;
        if (got < READ_BYTES)
            return 0; /* drained: the edge-triggered set tells when there is more */
    }
}

/* A broken connection is said by recv, which EPOLLERR and EPOLLHUP lead to as well. */
static int connection_turn(struct client *c, const struct epoll_event *event, int64_t *ret_now_ns)
{
    struct connection *x = event->data.ptr;
    if ((event->events & EPOLLOUT) != 0 && connection_flush(c, x) != 0)
        return -1;
    if ((event->events & ~(uint32_t)EPOLLOUT) != 0)
        return connection_receive(c, x, ret_now_ns);
    return 0;
}

static int turn(struct client *c, int64_t *ret_now_ns)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(c->epoll, events, EVENTS_MAX, SILENCE_MAX_MS);
    if (count < 0 && errno != EINTR)
        return fail("epoll_wait");
    if (count == 0) {
        fprintf(stderr, "client: no answer for %d s\n", SILENCE_MAX_MS / 1000);
        return -1;
    }
    *ret_now_ns = os_now_ns();
    for (int i = 0; i < count; i++) {
        if (connection_turn(c, &events[i], ret_now_ns) != 0)
            return -1;
    }
    return 0;
}

static int connection_open(struct client *c, struct connection *x)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons(c->options->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = x};
    int one = 1;

    x->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (x->fd < 0)
        return fail("socket");
    /* Connected while it still blocks, so that all are there before the first message. */
    if (connect(x->fd, (struct sockaddr *)&address, sizeof address) != 0)
        return fail("connect");
    if (setsockopt(x->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
        return fail("TCP_NODELAY");
    if (fcntl(x->fd, F_SETFL, O_NONBLOCK) != 0)
        return fail("O_NONBLOCK");
    if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, x->fd, &event) != 0)
        return fail("epoll_ctl");
    return 0;
}

static int connections_open(struct client *c)
{
    uint64_t limit = c->options->messages_per_connection;
    for (unsigned i = 0; i < c->options->connections; i++) {
        struct connection *x = &c->connections[i];
        x->started_ns = c->stamps + (size_t)i * c->options->depth;
        x->messages_left = limit > 0 ? limit : UINT64_MAX;
        /* Each starts elsewhere in the pattern: an answer to the wrong connection does not pass. */
        x->send_phase = x->receive_phase = i * 97u % PATTERN_PERIOD;
        if (connection_open(c, x) != 0)
            return -1;
    }
    return 0;
}

/* The order of the samples keeps the slow ones outside the window. */
static int window_open(struct client *c, int64_t *ret_opened_ns)
{
    if (c->options->on_window != NULL && c->options->on_window(c->options->context, true) != 0)
        return -1;
    c->result->cpu_ns = -os_self_cpu_ns();
    *ret_opened_ns = os_now_ns();
    c->is_measuring = true;
    return 0;
}

static int window_close(struct client *c, int64_t opened_ns)
{
    c->is_measuring = false;
    c->is_draining = true;
    c->result->elapsed_ns = os_now_ns() - opened_ns;
    c->result->cpu_ns += os_self_cpu_ns();
    return c->options->on_window != NULL ? c->options->on_window(c->options->context, false) : 0;
}

static int load(struct client *c)
{
    bool is_counted = c->options->messages_per_connection > 0;
    int64_t now_ns = os_now_ns();
    int64_t opened_ns = 0, open_at_ns = now_ns + c->options->warmup_ns;

    if (is_counted && window_open(c, &opened_ns) != 0)
        return -1;
    for (unsigned i = 0; i < c->options->connections; i++) {
        if (connection_start_messages(c, &c->connections[i], os_now_ns()) != 0)
            return -1;
    }
    /* Every message started is awaited, also after the window: one that is lost fails the run. */
    while (c->outstanding > 0) {
        if (turn(c, &now_ns) != 0)
            return -1;
        if (is_counted || c->is_draining)
            continue;
        if (!c->is_measuring && now_ns >= open_at_ns && window_open(c, &opened_ns) != 0)
            return -1;
        if (c->is_measuring && now_ns >= opened_ns + c->options->measure_ns &&
            window_close(c, opened_ns) != 0)
            return -1;
    }
    return is_counted ? window_close(c, opened_ns) : 0;
}

static void pattern_fill(unsigned char *pattern)
{
    uint32_t state = 1;
    for (size_t i = 0; i < PATTERN_PERIOD; i++) {
        state = state * 1664525u + 1013904223u;
        pattern[i] = (unsigned char)(state >> 24);
    }
    for (size_t i = PATTERN_PERIOD; i < PATTERN_PERIOD + PATTERN_SPAN; i++)
        pattern[i] = pattern[i - PATTERN_PERIOD];
}

int client_run(const struct client_options *options, struct client_result *ret_result)
{
    struct client c = {.options = options, .result = ret_result};
    int status = -1;

    memset(ret_result, 0, sizeof *ret_result);
    c.connections = calloc(options->connections, sizeof *c.connections);
    c.stamps = calloc((size_t)options->connections * options->depth, sizeof *c.stamps);
    c.pattern = malloc(PATTERN_PERIOD + PATTERN_SPAN);
    c.inbox = malloc(READ_BYTES);
    c.epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; c.connections != NULL && i < options->connections; i++)
        c.connections[i].fd = -1;
    if (c.connections == NULL || c.stamps == NULL || c.pattern == NULL || c.inbox == NULL ||
        c.epoll < 0) {
        fail("start");
    } else {
        pattern_fill(c.pattern);
        if (connections_open(&c) == 0 && load(&c) == 0)
            status = 0;
    }
    for (unsigned i = 0; c.connections != NULL && i < options->connections; i++) {
        if (c.connections[i].fd >= 0)
            close(c.connections[i].fd);
    }
    if (c.epoll >= 0)
        close(c.epoll);
    free(c.inbox);
    free(c.pattern);
    free(c.stamps);
    free(c.connections);
    return status;
}
