/*
 * The benchmark of files: blocks are read at random places of one file that this makes, `depth` at
 * a time. A round of one reader is a new process that warms up, measures itself, and says what came
 * of it; readers take turns as the echo's servers do.
 */
#include "commands.h"
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MIB        (1u << 20)
#define PATH_BYTES 4352
#define PEERS_MAX  32

static const struct reader {
    const char *name;
    const char *program; /* in peers/ beside this program */
    const char *variant;
    bool cached_only; /* with one read under way at a time */
} readers[] = {
    {"cport-uring", "peer-file-cport-uring", "", false},
    {"cport-uring-pinned", "peer-file-cport-uring", "pinned", false},
    {"cport-epoll", "peer-file-cport-epoll", "", false},
    {"cport-epoll-16", "peer-file-cport-epoll", "16", false},
    {"cport-epoll-shared", "peer-file-cport-epoll", "shared", false},
    {"cport-iocp", "peer-file-cport-iocp", "", false},
    {"raw-io_uring", "peer-file-raw-io_uring", "", false},
    {"raw-io_uring-fixed", "peer-file-raw-io_uring", "fixed", false},
    {"raw-pread", "peer-file-raw-pread", "", true},
    {"libuv", "peer-file-libuv", "", false},
    {"asio", "peer-file-asio", "", false},
};

#define READERS (sizeof readers / sizeof *readers)

struct file_options {
    const struct reader *readers[PEERS_MAX];
    unsigned reader_count;
    const char *folder;
    const char *mode; /* NULL: both */
    const char *json;
    double mebibytes;
    double block_bytes;
    double depth;
    double rounds;
    double seconds;
    double warmup_seconds;
    double core;
    char path[PATH_BYTES]; /* of the file */
};

static const char help[] =
    "cport-bench file [options]\n"
    "  --peer NAME     a reader to measure; again for more\n"
    "  --folder PATH   where the file is made, and removed (.)\n"
    "  --mebibytes N   its size (256)\n"
    "  --mode NAME     cached or direct; without it both\n"
    "  --block N       bytes per read (4096)\n"
    "  --depth N       reads under way (32)\n"
    "  --rounds N      interleaved: every reader once, then every reader again (5)\n"
    "  --seconds S     length of a round (2) after --warmup S (0.5)\n"
    "  --core N        where the reader runs (0)\n"
    "  --json FILE     write everything measured\n"
    "readers:";

static int say_help(FILE *out)
{
    fputs(help, out);
    for (size_t i = 0; i < READERS; i++)
        fprintf(out, " %s", readers[i].name);
    fputc('\n', out);
    return out == stdout ? 0 : 2;
}

static int reader_path(const struct reader *reader, char *ret_path, size_t size)
{
    char relative[64];
    snprintf(relative, sizeof relative, "peers/%s%s", reader->program, sys_program_suffix);
    return sys_path_beside(relative, ret_path, size);
}

static bool reader_is_built(const struct reader *reader)
{
    char path[PATH_BYTES];
    return reader_path(reader, path, sizeof path) == 0 && sys_can_run(path);
}

static int add_reader(struct file_options *o, const char *name)
{
    for (size_t i = 0; i < READERS; i++) {
        if (strcmp(readers[i].name, name) != 0 || !reader_is_built(&readers[i]) ||
            o->reader_count == PEERS_MAX)
            continue;
        o->readers[o->reader_count++] = &readers[i];
        return 0;
    }
    fprintf(stderr, "reader '%s' is unknown, or was not built\n", name);
    return -1;
}

