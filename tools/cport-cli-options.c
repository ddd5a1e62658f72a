/* The options: one table, for the command line and for the help. */
#include "cport-cli-output.h"
#include "cport-cli.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_FLAG, KIND_NUMBER, KIND_TEXT };

struct option {
    const char *name;
    enum kind kind;
    size_t offset;
    int64_t min, max;
    int64_t value;      /* of a number that is not given */
    const char *holder; /* NULL: a flag */
    const char *help;
    const char *commands; /* whose it is, each between spaces; NULL: everybody's */
};

#define FIELD(field) offsetof(struct cli_options, field)

static const struct option options[] = {{"host", KIND_TEXT, FIELD(host), 0, 0, 0, "HOST",
                                            "name or address of the server [127.0.0.1]", NULL},
    {"port", KIND_NUMBER, FIELD(tcp_port), 1, 65535, 9999, "PORT", "[9999]", NULL},
    {"timeout", KIND_NUMBER, FIELD(timeout_s), 1, 86400, 30, "SECONDS",
        "how long the server may be silent when it owes an answer [30]", NULL},
    {"user", KIND_TEXT, FIELD(user), 0, 0, 0, "NAME",
        "log in; the password is in --password-file, $CPORT_PASSWORD, or the first line of "
        "standard input",
        NULL},
    {"password-file", KIND_TEXT, FIELD(password_file), 0, 0, 0, "FILE",
        "its first line is the password", NULL},
    {"json", KIND_FLAG, FIELD(json), 0, 0, 0, NULL, "for programs: COMMAND --help shows the form",
        NULL},
    {"help", KIND_FLAG, FIELD(help), 0, 0, 0, NULL, "this text, or a command's", NULL},
    {"version", KIND_FLAG, FIELD(version), 0, 0, 0, NULL, "say which version this is", NULL},
    {"restart", KIND_FLAG, FIELD(restart), 0, 0, 0, NULL, "replace what is there",
        " upload download "},
    {"verify", KIND_FLAG, FIELD(verify), 0, 0, 0, NULL, "compare every byte afterwards",
        " upload download "},
    {"count", KIND_NUMBER, FIELD(count), 0, INT64_MAX, 0, "N", "end after N pushes [0: never]",
        " subscribe "},
    {"connections", KIND_NUMBER, FIELD(connections), 1, 20000, 32, "N",
        "connections at a time [32]", " throughput "},
    {"size", KIND_NUMBER, FIELD(size), 0, 10000000, 64, "BYTES", "data in each packet [64]",
        " throughput "},
    {"depth", KIND_NUMBER, FIELD(depth), 1, 1024, 1, "N",
        "packets under way on each connection [1]", " throughput "},
    {"seconds", KIND_NUMBER, FIELD(seconds), 1, 86400, 3, "N", "how long [3]", " throughput "}};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static bool given[OPTION_COUNT];

static const struct option *option_find(const char *name, size_t len)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0)
            return &options[i];
    }
    return NULL;
}

static bool number_parse(const char *text, const struct option *option, int64_t *ret_value)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < option->min || value > option->max)
        return false;
    *ret_value = value;
    return true;
}

static bool option_set(
    const struct option *option, const char *value, struct cli_options *ret_options)
{
    char *field = (char *)ret_options + option->offset;
    int64_t number;
    switch (option->kind) {
    case KIND_FLAG:
        memcpy(field, &(bool){true}, sizeof(bool));
        return true;
    case KIND_TEXT:
        memcpy(field, &value, sizeof(value));
        return true;
    case KIND_NUMBER:
        if (!number_parse(value, option, &number)) {
            output_error("--%s takes %lld to %lld, not %s", option->name, (long long)option->min,
                (long long)option->max, value);
            return false;
        }
        memcpy(field, &number, sizeof(number));
        return true;
    }
    return false;
}

/* Takes one option and its value, "--name value" or "--name=value". */
static bool option_parse(char **argv, int *at, struct cli_options *ret_options)
{
    const char *name = argv[*at] + 2, *equal = strchr(name, '=');
    size_t len = equal ? (size_t)(equal - name) : strlen(name);
    const struct option *option = option_find(name, len);
    if (!option) {
        output_error("no option is called --%.*s; --help lists them", (int)len, name);
        return false;
    }
    if (option->kind == KIND_FLAG && equal) {
        output_error("--%s takes no value", option->name);
        return false;
    }
    const char *value = equal ? equal + 1 : option->kind == KIND_FLAG ? "" : argv[++*at];
    if (!value) {
        output_error("--%s needs a value: %s", option->name, option->holder);
        return false;
    }
    given[option - options] = true;
    return option_set(option, value, ret_options);
}

int cli_options_parse(
    int argc, char **argv, struct cli_options *ret_options, const char **words, int words_max)
{
    int count = 0;
    bool options_end = false;
    *ret_options = (struct cli_options){.host = "127.0.0.1"};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].kind == KIND_NUMBER)
            memcpy((char *)ret_options + options[i].offset, &options[i].value, sizeof(int64_t));
    }
    for (int i = 1; i < argc; i++) {
        if (!options_end && strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else if (!options_end && strncmp(argv[i], "--", 2) == 0) {
            if (!option_parse(argv, &i, ret_options))
                return -1;
        } else {
            if (count < words_max)
                words[count] = argv[i];
            count++;
        }
    }
    return count;
}

static bool option_is_of(const struct option *option, const char *command)
{
    const char *at = option->commands ? strstr(option->commands, command) : NULL;
    return at && at[-1] == ' ' && at[strlen(command)] == ' ';
}

bool cli_options_fit(const char *command)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (given[i] && options[i].commands && !option_is_of(&options[i], command)) {
            output_error(
                "%s takes no --%s; it is for%s", command, options[i].name, options[i].commands);
            return false;
        }
    }
    return true;
}

void cli_options_help(const char *command)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &options[i];
        char head[32];
        if (command ? !option_is_of(option, command) : option->commands != NULL)
            continue;
        snprintf(head, sizeof(head), "--%s%s%s", option->name, option->holder ? " " : "",
            option->holder ? option->holder : "");
        printf("  %-22s %s\n", head, option->help);
    }
}
