#include "server.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>

#define PROCESSORS_MAX         1024u

/* Descriptors that are not connections: standard streams, and for each worker its port, pool, wake-up and listener. */
#define DESCRIPTORS_KEPT       64u
#define DESCRIPTORS_PER_WORKER 8u

/* ---- Listening ---- */

static void complain_listen(const struct config *config, int error)
{
    const char *advice = "Choose another address with --listen HOST:PORT.";
    if (error == CPORT_EADDRINUSE)
        advice = "Another program serves there: stop it, or choose another port with --listen "
                 "HOST:PORT (port 0 takes a free one).";
    else if (error == CPORT_EADDRNOTAVAIL)
        advice = "This machine does not have that address: choose one that it has with --listen "
                 "HOST:PORT.";
    else if (error == CPORT_EACCES)
        advice = "Ports below 1024 want privileges: choose a higher one with --listen HOST:PORT.";
    fprintf(stderr, "cport-server: cannot listen on %s: %s. %s\n", config->listen,
        cport_strerror(error), advice);
}

static int socket_listen(const struct sockaddr_storage *address, cport_socklen len, uint32_t flags,
    cport_os_handle *ret_fd)
{
    cport_socket_options options = {.size = sizeof(options), .flags = CPORT_SOCKET_NODELAY | flags};
    return cport_socket_tcp_listen((const struct sockaddr *)address, len, &options, ret_fd);
}

/* Sockets that share a port with each other would share it with another server's as well, without a word: so a socket
 * that shares with nobody goes first. */
static int port_is_free(const struct sockaddr_storage *address, cport_socklen len)
{
    cport_os_handle fd;
    int error = socket_listen(address, len, 0, &fd);
    return error < 0 ? error : cport_socket_close(fd);
}

/* Gives the first worker, or every worker, its socket. With port 0 the first socket decides for the others. */
static int server_listen(struct server *server, struct sockaddr_storage *ret_address)
{
    const struct config *config = server->config;
    struct sockaddr_storage address;
    cport_socklen len;
    int error = cport_address(config->host, config->tcp_port, &address, &len);
    unsigned sockets = server->one_acceptor ? 1 : server->worker_count;
    uint32_t flags = sockets > 1 ? CPORT_SOCKET_REUSE_PORT : 0;
    if (error == 0 && sockets > 1 && config->tcp_port != 0)
        error = port_is_free(&address, len);
    for (unsigned i = 0; error == 0 && i < sockets; i++) {
        struct worker *worker = &server->workers[i];
        error = socket_listen(&address, len, flags, &worker->listener_fd);
        if (error == 0 && i == 0)
            error = cport_socket_local(worker->listener_fd, &address, &len);
    }
    if (error < 0)
        complain_listen(config, error);
    else
        *ret_address = address;
    return error;
}

/* ---- Start ---- */

static bool server_init(struct server *server, const struct config *config)
{
    unsigned processors[PROCESSORS_MAX];
    unsigned processor_count = sys_processors(processors, PROCESSORS_MAX);
    server->config = config;
    server->worker_count = config->workers > 0 ? (unsigned)config->workers : processor_count;
    server->one_acceptor = config->acceptor == ACCEPTOR_ONE ||
                           (config->acceptor == ACCEPTOR_AUTO && !sys_listeners_balance());

    uint64_t descriptors = sys_descriptors_max();
    uint64_t kept = DESCRIPTORS_KEPT + (uint64_t)DESCRIPTORS_PER_WORKER * server->worker_count;
    uint64_t left = descriptors > kept ? descriptors - kept : 1;
    server->connections_max = (uint32_t)config->max_connections;
    if (left < server->connections_max) {
        server->connections_max = (uint32_t)left;
        log_line(LOG_INFO, "max_connections", "wanted=%lld allowed=%u because=descriptors",
            (long long)config->max_connections, server->connections_max);
    }

    /* A cport_op wants the 16 bytes of alignment that calloc gives on the systems we know. */
    server->workers = calloc(server->worker_count, sizeof(*server->workers));
    if (!server->workers)
        return false;
    for (unsigned i = 0; i < server->worker_count; i++) {
        struct worker *worker = &server->workers[i];
        worker->server = server;
        worker->index = i;
        worker->processor = (int)processors[i % processor_count];
        worker->listener_fd = CPORT_OS_HANDLE_INVALID;
    }
    return true;
}

