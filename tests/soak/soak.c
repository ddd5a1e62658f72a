/*
 * A server under full load for as long as one likes, among clients of every sort; at the end, whether it is as it was.
 *
 * Usage: soak SERVER [--quick] [--backend NAME] [--seconds N] [--connections N] [--seed N]
 *
 * Exit status: 0 passed, 1 failed, 2 it could not be found out.
 */
#include "kinds.h"
#include "peer.h"
#include "sample.h"
#include "users.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* The server's limits: short enough to be met in a soak, long enough for a client that shares a busy machine. */
#define PREFACE_SECONDS    5
#define FRAME_SECONDS      5
#define WRITE_SECONDS      5
#define DRAIN_SECONDS      20

#define PROGRESS_SECONDS   10
#define SAMPLE_NS          SECOND_NS
#define ROTATE_NS          (60 * SECOND_NS)
#define SPOIL_NS           (SECOND_NS / 10)
#define SPOIL_PER_MYRIAD   7u  /* of the connections, ten times a second */
#define WARM_UP_SECONDS    120 /* or a quarter of the run, if that is less */
#define JUDGED_SECONDS_MIN 60  /* after it; a shorter run says nothing of leaks */
#define RSS_PER_CENT       2.0
#define HUSH_NS            (90 * SECOND_NS)
#define DRAIN_LOAD_NS      (3 * SECOND_NS)

#define CONNECTIONS_MIN    300u
#define QUICK_SECONDS      6
#define QUICK_CONNECTIONS  400

struct options {
    const char *server;
    const char *backend;
    unsigned seconds, connections;
    uint64_t seed;
};

struct soak {
    struct options options;
    struct crowd crowd;
    char folder[64];
    char root[96], users[96], log[96], old_log[96];
    struct child *child;
    uint16_t tcp_port, admin_port;
    uint64_t asked_admin;
    struct sample before;
    uint64_t *rss_kib; /* one a second */
    size_t samples;
    unsigned failures;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("soak: ", stdout);
    vprintf(format, list);
    putchar('\n');
    va_end(list);
    fflush(stdout);
}

static void check(struct soak *soak, bool good, const char *what)
{
    if (good)
        return;
    soak->failures++;
    say("FAILED: %s", what);
}

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "soak: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* ---- The server ---- */

static void folder_make(struct soak *soak)
{
    const char *above = getenv("TMPDIR");
    char error[USERS_ERROR_BYTES], md5_text[MD5_HEX_BYTES + 1];
    struct user user = {.name = SOAK_USER, .role = ROLE_USER};
    snprintf(soak->folder, sizeof(soak->folder), "%.40s/cport-soak-XXXXXX", above ? above : "/tmp");
    if (!mkdtemp(soak->folder))
        give_up(soak->folder);
    snprintf(soak->root, sizeof(soak->root), "%s/root", soak->folder);
    snprintf(soak->users, sizeof(soak->users), "%s/users", soak->folder);
    snprintf(soak->log, sizeof(soak->log), "%s/log", soak->folder);
    snprintf(soak->old_log, sizeof(soak->old_log), "%s/log.1", soak->folder);
    md5_hex((struct bytes){(const uint8_t *)SOAK_USER, sizeof(SOAK_USER) - 1}, md5_text);
    if (mkdir(soak->root, 0700) != 0 || !shelf_fill(soak->root) || !password_prepare() ||
        !password_hash(md5_text, PASSWORD_COST_LEAST, user.record) ||
        !users_edit(soak->users, &user, error))
        give_up(soak->root);
}

