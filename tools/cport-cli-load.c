/*
 * A load on the Throughput protocol: so many connections, so many packets under way on each, for so many seconds.
 * Every reply is compared to the byte. A closed loop: a packet is sent when a reply makes room for it, so the latency is
 * that of this load and no other.
 */
#include "cport-cli-family.h"
#include "cport-cli-histogram.h"
#include "cport-cli-output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THROUGHPUT 0x05
#define SECOND     INT64_C(1000000000)
#define RECV_BYTES ((size_t)64 << 10)
#define EVENTS_MAX 64u

struct address {
    struct sockaddr_storage storage;
    cport_socklen len;
};

struct load;

struct peer {
    cport_op send_op; /* connect, then sends */
    cport_op recv_op;
    cport_op close_op;
    cport_handle *handle;
    struct load *load;
    bool sending;
    int64_t unsent;    /* packets that may go out */
    int64_t *sent_at;  /* ring of depth: when each packet under way went out */
    int64_t oldest;    /* index of the one whose reply comes next */
    int64_t under_way; /* sent, not yet answered */
    size_t matched;    /* bytes of the reply under way that have come, all as expected */
    uint8_t *received;
};

struct load {
    const struct cli_options *options;
    cport_port *port;
    struct peer *peers;
    cport_op timer;
    uint8_t *packets; /* depth packets, one like the other: a batch is sent from here by all */
    size_t packet_len;
    uint8_t *reply; /* what each is answered with */
    size_t reply_len;
    unsigned open;      /* connections with a handle */
    unsigned connected; /* of those that are being connected */
    bool running;
    int status;
    int64_t now_ns;
    int64_t started_ns;
    int64_t ended_ns;
    struct histogram latency;
};

/* ---- The packets ---- */

static uint8_t *packet_make(const char *text, const uint8_t *data, size_t len, size_t *ret_len)
{
    size_t text_len = strlen(text);
    uint8_t *packet = malloc(PACKET_HEAD_BYTES + text_len + len);
    if (!packet)
        return NULL;
    packet_head_store(packet, text_len, len);
    memcpy(packet + PACKET_HEAD_BYTES, text, text_len);
    memcpy(packet + PACKET_HEAD_BYTES + text_len, data, len);
    *ret_len = PACKET_HEAD_BYTES + text_len + len;
    return packet;
}

static bool packets_make(struct load *load)
{
    size_t size = (size_t)load->options->size;
    uint8_t *data = malloc(size + 1);
    uint8_t *packet = NULL;
    if (data) {
        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t)(i * 31 + i / 251);
        packet = packet_make(
            "[Request]\r\nCommand=CyclePacket\r\nCount=1", data, size, &load->packet_len);
        load->reply = packet_make(
            "[Response]\r\nCommand=CyclePacket\r\nCode=0\r\nCount=2", data, size, &load->reply_len);
    }
    free(data);
    if (packet)
        load->packets = malloc(load->packet_len * (size_t)load->options->depth);
    if (packet && load->packets) {
        for (int64_t i = 0; i < load->options->depth; i++)
            memcpy(load->packets + (size_t)i * load->packet_len, packet, load->packet_len);
    }
    free(packet);
    return load->packets && load->reply;
}

/* ---- The connections ---- */

static void load_stop(struct load *load, int status)
{
    if (!load->running)
        return;
    load->running = false;
    load->ended_ns = load->now_ns;
    load->status = status;
}

static void peer_fail(struct peer *peer, int status, const char *what, int64_t error)
{
    if (peer->load->running)
        output_error(
            "%s%s%s", what, error < 0 ? ": " : "", error < 0 ? cport_strerror((int)error) : "");
    load_stop(peer->load, status);
}

static void peer_send(struct peer *peer)
{
    struct load *load = peer->load;
    if (peer->sending || peer->unsent == 0 || !load->running)
        return;
    int64_t depth = load->options->depth;
    for (int64_t i = 0; i < peer->unsent; i++)
        peer->sent_at[(peer->oldest + peer->under_way + i) % depth] = load->now_ns;
    int error = cport_send(
        peer->handle, &peer->send_op, load->packets, load->packet_len * (size_t)peer->unsent, 0);
    if (error < 0) {
        peer_fail(peer, CLI_NO_ANSWER, "cannot send", error);
        return;
    }
    peer->under_way += peer->unsent;
    peer->unsent = 0;
    peer->sending = true;
}

