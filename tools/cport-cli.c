#include "cport-cli.h"

#include "cport-cli-os.h"
#include "cport-cli-output.h"

#include <stdio.h>
#include <string.h>

/* Commands by the words that they take: what is NULL is not given. */
struct command {
    const char *name;
    const char *words; /* as the help shows them */
    int words_min, words_max;
    const char *summary;
    const char *details; /* lines for its own help */
    const char *json;    /* what --json prints */
    int (*none)(const struct cli_options *options);
    int (*one)(const struct cli_options *options, const char *word);
    int (*two)(const struct cli_options *options, const char *word, const char *other);
};

#define NAME_JSON "{\"name\": \"folder/name\"}"

static const struct command commands[] = {
    {"echo", " TEXT", 1, 1, "send TEXT and print what comes back",
        "Over the Message protocol, which wants no login for it.\n", "{\"text\": \"hello\"}", NULL,
        cli_echo, NULL},
    {"ping", "", 0, 0, "print how long an answer takes", "",
        "{\"host\": \"127.0.0.1\", \"port\": 9999, \"us\": 74}", cli_ping, NULL, NULL},
    {"throughput", "", 0, 0, "load the server and print messages per second and latency",
        "Every reply is compared to the byte. A connection sends again when it has been "
        "answered.\n",
        "{\"connections\": 32, \"depth\": 1, \"size\": 64, \"seconds\": 3.00, \"messages\": 1234,\n"
        "   \"messages_per_second\": 411, \"latency_us\": {\"p50\": 70, \"p99\": 90, \"p99.9\": "
        "120, \"max\": 400}}",
        cli_throughput, NULL, NULL},
    {"ls", " [FOLDER]", 0, 1, "list folders and files", "FOLDER is the root if it is not given.\n",
        "[{\"name\": \"file\", \"size\": 1500000, \"folder\": false},\n"
        "   {\"name\": \"inner\", \"folder\": true}]",
        NULL, cli_ls, NULL},
    {"mkdir", " FOLDER", 1, 1, "make a folder", "One that is there already is fine.\n", NAME_JSON,
        NULL, cli_mkdir, NULL},
    {"rmdir", " FOLDER", 1, 1, "delete a folder and all that is in it", "", NAME_JSON, NULL,
        cli_rmdir, NULL},
    {"rm", " FILE", 1, 1, "delete a file", "One that is not there is fine.\n", NAME_JSON, NULL,
        cli_rm, NULL},
    {"upload", " LOCAL [FILE]", 1, 2, "send a file, from where an earlier upload was cut off",
        "FILE is the name on the server: that of LOCAL if it is not given, or ends in a slash. It "
        "is durable there\nwhen this ends with 0.\n",
        "{\"local\": \"a\", \"name\": \"folder/a\", \"size\": 1500000, \"offset\": 600000, "
        "\"verified\": true}\n   offset: where it went on",
        NULL, NULL, cli_upload},
    {"download", " FILE [LOCAL]", 1, 2, "fetch a file, from where an earlier download was cut off",
        "LOCAL is the last part of FILE if it is not given; if it is a folder, a file in it.\n",
        "{\"local\": \"a\", \"name\": \"folder/a\", \"size\": 1500000, \"offset\": 600000, "
        "\"verified\": true}\n   offset: where it went on",
        NULL, NULL, cli_download},
    {"cat", " FILE", 1, 1, "a file of the server's to standard output", "",
        "{\"name\": \"folder/name\", \"base64\": \"aGVsbG8=\", \"size\": 5}", NULL, cli_cat, NULL},
    {"put", " FILE", 1, 1, "standard input to a file of the server's",
        "What was there before is replaced.\n", "{\"name\": \"folder/name\", \"size\": 5}", NULL,
        cli_put, NULL},
    {"clients", "", 0, 0, "who is connected",
        "A line each: local address, remote address, protocol, user, connected since, last "
        "active.\n",
        "[{\"local\": \"127.0.0.1:9999\", \"remote\": \"127.0.0.1:50000\", \"protocol\": "
        "\"control\",\n"
        "   \"user\": \"ann\", \"connected\": \"2026-01-31 23:59:59\", \"active\": "
        "\"2026-01-31 23:59:59\"}]",
        cli_clients, NULL, NULL},
    {"stats", "", 0, 0, "what has been counted", "", "{\"accepted\": 12, \"frames\": 345, ...}",
        cli_stats, NULL, NULL},
    {"kick", " REMOTE", 1, 1, "end a connection, by its remote address",
        "REMOTE is what `clients` shows. Administrators may.\n",
        "{\"remote\": \"127.0.0.1:50000\"}", NULL, cli_kick, NULL},
    {"log", "", 0, 0, "the server's log, as it is written", "",
        "{\"line\": \"2026-01-31T23:59:59.123Z info event=...\"}, one for each line", cli_log, NULL,
        NULL},
    {"publish", " TOPIC TEXT", 2, 2, "send TEXT to all who have subscribed to TOPIC", "",
        "{\"receivers\": 2}", NULL, NULL, cli_publish},
    {"subscribe", " TOPIC", 1, 1, "print what is published to TOPIC, as it comes",
        "Each push has the number that the server gave it.\n",
        "{\"number\": 1, \"data\": \"text\"}, one for each push", NULL, cli_subscribe, NULL},
    {"chat", " ROOM", 1, 1, "say what is typed to all who are there, and see what they say",
        "A room is a topic. The end of the input is the end.\n",
        "{\"number\": 1, \"data\": \"ann: text\"}, one for each line said", NULL, cli_chat, NULL}};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static void help_all(void)
{
    fputs("usage: cport-cli [OPTION]... COMMAND [WORD]...\n\n", stdout);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        int len = printf("  %s%s", commands[i].name, commands[i].words);
        printf("%*s%s\n", len < 24 ? 25 - len : 1, "", commands[i].summary);
    }
    fputs(
        "\n`cport-cli COMMAND --help` tells more of a command, and its own options. All have:\n\n",
        stdout);
    cli_options_help(NULL);
    fputs("\nNames on the server are divided by /. What begins with -- and is no option goes after "
          "a -- alone.\n\n"
          "Exit status: 0 done; 1 the server refused, or answered something else than expected; 2 "
          "wrong usage, or\nsomething here cannot be read or written; 3 no connection to the "
          "server; 4 the connection ended, or the\nserver was silent for too long.\n",
        stdout);
}