static void folder_remove(struct soak *soak)
{
    char path[512];
    DIR *list = opendir(soak->root);
    for (const struct dirent *entry; list && (entry = readdir(list));) {
        snprintf(path, sizeof(path), "%s/%s", soak->root, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    if (list)
        closedir(list);
    rmdir(soak->root);
    unlink(soak->users);
    unlink(soak->log);
    unlink(soak->old_log);
    rmdir(soak->folder);
}

static uint16_t port_in(const char *line, const char *head)
{
    return strncmp(line, head, strlen(head)) == 0 ? (uint16_t)strtoul(line + strlen(head), NULL, 10)
                                                  : 0;
}

static void server_start(struct soak *soak)
{
    char preface[16], frame[16], write[16], drain[16], line[512], errors[4096];
    snprintf(preface, sizeof(preface), "%ds", PREFACE_SECONDS);
    snprintf(frame, sizeof(frame), "%ds", FRAME_SECONDS);
    snprintf(write, sizeof(write), "%ds", WRITE_SECONDS);
    snprintf(drain, sizeof(drain), "%ds", DRAIN_SECONDS);
    const char *const words[] = {soak->options.server, "--listen", "127.0.0.1:0", "--admin",
        "127.0.0.1:0", "--backend", soak->options.backend, "--message-anonymous", "yes", "--users",
        soak->users, "--root", soak->root, "--log-file", soak->log, "--preface-timeout", preface,
        "--frame-timeout", frame, "--write-timeout", write, "--drain-timeout", drain,
        "--send-queue", "64K", "--push-queue", "1M", NULL};
    soak->child = child_start(words);
    if (!soak->child)
        give_up("cannot start the server");
    if (child_line(soak->child, line, sizeof(line)))
        soak->admin_port = port_in(line, "cport-server: admin on 127.0.0.1:");
    if (soak->admin_port != 0 && child_line(soak->child, line, sizeof(line)))
        soak->tcp_port = port_in(line, "cport-server: listening on 127.0.0.1:");
    if (soak->tcp_port == 0) {
        (void)child_wait(soak->child, errors, sizeof(errors));
        fprintf(stderr, "soak: the server did not start: %s\n", errors);
        exit(2);
    }
    say("%s", line);
}

static struct metrics *ask_metrics(struct soak *soak)
{
    static struct metrics metrics;
    soak->asked_admin++;
    if (!metrics_ask(soak->admin_port, &metrics))
        metrics.text[0] = '\0';
    return &metrics;
}

/* ---- Load ---- */

struct marks {
    int64_t progress_ns, sample_ns, rotate_ns, spoil_ns;
    uint64_t replies, pushes, connects;
};

static void progress(struct soak *soak, struct marks *marks, int64_t start_ns)
{
    const struct crowd *crowd = &soak->crowd;
    struct sample now = {0};
    uint64_t spoiled = 0;
    double seconds = PROGRESS_SECONDS;
    (void)sample_take(child_id(soak->child), &now);
    for (unsigned i = 0; i < SPOIL_KINDS; i++)
        spoiled += crowd->spoiled[i];
    say("%5.0f s  %u open  %.0f replies/s  %.0f pushes/s  %.0f connects/s  spoiled %" PRIu64
        "  RSS %.1f MiB  descriptors %u  faults %u",
        (double)(crowd->now_ns - start_ns) / SECOND_NS, crowd->open,
        (double)(crowd->replies - marks->replies) / seconds,
        (double)(crowd->pushes - marks->pushes) / seconds,
        (double)(crowd->connects - marks->connects) / seconds, spoiled, (double)now.rss_kib / 1024,
        now.descriptors, crowd->faults);
    marks->replies = crowd->replies;
    marks->pushes = crowd->pushes;
    marks->connects = crowd->connects;
}

static bool due(int64_t *mark_ns, int64_t now_ns, int64_t period_ns)
{
    if (now_ns < *mark_ns + period_ns)
        return false;
    *mark_ns += period_ns;
    return true;
}

static void load(struct soak *soak)
{
    struct crowd *crowd = &soak->crowd;
    int64_t start_ns = clock_ns(), end_ns = start_ns + soak->options.seconds * SECOND_NS;
    struct marks marks = {start_ns, start_ns, start_ns, start_ns, 0, 0, 0};
    unsigned spoil = 1 + soak->options.connections * SPOIL_PER_MYRIAD / 10000;
    while (crowd->now_ns < end_ns && !interrupted && crowd->faults < 1000) {
        struct sample now;
        crowd_turn(crowd);
        if (due(&marks.spoil_ns, crowd->now_ns, SPOIL_NS))
            crowd_spoil_some(crowd, spoil);
        if (due(&marks.sample_ns, crowd->now_ns, SAMPLE_NS) &&
            sample_take(child_id(soak->child), &now) && soak->samples < soak->options.seconds)
            soak->rss_kib[soak->samples++] = now.rss_kib;
        if (crowd->faults == 0 && due(&marks.rotate_ns, crowd->now_ns, ROTATE_NS) &&
            rename(soak->log, soak->old_log) == 0)
            (void)child_reopen(soak->child);
        if (due(&marks.progress_ns, crowd->now_ns, PROGRESS_SECONDS * SECOND_NS))
            progress(soak, &marks, start_ns);
    }
}

/* Who is owed something gets it, and everybody leaves; the server is then as it was. */
static void hush(struct soak *soak)
{
    struct crowd *crowd = &soak->crowd;
    struct sample now = {0};
    int64_t end_ns = clock_ns() + HUSH_NS;
    crowd_hush(crowd);
    while (crowd->open > 0 && crowd->now_ns < end_ns)
        crowd_turn(crowd);
    check(soak, crowd->open == 0, "connections that do not come to their end");
    do
        crowd_turn(crowd);
    while (sample_take(child_id(soak->child), &now) &&
           (now.descriptors > soak->before.descriptors || now.threads > soak->before.threads) &&
           crowd->now_ns < end_ns);
    say("descriptors %u before, %u after; threads %u and %u", soak->before.descriptors,
        now.descriptors, soak->before.threads, now.threads);
    check(soak, now.descriptors == soak->before.descriptors, "descriptors are not what they were");
    check(soak, now.threads == soak->before.threads, "threads are not what they were");
}

/* ---- What the server has counted ---- */

static void check_least(
    struct soak *soak, const struct metrics *metrics, const char *name, uint64_t least)
{
    uint64_t value = metrics_value(metrics, name);
    if (value != UINT64_MAX && value >= least)
        return;
    soak->failures++;
    say("FAILED: the server counts %s=%" PRIu64 ", and there were %" PRIu64, name, value, least);
}

static void check_most(
    struct soak *soak, const struct metrics *metrics, const char *name, uint64_t most)
{
    uint64_t value = metrics_value(metrics, name);
    if (value != UINT64_MAX && value <= most)
        return;
    soak->failures++;
    say("FAILED: the server counts %s=%" PRIu64 ", and there can be %" PRIu64, name, value, most);
}

static void check_counters(struct soak *soak)
{
    const struct crowd *crowd = &soak->crowd;
    const struct metrics *metrics = ask_metrics(soak);
    uint64_t accepted = crowd->connects + soak->asked_admin;
    uint64_t spoiled = 0, told = 0;
    for (unsigned i = 0; i < SPOIL_KINDS; i++)
        spoiled += crowd->spoiled[i];
    for (unsigned i = 0; i < sizeof(crowd->told) / sizeof(crowd->told[0]); i++)
        told += crowd->told[i];
    check_least(soak, metrics, "accepted", accepted);
    check_most(soak, metrics, "accepted", accepted + crowd->aborted_connects);
    check_most(soak, metrics, "connections", 0);
    check_most(soak, metrics, "refused_full", 0);
    check_most(soak, metrics, "refused_address", 0);
    check_most(soak, metrics, "memory", 0);
    check_most(soak, metrics, "login_timeout", told);
    check_most(soak, metrics, "idle_timeout", spoiled + told);
    check_most(soak, metrics, "kicked", 0);
    check_most(soak, metrics, "preface_timeout", crowd->told[TOLD_SILENT]);
    check_most(soak, metrics, "illegal_preface", crowd->told[TOLD_MALFORMED]);
    check_most(soak, metrics, "broken_frame", told + spoiled);
    check_most(soak, metrics, "frame_timeout", told + spoiled);
    check_most(soak, metrics, "write_timeout", told + spoiled);
    check_most(soak, metrics, "slow_subscriber", told + spoiled);
    check_least(soak, metrics, "frames", crowd->replies);
    check_least(soak, metrics, "pushes", crowd->pushes);
    check_most(soak, metrics, "bytes_in", crowd->sent_bytes + 64 * soak->asked_admin);
    say("the server counts: preface_timeout %" PRIu64 ", illegal_preface %" PRIu64
        ", broken_frame %" PRIu64 ", frame_timeout %" PRIu64 ", write_timeout %" PRIu64
        ", slow_subscriber %" PRIu64 ", lines_lost %" PRIu64,
        metrics_value(metrics, "preface_timeout"), metrics_value(metrics, "illegal_preface"),
        metrics_value(metrics, "broken_frame"), metrics_value(metrics, "frame_timeout"),
        metrics_value(metrics, "write_timeout"), metrics_value(metrics, "slow_subscriber"),
        metrics_value(metrics, "lines_lost"));
}

/* ---- Memory ---- */

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double median_mib(uint64_t *rss_kib, size_t count)
{
    qsort(rss_kib, count, sizeof(*rss_kib), by_size);
    size_t middle = count / 2;
    return (double)rss_kib[middle] / 1024;
}

/* The medians of the first and the last fifth of what comes after the warm-up. */
static void check_memory(struct soak *soak)
{
    size_t warm = soak->samples / 4 < WARM_UP_SECONDS ? soak->samples / 4 : WARM_UP_SECONDS;
    size_t judged = soak->samples - warm, fifth = judged / 5;
    if (judged < JUDGED_SECONDS_MIN) {
        say("RSS: a run this short says nothing of it");
        return;
    }
    double first = median_mib(soak->rss_kib + warm, fifth);
    double last = median_mib(soak->rss_kib + soak->samples - fifth, fifth);
    double grown = (last / first - 1) * 100;
    say("RSS %.1f MiB after %zu s, %.1f MiB at the end: %+.1f %%", first, warm, last, grown);
    check(soak, grown <= RSS_PER_CENT, "memory grows");
}

/* ---- The drain ---- */

/* The server's last words are the end of its log. */
static bool log_ends_well(struct soak *soak)
{
    static char text[4096];
    FILE *file = fopen(soak->log, "rb");
    if (!file)
        return false;
    if (fseek(file, -(long)(sizeof(text) - 1), SEEK_END) != 0)
        rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return strstr(text, " event=stopped accepted=") && !strstr(text, "event=drain_timeout");
}

/* The crowd comes again, all of it healthy, and is at full load when the server is told to stop. */
static void drain(struct soak *soak)
{
    struct crowd *crowd = &soak->crowd;
    static char errors[16384];
    uint64_t replies = crowd->replies;
    crowd->quiet = false;
    crowd->healthy_only = true;
    int64_t load_ns = soak->options.seconds < 60 ? SECOND_NS : DRAIN_LOAD_NS;
    int64_t start_ns = clock_ns();
    crowd->now_ns = start_ns;
    while (crowd->now_ns < start_ns + load_ns ||
           (!crowd_all_talk(crowd) && crowd->now_ns < start_ns + 60 * SECOND_NS))
        crowd_turn(crowd);
    check(soak, crowd_all_talk(crowd), "connections that do not come back");
    unsigned open = crowd->open;
    replies = crowd->replies - replies;

    crowd->draining = true;
    start_ns = clock_ns();
    child_stop(soak->child);
    while (crowd->open > 0 && crowd->now_ns < start_ns + 2 * DRAIN_SECONDS * SECOND_NS)
        crowd_turn(crowd);
    check(soak, crowd->open == 0, "connections that the server does not end");
    if (crowd->open > 0)
        child_kill(soak->child);
    int status = child_wait(soak->child, errors, sizeof(errors));
    double seconds = (double)(clock_ns() - start_ns) / SECOND_NS;
    say("%" PRIu64 " more replies, then %u connections drained in %.1f s; exit status %d", replies,
        open, seconds, status);
    check(soak, status == 0, "the server's exit status");
    check(soak, seconds < DRAIN_SECONDS, "the drain took longer than it may");
    check(soak, log_ends_well(soak), "the server's last words");
    if (errors[0] != '\0') {
        check(soak, false, "the server wrote to its standard error");
        fputs(errors, stdout);
    }
}

/* ---- All of it ---- */

static bool number_of(const char *text, uint64_t most, uint64_t *ret_value)
{
    char *end;
    errno = 0;
    *ret_value = strtoull(text, &end, 10);
    return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && *ret_value <= most;
}

static bool option_read(const char *name, const char *value, struct options *options)
{
    uint64_t number = 1;
    if (strcmp(name, "--backend") == 0)
        options->backend = value;
    else if (strcmp(name, "--seconds") == 0 && number_of(value, 1000000, &number))
        options->seconds = (unsigned)number;
    else if (strcmp(name, "--connections") == 0 && number_of(value, 1000000, &number))
        options->connections = (unsigned)number;
    else if (strcmp(name, "--seed") == 0 && number_of(value, UINT64_MAX, &number))
        options->seed = number;
    else
        return false;
    return true;
}

static bool options_read(int argc, char **argv, struct options *options)
{
    *options = (struct options){
        .backend = "auto", .seconds = 600, .connections = 15000, .seed = (uint64_t)clock_ns()};
    if (argc < 2)
        return false;
    options->server = argv[1];
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            options->seconds = QUICK_SECONDS;
            options->connections = QUICK_CONNECTIONS;
        } else if (i + 1 < argc && option_read(argv[i], argv[i + 1], options)) {
            i++;
        } else {
            return false;
        }
    }
    return options->connections >= CONNECTIONS_MIN && options->seconds >= 1;
}

