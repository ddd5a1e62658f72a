#include "cport-cli.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct option {
    const char *name;
    size_t offset;
    int64_t min, max;
};

#define FIELD(field) offsetof(struct cli_options, field)

static const struct option options[] = {{"--port", FIELD(tcp_port), 1, 65535},
    {"--timeout", FIELD(timeout_s), 1, 86400}, {"--connections", FIELD(connections), 1, 20000},
    {"--size", FIELD(size), 0, 10000000}, {"--seconds", FIELD(seconds), 1, 86400},
    {"--depth", FIELD(depth), 1, 1024}, {"--count", FIELD(count), 0, INT64_MAX}};

static const char usage[] =
    "usage: cport-cli [OPTION]... COMMAND\n"
    "\n"
    "  echo TEXT    send TEXT to the server's Message protocol and print what comes back\n"
    "  ping         send a ping and print how long its answer took\n"
    "  throughput   load the server's Throughput protocol and print messages per second and "
    "latency\n"
    "\n"
    "  ls [FOLDER]               list folders and files\n"
    "  mkdir FOLDER, rmdir FOLDER, rm FILE\n"
    "  upload LOCAL [FILE]       send a file, from where an earlier upload was cut off\n"
    "  download FILE [LOCAL]     fetch a file, from where an earlier download was cut off\n"
    "  cat FILE, put FILE        to standard output, from standard input\n"
    "\n"
    "  clients, stats            who is connected, what has been counted\n"
    "  kick REMOTE               end a connection, by its remote address\n"
    "  log                       the server's log, as it is written\n"
    "  publish TOPIC TEXT, subscribe TOPIC\n"
    "  chat ROOM                 say what is typed to all who are there, and see what they say\n"
    "\n"
    "  --user NAME         log in; the password is in --password-file FILE, $CPORT_PASSWORD, or "
    "the first\n"
    "                      line of standard input\n"
    "  --password-file FILE   its first line is the password\n"
    "  --json              ls, clients, stats, publish, subscribe, chat: for programs\n"
    "  --restart           upload, download: replace what is there\n"
    "  --verify            upload, download: compare every byte afterwards\n"
    "  --count N           subscribe: end after N pushes [0: never]\n"
    "  --host HOST         numeric address of the server [127.0.0.1]\n"
    "  --port PORT         [9999]\n"
    "  --timeout SECONDS   echo, ping: how long to wait for the answer [5]\n"
    "  --connections N     throughput: connections at a time [32]\n"
    "  --size BYTES        throughput: data in each packet [64]\n"
    "  --depth N           throughput: packets under way on each connection [1]\n"
    "  --seconds N         throughput: how long [3]\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 done, 1 the server answered with an error or with something else than "
    "expected,\n"
    "2 wrong usage, 3 no connection to the server, 4 the connection ended or the answer took too "
    "long.\n";

static bool number_parse(const char *text, int64_t min, int64_t max, int64_t *ret_value)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || value < min || value > max)
        return false;
    *ret_value = value;
    return true;
}

/* Takes one option and its value, "--name value" or "--name=value". */
static bool option_parse(char **argv, int *at, struct cli_options *ret_options)
{
    const char *name = argv[*at];
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : argv[++*at];
    if (!value) {
        fprintf(stderr, "cport-cli: %s needs a value\n", name);
        return false;
    }
    if (len == 15 && memcmp(name, "--password-file", len) == 0) {
        ret_options->password_file = value;
        return true;
    }
    if (len == 6 && (memcmp(name, "--host", len) == 0 || memcmp(name, "--user", len) == 0)) {
        *(name[2] == 'h' ? &ret_options->host : &ret_options->user) = value;
        return true;
    }
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const struct option *option = &options[i];
        if (strlen(option->name) != len || memcmp(option->name, name, len) != 0)
            continue;
        int64_t number;
        if (!number_parse(value, option->min, option->max, &number)) {
            fprintf(stderr, "cport-cli: %s takes %lld to %lld, not %s\n", option->name,
                (long long)option->min, (long long)option->max, value);
            return false;
        }
        memcpy((char *)ret_options + option->offset, &number, sizeof(number));
        return true;
    }
    fprintf(stderr, "cport-cli: unknown option %.*s; --help lists them\n", (int)len, name);
    return false;
}

