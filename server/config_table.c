#include "config_table.h"

#include "log.h"

#include <cport/cport.h>
#include <string.h>

static const struct option_choice backends[] = {{"auto", CPORT_BACKEND_AUTO},
    {"io_uring", CPORT_BACKEND_IO_URING}, {"epoll", CPORT_BACKEND_EPOLL},
    {"iocp", CPORT_BACKEND_IOCP}, {0}};
static const struct option_choice acceptors[] = {
    {"auto", ACCEPTOR_AUTO}, {"per-worker", ACCEPTOR_PER_WORKER}, {"one", ACCEPTOR_ONE}, {0}};
static const struct option_choice levels[] = {
    {"debug", LOG_DEBUG}, {"info", LOG_INFO}, {"warn", LOG_WARN}, {"error", LOG_ERROR}, {0}};

static const struct option_choice answers[] = {{"no", 0}, {"yes", 1}, {0}};

#define KIB               INT64_C(1024)
#define MIB               (1024 * KIB)
#define GIB               (1024 * MIB)
#define SECOND            INT64_C(1000000000)
#define HOUR              (3600 * SECOND)

#define FIELD(field)      offsetof(struct config, field)
#define FIELD_TEXT(field) FIELD(field), 0, (int64_t)sizeof(((struct config *)0)->field)

const struct option options[] = {
    {"server", "listen", OPTION_TEXT, FIELD_TEXT(listen), "127.0.0.1:9999", NULL, "HOST:PORT",
        "address to serve; * is every IPv4 address, [::] every address, port 0 any free one"},
    {"server", "admin", OPTION_TEXT, FIELD_TEXT(admin), "", NULL, "HOST:PORT",
        "where monitors find /metrics, /healthz and /readyz; nowhere without it"},
    {"server", "takeover", OPTION_TEXT, FIELD_TEXT(takeover), "", NULL, "PATH",
        "where a new server takes the listening sockets over from the one that runs (Linux)"},
    {"server", "workers", OPTION_COUNT, FIELD(workers), 0, 1024, "0", NULL, "N",
        "threads, each with a port of its own; 0: one for each processor allowed"},
    {"server", "backend", OPTION_CHOICE, FIELD(backend), 0, 0, "auto", backends, "NAME",
        "auto, io_uring, epoll or iocp; auto looks at CPORT_BACKEND first"},
    {"server", "acceptor", OPTION_CHOICE, FIELD(acceptor), 0, 0, "auto", acceptors, "HOW",
        "per-worker: every worker listens; one: the first hands connections out; auto: what the "
        "system can"},
    {"server", "business_threads", OPTION_COUNT, FIELD(business_threads), 2, 256, "4", NULL, "N",
        "threads for what may block: password hashes, files, registered functions"},
    {"limits", "max_connections", OPTION_COUNT, FIELD(max_connections), 1, 10000000, "65536", NULL,
        "N", "connections at a time; lowered to what the limit on open files leaves"},
    {"limits", "max_per_address", OPTION_COUNT, FIELD(max_per_address), 0, 10000000, "0", NULL, "N",
        "connections at a time from one address; 0: no limit but max_connections"},
    {"limits", "rate_limit", OPTION_COUNT, FIELD(rate_limit), 0, 1000000, "0", NULL, "N",
        "new connections in a second from one address, as many at once; 0: no limit"},
    {"limits", "ban_after", OPTION_COUNT, FIELD(ban_after), 0, 1000000, "0", NULL, "N",
        "offences within a minute that ban an address: first bytes that choose no protocol, frames "
        "that cannot be read, failed logins; 0: nobody is banned"},
    {"limits", "ban_time", OPTION_TIME, FIELD(ban_time_ns), SECOND / 1000, 720 * HOUR, "10m", NULL,
        "TIME", "how long a ban lasts"},
    {"limits", "max_frame", OPTION_BYTES, FIELD(max_frame), 64, 64 * MIB, "1M", NULL, "BYTES",
        "Message: the longest frame"},
    {"limits", "send_queue", OPTION_BYTES, FIELD(send_queue), KIB, GIB, "1M", NULL, "BYTES",
        "unsent replies at which a connection is read no further; reading goes on at a quarter"},
    {"limits", "push_queue", OPTION_BYTES, FIELD(push_queue), KIB, GIB, "4M", NULL, "BYTES",
        "bytes that wait for a subscriber at which a further push drops it"},
    {"limits", "log_queue", OPTION_BYTES, FIELD(log_queue), KIB, GIB, "64K", NULL, "BYTES",
        "bytes that wait for a reader of LogOutput at which it loses further lines"},
    {"limits", "memory", OPTION_BYTES, FIELD(memory), MIB, 1024 * GIB, "512M", NULL, "BYTES",
        "what the buffers of all connections may hold together"},
    {"timeouts", "preface_timeout", OPTION_TIME, FIELD(preface_timeout_ns), SECOND / 1000, HOUR,
        "6s", NULL, "TIME", "how long a client may take over its first byte"},
    {"timeouts", "login_timeout", OPTION_TIME, FIELD(login_timeout_ns), 0, 24 * HOUR, "30s", NULL,
        "TIME", "how long a client of a protocol that wants a login may take over it; 0: for ever"},
    {"timeouts", "frame_timeout", OPTION_TIME, FIELD(frame_timeout_ns), 0, 24 * HOUR, "2m", NULL,
        "TIME", "how long a frame may take from its first byte to its last; 0: for ever"},
    {"timeouts", "idle_timeout", OPTION_TIME, FIELD(idle_timeout_ns), 0, 720 * HOUR, "10m", NULL,
        "TIME", "how long nothing may go either way; 0: for ever"},
    {"timeouts", "write_timeout", OPTION_TIME, FIELD(write_timeout_ns), SECOND / 1000, HOUR, "30s",
        NULL, "TIME", "how long a client may take no bytes while there are some for it"},
    {"timeouts", "drain_timeout", OPTION_TIME, FIELD(drain_timeout_ns), 0, HOUR, "5s", NULL, "TIME",
        "how long connections may take to end once the server is told to stop"},
    {"users", "users", OPTION_TEXT, FIELD_TEXT(users_file), "", NULL, "FILE",
        "who may log in, as cport-server passwd writes it; without one nobody can"},
    {"users", "message_anonymous", OPTION_CHOICE, FIELD(message_anonymous), 0, 0, "no", answers,
        "yes|no", "Message: whether its verbs want no login"},
    {"users", "remote_stream_anonymous", OPTION_CHOICE, FIELD(remote_stream_anonymous), 0, 0, "no",
        answers, "yes|no", "RemoteStream: whether it wants no login"},
    {"files", "root", OPTION_TEXT, FIELD_TEXT(root), "", NULL, "FOLDER",
        "what Upload, Download and RemoteStream serve; without one they are not served"},
    {"log", "log_output", OPTION_CHOICE, FIELD(log_output), 0, 0, "yes", answers, "yes|no",
        "whether the LogOutput protocol is served; it wants no login"},
    {"log", "log_file", OPTION_TEXT, FIELD_TEXT(log_file), "", NULL, "FILE",
        "where the log goes, opened anew on SIGHUP and SIGUSR1; standard error without one"},
    {"log", "log_level", OPTION_CHOICE, FIELD(log_level), 0, 0, "info", levels, "LEVEL",
        "debug, info, warn or error"},
    {NULL, "config", OPTION_TEXT, FIELD_TEXT(config_file), "", NULL, "FILE",
        "read options from this file first"},
    {NULL, "check_config", OPTION_FLAG, FIELD(check), 0, 0, NULL, NULL, NULL,
        "say whether the options can be served, and end"},
    {NULL, "print_config", OPTION_FLAG, FIELD(print), 0, 0, NULL, NULL, NULL,
        "write a file for --config with every option, and end"},
    {NULL, "version", OPTION_FLAG, FIELD(version), 0, 0, NULL, NULL, NULL,
        "say which version this is"},
    {NULL, "help", OPTION_FLAG, FIELD(help), 0, 0, NULL, NULL, NULL, "this text"},
};