/* As many as this process and the server may have; the server raises its own limit. */
static void limit_raise(struct options *options)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        give_up("RLIMIT_NOFILE");
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    uint64_t most = limit.rlim_cur < 2000 ? CONNECTIONS_MIN : limit.rlim_cur - 1000;
    if (options->connections <= most)
        return;
    say("%u connections are more than the limit on open files leaves: %u", options->connections,
        (unsigned)most);
    options->connections = (unsigned)most;
}

static void told(const struct soak *soak)
{
    const struct crowd *crowd = &soak->crowd;
    say("checked: %" PRIu64 " replies, %" PRIu64 " pushes, %" PRIu64 " files up, %" PRIu64
        " down, %" PRIu64 " log lines, on %" PRIu64 " connections",
        crowd->replies, crowd->pushes, crowd->uploads, crowd->downloads, crowd->lines,
        crowd->connects);
    say("spoiled: %" PRIu64 " reset, %" PRIu64 " closed unread, %" PRIu64
        " cut amid a frame, %" PRIu64 " silent amid a frame, %" PRIu64 " stalled, %" PRIu64
        " half-closed and gone",
        crowd->spoiled[SPOIL_RESET], crowd->spoiled[SPOIL_DROP], crowd->spoiled[SPOIL_CUT],
        crowd->spoiled[SPOIL_HALF_FRAME], crowd->spoiled[SPOIL_STALL],
        crowd->spoiled[SPOIL_HALF_CLOSE]);
    say("besides: %" PRIu64 " silent, %" PRIu64 " malformed, %" PRIu64 " slow log readers, %" PRIu64
        " slow subscribers",
        crowd->told[TOLD_SILENT], crowd->told[TOLD_MALFORMED], crowd->told[TOLD_SLOW_LOG],
        crowd->told[TOLD_SLOW_SUBSCRIBER]);
}

