#include "server.h"

#include "addresses.h"
#include "conn.h"
#include "files.h"
#include "hash.h"
#include "log.h"
#include "reload.h"
#include "uploads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROCESSORS_MAX         1024u

/* Descriptors that are not connections: standard streams, and for each worker its port, pool, wake-up and listener. */
#define DESCRIPTORS_KEPT       64u
#define DESCRIPTORS_PER_WORKER 8u

/* Answers to who monitors, which no client's hunger may crowd out. */
#define ADMIN_MEMORY           ((size_t)1 << 20)
#define ADMIN_CONNECTIONS      64u

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

/* A socket that the service manager brings is the first worker's, and the only one. Returns 1 without one. */
static int listen_inherited(struct server *server, struct sockaddr_storage *ret_address)
{
    int fd;
    cport_socklen len;
    const char *why = sys_listener_inherited(&fd);
    if (!why && fd < 0)
        return 1;
    int error = CPORT_EINVAL;
    if (!why) {
        error = cport_socket_local((cport_os_handle)fd, ret_address, &len);
        why = cport_strerror(error);
    }
    if (error < 0) {
        fprintf(stderr, "cport-server: cannot serve on the service manager's socket: %s\n", why);
        return error;
    }
    server->one_acceptor = true;
    server->workers[0].listener_fd = (cport_os_handle)fd;
    return 0;
}

static int admin_listen(struct server *server)
{
    const struct config *config = server->config;
    struct sockaddr_storage address;
    cport_socklen len;
    char text[64] = "?";
    if (!server->admin)
        return 0;
    cport_os_handle *fd = &server->admin->listener_fd;
    int error = cport_address(config->admin_host, config->admin_port, &address, &len);
    if (error == 0)
        error = socket_listen(&address, len, 0, fd);
    if (error == 0)
        error = cport_socket_local(*fd, &address, &len);
    if (error < 0) {
        fprintf(stderr, "cport-server: cannot listen on %s for --admin: %s\n", config->admin,
            cport_strerror(error));
        return error;
    }
    (void)cport_address_text((const struct sockaddr *)&address, len, text, sizeof(text));
    printf("cport-server: admin on %s\n", text);
    return 0;
}