/* The last first: when the first worker begins to accept, those that it hands connections to have their ports. */
static bool workers_start(struct server *server)
{
    for (unsigned i = server->worker_count; i-- > 0;) {
        struct worker *worker = &server->workers[i];
        if (!worker_start(worker)) {
            fprintf(
                stderr, "cport-server: cannot start worker %u: no memory or no threads left\n", i);
            return false;
        }
        sys_gate_wait(worker->started);
        if (worker->error < 0) {
            fprintf(stderr, "cport-server: cannot %s: %s\n", worker->failed,
                cport_strerror(worker->error));
            return false;
        }
    }
    return true;
}

static void say_listening(const struct server *server, const struct sockaddr_storage *address)
{
    const struct worker *first = &server->workers[0];
    char text[64] = "?";
    (void)cport_address_text(
        (const struct sockaddr *)address, sizeof(*address), text, sizeof(text));
    printf("cport-server: listening on %s, %u worker%s, backend %s (%s)\n", text,
        server->worker_count, server->worker_count == 1 ? "" : "s", first->info.backend_name,
        first->info.reason);
    fflush(stdout);
}

/* ---- Stop ---- */

/* First nobody accepts, then everybody drains: so no connection is handed to a worker that has gone. */
static void workers_stop(struct server *server)
{
    for (unsigned i = 0; i < server->worker_count; i++) {
        if (server->workers[i].bufs) {
            worker_quiet(&server->workers[i]);
            sys_gate_wait(server->workers[i].quiet);
        }
    }
    for (unsigned i = 0; i < server->worker_count; i++) {
        if (server->workers[i].bufs)
            worker_drain(&server->workers[i]);
    }
}

static void log_counts(const struct server *server)
{
    struct worker_counts sum = {0};
    for (unsigned i = 0; i < server->worker_count; i++) {
        const struct worker_counts *one = &server->workers[i].counts;
        sum.accepted += one->accepted;
        sum.handed_on += one->handed_on;
        sum.refused_full += one->refused_full;
        sum.illegal_preface += one->illegal_preface;
        sum.preface_timeout += one->preface_timeout;
        sum.broken_frame += one->broken_frame;
        sum.memory += one->memory;
        sum.write_timeout += one->write_timeout;
    }
    log_line(LOG_INFO, "stopped",
        "accepted=%llu handed_on=%llu refused_full=%llu illegal_preface=%llu preface_timeout=%llu "
        "broken_frame=%llu memory=%llu write_timeout=%llu",
        (unsigned long long)sum.accepted, (unsigned long long)sum.handed_on,
        (unsigned long long)sum.refused_full, (unsigned long long)sum.illegal_preface,
        (unsigned long long)sum.preface_timeout, (unsigned long long)sum.broken_frame,
        (unsigned long long)sum.memory, (unsigned long long)sum.write_timeout);
}

int server_run(const struct config *config)
{
    struct server server = {0};
    struct sockaddr_storage address;
    int status = 1;

    sys_stop_prepare();
    if (!server_init(&server, config)) {
        fprintf(stderr, "cport-server: no memory for %u workers\n", server.worker_count);
        return status;
    }
    if (server_listen(&server, &address) == 0 && workers_start(&server)) {
        say_listening(&server, &address);
        sys_stop_wait();
        log_line(LOG_INFO, "stopping", "connections=%u",
            atomic_load_explicit(&server.connections, memory_order_relaxed));
        status = 0;
    }
    workers_stop(&server);
    for (unsigned i = 0; i < server.worker_count; i++)
        worker_join(&server.workers[i]);
    if (status == 0)
        log_counts(&server);
    free(server.workers);
    return status;
}