int main(int argc, char **argv)
{
    static const struct kind *const kinds[] = {&kind_echo, &kind_publisher, &kind_busy_publisher,
        &kind_subscriber, &kind_throughput, &kind_log, &kind_downloader, &kind_uploader,
        &kind_silent, &kind_malformed, &kind_slow_log, &kind_slow_subscriber, NULL};
    static struct soak soak;
    struct crowd *crowd = &soak.crowd;
    if (!options_read(argc, argv, &soak.options)) {
        fprintf(stderr,
            "usage: %s SERVER [--quick] [--backend NAME] [--seconds N] [--connections N, "
            "%u or more] [--seed N]\n",
            argv[0], CONNECTIONS_MIN);
        return 2;
    }
    peer_start();
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    limit_raise(&soak.options);
    folder_make(&soak);
    server_start(&soak);
    say("seed %" PRIu64 ", %u connections, %u s", soak.options.seed, soak.options.connections,
        soak.options.seconds);

    crowd->tcp_port = soak.tcp_port;
    crowd->random = soak.options.seed;
    crowd->root = soak.root;
    crowd->limits = (struct crowd_limits){PREFACE_SECONDS * SECOND_NS, FRAME_SECONDS * SECOND_NS};
    soak.rss_kib = calloc(soak.options.seconds, sizeof(*soak.rss_kib));
    if (!soak.rss_kib || !crowd_open(crowd, soak.options.connections, kinds))
        give_up("no memory");
    if (!sample_take(child_id(soak.child), &soak.before))
        give_up("/proc");

    load(&soak);
    hush(&soak);
    check_counters(&soak);
    check_memory(&soak);
    drain(&soak);
    told(&soak);
    check(&soak, crowd->faults == 0, "replies were lost, reordered or changed");
    bool passed = soak.failures == 0;
    say("%s", passed ? "PASS" : "FAIL");
    if (!passed)
        say("the server's log is in %s; --seed %" PRIu64, soak.log, soak.options.seed);
    crowd_close(crowd);
    free(soak.rss_kib);
    if (passed)
        folder_remove(&soak);
    return passed ? 0 : 1;
}