/* Gives the first worker, or every worker, its socket. With port 0 the first socket decides for the others. */
static int server_listen(struct server *server, struct sockaddr_storage *ret_address)
{
    const struct config *config = server->config;
    struct sockaddr_storage address;
    cport_socklen len;
    int error = listen_inherited(server, ret_address);
    if (error <= 0)
        return error;
    error = cport_address(config->host, config->tcp_port, &address, &len);
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

static void server_stats(void *ctx, struct stats *ret_stats)
{
    const struct server *server = ctx;
    *ret_stats = (struct stats){.workers = server->worker_count};
    for (unsigned i = 0; i < worker_count_all(server); i++) {
        for (unsigned k = 0; k < COUNTER_COUNT; k++)
            ret_stats->counter[k] += counter_get(&server->workers[i].counters, (enum counter)k);
    }
    ret_stats->connections = atomic_load_explicit(&server->connections, memory_order_relaxed);
    ret_stats->uptime_s = (uint64_t)((sys_unix_ns() - server->started_ns) / 1000000000);
}

/* What all workers share, before there are any. */
static bool shared_init(struct server *server)
{
    const struct config *config = server->config;
    struct shared *shared = &server->shared;
    size_t share = (size_t)config->memory / server->worker_count;
    server->boxes = calloc(server->worker_count + 1, sizeof(*server->boxes));
    if (!server->boxes)
        return false;
    for (unsigned i = 0; i <= server->worker_count; i++) {
        if (!mailbox_init(&server->boxes[i]))
            return false;
    }
    shared->boxes = server->boxes;
    shared->workers = server->worker_count;
    shared->message_anonymous = config->message_anonymous != 0;
    shared->remote_stream_anonymous = config->remote_stream_anonymous != 0;
    shared->stats = server_stats;
    shared->stats_ctx = server;
    shared->kick = conn_kick;
    shared->drop = conn_drop;
    shared->uploads = uploads_open();
    server->addresses = addresses_open();
    shared->users_lock = sys_lock_new();
    shared->clients = clients_open();
    shared->hub = hub_open(server->boxes, server->worker_count, share / 4, conn_push);
    server->business = business_open((unsigned)config->business_threads);
    return server->addresses && shared->users_lock && shared->uploads && shared->clients &&
           shared->hub && server->business;
}

static void server_free(struct server *server)
{
    struct shared *shared = &server->shared;
    business_close(server->business);
    hub_close(shared->hub);
    clients_close(shared->clients);
    users_release(shared->users);
    uploads_close(shared->uploads);
    addresses_close(server->addresses);
    files_close(shared->files);
    sys_lock_free(shared->users_lock);
    for (unsigned i = 0; server->boxes && i <= server->worker_count; i++)
        mailbox_free(&server->boxes[i]);
    free(server->boxes);
    free(server->workers);
}

/* False: it is no folder, and that has been said. */
static bool root_open(struct server *server)
{
    const char *root = server->config->root;
    if (root[0] == '\0')
        return true;
    server->shared.files = files_open(root);
    if (!server->shared.files)
        fprintf(stderr, "cport-server: --root %s is no folder that can be opened\n", root);
    return server->shared.files != NULL;
}

/* False: the file is not good, and why has been said. */
static bool users_read(struct server *server)
{
    const char *file = server->config->users_file;
    char error[USERS_ERROR_BYTES];
    if (file[0] == '\0')
        return true;
    struct users *users = users_load(file, error);
    if (!users) {
        fprintf(stderr, "cport-server: %s\n", error);
        return false;
    }
    log_line(LOG_INFO, "users", "count=%u file=%s", (unsigned)users_count(users), file);
    shared_users_replace(&server->shared, users);
    return true;
}

/* Every line of the log to whoever reads it over LogOutput. */
static void log_listen(void *ctx, const char *line, size_t len)
{
    struct server *server = ctx;
    uint8_t frame[LOG_LINE_BYTES + 2];
    struct bytes topic = {(const uint8_t *)HUB_LOG_TOPIC, sizeof(HUB_LOG_TOPIC) - 1};
    if (len > LOG_LINE_BYTES)
        return;
    memcpy(frame, line, len);
    memcpy(frame + len, "\r\n", 2);
    (void)hub_publish_raw(server->shared.hub, topic, (struct bytes){frame, len + 2});
}

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
    if (config->admin[0] != '\0')
        kept += ADMIN_CONNECTIONS + DESCRIPTORS_PER_WORKER;
    uint64_t left = descriptors > kept ? descriptors - kept : 1;
    server->connections_max = (uint32_t)config->max_connections;
    if (left < server->connections_max) {
        server->connections_max = (uint32_t)left;
        log_line(LOG_INFO, "max_connections", "wanted=%lld allowed=%u because=descriptors",
            (long long)config->max_connections, server->connections_max);
    }

    if (!shared_init(server))
        return false;
    /* A cport_op wants the 16 bytes of alignment that calloc gives on the systems we know. */
    server->workers = calloc(server->worker_count + 1, sizeof(*server->workers));
    if (!server->workers)
        return false;
    for (unsigned i = 0; i <= server->worker_count; i++) {
        struct worker *worker = &server->workers[i];
        worker->server = server;
        worker->index = i;
        worker->processor = (int)processors[i % processor_count];
        worker->memory = (size_t)config->memory / server->worker_count;
        worker->slots = &server->connections;
        worker->slots_max = server->connections_max;
        worker->listener_fd = CPORT_OS_HANDLE_INVALID;
        worker->mail = &server->boxes[i];
    }
    if (config->admin[0] != '\0') {
        server->admin = &server->workers[server->worker_count];
        server->admin->processor = -1;
        server->admin->memory = ADMIN_MEMORY;
        server->admin->slots = &server->monitors;
        server->admin->slots_max = ADMIN_CONNECTIONS;
        server->admin->listener.proto = &proto_admin;
    }
    return true;
}

