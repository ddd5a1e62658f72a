#include "reload.h"

#include "log.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>

/* New limits for a worker, which takes them when it next looks into its mail. */
struct limits {
    struct parcel parcel;
    struct config config;
    uint32_t connections_max;
    size_t memory;       /* for each that serves clients */
    struct limits *next; /* the next worker's, until they are posted */
};

static void limits_open(struct parcel *parcel, void *ctx)
{
    struct limits *limits = CPORT_CONTAINER_OF(parcel, struct limits, parcel);
    struct worker *worker = ctx;
    if (worker) {
        const struct config *from = &limits->config;
        struct config *to = &worker->config;
        to->max_per_address = from->max_per_address;
        to->ban_time_ns = from->ban_time_ns;
        to->send_queue = from->send_queue;
        to->push_queue = from->push_queue;
        to->log_queue = from->log_queue;
        to->preface_timeout_ns = from->preface_timeout_ns;
        to->login_timeout_ns = from->login_timeout_ns;
        to->frame_timeout_ns = from->frame_timeout_ns;
        to->idle_timeout_ns = from->idle_timeout_ns;
        to->write_timeout_ns = from->write_timeout_ns;
        to->log_output = from->log_output;
        if (!worker->proto) { /* who monitors has room of his own */
            worker->slots_max = limits->connections_max;
            worker->buffers.limit = limits->memory;
        }
    }
    free(limits);
}

static void limits_drop(struct limits *list)
{
    while (list) {
        struct limits *next = list->next;
        free(list);
        list = next;
    }
}

/* One for each worker; none for a server that was not made of options. False: error says why. */
static bool limits_make(
    const struct server *server, struct limits **ret_list, char error[CONFIG_ERROR_BYTES])
{
    struct config config;
    *ret_list = NULL;
    if (!server->argv)
        return true;
    if (!config_parse(server->argc, server->argv, &config, error))
        return false;
    uint32_t connections_max = server_connections_max(server, &config);
    for (unsigned i = 0; i < worker_count_all(server); i++) {
        struct limits *limits = malloc(sizeof(*limits));
        if (!limits) {
            snprintf(error, CONFIG_ERROR_BYTES, "no memory");
            limits_drop(*ret_list);
            *ret_list = NULL;
            return false;
        }
        *limits = (struct limits){.parcel = {.bytes = sizeof(*limits), .open = limits_open},
            .config = config,
            .connections_max = connections_max,
            .memory = server_memory_share(server, &config),
            .next = *ret_list};
        *ret_list = limits;
    }
    return true;
}

static void limits_post(struct server *server, struct limits *list)
{
    if (list) {
        log_level_set((enum log_level)list->config.log_level);
        server->drain_timeout_ns = list->config.drain_timeout_ns;
        struct guard_rules rules = server_guard_rules(&list->config);
        guard_rules_set(server->guard, &rules);
        hub_backlog_set(server->shared.hub, server_backlog_max(server, &list->config));
    }
    for (unsigned i = 0; list; i++) {
        struct limits *next = list->next;
        mail_put(&server->boxes[i], &list->parcel);
        list = next;
    }
}

/* Who is logged in stays so. */
void reload(struct server *server)
{
    char error[CONFIG_ERROR_BYTES];
    const char *file = server->config->users_file;
    struct users *users = NULL;
    struct limits *limits;
    sys_notify("RELOADING=1");
    bool good = limits_make(server, &limits, error);
    if (good && file[0] != '\0') {
        users = users_load(file, error);
        good = users != NULL;
    }
    if (!good) {
        limits_drop(limits);
        log_line(LOG_ERROR, "reload_failed", "why=%s", error);
    } else {
        limits_post(server, limits);
        log_line(LOG_INFO, "reloaded", "users=%u", (unsigned)users_count(users));
        if (users)
            shared_users_replace(&server->shared, users);
    }
    sys_notify("READY=1");
}
