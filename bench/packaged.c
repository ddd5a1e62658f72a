/*
 * Servers that Debian packages: redis-server, nats-server, mosquitto and nginx. Each runs in the foreground as whoever runs the
 * benchmark, with a configuration of a few lines; what is not said there is as its makers have it. The port is one that was free a
 * moment ago: when another program was faster, the server ends at once and is tried again.
 */
#include "folder.h"
#include "service.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATH_BYTES     512
#define TRIES_MAX      3
#define START_MAX_NS   INT64_C(30000000000)
#define START_PAUSE_MS 5
#define LOG_TAIL_BYTES 1000
#define ARGUMENTS_MAX  24

static int port_find(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int status = fd >= 0 ? bind(fd, (struct sockaddr *)&address, sizeof address) : -1;
    if (status == 0)
        status = getsockname(fd, (struct sockaddr *)&address, &length);
    if (status != 0)
        fprintf(stderr, "no free port: %s\n", strerror(errno));
    if (fd >= 0)
        close(fd);
    *ret_port = ntohs(address.sin_port);
    return status;
}

static bool port_answers(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return answers;
}

/* Debian keeps some of them where an ordinary user's PATH does not lead. */
static bool program_find(const char *name, char *ret_path, size_t size)
{
    char folders[4096];
    const char *path = getenv("PATH");
    snprintf(folders, sizeof folders, "%s:/usr/sbin:/usr/local/sbin", path != NULL ? path : "");
    char *rest = folders;
    for (char *folder; (folder = strsep(&rest, ":")) != NULL;) {
        snprintf(ret_path, size, "%s/%s", folder, name);
        if (folder[0] != '\0' && sys_can_run(ret_path))
            return true;
    }
    return false;
}

/* Waits until it takes connections; false when it has ended or takes too long. */
static bool process_answers(const struct sys_process *p, uint16_t port)
{
    for (int64_t end = sys_now_ns() + START_MAX_NS; sys_now_ns() < end;) {
        /* It holds the other end of the pipe for as long as it lives. */
        struct pollfd hangup = {.fd = (int)p->output};
        if (port_answers(port))
            return true;
        if (poll(&hangup, 1, START_PAUSE_MS) != 0 && (hangup.revents & POLLHUP) != 0)
            return false;
    }
    return false;
}

static void say_log(const char *folder)
{
    char path[PATH_BYTES], text[LOG_TAIL_BYTES + 1];
    snprintf(path, sizeof path, "%s/log", folder);
    FILE *in = fopen(path, "re");
    if (in == NULL)
        return;
    if (fseek(in, -LOG_TAIL_BYTES, SEEK_END) != 0)
        rewind(in);
    text[fread(text, 1, LOG_TAIL_BYTES, in)] = '\0';
    fclose(in);
    fprintf(stderr, "%s\n", text);
}

struct start {
    const char *files;
    const char *folder;
    uint16_t port;
    char configuration[PATH_BYTES]; /* the path of one in the folder */
    char text[8][PATH_BYTES];       /* of arguments */
    const char *argv[ARGUMENTS_MAX];
};

static int configure(struct start *s, const char *format, ...)
{
    va_list arguments;
    snprintf(s->configuration, sizeof s->configuration, "%s/configuration", s->folder);
    FILE *out = fopen(s->configuration, "we");
    if (out == NULL) {
        fprintf(stderr, "%s: %s\n", s->configuration, strerror(errno));
        return -1;
    }
    va_start(arguments, format);
    vfprintf(out, format, arguments);
    va_end(arguments);
    return fclose(out);
}

/* Its own first line about itself; some write it to standard error. */
static void version_read(const char *path, const char *flag, char *ret_version, size_t size)
{
    struct sys_process p;
    const char *const argv[] = {"/bin/sh", "-c", "exec \"$0\" \"$1\" 2>&1", path, flag, NULL};
    ret_version[0] = '\0';
    if (sys_process_start(argv, -1, &p) != 0)
        return;
    (void)sys_process_read_line(&p, ret_version, size);
    sys_process_kill(&p);
}