static bool start(struct worker *worker)
{
    if (!worker_start(worker)) {
        fprintf(stderr, "cport-server: cannot start worker %u: no memory or no threads left\n",
            worker->index);
        return false;
    }
    sys_gate_wait(worker->started);
    if (worker->error < 0) {
        fprintf(
            stderr, "cport-server: cannot %s: %s\n", worker->failed, cport_strerror(worker->error));
        return false;
    }
    return true;
}

/* The last first: when the first worker begins to accept, those that it hands connections to have their ports. Who says that the
 * server is ready comes when it is. */
static bool workers_start(struct server *server)
{
    for (unsigned i = server->worker_count; i-- > 0;) {
        if (!start(&server->workers[i]))
            return false;
    }
    return !server->admin || start(server->admin);
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

/* First nobody accepts, then everybody drains: so no connection is handed to a worker that has gone. Returns when all have ended. */
static void workers_stop(struct worker *workers, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (workers[i].bufs) {
            worker_quiet(&workers[i]);
            sys_gate_wait(workers[i].quiet);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        if (workers[i].bufs)
            worker_drain(&workers[i]);
    }
    for (unsigned i = 0; i < count; i++)
        worker_join(&workers[i]);
}

struct words {
    char text[LOG_LINE_BYTES / 2];
    size_t len;
};

static bool word_add(void *ctx, const char *name, uint64_t value)
{
    struct words *words = ctx;
    size_t room = sizeof(words->text) - words->len;
    int len = snprintf(words->text + words->len, room, "%s%s=%llu", words->len > 0 ? " " : "", name,
        (unsigned long long)value);
    if (len < 0 || (size_t)len >= room)
        return false;
    words->len += (size_t)len;
    return true;
}

static void log_counts(struct server *server)
{
    struct stats stats;
    struct words words = {.len = 0};
    server_stats(server, &stats);
    (void)stats_each(&stats, word_add, &words);
    log_line(LOG_INFO, "stopped", "%s", words.text);
}

/* ---- Serve ---- */

static void requests_serve(struct server *server)
{
    for (;;) {
        switch (sys_request_wait()) {
        case SYS_STOP:
            return;
        case SYS_RELOAD:
            log_reopen();
            reload(server);
            break;
        case SYS_REOPEN:
            log_reopen();
            break;
        }
    }
}

static int serve(struct server *server)
{
    struct sockaddr_storage address;
    int status = 1;
    if (server_listen(server, &address) == 0 && admin_listen(server) == 0 &&
        workers_start(server)) {
        say_listening(server, &address);
        sys_notify("READY=1");
        requests_serve(server);
        atomic_store_explicit(&server->shared.stopping, true, memory_order_relaxed);
        sys_notify("STOPPING=1");
        log_line(LOG_INFO, "stopping", "connections=%u",
            atomic_load_explicit(&server->connections, memory_order_relaxed));
        status = 0;
    }
    workers_stop(server->workers, server->worker_count);
    if (server->admin)
        workers_stop(server->admin, 1);
    if (status == 0)
        log_counts(server);
    return status;
}

int server_run(const struct config *config, const struct calls *calls, int argc, char *const *argv)
{
    struct server server = {
        .config = config, .argc = argc, .argv = argv, .started_ns = sys_unix_ns()};
    int status = 1;

    hash_prepare();
    sys_stop_prepare();
    server.shared.calls = calls;
    if (!password_prepare())
        fputs("cport-server: the system gives no random numbers\n", stderr);
    else if (!server_init(&server, config) || !log_start(log_listen, &server))
        fprintf(
            stderr, "cport-server: no memory or no threads for %u workers\n", server.worker_count);
    else if (!users_read(&server) || !root_open(&server))
        status = 2;
    else
        status = serve(&server);
    log_stop();
    server_free(&server);
    return status;
}
