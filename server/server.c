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
    server->guard = guard_open();
    shared->users_lock = sys_lock_new();
    shared->clients = clients_open();
    shared->hub = hub_open(
        server->boxes, server->worker_count, server_backlog_max(server, config), conn_push);
    server->business = business_open((unsigned)config->business_threads);
    if (!server->guard)
        return false;
    struct guard_rules rules = server_guard_rules(config);
    guard_rules_set(server->guard, &rules);
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
    guard_close(server->guard);
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

uint32_t server_connections_max(const struct server *server, const struct config *config)
{
    uint64_t descriptors = sys_descriptors_max();
    uint64_t kept = DESCRIPTORS_KEPT + (uint64_t)DESCRIPTORS_PER_WORKER * server->worker_count;
    if (server->config->admin[0] != '\0')
        kept += ADMIN_CONNECTIONS + DESCRIPTORS_PER_WORKER;
    uint64_t left = descriptors > kept ? descriptors - kept : 1;
    if (left >= (uint64_t)config->max_connections)
        return (uint32_t)config->max_connections;
    log_line(LOG_INFO, "max_connections", "wanted=%lld allowed=%u because=descriptors",
        (long long)config->max_connections, (unsigned)left);
    return (uint32_t)left;
}

static bool server_init(struct server *server)
{
    const struct config *config = server->config;
    server->one_acceptor = config->acceptor == ACCEPTOR_ONE ||
                           (config->acceptor == ACCEPTOR_AUTO && !sys_listeners_balance());

    uint32_t connections_max = server_connections_max(server, config);
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
        worker->memory = server_memory_share(server, config);
        worker->slots = &server->connections;
        worker->slots_max = connections_max;
        worker->listener_fd = CPORT_OS_HANDLE_INVALID;
        worker->mail = &server->boxes[i];
    }
    if (config->admin[0] != '\0') {
        server->admin = &server->workers[server->worker_count];
        server->admin->memory = ADMIN_MEMORY;
        server->admin->slots = &server->monitors;
        server->admin->slots_max = ADMIN_CONNECTIONS;
        server->admin->proto = &proto_admin;
    }
    return true;
}

/* ---- The pools ---- */

static void log_pool(void *ctx, const char *line)
{
    (void)ctx;
    log_line(LOG_WARN, "workers", "%s", line);
}

static void log_port(void *ctx, const char *line)
{
    (void)ctx;
    log_line(LOG_DEBUG, "port", "worker=%d %s", cport_workers_here(), line);
}

static cport_workers_options pool_options(const char *name, uint32_t unit, uint32_t ports)
{
    cport_workers_options options = {
        .size = sizeof(options), .unit = unit, .ports = ports, .name = name, .log = log_pool};
    worker_hooks(&options);
    return options;
}

static cport_workers_options clients_options(const struct config *config)
{
    return pool_options("server", CPORT_UNIT_PU, (uint32_t)config->workers);
}

static bool workers_count(struct server *server)
{
    cport_workers_options options = clients_options(server->config);
    int count = cport_workers_plan(&options);
    if (count < 0)
        fprintf(stderr, "cport-server: cannot plan its workers: %s\n", cport_strerror(count));
    else
        server->worker_count = (unsigned)count;
    return count > 0;
}

/* Of the workers from first on. */
static bool pool_open(
    cport_workers_options *options, struct worker *first, unsigned count, cport_workers **ret_pool)
{
    cport_port_options port = {
        .size = sizeof(port), .backend = (uint32_t)first->server->config->backend, .log = log_port};
    options->ports = count;
    options->port = &port;
    options->ctx = first;
    int error = cport_workers_open(options, ret_pool);
    if (error == 0)
        return true;
    const char *what = "open a port for each worker";
    for (unsigned i = 0; i < count; i++)
        what = first[i].failed ? first[i].failed : what;
    fprintf(stderr, "cport-server: cannot %s: %s\n", what, cport_strerror(error));
    return false;
}

/* Nobody accepts before all are there to be handed connections; who says that the server is ready comes last. */
static bool workers_start(struct server *server)
{
    cport_workers_options options = clients_options(server->config);
    cport_workers_options admin = pool_options("admin", CPORT_UNIT_ALL, 1);
    admin.flags = CPORT_WORKERS_UNBOUND;
    if (!pool_open(&options, server->workers, server->worker_count, &server->pool) ||
        (server->admin && !pool_open(&admin, server->admin, 1, &server->admin_pool)))
        return false;
    for (unsigned i = 0; i < worker_count_all(server); i++) {
        if (server->workers[i].listener_fd != CPORT_OS_HANDLE_INVALID)
            worker_listen(&server->workers[i]);
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

/* Who monitors sees the others' end, and is then owed no time. */
static void workers_stop(struct server *server)
{
    if (server->pool) {
        int64_t now_ns = cport_now_ns(cport_workers_port(server->pool, 0));
        (void)cport_workers_stop(server->pool, now_ns + server->drain_timeout_ns);
    }
    if (server->admin_pool)
        (void)cport_workers_stop(server->admin_pool, INT64_MIN);
    for (unsigned i = 0; server->workers && i <= server->worker_count; i++) {
        if (server->workers[i].listener_fd != CPORT_OS_HANDLE_INVALID)
            (void)cport_socket_close(server->workers[i].listener_fd);
    }
}

void server_fail(struct server *server)
{
    /* relaxed: read when all threads have been joined */
    atomic_store_explicit(&server->failed, true, memory_order_relaxed);
    sys_stop_request();
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
    workers_stop(server);
    if (status == 0)
        log_counts(server);
    return atomic_load_explicit(&server->failed, memory_order_relaxed) ? 1 : status;
}

int server_run(const struct config *config, const struct calls *calls, int argc, char *const *argv)
{
    struct server server = {.config = config,
        .argc = argc,
        .argv = argv,
        .started_ns = sys_unix_ns(),
        .drain_timeout_ns = config->drain_timeout_ns};
    int status = 1;

    hash_prepare();
    sys_stop_prepare();
    server.shared.calls = calls;
    if (!password_prepare())
        fputs("cport-server: the system gives no random numbers\n", stderr);
    else if (!workers_count(&server))
        status = 1;
    else if (!server_init(&server) || !log_start(log_listen, &server))
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
