#include "server.h"

#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES    4352
#define ARGUMENTS_MAX 16

const struct peer peer_table[] = {
    {"cport-uring", "peer-cport-uring", NULL, true, false},
    {"cport-uring-pooled", "peer-cport-uring", "pooled", false, false},
    {"cport-uring-shared", "peer-cport-uring", "shared-1", false, false},
    {"cport-uring-shared-8", "peer-cport-uring", "shared-8", false, true},
    {"cport-epoll", "peer-cport-epoll", NULL, true, true},
    {"cport-epoll-pooled", "peer-cport-epoll", "pooled", false, false},
    {"cport-epoll-shared", "peer-cport-epoll", "shared-1", false, true},
    {"cport-epoll-shared-2", "peer-cport-epoll", "shared-2", false, true},
    {"cport-epoll-shared-8", "peer-cport-epoll", "shared-8", false, true},
    {"cport-epoll-told-8", "peer-cport-epoll", "told-8", false, true},
    {"cport-iocp", "peer-cport-iocp", NULL, true, true},
    {"cport-iocp-pooled", "peer-cport-iocp", "pooled", false, false},
    {"cport-iocp-shared", "peer-cport-iocp", "shared-1", false, true},
    {"cport-iocp-shared-2", "peer-cport-iocp", "shared-2", false, true},
    {"cport-iocp-shared-8", "peer-cport-iocp", "shared-8", false, true},
    {"raw-epoll", "peer-raw-epoll", NULL, true, false},
    {"raw-epoll-level", "peer-raw-epoll", "level", false, false},
    {"raw-io_uring", "peer-raw-io_uring", NULL, true, false},
    {"raw-io_uring-multishot", "peer-raw-io_uring", "multishot", true, false},
    {"raw-iocp", "peer-raw-iocp", NULL, true, false},
    {"libuv", "peer-libuv", NULL, true, false},
    {"libuv-try", "peer-libuv", "try", false, false},
    {"libuv-work", "peer-libuv", "work", false, true},
    {"asio", "peer-asio", "1", true, true},
    {"asio-2", "peer-asio", "2", false, true},
    {"asio-8", "peer-asio", "8", false, true},
    {"libevent", "peer-libevent", NULL, false, false},
    {NULL, NULL, NULL, false, false},
};

static int peer_path(const struct peer *peer, char *ret_path, size_t size)
{
    char relative[64];
    snprintf(relative, sizeof relative, "peers/%s%s", peer->program, sys_program_suffix);
    return sys_path_beside(relative, ret_path, size);
}

const struct peer *peer_find(const struct peer *table, const char *name)
{
    for (const struct peer *p = table; p->name != NULL; p++) {
        if (strcmp(p->name, name) == 0)
            return p;
    }
    return NULL;
}

bool peer_is_built(const struct peer *peer)
{
    char path[PATH_BYTES];
    const struct service *service = service_find(peer->program);
    if (service != NULL)
        return service->is_there(service, peer->argument);
    return peer_path(peer, path, sizeof path) == 0 && sys_can_run(path);
}

/* "ready", port, engine, remark: see peers/peer.h. */
static int parse_ready(char *line, struct server *s)
{
    char *fields[4] = {line};
    for (int i = 1; i < 4; i++) {
        char *tab = strchr(fields[i - 1], '\t');
        if (tab == NULL)
            return -1;
        *tab = '\0';
        fields[i] = tab + 1;
    }
    s->port = (uint16_t)strtoul(fields[1], NULL, 10);
    snprintf(s->engine, sizeof s->engine, "%s", fields[2]);
    snprintf(s->remark, sizeof s->remark, "%s", fields[3]);
    return strcmp(fields[0], "ready") == 0 && s->port != 0 ? 0 : -1;
}

int server_start(const struct peer *peer, const char *const *prefix, const char *handlers, int core,
    struct server *ret_server)
{
    const char *arguments[ARGUMENTS_MAX + 4];
    char path[PATH_BYTES], line[512];
    struct server s = {.port = 0};
    const struct service *service = service_find(peer->program);
    int count = 0;

    if (service != NULL)
        return service->start(service, peer->argument, handlers, core, ret_server);

    for (; prefix != NULL && prefix[count] != NULL && count < ARGUMENTS_MAX; count++)
        arguments[count] = prefix[count];
    if (peer_path(peer, path, sizeof path) != 0)
        return -1;
    arguments[count++] = path;
    if (peer->argument != NULL || handlers != NULL)
        arguments[count++] = peer->argument != NULL ? peer->argument : "";
    if (handlers != NULL)
        arguments[count++] = handlers;
    arguments[count] = NULL;
    if (sys_process_start(arguments, core, &s.process) != 0)
        return -1;
    if (sys_process_read_line(&s.process, line, sizeof line) != 0 || parse_ready(line, &s) != 0) {
        fprintf(stderr, "%s did not start\n", peer->name);
        sys_process_kill(&s.process);
        return -1;
    }
    *ret_server = s;
    return 0;
}

int server_wait(struct server *s)
{
    return s->is_service ? service_stop(s) : sys_process_wait(&s->process);
}

void server_kill(struct server *s)
{
    if (s->is_service)
        service_kill(s);
    else
        sys_process_kill(&s->process);
}

bool peer_can_start(const struct peer *peer)
{
    struct server s;
    if (server_start(peer, NULL, NULL, -1, &s) != 0)
        return false;
    server_kill(&s);
    return true;
}
