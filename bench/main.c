#include "commands.h"
#include "options.h"

#include <stdio.h>
#include <string.h>

static int command_help(int argc, char **argv);

static int command_peers(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (const struct peer *p = peer_table; p->name != NULL; p++)
        printf("%-24s %s%s\n", p->name, peer_is_built(p) ? "built" : "not built",
            p->is_default ? ", taken by default" : "");
    return 0;
}

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments;
    const char *what;
    bool has_own_help;
} commands[] = {
    {"echo", command_echo, "[options]", "closed-loop echo: rates, latencies, CPU time", false},
    {"blocked", command_blocked, "[options]",
        "the same with handlers that block, or compute, now and then", false},
    {"framed", command_framed, "[options]", "frames and their answers, beside other servers",
        false},
    {"fanout", command_fanout, "[options]", "pushes to many receivers, beside other servers",
        false},
#ifdef BENCH_WITH_PACKAGED
    {"download", command_download, "[options]", "files from servers", false},
    {"upload", command_upload, "[options]", "files to servers", false},
#endif
    {"file", command_file, "[options]", "reads of a file at random", true},
    {"sendfile", command_sendfile, "[options]", "downloads of a file", false},
    {"instructions", command_instructions, "[options]",
        "user-space instructions per echo, under callgrind", false},
    {"churn", command_churn, "[options]", "connections that come, say one thing and go", false},
    {"idle", command_idle, "[options]", "memory of connections that stay", false},
    {"timer", command_timer, "[options]", "arming, cancelling and moving timers", false},
    {"post", command_post, "[options]", "packets from thread to thread", false},
    {"udp", command_udp, "[options]", "datagrams between two sockets of one thread", false},
    {"compare", command_compare, "FILE...", "one table from the JSON of several runs", true},
    {"peers", command_peers, "", "the servers of the echo that can be measured", true},
    {"help", command_help, "", "this text; after a command, --help", true},
};

#define COMMANDS (sizeof commands / sizeof *commands)

static int command_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (const struct command *c = commands; c < commands + COMMANDS; c++)
        printf("cport-bench %-12s %-11s %s\n", c->name, c->arguments, c->what);
    printf("\n%s", options_help);
    return 0;
}

static int run(const struct command *command, int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0 && !command->has_own_help) {
        printf("cport-bench %s %s: %s\n%s", command->name, command->arguments, command->what,
            options_help);
        return 0;
    }
    return command->run(argc, argv);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return command_help(argc, argv);
    for (const struct command *c = commands; argc > 1 && c < commands + COMMANDS; c++) {
        if (strcmp(argv[1], c->name) == 0)
            return run(c, argc - 1, argv + 1);
    }
    fprintf(stderr, "usage: cport-bench COMMAND ...; `cport-bench help` names the commands\n");
    return 2;
}
