#include "service.h"

#ifdef BENCH_WITH_PACKAGED
#include "folder.h"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 4352

/* ---- The reference server ---- */

static int server_path(char *ret_path, size_t size)
{
    char relative[64];
    snprintf(relative, sizeof relative, "../server/cport-server%s", sys_program_suffix);
    return sys_path_beside(relative, ret_path, size);
}

/* The engine that it is to run on must have been built. */
static bool server_is_there(const struct service *service, const char *argument)
{
    (void)service;
    static const char *const engines[] = {BENCH_SERVER_ENGINES NULL};
    char path[PATH_BYTES];
    for (const char *const *e = engines; *e != NULL; e++) {
        if (strcmp(*e, argument) == 0)
            return server_path(path, sizeof path) == 0 && sys_can_run(path);
    }
    return false;
}

/* "cport-server: listening on 127.0.0.1:PORT, 1 worker, backend NAME (REASON)" */
static int parse_listening(const char *line, struct server *s)
{
    static const char before_engine[] = ", backend ";
    const char *address = strstr(line, "127.0.0.1:"), *engine = strstr(line, before_engine);
    if (address == NULL || engine == NULL)
        return -1;
    s->port = (uint16_t)strtoul(strchr(address, ':') + 1, NULL, 10);
    engine += sizeof before_engine - 1;
    int length = (int)strcspn(engine, " ");
    snprintf(s->engine, sizeof s->engine, "%.*s", length, engine);
    const char *reason = strchr(engine, '(');
    if (reason != NULL)
        snprintf(s->remark, sizeof s->remark, "%.*s", (int)strcspn(reason + 1, ")"), reason + 1);
    return s->port != 0 ? 0 : -1;
}

static int server_begin(const struct service *service, const char *argument, const char *files,
    int core, struct server *ret_server)
{
    (void)service;
    char path[PATH_BYTES], line[512], users[96];
    struct server s = {.is_service = true};
    const char *argv[24] = {path, "--listen", "127.0.0.1:0", "--workers", "1", "--backend",
        argument, "--log-level", "warn", "--message-anonymous", "yes"};
    if (server_path(path, sizeof path) != 0)
        return -1;
    if (files != NULL) {
        snprintf(users, sizeof users, "%s/../users", files);
        const char *const more[] = {"--root", files, "--users", users};
        memcpy(&argv[11], more, sizeof more);
    }
    if (sys_process_start(argv, core, &s.process) != 0)
        return -1;
    if (sys_process_read_line(&s.process, line, sizeof line) != 0 ||
        parse_listening(line, &s) != 0) {
        fprintf(stderr, "cport-server did not start\n");
        sys_process_kill(&s.process);
        return -1;
    }
    *ret_server = s;
    return 0;
}

/* ---- All of them ---- */

const struct service *service_find(const char *program)
{
    static const struct service reference = {
        "cport-server", server_is_there, server_begin, NULL, NULL};
    if (strcmp(program, reference.program) == 0)
        return &reference;
#ifdef BENCH_WITH_PACKAGED
    for (const struct service *s = packaged_services; s->program != NULL; s++) {
        if (strcmp(program, s->program) == 0)
            return s;
    }
#endif
    return NULL;
}

static void forget(const struct server *s)
{
#ifdef BENCH_WITH_PACKAGED
    if (s->folder[0] != '\0')
        folder_remove(s->folder);
#else
    (void)s;
#endif
}

int service_stop(struct server *s)
{
    int status = sys_process_stop(&s->process);
    forget(s);
    return status;
}

void service_kill(struct server *s)
{
    sys_process_kill(&s->process);
    forget(s);
}
