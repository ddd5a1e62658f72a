#include "commands.h"
#include "options.h"

#include <stdio.h>
#include <string.h>

static int command_peers(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (const struct peer *p = peer_table; p->name != NULL; p++)
        printf("%-24s %s%s\n", p->name, peer_is_built(p) ? "built" : "not built",
            p->is_default ? ", taken by default" : "");
    return 0;
}

static int command_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("cport-bench echo [options]          closed-loop echo: rates, latencies, CPU time\n"
           "cport-bench blocked [options]       the same with handlers that block, or compute, now "
           "and then\n"
           "cport-bench file [options]          reads of a file at random: see its --help\n"
           "cport-bench sendfile [options]      downloads of a file\n"
           "cport-bench instructions [options]  user-space instructions per echo, under callgrind\n"
           "cport-bench churn [options]         connections that come, say one thing and go\n"
           "cport-bench idle [options]          memory of connections that stay\n"
           "cport-bench timer [options]         arming, cancelling and moving timers\n"
           "cport-bench post [options]          packets from thread to thread\n"
           "cport-bench udp [options]          datagrams between two sockets of one thread\n"
           "cport-bench compare FILE...         one table from the JSON of several runs\n"
           "cport-bench peers                   the servers that can be measured\n\n%s",
        options_help);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"echo", command_echo},
    {"blocked", command_blocked},
    {"file", command_file},
    {"sendfile", command_sendfile},
    {"instructions", command_instructions},
    {"churn", command_churn},
    {"idle", command_idle},
    {"timer", command_timer},
    {"post", command_post},
    {"udp", command_udp},
    {"compare", command_compare},
    {"peers", command_peers},
    {"help", command_help},
    {"--help", command_help},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr,
        "usage: cport-bench "
        "echo|blocked|file|sendfile|instructions|churn|idle|timer|post|compare|peers|help ...\n");
    return 2;
}
