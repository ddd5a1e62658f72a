#include "options.h"
#include "report.h"

#include <errno.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

const char options_help[] =
    "  --peer NAME         a server to measure; again for more (default: see `cport-bench peers`)\n"
    "  --handlers KIND     blocked: none, sleep or burn (default: each)\n"
    "  --client NAME       what carries the load: epoll (Linux), cport\n"
    "  --connections LIST  such as 32,256\n"
    "  --size LIST         bytes per message\n"
    "  --depth LIST        messages outstanding per connection\n"
    "  --rounds N          interleaved: every server once, then every server again\n"
    "  --seconds S         length of a round after --warmup S\n"
    "  --messages N        rounds of N messages instead, without warm-up\n"
    "  --server-core N     --client-core N\n"
    "  --foreign-max X     repeat a round in which other work took more than X of a core\n"
    "  --verify            compare the echoed bytes\n"
    "  --folder PATH       download, upload: where their files are meanwhile (default: $TMPDIR)\n"
    "  --json FILE         write everything measured\n"
    "  --quick             one short round of few workloads; later options refine it\n";

enum option_id {
    OPTION_PEER,
    OPTION_HANDLERS,
    OPTION_CLIENT,
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
    OPTION_FOLDER,
    OPTION_JSON,
    OPTION_QUICK
};

/* Read without getopt_long, which not every C library has. */
static const struct option {
    const char *name;
    enum option_id id;
    bool has_value;
} option_table[] = {
    {"peer", OPTION_PEER, true},
    {"handlers", OPTION_HANDLERS, true},
    {"client", OPTION_CLIENT, true},
    {"connections", OPTION_CONNECTIONS, true},
    {"size", OPTION_SIZE, true},
    {"depth", OPTION_DEPTH, true},
    {"rounds", OPTION_ROUNDS, true},
    {"seconds", OPTION_SECONDS, true},
    {"warmup", OPTION_WARMUP, true},
    {"messages", OPTION_MESSAGES, true},
    {"server-core", OPTION_SERVER_CORE, true},
    {"client-core", OPTION_CLIENT_CORE, true},
    {"foreign-max", OPTION_FOREIGN_MAX, true},
    {"verify", OPTION_VERIFY, false},
    {"folder", OPTION_FOLDER, true},
    {"json", OPTION_JSON, true},
    {"quick", OPTION_QUICK, false},
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
    if (end == text || *end != '\0' || !(value >= 0 && value <= DBL_MAX)) {
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
    const struct peer *peer = peer_find(o->table, name);
    if (peer == NULL || !peer_is_built(peer)) {
        fprintf(stderr, "peer '%s' %s: see `cport-bench peers`\n", name,
            peer == NULL ? "is unknown" : "was not built");
        return -1;
    }
    if (o->has_handlers && !peer->has_handlers) {
        fprintf(stderr, "peer '%s' has no handlers to choose\n", name);
        return -1;
    }
    if (o->peer_count == OPTIONS_PEERS_MAX) {
        fprintf(stderr, "more than %d peers\n", OPTIONS_PEERS_MAX);
        return -1;
    }
    o->peers[o->peer_count++] = peer;
    return 0;
}

static int choose_client(const char *name, struct options *o)
{
    o->transport = client_transport(name);
    if (o->transport == NULL)
        fprintf(stderr, "client '%s' is unknown here\n", name);
    return o->transport != NULL ? 0 : -1;
}

static int choose_handlers(const char *name, struct options *o)
{
    bool is_known =
        strcmp(name, "none") == 0 || strcmp(name, "sleep") == 0 || strcmp(name, "burn") == 0;
    if (!o->has_handlers || !is_known) {
        fprintf(stderr, "handlers '%s' are unknown here\n", name);
        return -1;
    }
    o->handlers = name;
    return 0;
}

static void be_quick(struct options *o)
{
    o->rounds = 1;
    o->seconds = 0.3;
    o->warmup_seconds = 0.1;
    if (o->keeps_workloads)
        return;
    o->connections = (struct options_list){1, {32}};
    o->message_bytes = (struct options_list){1, {64}};
    o->depths = (struct options_list){2, {1, 16}};
}

static int apply(enum option_id id, const char *value, struct options *o)
{
    switch (id) {
    case OPTION_PEER:
        return add_peer(value, o);
    case OPTION_HANDLERS:
        return choose_handlers(value, o);
    case OPTION_CLIENT:
        return choose_client(value, o);
    case OPTION_CONNECTIONS:
        return parse_list(value, 100000, &o->connections);
    case OPTION_SIZE:
        return parse_list(value, o->bytes_max > 0 ? o->bytes_max : 1u << 24, &o->message_bytes);
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
    case OPTION_FOLDER:
        o->folder = value;
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

static const struct option *option_find(const char *argument)
{
    for (size_t i = 0; i < sizeof option_table / sizeof *option_table; i++) {
        const char *name = option_table[i].name;
        size_t length = strlen(name);
        if (strncmp(argument, "--", 2) == 0 && strncmp(argument + 2, name, length) == 0 &&
            (argument[2 + length] == '\0' || argument[2 + length] == '='))
            return &option_table[i];
    }
    return NULL;
}

/* "--name value", "--name=value" or "--name". */
static int parse_arguments(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        const struct option *option = option_find(argument);
        if (option == NULL) {
            fprintf(stderr, "unknown: %s\n", argument);
            return -1;
        }
        const char *value = strchr(argument, '=');
        if (value != NULL)
            value++;
        else if (option->has_value)
            value = argv[++i]; /* NULL at the end */
        if (option->has_value != (value != NULL)) {
            fprintf(stderr, "%s takes %s value\n", argument, option->has_value ? "a" : "no");
            return -1;
        }
        if (apply(option->id, value != NULL ? value : "", o) != 0)
            return -1;
    }
    return 0;
}

static void take_default_peers(struct options *o)
{
    for (const struct peer *p = o->table; p->name != NULL; p++) {
        bool is_asked = o->has_handlers ? p->has_handlers : p->is_default;
        if (is_asked && peer_is_built(p) && peer_can_start(p))
            o->peers[o->peer_count++] = p;
    }
}

int options_parse(int argc, char **argv, struct options *options)
{
    options->transport = client_transport(NULL);
    if (options->table == NULL)
        options->table = peer_table;
    if (parse_arguments(argc, argv, options) != 0)
        return -1;
    if (options->peer_count == 0)
        take_default_peers(options);
    if (options->peer_count == 0) {
        fprintf(stderr, "no peer is there to be measured\n");
        return -1;
    }
    return 0;
}