static int apply(struct file_options *o, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **text;
        double *number;
        double least, most;
    } known[] = {
        {"--folder", &o->folder, NULL, 0, 0},
        {"--mode", &o->mode, NULL, 0, 0},
        {"--json", &o->json, NULL, 0, 0},
        {"--mebibytes", NULL, &o->mebibytes, 1, 1 << 20},
        {"--block", NULL, &o->block_bytes, 512, MIB},
        {"--depth", NULL, &o->depth, 1, 1024},
        {"--rounds", NULL, &o->rounds, 1, REPORT_ROUNDS_MAX},
        {"--seconds", NULL, &o->seconds, 0.01, 3600},
        {"--warmup", NULL, &o->warmup_seconds, 0, 3600},
        {"--core", NULL, &o->core, 0, 1023},
    };
    if (strcmp(name, "--peer") == 0)
        return add_reader(o, value);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) != 0)
            continue;
        if (known[i].text != NULL) {
            *known[i].text = value;
            return 0;
        }
        char *end;
        double number = strtod(value, &end);
        if (end == value || *end != '\0' ||
            !(number >= known[i].least && number <= known[i].most)) {
            fprintf(stderr, "%s: '%s' is not a number from %g to %g\n", name, value, known[i].least,
                known[i].most);
            return -1;
        }
        *known[i].number = number;
        return 0;
    }
    fprintf(stderr, "unknown: %s\n", name);
    return -1;
}

static int parse(int argc, char **argv, struct file_options *o)
{
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) {
            fprintf(stderr, "%s: unknown, or without a value\n", argv[i]);
            return -1;
        }
        if (apply(o, argv[i], argv[i + 1]) != 0)
            return -1;
    }
    if (o->mode != NULL && strcmp(o->mode, "cached") != 0 && strcmp(o->mode, "direct") != 0) {
        fprintf(stderr, "there is no mode '%s'\n", o->mode);
        return -1;
    }
    bool any = o->reader_count == 0;
    for (size_t i = 0; any && i < READERS; i++)
        if (reader_is_built(&readers[i]))
            o->readers[o->reader_count++] = &readers[i];
    if (o->reader_count == 0)
        fprintf(stderr, "no reader was built\n");
    return o->reader_count > 0 ? 0 : -1;
}

static uint64_t blocks_of(const struct file_options *o)
{
    return (uint64_t)(o->mebibytes * MIB / o->block_bytes);
}

/* Each block begins with its place, so that readers can tell whether they got the right one. */
static int file_make(struct file_options *o)
{
    size_t bytes = (size_t)o->block_bytes;
    unsigned char *block = calloc(1, bytes);
    /* Several runs may share the folder. */
    snprintf(o->path, sizeof o->path, "%s/cport-bench-%" PRId64 ".file", o->folder, sys_now_ns());
    FILE *out = block != NULL ? fopen(o->path, "wb") : NULL;
    bool failed = out == NULL;
    for (uint64_t i = 0; !failed && i < blocks_of(o); i++) {
        uint64_t place = i * bytes;
        memcpy(block, &place, sizeof place);
        failed = fwrite(block, bytes, 1, out) != 1;
    }
    if (out != NULL && fclose(out) != 0)
        failed = true;
    free(block);
    if (failed)
        fprintf(stderr, "%s: %s\n", o->path, strerror(errno));
    return failed ? -1 : 0;
}

/* "done", reads, nanoseconds, of them processor's, quantiles. */
static int store_round(struct report_row *row, const char *line)
{
    uint64_t reads, p50, p99, p999;
    int64_t elapsed_ns, cpu_ns;
    /* NOLINTNEXTLINE(cert-err34-c): a program of ours has written them */
    if (sscanf(line,
            "done\t%" SCNu64 "\t%" SCNd64 "\t%" SCNd64 "\t%" SCNu64 "\t%" SCNu64 "\t%" SCNu64,
            &reads, &elapsed_ns, &cpu_ns, &p50, &p99, &p999) != 6 ||
        reads == 0 || elapsed_ns <= 0)
        return -1;
    const double values[METRIC_COUNT] = {
        [METRIC_RATE] = (double)reads * 1e9 / (double)elapsed_ns,
        [METRIC_P50] = (double)p50,
        [METRIC_P99] = (double)p99,
        [METRIC_P999] = (double)p999,
        [METRIC_SERVER_CPU] = (double)cpu_ns / (double)reads,
    };
    row->metrics = 1u << METRIC_RATE | 1u << METRIC_P50 | 1u << METRIC_P99 | 1u << METRIC_P999 |
                   1u << METRIC_SERVER_CPU;
    for (unsigned m = 0; m < METRIC_COUNT; m++)
        row->values[m][row->rounds] = values[m];
    row->rounds++;
    return 0;
}