static void peer_receive(struct peer *peer)
{
    int error = cport_recv(peer->handle, &peer->recv_op, peer->received, RECV_BYTES, 0);
    if (error < 0)
        peer_fail(peer, CLI_NO_ANSWER, "cannot receive", error);
}

static void peer_answered(struct peer *peer)
{
    struct load *load = peer->load;
    histogram_add(&load->latency, load->now_ns - peer->sent_at[peer->oldest]);
    peer->oldest = (peer->oldest + 1) % load->options->depth;
    peer->under_way--;
    peer->unsent++;
}

/* Compares what came with the replies that are due. */
static bool peer_match(struct peer *peer, size_t len)
{
    const struct load *load = peer->load;
    for (size_t at = 0; at < len;) {
        size_t due = load->reply_len - peer->matched;
        size_t part = len - at < due ? len - at : due;
        if (peer->under_way == 0 ||
            memcmp(peer->received + at, load->reply + peer->matched, part) != 0)
            return false;
        at += part;
        peer->matched += part;
        if (peer->matched == load->reply_len) {
            peer->matched = 0;
            peer_answered(peer);
        }
    }
    return true;
}

static void peer_received(struct peer *peer, int64_t result)
{
    if (!peer->load->running)
        return;
    if (result <= 0) {
        peer_fail(peer, CLI_NO_ANSWER, "the server closed a connection", result);
    } else if (!peer_match(peer, (size_t)result)) {
        peer_fail(peer, CLI_REFUSED, "a reply differs from what was sent", 0);
    } else {
        peer_send(peer);
        peer_receive(peer);
    }
}

static void load_begin(struct load *load)
{
    static const uint8_t throughput = THROUGHPUT;
    load->started_ns = load->now_ns;
    for (int64_t i = 0; i < load->options->connections; i++) {
        struct peer *peer = &load->peers[i];
        int error = cport_send(peer->handle, &peer->send_op, &throughput, 1, 0);
        if (error < 0)
            peer_fail(peer, CLI_NO_ANSWER, "cannot send", error);
        peer->sending = error == 0;
        peer_receive(peer);
    }
    int error =
        cport_timer(load->port, &load->timer, load->now_ns + load->options->seconds * SECOND, 0);
    if (error < 0)
        load_stop(load, CLI_NO_ANSWER);
}

/* The end of the connect, or of a send. */
static void peer_sent(struct peer *peer, int64_t result)
{
    struct load *load = peer->load;
    if (!load->running)
        return;
    if (load->started_ns == 0) {
        if (result < 0)
            peer_fail(peer, CLI_NO_SERVER, "cannot connect", result);
        else if (++load->connected == load->options->connections)
            load_begin(load);
        return;
    }
    peer->sending = false;
    if (result < 0)
        peer_fail(peer, CLI_NO_ANSWER, "cannot send", result);
    else
        peer_send(peer);
}

static int peer_open(struct peer *peer, struct load *load, const struct address *address)
{
    cport_os_handle fd;
    cport_socket_options no_delay = {.size = sizeof(no_delay), .flags = CPORT_SOCKET_NODELAY};
    peer->load = load;
    peer->unsent = load->options->depth;
    peer->sent_at = calloc((size_t)load->options->depth, sizeof(*peer->sent_at));
    peer->received = malloc(RECV_BYTES);
    if (!peer->sent_at || !peer->received)
        return CPORT_ENOMEM;
    int error = cport_socket_tcp(address->storage.ss_family, &no_delay, &fd);
    if (error < 0)
        return error;
    error = cport_attach(load->port, fd, (uintptr_t)peer, 0, &peer->handle);
    if (error < 0) {
        (void)cport_socket_close(fd);
        return error;
    }
    load->open++;
    return cport_connect(
        peer->handle, &peer->send_op, (const struct sockaddr *)&address->storage, address->len, 0);
}

/* ---- The run ---- */

static void load_event(struct load *load, const cport_event *event)
{
    struct peer *peer = (struct peer *)event->key;
    if (event->op == &load->timer)
        load_stop(load, CLI_OK);
    else if (event->op == &peer->recv_op)
        peer_received(peer, event->result);
    else if (event->op == &peer->close_op)
        load->open--;
    else
        peer_sent(peer, event->result);
}