const size_t option_count = sizeof(options) / sizeof(options[0]);

struct unit {
    const char *suffix;
    int64_t factor;
};

static const struct unit count_units[] = {{"", 1}, {0}};
static const struct unit byte_units[] = {{"", 1}, {"K", KIB}, {"M", MIB}, {"G", GIB}, {0}};
static const struct unit time_units[] = {
    {"ms", SECOND / 1000}, {"s", SECOND}, {"m", 60 * SECOND}, {"h", HOUR}, {"", SECOND}, {0}};

/* Digits and a unit: "6s", "512M". */
static bool number_parse(const char *text, const struct unit *units, int64_t *ret_value)
{
    int64_t value = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (value > (INT64_MAX - (*p - '0')) / 10)
            return false;
        value = value * 10 + (*p - '0');
    }
    if (p == text)
        return false;
    for (; units->suffix; units++) {
        if (strcmp(p, units->suffix) != 0)
            continue;
        if (value > INT64_MAX / units->factor)
            return false;
        *ret_value = value * units->factor;
        return true;
    }
    return false;
}

static bool value_parse(const struct option *option, const char *text, int64_t *ret_value)
{
    if (option->kind == OPTION_CHOICE) {
        for (const struct option_choice *choice = option->choices; choice->name; choice++) {
            if (strcmp(choice->name, text) == 0) {
                *ret_value = choice->value;
                return true;
            }
        }
        return false;
    }
    const struct unit *units = option->kind == OPTION_BYTES  ? byte_units
                               : option->kind == OPTION_TIME ? time_units
                                                             : count_units;
    int64_t value;
    if (!number_parse(text, units, &value) || value < option->min || value > option->max)
        return false;
    *ret_value = value;
    return true;
}

bool option_set(const struct option *option, const char *text, struct config *config)
{
    char *field = (char *)config + option->offset;
    if (option->kind == OPTION_TEXT) {
        size_t len = strlen(text);
        if (len >= (size_t)option->max)
            return false;
        memcpy(field, text, len + 1);
        return true;
    }
    int64_t value;
    if (!value_parse(option, text, &value))
        return false;
    memcpy(field, &value, sizeof(value));
    return true;
}

bool option_number(const char *text, int64_t *ret_value)
{
    return number_parse(text, count_units, ret_value);
}

static char plain(char c)
{
    return (char)(c == '-' ? '_' : c);
}

const struct option *option_find(const char *name, size_t len)
{
    for (size_t i = 0; i < option_count; i++) {
        const char *own = options[i].name;
        size_t at = 0;
        while (at < len && own[at] != '\0' && plain(name[at]) == own[at])
            at++;
        if (at == len && own[at] == '\0')
            return &options[i];
    }
    return NULL;
}