int cli_address_of(const struct cli_options *wanted, struct cli_address *ret_address)
{
    const char *host = strcmp(wanted->host, "localhost") == 0 ? "127.0.0.1" : wanted->host;
    if (cport_address(host, (uint16_t)wanted->tcp_port, &ret_address->storage, &ret_address->len) ==
        0)
        return CLI_OK;
    fprintf(stderr, "cport-cli: --host takes a numeric address, not %s\n", wanted->host);
    return CLI_USAGE;
}

int cli_port_open(cport_port **ret_port)
{
    cport_port_options single = {.size = sizeof(single), .flags = CPORT_PORT_SINGLE};
    int error = cport_port_open(&single, ret_port);
    if (error == 0)
        return CLI_OK;
    fprintf(stderr, "cport-cli: cannot open a port: %s\n", cport_strerror(error));
    return CLI_NO_SERVER;
}

/* Commands by the words that they take: what is NULL is not given. */
static const struct {
    const char *name;
    int words_min, words_max;
    int (*none)(const struct cli_options *options);
    int (*one)(const struct cli_options *options, const char *word);
    int (*two)(const struct cli_options *options, const char *word, const char *other);
} commands[] = {{"echo", 1, 1, NULL, cli_echo, NULL}, {"ping", 0, 0, cli_ping, NULL, NULL},
    {"throughput", 0, 0, cli_throughput, NULL, NULL}, {"ls", 0, 1, NULL, cli_ls, NULL},
    {"mkdir", 1, 1, NULL, cli_mkdir, NULL}, {"rmdir", 1, 1, NULL, cli_rmdir, NULL},
    {"rm", 1, 1, NULL, cli_rm, NULL}, {"upload", 1, 2, NULL, NULL, cli_upload},
    {"download", 1, 2, NULL, NULL, cli_download}, {"cat", 1, 1, NULL, cli_cat, NULL},
    {"put", 1, 1, NULL, cli_put, NULL}, {"clients", 0, 0, cli_clients, NULL, NULL},
    {"stats", 0, 0, cli_stats, NULL, NULL}, {"kick", 1, 1, NULL, cli_kick, NULL},
    {"log", 0, 0, cli_log, NULL, NULL}, {"publish", 2, 2, NULL, NULL, cli_publish},
    {"subscribe", 1, 1, NULL, cli_subscribe, NULL}, {"chat", 1, 1, NULL, cli_chat, NULL}};

static int command_run(const struct cli_options *chosen, char **words, int count)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, words[0]) != 0 || count - 1 < commands[i].words_min ||
            count - 1 > commands[i].words_max)
            continue;
        if (commands[i].none)
            return commands[i].none(chosen);
        if (commands[i].one)
            return commands[i].one(chosen, count > 1 ? words[1] : "");
        return commands[i].two(chosen, words[1], count > 2 ? words[2] : NULL);
    }
    fputs(usage, stderr);
    return CLI_USAGE;
}

/* Options that take no value. */
static bool flag_parse(const char *text, struct cli_options *ret_options)
{
    if (strcmp(text, "--json") == 0)
        return ret_options->json = true;
    if (strcmp(text, "--restart") == 0)
        return ret_options->restart = true;
    if (strcmp(text, "--verify") == 0)
        return ret_options->verify = true;
    return false;
}

int main(int argc, char **argv)
{
    struct cli_options chosen = {.host = "127.0.0.1",
        .tcp_port = 9999,
        .timeout_s = 5,
        .connections = 32,
        .size = 64,
        .seconds = 3,
        .depth = 1};
    char *words[4] = {0};
    int count = 0;
    bool options_end = false;
    for (int i = 1; i < argc; i++) {
        if (options_end || strncmp(argv[i], "--", 2) != 0) {
            if (count < 4)
                words[count++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return CLI_OK;
        } else if (strcmp(argv[i], "--version") == 0) {
            printf("cport-cli %s\n", cport_version());
            return CLI_OK;
        } else if (flag_parse(argv[i], &chosen)) {
            continue;
        } else if (!option_parse(argv, &i, &chosen)) {
            return CLI_USAGE;
        }
    }
    if (count == 0) {
        fputs(usage, stderr);
        return CLI_USAGE;
    }
    return command_run(&chosen, words, count);
}
