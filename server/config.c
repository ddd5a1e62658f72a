#include "config.h"

#include "log.h"

#include <cport/cport.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_TEXT, KIND_FLAG, KIND_COUNT, KIND_BYTES, KIND_TIME, KIND_CHOICE };

struct choice {
    const char *name;
    int64_t value;
};

struct option {
    const char *name;
    enum kind kind;
    size_t offset;
    int64_t min, max;
    const char *initial; /* text, so that the help shows what the parser reads */
    const struct choice *choices;
    const char *takes;
    const char *help;
};

static const struct choice backends[] = {{"auto", CPORT_BACKEND_AUTO},
    {"io_uring", CPORT_BACKEND_IO_URING}, {"epoll", CPORT_BACKEND_EPOLL},
    {"iocp", CPORT_BACKEND_IOCP}, {0}};
static const struct choice acceptors[] = {
    {"auto", ACCEPTOR_AUTO}, {"per-worker", ACCEPTOR_PER_WORKER}, {"one", ACCEPTOR_ONE}, {0}};
static const struct choice levels[] = {
    {"debug", LOG_DEBUG}, {"info", LOG_INFO}, {"warn", LOG_WARN}, {"error", LOG_ERROR}, {0}};

#define KIB          INT64_C(1024)
#define MIB          (1024 * KIB)
#define GIB          (1024 * MIB)
#define SECOND       INT64_C(1000000000)
#define HOUR         (3600 * SECOND)

#define FIELD(field) offsetof(struct config, field)

static const struct option options[] = {
    {"listen", KIND_TEXT, FIELD(listen), 0, 0, "127.0.0.1:9999", NULL, "HOST:PORT",
        "address to serve; * is every IPv4 address, [::] every address, port 0 any free one"},
    {"workers", KIND_COUNT, FIELD(workers), 0, 1024, "0", NULL, "N",
        "threads, each with a port of its own; 0: one for each processor allowed"},
    {"backend", KIND_CHOICE, FIELD(backend), 0, 0, "auto", backends, "NAME",
        "auto, io_uring, epoll or iocp; auto looks at CPORT_BACKEND first"},
    {"acceptor", KIND_CHOICE, FIELD(acceptor), 0, 0, "auto", acceptors, "HOW",
        "per-worker: every worker listens; one: the first hands connections out; auto: what the "
        "system can"},
    {"max-connections", KIND_COUNT, FIELD(max_connections), 1, 10000000, "65536", NULL, "N",
        "connections at a time; lowered to what the limit on open files leaves"},
    {"max-frame", KIND_BYTES, FIELD(max_frame), 64, 64 * MIB, "1M", NULL, "BYTES",
        "Message: the longest frame"},
    {"send-queue", KIND_BYTES, FIELD(send_queue), KIB, GIB, "1M", NULL, "BYTES",
        "unsent replies at which a connection is read no further; reading goes on at a quarter"},
    {"memory", KIND_BYTES, FIELD(memory), MIB, 1024 * GIB, "512M", NULL, "BYTES",
        "what the buffers of all connections may hold together"},
    {"preface-timeout", KIND_TIME, FIELD(preface_timeout_ns), SECOND / 1000, HOUR, "6s", NULL,
        "TIME", "how long a client may take over its first byte"},
    {"write-timeout", KIND_TIME, FIELD(write_timeout_ns), SECOND / 1000, HOUR, "30s", NULL, "TIME",
        "how long a client may take no bytes while there are some for it"},
    {"drain-timeout", KIND_TIME, FIELD(drain_timeout_ns), 0, HOUR, "5s", NULL, "TIME",
        "how long connections may take to end once the server is told to stop"},
    {"log-level", KIND_CHOICE, FIELD(log_level), 0, 0, "info", levels, "LEVEL",
        "debug, info, warn or error"},
    {"version", KIND_FLAG, FIELD(version), 0, 0, NULL, NULL, NULL, "say which version this is"},
    {"help", KIND_FLAG, FIELD(help), 0, 0, NULL, NULL, NULL, "this text"},
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

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
    if (option->kind == KIND_CHOICE) {
        for (const struct choice *choice = option->choices; choice->name; choice++) {
            if (strcmp(choice->name, text) == 0) {
                *ret_value = choice->value;
                return true;
            }
        }
        return false;
    }
    const struct unit *units = option->kind == KIND_BYTES  ? byte_units
                               : option->kind == KIND_TIME ? time_units
                                                           : count_units;
    int64_t value;
    if (!number_parse(text, units, &value) || value < option->min || value > option->max)
        return false;
    *ret_value = value;
    return true;
}