static void help_one(const struct command *command)
{
    printf("usage: cport-cli [OPTION]... %s%s\n\n%c%s.\n%s\n", command->name, command->words,
        command->summary[0] - 'a' + 'A', command->summary + 1, command->details);
    cli_options_help(command->name);
    fputs("  and those of every command: cport-cli --help\n", stdout);
    printf("\nWith --json it prints\n   %s\n", command->json);
}

static int command_run(
    const struct command *command, const struct cli_options *options, const char **words, int count)
{
    if (count - 1 < command->words_min || count - 1 > command->words_max) {
        output_error("%s takes%s, not %d word%s", command->name,
            command->words[0] ? command->words : " no words", count - 1, count == 2 ? "" : "s");
        fprintf(stderr, "usage: cport-cli [OPTION]... %s%s\n", command->name, command->words);
        return CLI_USAGE;
    }
    if (!cli_options_fit(command->name))
        return CLI_USAGE;
    if (command->none)
        return command->none(options);
    if (command->one)
        return command->one(options, count > 1 ? words[1] : "");
    return command->two(options, words[1], count > 2 ? words[2] : NULL);
}

static int run(int argc, char **argv)
{
    struct cli_options chosen;
    const char *words[3] = {0};
    int count = cli_options_parse(argc, argv, &chosen, words, 3);
    if (count < 0)
        return CLI_USAGE;
    const struct command *command = count > 0 ? command_find(words[0]) : NULL;
    if (count > 0 && !command) {
        output_error("no command is called %s; --help lists them", words[0]);
        return CLI_USAGE;
    }
    if (chosen.version) {
        printf("cport-cli %s\n", cport_version());
    } else if (chosen.help && command) {
        help_one(command);
    } else if (chosen.help) {
        help_all();
    } else if (!command) {
        fputs("usage: cport-cli [OPTION]... COMMAND [WORD]...; --help lists them\n", stderr);
        return CLI_USAGE;
    } else {
        return command_run(command, &chosen, words, count);
    }
    return CLI_OK;
}

int main(int argc, char **argv)
{
    cli_os_start(&argc, &argv);
    return output_end(run(argc, argv));
}