static void load_wait(struct load *load)
{
    cport_event events[EVENTS_MAX];
    int count = cport_wait(load->port, events, EVENTS_MAX, -1);
    load->now_ns = cport_now_ns(load->port);
    if (count < 0) {
        output_error("%s", cport_strerror(count));
        load_stop(load, CLI_NO_ANSWER);
        load->open = 0; /* nobody will hear of their end */
    }
    for (int i = 0; i < count; i++)
        load_event(load, &events[i]);
}

static void load_report(const struct load *load)
{
    const struct cli_options *options = load->options;
    const struct histogram *latency = &load->latency;
    double seconds = (double)(load->ended_ns - load->started_ns) / 1e9;
    double messages = (double)latency->count;
    double p50 = histogram_quantile(latency, 0.5) / 1e3;
    double p99 = histogram_quantile(latency, 0.99) / 1e3;
    double p999 = histogram_quantile(latency, 0.999) / 1e3;
    double max = (double)latency->max / 1e3;
    if (options->json) {
        printf("{\"connections\": %" PRId64 ", \"depth\": %" PRId64 ", \"size\": %" PRId64
               ", \"seconds\": %.2f, \"messages\": %.0f, \"messages_per_second\": %.0f, "
               "\"latency_us\": {\"p50\": %.0f, \"p99\": %.0f, \"p99.9\": %.0f, \"max\": %.0f}}\n",
            options->connections, options->depth, options->size, seconds, messages,
            messages / seconds, p50, p99, p999, max);
        return;
    }
    printf("%" PRId64 " connections, depth %" PRId64 ", %" PRId64 " bytes, %.2f s\n",
        options->connections, options->depth, options->size, seconds);
    printf("%.0f messages, %.0f messages/s, %.1f MB/s each way\n", messages, messages / seconds,
        messages * (double)options->size / seconds / 1e6);
    printf("latency us: p50 %.0f, p99 %.0f, p99.9 %.0f, max %.0f\n", p50, p99, p999, max);
}

/* With a reset: the replies under way are of no more interest, and no port of this side stays in TIME_WAIT. */
static void load_close(struct load *load)
{
    for (int64_t i = 0; load->peers && i < load->options->connections; i++) {
        struct peer *peer = &load->peers[i];
        if (peer->handle && cport_close(peer->handle, &peer->close_op, CPORT_ABORT) < 0)
            load->open--;
    }
    while (load->open > 0)
        load_wait(load);
    for (int64_t i = 0; load->peers && i < load->options->connections; i++) {
        free(load->peers[i].sent_at);
        free(load->peers[i].received);
    }
    (void)cport_port_close(load->port);
    free(load->peers);
    free(load->packets);
    free(load->reply);
}

static void load_run(struct load *load, const struct address *address)
{
    const struct cli_options *options = load->options;
    load->running = true;
    load->now_ns = cport_now_ns(load->port);
    load->peers = calloc((size_t)options->connections, sizeof(*load->peers));
    if (!load->peers || !packets_make(load)) {
        (void)cli_no_memory();
        load_stop(load, CLI_NO_ANSWER);
    }
    for (int64_t i = 0; load->running && i < options->connections; i++) {
        int error = peer_open(&load->peers[i], load, address);
        if (error < 0)
            peer_fail(&load->peers[i], CLI_NO_SERVER, "cannot connect", error);
    }
    while (load->running)
        load_wait(load);
}

/* One address for all: of a name, the one that answers. */
static int address_of(const struct cli_options *options, struct address *ret_address)
{
    ret_address->len = sizeof(ret_address->storage);
    if (cport_address(options->host, (uint16_t)options->tcp_port, &ret_address->storage,
            &ret_address->len) == 0)
        return CLI_OK;
    struct cli_session session = {0};
    int status = cli_session_open(&session, options, THROUGHPUT);
    if (status == CLI_OK && getpeername(cport_handle_fd(session.handle),
                                (struct sockaddr *)&ret_address->storage, &ret_address->len) != 0)
        status = cli_lost(&session, 0);
    cli_session_close(&session);
    return status;
}

int cli_throughput(const struct cli_options *options)
{
    struct load load = {.options = options};
    struct address address;
    cport_port_options single = {.size = sizeof(single), .flags = CPORT_PORT_SINGLE};
    int status = address_of(options, &address);
    if (status != CLI_OK)
        return status;
    int error = cport_port_open(&single, &load.port);
    if (error < 0) {
        output_error("cannot open a port: %s", cport_strerror(error));
        return CLI_NO_SERVER;
    }
    load_run(&load, &address);
    if (load.status == CLI_OK)
        load_report(&load);
    load_close(&load);
    return load.status;
}