static bool option_set(const struct option *option, const char *text, struct config *config)
{
    char *field = (char *)config + option->offset;
    if (option->kind == KIND_TEXT) {
        memcpy(field, &text, sizeof(text));
        return true;
    }
    int64_t value;
    if (!value_parse(option, text, &value))
        return false;
    memcpy(field, &value, sizeof(value));
    return true;
}

static const struct option *option_find(const char *name, size_t len)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0)
            return &options[i];
    }
    return NULL;
}

/* "127.0.0.1:9999", "[::1]:9999": the last colon divides. */
static bool listen_split(struct config *config)
{
    const char *colon = strrchr(config->listen, ':');
    int64_t number;
    if (!colon || !number_parse(colon + 1, count_units, &number) || number > 65535)
        return false;
    size_t len = (size_t)(colon - config->listen);
    if (len == 0 || len >= sizeof(config->host))
        return false;
    memcpy(config->host, config->listen, len);
    config->host[len] = '\0';
    config->tcp_port = (uint16_t)number;

    struct sockaddr_storage address;
    cport_socklen address_len;
    return cport_address(config->host, config->tcp_port, &address, &address_len) == 0;
}

static bool argument_parse(
    int argc, char *const *argv, int *at, struct config *config, char error[CONFIG_ERROR_BYTES])
{
    const char *argument = argv[*at];
    const char *name = argument + 2;
    size_t name_len = strncmp(argument, "--", 2) == 0 ? strcspn(name, "=") : 0;
    const struct option *option = name_len > 0 ? option_find(name, name_len) : NULL;
    if (!option) {
        snprintf(error, CONFIG_ERROR_BYTES, "unknown option %.100s", argument);
        return false;
    }

    const char *value = name[name_len] == '=' ? name + name_len + 1 : NULL;
    if (option->kind == KIND_FLAG) {
        if (value)
            snprintf(error, CONFIG_ERROR_BYTES, "--%s takes no value", option->name);
        *((bool *)((char *)config + option->offset)) = true;
        return !value;
    }
    if (!value && ++*at < argc)
        value = argv[*at];
    if (!value) {
        snprintf(error, CONFIG_ERROR_BYTES, "--%s needs %s: %s", option->name, option->takes,
            option->help);
        return false;
    }
    if (!option_set(option, value, config)) {
        snprintf(error, CONFIG_ERROR_BYTES, "--%s does not take %.60s (%s: %.100s)", option->name,
            value, option->takes, option->help);
        return false;
    }
    return true;
}

bool config_parse(
    int argc, char *const *argv, struct config *ret_config, char error[CONFIG_ERROR_BYTES])
{
    struct config config = {0};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].initial)
            option_set(&options[i], options[i].initial, &config);
    }
    for (int i = 1; i < argc; i++) {
        if (!argument_parse(argc, argv, &i, &config, error))
            return false;
    }
    if (!listen_split(&config)) {
        snprintf(error, CONFIG_ERROR_BYTES,
            "--listen does not take %.60s (HOST:PORT, a numeric address and 0 to 65535)",
            config.listen);
        return false;
    }
    *ret_config = config;
    return true;
}

void config_print_help(FILE *to)
{
    fputs("usage: cport-server [OPTION]...\n"
          "\n"
          "The reference server of libcport: Throughput (0x05) and Message (0x10) on one TCP port; "
          "the first byte\n"
          "that a client sends chooses. It serves until SIGINT or SIGTERM, then drains and exits.\n"
          "\n"
          "BYTES take K, M or G (1024); TIME takes ms, s, m or h. Defaults in brackets.\n"
          "\n",
        to);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &options[i];
        char left[40];
        snprintf(left, sizeof(left), "--%s%s%s", option->name, option->takes ? " " : "",
            option->takes ? option->takes : "");
        fprintf(to, "  %-24s %s", left, option->help);
        if (option->initial)
            fprintf(to, " [%s]", option->initial);
        fputc('\n', to);
    }
    fputs("\nExit status: 0 stopped as asked, 1 could not serve, 2 wrong options.\n", to);
}
