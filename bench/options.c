#include "options.h"
#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char options_help[] =
    "  --peer NAME         a server to measure; again for more (default: see `cport-bench peers`)\n"
    "  --connections LIST  such as 32,256\n"
    "  --size LIST         bytes per message\n"
    "  --depth LIST        messages outstanding per connection\n"
    "  --rounds N          interleaved: every server once, then every server again\n"
    "  --seconds S         length of a round after --warmup S\n"
    "  --messages N        rounds of N messages instead, without warm-up\n"
    "  --server-core N     --client-core N\n"
    "  --foreign-max X     repeat a round in which other work took more than X of a core\n"
    "  --verify            compare the echoed bytes\n"
    "  --json FILE         write everything measured\n"
    "  --quick             one short round of a few workloads; later options refine it\n";

enum option_id {
    OPTION_PEER,
    OPTION_CONNECTIONS,
    OPTION_SIZE,
    OPTION_DEPTH,
    OPTION_ROUNDS,
    OPTION_SECONDS,
    OPTION_WARMUP,
    OPTION_MESSAGES,
    OPTION_SERVER_CORE,
    OPTION_CLIENT_CORE,
    OPTION_FOREIGN_MAX,
    OPTION_VERIFY,
    OPTION_JSON,
    OPTION_QUICK
};

static const struct option long_options[] = {
    {"peer", required_argument, NULL, OPTION_PEER},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"depth", required_argument, NULL, OPTION_DEPTH},
    {"rounds", required_argument, NULL, OPTION_ROUNDS},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"warmup", required_argument, NULL, OPTION_WARMUP},
    {"messages", required_argument, NULL, OPTION_MESSAGES},
    {"server-core", required_argument, NULL, OPTION_SERVER_CORE},
    {"client-core", required_argument, NULL, OPTION_CLIENT_CORE},
    {"foreign-max", required_argument, NULL, OPTION_FOREIGN_MAX},
    {"verify", no_argument, NULL, OPTION_VERIFY},
    {"json", required_argument, NULL, OPTION_JSON},
    {"quick", no_argument, NULL, OPTION_QUICK},
    {NULL, 0, NULL, 0},
};

static int parse_unsigned(const char *text, unsigned min, unsigned max, unsigned *ret_value)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || strchr(text, '-') != NULL || value < min ||
        value > max) {
        fprintf(stderr, "'%s' is not a number from %u to %u\n", text, min, max);
        return -1;
    }
    *ret_value = (unsigned)value;
    return 0;
}

static int parse_core(const char *text, int *ret_core)
{
    unsigned value;
    if (parse_unsigned(text, 0, 1023, &value) != 0)
        return -1;
    *ret_core = (int)value;
    return 0;
}

static int parse_real(const char *text, double *ret_value)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || value < 0) {
        fprintf(stderr, "'%s' is not a number\n", text);
        return -1;
    }
    *ret_value = value;
    return 0;
}

static int parse_list(const char *text, unsigned max, struct options_list *ret_list)
{
    struct options_list list = {.count = 0};
    char copy[256];
    snprintf(copy, sizeof copy, "%s", text);
    for (char *item = copy; item != NULL;) {
        char *comma = strchr(item, ',');
        if (comma != NULL)
            *comma++ = '\0';
        if (list.count == OPTIONS_LIST_MAX ||
            parse_unsigned(item, 1, max, &list.values[list.count++]) != 0)
            return -1;
        item = comma;
    }
    *ret_list = list;
    return 0;
}

static int add_peer(const char *name, struct options *o)
{
    const struct peer *peer = peer_find(name);
    if (peer == NULL || !peer_is_built(peer)) {
        fprintf(stderr, "peer '%s' %s: see `cport-bench peers`\n", name,
            peer == NULL ? "is unknown" : "was not built");
        return -1;
    }
    if (o->peer_count == OPTIONS_PEERS_MAX) {
        fprintf(stderr, "more than %d peers\n", OPTIONS_PEERS_MAX);
        return -1;
    }
    o->peers[o->peer_count++] = peer;
    return 0;
}

static void be_quick(struct options *o)
{
    o->rounds = 1;
    o->seconds = 0.3;
    o->warmup_seconds = 0.1;
    o->connections = (struct options_list){1, {32}};
    o->message_bytes = (struct options_list){1, {64}};
    o->depths = (struct options_list){2, {1, 16}};
}

static int apply(enum option_id id, const char *value, struct options *o)
{
    switch (id) {
    case OPTION_PEER:
        return add_peer(value, o);
    case OPTION_CONNECTIONS:
        return parse_list(value, 100000, &o->connections);
    case OPTION_SIZE:
        return parse_list(value, 1u << 24, &o->message_bytes);
    case OPTION_DEPTH:
        return parse_list(value, 65536, &o->depths);
    case OPTION_ROUNDS:
        return parse_unsigned(value, 1, REPORT_ROUNDS_MAX, &o->rounds);
    case OPTION_SECONDS:
        return parse_real(value, &o->seconds);
    case OPTION_WARMUP:
        return parse_real(value, &o->warmup_seconds);
    case OPTION_MESSAGES:
        return parse_unsigned(value, 1, 1u << 30, &o->messages);
    case OPTION_SERVER_CORE:
        return parse_core(value, &o->server_core);
    case OPTION_CLIENT_CORE:
        return parse_core(value, &o->client_core);
    case OPTION_FOREIGN_MAX:
        return parse_real(value, &o->foreign_max);
    case OPTION_VERIFY:
        o->verify = true;
        return 0;
    case OPTION_JSON:
        o->json = value;
        return 0;
    case OPTION_QUICK:
        be_quick(o);
        return 0;
    }
    return -1;
}

int options_parse(int argc, char **argv, struct options *options)
{
    int id;
    optind = 1;
    while ((id = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (id == '?' || apply((enum option_id)id, optarg, options) != 0)
            return -1;
    }
    if (optind < argc) {
        fprintf(stderr, "unexpected: %s\n", argv[optind]);
        return -1;
    }
    for (const struct peer *p = peer_table; options->peer_count == 0 && p->name != NULL; p++) {
        if (p->is_default && peer_is_built(p) && peer_can_start(p))
            options->peers[options->peer_count++] = p;
    }
    if (options->peer_count == 0) {
        fprintf(stderr, "no peer is there to be measured\n");
        return -1;
    }
    return 0;
}