static int try_start(
    const struct service *service, const char *files, int core, struct server *ret_server)
{
    const char *program = service->program;
    char path[PATH_BYTES];
    struct server s = {.is_service = true, .engine = "its own loop"};
    struct start start = {.files = files, .folder = s.folder};
    if (!program_find(program, path, sizeof path)) {
        fprintf(stderr, "%s is not installed\n", program);
        return -1;
    }
    if (folder_make(NULL, s.folder, sizeof s.folder) != 0)
        return -1;
    int status = port_find(&start.port);
    if (status == 0)
        status = service->prepare(&start);
    start.argv[0] = path;
    if (status == 0)
        status = sys_process_start(start.argv, core, &s.process);
    if (status == 0 && !process_answers(&s.process, start.port)) {
        sys_process_kill(&s.process);
        status = -1;
    }
    if (status != 0) {
        fprintf(stderr, "%s did not start\n", program);
        say_log(s.folder);
        folder_remove(s.folder);
        return -1;
    }
    s.port = start.port;
    version_read(path, service->version, s.remark, sizeof s.remark);
    *ret_server = s;
    return 0;
}

static int packaged_start(const struct service *service, const char *argument, const char *files,
    int core, struct server *ret_server)
{
    (void)argument;
    for (int i = 0; i < TRIES_MAX; i++) {
        if (try_start(service, files, core, ret_server) == 0)
            return 0;
    }
    return -1;
}

static bool packaged_is_there(const struct service *service, const char *argument)
{
    char path[PATH_BYTES];
    (void)argument;
    return program_find(service->program, path, sizeof path);
}

/* ---- redis ---- */

static int redis_prepare(struct start *s)
{
    snprintf(s->text[0], PATH_BYTES, "%u", s->port);
    snprintf(s->text[1], PATH_BYTES, "%s/log", s->folder);
    const char *const argv[] = {NULL, "--bind", "127.0.0.1", "--port", s->text[0], "--dir",
        s->folder, "--logfile", s->text[1], "--save", "", "--appendonly", "no", NULL};
    memcpy(s->argv, argv, sizeof argv);
    return 0;
}

/* ---- nats ---- */

static int nats_prepare(struct start *s)
{
    snprintf(s->text[0], PATH_BYTES, "%u", s->port);
    snprintf(s->text[1], PATH_BYTES, "%s/log", s->folder);
    const char *const argv[] = {
        NULL, "--addr", "127.0.0.1", "--port", s->text[0], "--log", s->text[1], NULL};
    memcpy(s->argv, argv, sizeof argv);
    return 0;
}

/* ---- mosquitto ---- */

static int mosquitto_prepare(struct start *s)
{
    const struct passwd *self = getpwuid(geteuid());
    if (configure(s,
            "listener %u 127.0.0.1\n"
            "allow_anonymous true\n"
            "persistence false\n"
            "set_tcp_nodelay true\n"
            "log_dest file %s/log\n"
            "log_type error\n"
            "log_type warning\n"
            "user %s\n",
            s->port, s->folder, self != NULL ? self->pw_name : "root") != 0)
        return -1;
    const char *const argv[] = {NULL, "-c", s->configuration, NULL};
    memcpy(s->argv, argv, sizeof argv);
    return 0;
}

/* ---- nginx ---- */

/* Without a master process: the one that is left runs the loop of a worker, as this process's child, which ends with it. */
static int nginx_prepare(struct start *s)
{
    const char *f = s->folder;
    if (configure(s,
            "daemon off;\n"
            "master_process off;\n"
            "pid %s/pid;\n"
            "error_log %s/log warn;\n"
            "events { worker_connections 1024; }\n"
            "http {\n"
            "    access_log off;\n"
            "    sendfile on;\n"
            "    tcp_nopush on;\n"
            "    default_type application/octet-stream;\n"
            "    client_max_body_size 0;\n"
            "    client_body_temp_path %s/body;\n"
            "    proxy_temp_path %s/proxy;\n"
            "    fastcgi_temp_path %s/fastcgi;\n"
            "    uwsgi_temp_path %s/uwsgi;\n"
            "    scgi_temp_path %s/scgi;\n"
            "    server {\n"
            "        listen 127.0.0.1:%u;\n"
            "        root %s;\n"
            "        location / { dav_methods PUT; }\n"
            "    }\n"
            "}\n",
            f, f, f, f, f, f, f, s->port, s->files != NULL ? s->files : f) != 0)
        return -1;
    snprintf(s->text[0], PATH_BYTES, "%s/log", f);
    const char *const argv[] = {NULL, "-p", f, "-e", s->text[0], "-c", s->configuration, NULL};
    memcpy(s->argv, argv, sizeof argv);
    return 0;
}

const struct service packaged_services[] = {
    {"redis-server", packaged_is_there, packaged_start, redis_prepare, "--version"},
    {"nats-server", packaged_is_there, packaged_start, nats_prepare, "--version"},
    {"mosquitto", packaged_is_there, packaged_start, mosquitto_prepare, "-h"},
    {"nginx", packaged_is_there, packaged_start, nginx_prepare, "-v"},
    {NULL, NULL, NULL, NULL, NULL},
};