static int parse_ready(struct report_row *row, char *line)
{
    char *engine = strchr(line, '\t');
    char *remark = engine != NULL ? strchr(engine + 1, '\t') : NULL;
    if (remark == NULL || strncmp(line, "ready", 5) != 0)
        return -1;
    *remark = '\0';
    snprintf(row->engine, sizeof row->engine, "%s", engine + 1);
    snprintf(row->remark, sizeof row->remark, "%s", remark + 1);
    return 0;
}

static int run_round(
    const struct file_options *o, const struct reader *reader, struct report_row *row)
{
    char path[PATH_BYTES], line[512], numbers[5][32];
    struct sys_process process;
    snprintf(numbers[0], sizeof numbers[0], "%" PRIu64, blocks_of(o));
    snprintf(numbers[1], sizeof numbers[1], "%.0f", o->block_bytes);
    snprintf(numbers[2], sizeof numbers[2], "%.0f", o->depth);
    snprintf(numbers[3], sizeof numbers[3], "%g", o->warmup_seconds);
    snprintf(numbers[4], sizeof numbers[4], "%g", o->seconds);
    const char *const argv[] = {path, o->path, numbers[0], numbers[1], numbers[2], row->mode,
        numbers[3], numbers[4], reader->variant, NULL};
    if (reader_path(reader, path, sizeof path) != 0 ||
        sys_process_start(argv, (int)o->core, &process) != 0)
        return -1;
    int status = sys_process_read_line(&process, line, sizeof line);
    if (status == 0)
        status = parse_ready(row, line);
    if (status == 0)
        status = sys_process_read_line(&process, line, sizeof line);
    if (status != 0)
        sys_process_kill(&process);
    else
        status = sys_process_wait(&process);
    if (status == 0)
        status = store_round(row, line);
    if (status != 0)
        fprintf(stderr, "%s failed\n", reader->name);
    return status;
}

static int run_mode(const struct file_options *o, const char *mode, struct report *report)
{
    unsigned first = report->row_count, rows = 0;
    const struct reader *taken[PEERS_MAX];
    for (unsigned i = 0; i < o->reader_count; i++) {
        if (o->readers[i]->cached_only && strcmp(mode, "cached") != 0)
            continue;
        struct report_row *row = report_add_row(report);
        if (row == NULL)
            return -1;
        taken[rows++] = o->readers[i];
        snprintf(row->peer, sizeof row->peer, "%s", o->readers[i]->name);
        snprintf(row->mode, sizeof row->mode, "%s", mode);
        row->message_bytes = (unsigned)o->block_bytes;
        row->depth = (unsigned)o->depth;
    }
    for (unsigned round = 0; round < (unsigned)o->rounds; round++) {
        for (unsigned i = 0; i < rows; i++)
            if (run_round(o, taken[i], &report->rows[first + i]) != 0)
                return -1;
    }
    if (rows > 0)
        report_print_workload(report, 1, &report->rows[first], stdout);
    fflush(stdout);
    return o->json != NULL ? report_write(report, o->json) : 0;
}

int command_file(int argc, char **argv)
{
    static const char *const modes[] = {"cached", "direct"};
    struct file_options o = {.folder = ".",
        .mebibytes = 256,
        .block_bytes = 4096,
        .depth = 32,
        .rounds = 5,
        .seconds = 2,
        .warmup_seconds = 0.5};
    struct report report;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return say_help(stdout);
    if (parse(argc, argv, &o) != 0)
        return say_help(stderr);
    report_start(&report, "file");
    report.seconds = o.seconds;
    report.warmup_seconds = o.warmup_seconds;
    report.server_core = (int)o.core;
    report.client_core = -1;
    report.verify = true;
    snprintf(report.client, sizeof report.client, "none");
    printf("file on ");
    report_print_system(&report, stdout);
    printf("; commit %s; %.0f MiB in %s; %.0f rounds, median [min-max]\n", report.commit,
        o.mebibytes, o.folder, o.rounds);
    int status = file_make(&o);
    for (size_t i = 0; i < sizeof modes / sizeof *modes && status == 0; i++)
        if (o.mode == NULL || strcmp(o.mode, modes[i]) == 0)
            status = run_mode(&o, modes[i], &report);
    remove(o.path);
    report_free(&report);
    return status == 0 ? 0 : 1;
}
