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
    cport_workers_options options, struct worker *first, unsigned count, cport_workers **ret_pool)
{
    cport_port_options port = {
        .size = sizeof(port), .backend = (uint32_t)first->server->config->backend, .log = log_port};
    options.ports = count;
    options.port = &port;
    options.ctx = first;
    int error = cport_workers_open(&options, ret_pool);
    if (error == 0)
        return true;
    const char *what = "open a port for each worker";
    for (unsigned i = 0; i < count; i++)
        what = first[i].failed ? first[i].failed : what;
    fprintf(stderr, "cport-server: cannot %s: %s\n", what, cport_strerror(error));
    return false;
}

static bool workers_start(struct server *server)
{
    cport_workers_options options = clients_options(server->config);
    cport_workers_options admin = pool_options("admin", CPORT_UNIT_ALL, 1);
    admin.flags = CPORT_WORKERS_UNBOUND;
    if (!pool_open(options, server->workers, server->worker_count, &server->pool) ||
        (server->admin && !pool_open(admin, server->admin, 1, &server->admin_pool)))
        return false;
    return true;
}

/* ---- Listening ---- */

static bool listener_add(struct worker *worker, cport_os_handle *fd)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    if (!listener)
        return false;
    listener->fd = *fd;
    listener->next = worker->listeners;
    worker->listeners = listener;
    *fd = CPORT_OS_HANDLE_INVALID;
    return true;
}

/* Each worker has one of the sockets, or more where a server of more workers has left them. */
static bool listeners_add(struct server *server)
{
    struct sockets *sockets = &server->sockets;
    unsigned workers = sockets->one_acceptor ? 1 : server->worker_count;
    bool good = true;
    for (unsigned i = 0; i < sockets->count; i++)
        good = good && listener_add(&server->workers[i % workers], &sockets->clients[i]);
    if (server->admin)
        good = good && listener_add(server->admin, &sockets->admin);
    if (!good)
        fputs("cport-server: no memory to listen\n", stderr);
    return good;
}

static void listeners_free(struct worker *worker)
{
    while (worker->listeners) {
        struct listener *listener = worker->listeners;
        worker->listeners = listener->next;
        if (listener->fd != CPORT_OS_HANDLE_INVALID)
            (void)cport_socket_close(listener->fd);
        free(listener);
    }
}

/* ---- Following another server, and being followed ---- */

/* False: it cannot be, and why has been said. */
static bool complain_takeover(const struct server *server, const char *error)
{
    fprintf(stderr, "cport-server: --takeover %s: %s\n", server->config->takeover, error);
    return false;
}

static bool heritage_find(const struct server *server, struct heritage *heritage)
{
    char error[TAKEOVER_ERROR_BYTES];
    return server->config->takeover[0] == '\0' ||
           heritage_ask(server->config->takeover, heritage, error) ||
           complain_takeover(server, error);
}

/* From the claim on there is no other server: what goes wrong with the next takeover is no reason not to serve. */
static bool followers_prepare(struct server *server, struct heritage *heritage)
{
    char error[TAKEOVER_ERROR_BYTES];
    const char *path = server->config->takeover;
    bool follows = heritage->stream >= 0;
    if (follows && !heritage_claim(heritage, error))
        return complain_takeover(server, error);
    if (path[0] == '\0' || takeover_open(path, server->sockets.clients, server->sockets.count,
                               server->sockets.admin, &server->takeover, error))
        return true;
    log_line(LOG_ERROR, "takeover_failed", "why=%s", error);
    return follows || complain_takeover(server, error);
}

/* Pools are there; clients are waited for, but none accepted yet. */
static bool listen_on(struct server *server, struct heritage *heritage)
{
    if (!followers_prepare(server, heritage) || !listeners_add(server))
        return false;
    for (unsigned i = 0; i < worker_count_all(server); i++) {
        if (server->workers[i].listeners)
            worker_listen(&server->workers[i]);
    }
    return true;
}

static void say_listening(const struct server *server)
{
    const struct sockaddr_storage *address = &server->sockets.address;
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
    for (unsigned i = 0; server->workers && i <= server->worker_count; i++)
        listeners_free(&server->workers[i]);
    takeover_close(server->takeover);
    sockets_close(&server->sockets);
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

/* Who has taken over waits until we listen no more, so all are told to stop listening at once, those for monitors too. */
static void stop_begin(struct server *server)
{
    bool handed_over = takeover_end(server->takeover);
    atomic_store_explicit(&server->handed_over, handed_over, memory_order_relaxed);
    atomic_store_explicit(&server->shared.stopping, true, memory_order_relaxed);
    log_line(LOG_INFO, "stopping", "connections=%u because=%s",
        atomic_load_explicit(&server->connections, memory_order_relaxed),
        handed_over ? "taken_over" : "asked");
    if (!handed_over)
        sys_notify("STOPPING=1");
    for (unsigned i = 0; handed_over && i < worker_count_all(server); i++)
        worker_quiet(&server->workers[i]);
}

static int serve(struct server *server)
{
    int status = 1;
    struct heritage heritage = {.stream = -1, .admin = CPORT_OS_HANDLE_INVALID};
    bool good = heritage_find(server, &heritage) &&
                sockets_open(&server->sockets, server->config, server->worker_count, &heritage) &&
                workers_start(server) && listen_on(server, &heritage);
    heritage_close(&heritage);
    if (good) {
        say_listening(server);
        sys_notify("READY=1");
        requests_serve(server);
        stop_begin(server);
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
        .sockets.admin = CPORT_OS_HANDLE_INVALID,
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
