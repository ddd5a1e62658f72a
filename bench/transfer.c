/*
 * The benchmark of files through servers: each connection downloads one file, or uploads one of its own, all at once. A round is a
 * new server, a transfer to warm up, and the one that is measured. What has been uploaded to warm up is removed before that: so the
 * system has the memory at hand that it will keep the files in, whoever used it last.
 */
#include "client.h"
#include "commands.h"
#include "courier.h"
#include "folder.h"
#include "rounds.h"
#include "service.h"
#include "talk.h"
#include "transport.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB          ((uint64_t)1 << 20)
#define PIECE_BYTES  ((size_t)256 * 1024)
/* A place's byte repeats after so many: no divisor of any buffer's size, so that displaced bytes show. */
#define PERIOD       65521u
#define FOLDER_BYTES 256
#define PATH_BYTES   512

/* What the user of the reference server may log in with, as `cport-server passwd --cost least` has written it: see service.h. */
static const char users[] = SERVICE_USER ":user:$argon2id$v=19$m=8,t=1,p=1$ikTZnwOem2nzcR5h3IrdrQ$"
                                         "ijrRteydTctJ4hn+yGJr9dejNkbK/7MbCujnuPmYVIQ\n";

struct carrier {
    char text[COURIER_TEXT_MAX]; /* that goes before what is sent next */
    size_t text_bytes, text_sent;
    uint64_t part_left;     /* of the file, behind that text */
    uint64_t sent, to_send; /* of the file */
    bool is_finished;       /* the last text has been begun */
    uint64_t received, to_receive;
    unsigned replies_due;
    bool is_busy;
    unsigned number; /* of its upload */
    struct splitter splitter;
};

struct transfer {
    struct talk talk;
    const struct options *options;
    const struct courier *courier;
    const unsigned char *pattern; /* of PERIOD and PIECE_BYTES */
    struct carrier *carriers;
    unsigned busy;
    bool is_upload;
    const char *files; /* the folder that is served */
};

static int complain(const char *what)
{
    fprintf(stderr, "client: %s\n", what);
    return -1;
}

/* ---- Sending ---- */

static bool has_unsent(const struct carrier *x)
{
    return x->text_sent < x->text_bytes || x->part_left > 0;
}

static void settle(struct transfer *t, struct carrier *x)
{
    if (!x->is_busy || x->replies_due > 0 || x->received < x->to_receive || has_unsent(x))
        return;
    x->is_busy = false;
    t->busy--;
}

static void say(struct carrier *x, courier_text *text, uint64_t bytes)
{
    x->text_bytes = text(x->text, x->number, bytes);
    x->text_sent = 0;
}

/* All of a text and its part of the file is out: what is next, if anything. */
static void go_on(const struct courier *c, struct carrier *x)
{
    uint64_t left = x->to_send - x->sent;
    if (left > 0) {
        x->part_left = c->packet != NULL && left > c->packet_bytes ? c->packet_bytes : left;
        if (c->packet != NULL)
            say(x, c->packet, x->part_left);
    } else if (!x->is_finished) {
        x->is_finished = true;
        if (c->after != NULL)
            say(x, c->after, 0);
    }
}

static size_t piece(const struct talk *talk, unsigned connection, const unsigned char **ret_data)
{
    const struct transfer *t = (const struct transfer *)talk;
    const struct carrier *x = &t->carriers[connection];
    if (x->text_sent < x->text_bytes) {
        *ret_data = (const unsigned char *)x->text + x->text_sent;
        return x->text_bytes - x->text_sent;
    }
    *ret_data = t->pattern + x->sent % PERIOD;
    return x->part_left < PIECE_BYTES ? (size_t)x->part_left : PIECE_BYTES;
}

static void sent(struct talk *talk, unsigned connection, size_t bytes)
{
    struct transfer *t = (struct transfer *)talk;
    struct carrier *x = &t->carriers[connection];
    if (x->text_sent < x->text_bytes) {
        x->text_sent += bytes;
    } else {
        x->sent += bytes;
        x->part_left -= bytes;
    }
    if (!has_unsent(x))
        go_on(t->courier, x);
    settle(t, x);
}

/* ---- Receiving ---- */

struct arrival {
    struct transfer *transfer;
    struct carrier *carrier;
};

static int on_body(void *context, const unsigned char *data, size_t bytes)
{
    const struct arrival *a = context;
    struct carrier *x = a->carrier;
    if (x->received + bytes > x->to_receive)
        return complain("more came than the file has");
    for (size_t done = 0; a->transfer->options->verify && done < bytes;) {
        size_t n = bytes - done < PIECE_BYTES ? bytes - done : PIECE_BYTES;
        if (memcmp(data + done, a->transfer->pattern + (x->received + done) % PERIOD, n) != 0)
            return complain("other bytes came than the file has");
        done += n;
    }
    x->received += bytes;
    return 0;
}

static int on_item(void *context, enum wire_kind kind)
{
    const struct arrival *a = context;
    if (kind == WIRE_REPLY && a->carrier->replies_due > 0)
        a->carrier->replies_due--;
    return 0;
}

static int received(
    struct talk *talk, unsigned connection, const unsigned char *data, size_t bytes, int64_t now_ns)
{
    struct transfer *t = (struct transfer *)talk;
    struct arrival a = {t, &t->carriers[connection]};
    const struct wire_sink sink = {on_body, on_item, &a};
    (void)now_ns;
    if (splitter_feed(&a.carrier->splitter, t->courier->parse, data, bytes, &sink) != 0)
        return -1;
    settle(t, a.carrier);
    return 0;
}

/* ---- Files ---- */

static int fail_path(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return -1;
}

static int file_make(const unsigned char *pattern, const char *path, uint64_t bytes)
{
    FILE *out = fopen(path, "wbe");
    bool failed = out == NULL;
    for (uint64_t at = 0; !failed && at < bytes;) {
        size_t n = bytes - at < PIECE_BYTES ? (size_t)(bytes - at) : PIECE_BYTES;
        failed = fwrite(pattern + at % PERIOD, n, 1, out) != 1;
        at += n;
    }
    if (out != NULL && fclose(out) != 0)
        failed = true;
    return failed ? fail_path(path) : 0;
}

static int file_check(const unsigned char *pattern, const char *path, uint64_t bytes)
{
    unsigned char *block = malloc(PIECE_BYTES);
    FILE *in = block != NULL ? fopen(path, "rbe") : NULL;
    bool differs = in == NULL;
    for (uint64_t at = 0; !differs && at < bytes;) {
        size_t n = bytes - at < PIECE_BYTES ? (size_t)(bytes - at) : PIECE_BYTES;
        differs = fread(block, n, 1, in) != 1 || memcmp(block, pattern + at % PERIOD, n) != 0;
        at += n;
    }
    if (!differs)
        differs = fgetc(in) != EOF;
    if (in != NULL)
        fclose(in);
    free(block);
    if (differs)
        fprintf(stderr, "%s is not what was uploaded\n", path);
    return differs ? -1 : 0;
}

/* The files of all connections from that number on. */
static void uploads_remove(const struct transfer *t, unsigned first)
{
    char path[PATH_BYTES];
    for (unsigned i = 0; t->is_upload && i < t->talk.connections; i++) {
        snprintf(path, sizeof path, "%s/up-%u", t->files, first + i);
        (void)unlink(path);
    }
}

static int uploads_check(const struct transfer *t, uint64_t bytes)
{
    char path[PATH_BYTES];
    int status = 0;
    for (unsigned i = 0; t->is_upload && status == 0 && i < t->talk.connections; i++) {
        snprintf(path, sizeof path, "%s/up-%u", t->files, i);
        status = file_check(t->pattern, path, bytes);
    }
    return status;
}

/* ---- A round ---- */

/* All connections begin, and when this returns, all have come to their end. */
static int run(struct transfer *t, void *client)
{
    int64_t now_ns;
    for (unsigned i = 0; i < t->talk.connections; i++) {
        t->carriers[i].is_busy = true;
        t->busy++;
    }
    for (unsigned i = 0; i < t->talk.connections; i++) {
        if (t->options->transport->flush(client, i) != 0)
            return -1;
        settle(t, &t->carriers[i]);
    }
    while (t->busy > 0) {
        if (t->options->transport->turn(client, &now_ns) != 0)
            return -1;
    }
    return 0;
}

static int join_all(struct transfer *t, void *client)
{
    if (t->courier->join == NULL)
        return 0;
    for (unsigned i = 0; i < t->talk.connections; i++) {
        struct carrier *x = &t->carriers[i];
        x->is_finished = true;
        x->replies_due = t->courier->join_replies;
        say(x, t->courier->join, 0);
    }
    return run(t, client);
}

/* first: the number of the first one's upload. */
static int carry_all(struct transfer *t, void *client, unsigned first, uint64_t bytes)
{
    for (unsigned i = 0; i < t->talk.connections; i++) {
        struct carrier *x = &t->carriers[i];
        x->number = first + i;
        x->sent = 0;
        x->to_send = t->is_upload ? bytes : 0;
        x->received = 0;
        x->to_receive = t->is_upload ? 0 : bytes;
        x->is_finished = !t->is_upload;
        x->replies_due = t->courier->replies;
        say(x, t->courier->before, bytes);
    }
    return run(t, client);
}

static void store_round(const struct window *w, uint64_t bytes, int64_t elapsed_ns,
    int64_t client_ns, struct report_row *row)
{
    double gigabytes = (double)bytes / 1e9, elapsed = (double)elapsed_ns;
    double server_ns = (double)w->server_cpu_ns, own_ns = (double)client_ns;
    double foreign_ns = (double)w->busy_ns - server_ns - own_ns;
    unsigned n = row->rounds;
    row->values[METRIC_DOWNLOAD_CPU][n] = (server_ns + own_ns) / 1e9 / gigabytes;
    row->values[METRIC_DOWNLOAD_SERVER][n] = server_ns / 1e9 / gigabytes;
    row->values[METRIC_DOWNLOAD_RATE][n] = gigabytes * 1e9 / elapsed;
    row->values[METRIC_FOREIGN][n] = foreign_ns > 0 ? foreign_ns / elapsed : 0;
    row->metrics = 1u << METRIC_DOWNLOAD_CPU | 1u << METRIC_DOWNLOAD_SERVER |
                   1u << METRIC_DOWNLOAD_RATE | 1u << METRIC_FOREIGN;
}

static int measure_window(struct transfer *t, void *client, const struct server *server,
    uint64_t bytes, struct report_row *row)
{
    struct window w = {.options = t->options, .server = server};
    if (join_all(t, client) != 0 || carry_all(t, client, t->talk.connections, bytes) != 0)
        return -1;
    uploads_remove(t, t->talk.connections);
    if (window_mark(&w, true) != 0)
        return -1;
    int64_t client_ns = sys_self_cpu_ns(), begin_ns = sys_now_ns();
    if (carry_all(t, client, 0, bytes) != 0)
        return -1;
    int64_t elapsed_ns = sys_now_ns() - begin_ns;
    client_ns = sys_self_cpu_ns() - client_ns;
    if (window_mark(&w, false) != 0)
        return -1;
    store_round(&w, bytes * t->talk.connections, elapsed_ns, client_ns, row);
    return 0;
}

/* ---- Workloads ---- */

struct workload {
    const struct options *options;
    const unsigned char *pattern;
    char files[FOLDER_BYTES + 8]; /* the folder that is served */
    uint64_t bytes;               /* of each connection */
    unsigned connections;
    bool is_upload;
};

static int measure_server(struct transfer *t, const struct workload *load, const struct peer *peer,
    struct report_row *row)
{
    struct server server;
    void *client;
    char path[PATH_BYTES];
    /* The servers in peers/ serve a file, the others a folder. */
    bool is_file = !t->is_upload && service_find(peer->program) == NULL;
    snprintf(path, sizeof path, "%s%s", load->files, is_file ? "/" COURIER_FILE : "");
    if (server_start(peer, NULL, path, t->options->server_core, &server) != 0)
        return -1;
    snprintf(row->engine, sizeof row->engine, "%s", server.engine);
    snprintf(row->remark, sizeof row->remark, "%s", server.remark);
    t->talk.port = server.port;
    int status = t->options->transport->open(&t->talk, &client);
    if (status == 0) {
        status = measure_window(t, client, &server, load->bytes, row);
        t->options->transport->close(client);
    }
    if (status == 0)
        return server_wait(&server);
    server_kill(&server);
    return -1;
}

static int measure(void *context, const struct peer *peer, struct report_row *row)
{
    static const struct talk_kind kind = {piece, sent, received};
    const struct workload *load = context;
    struct transfer t = {
        .talk = {.kind = &kind, .connections = load->connections, .inbox_bytes = PIECE_BYTES},
        .options = load->options,
        .courier = courier_of(peer, load->is_upload),
        .pattern = load->pattern,
        .is_upload = load->is_upload,
        .files = load->files};
    t.carriers = calloc(load->connections, sizeof *t.carriers);
    int status = t.carriers != NULL ? measure_server(&t, load, peer, row) : complain("no memory");
    if (status == 0 && t.options->verify)
        status = uploads_check(&t, load->bytes);
    uploads_remove(&t, 0);
    uploads_remove(&t, load->connections);
    free(t.carriers);
    if (status != 0)
        fprintf(stderr, "%s failed\n", peer->name);
    return status;
}

/* Downloads are of one file, by each; an upload is shared among them, so that the disk has no more to take from many. */
static int run_size(struct workload *load, unsigned size, struct report *report)
{
    const struct options *o = load->options;
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", load->files, COURIER_FILE);
    int status = load->is_upload ? 0 : file_make(load->pattern, path, size);
    for (unsigned c = 0; status == 0 && c < o->connections.count; c++) {
        struct report_row like = {.rounds = 0};
        load->connections = o->connections.values[c];
        load->bytes = load->is_upload ? size / load->connections : size;
        snprintf(like.subject, sizeof like.subject, "%s, %u x %.4g MiB at once",
            load->is_upload ? "uploads" : "downloads", load->connections,
            (double)load->bytes / (double)MIB);
        status = rounds_run(o, &like, measure, load, report);
    }
    return status;
}

static int users_make(const char *folder)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/users", folder);
    FILE *out = fopen(path, "we");
    if (out == NULL || fputs(users, out) < 0) {
        if (out != NULL)
            fclose(out);
        return fail_path(path);
    }
    return fclose(out) == 0 ? chmod(path, 0600) : fail_path(path);
}

static int run_in_folder(struct workload *load, const char *folder, struct report *report)
{
    char *files = load->files;
    unsigned char *pattern = malloc(PERIOD + PIECE_BYTES);
    int status = pattern != NULL ? users_make(folder) : complain("no memory");
    for (size_t i = 0; status == 0 && i < PERIOD + PIECE_BYTES; i++)
        pattern[i] = (unsigned char)((i % PERIOD) * 2654435761u >> 13);
    snprintf(files, sizeof load->files, "%s/files", folder);
    if (status == 0 && mkdir(files, 0700) != 0)
        status = fail_path(files);
    load->pattern = pattern;
    for (unsigned i = 0; status == 0 && i < load->options->message_bytes.count; i++)
        status = run_size(load, load->options->message_bytes.values[i], report);
    load->pattern = NULL;
    free(pattern);
    return status;
}

static int run_command(struct options *o, const char *name, bool is_upload, int argc, char **argv)
{
    struct report report;
    struct workload load = {.options = o, .is_upload = is_upload};
    char folder[FOLDER_BYTES];
    o->connections = (struct options_list){2, {1, 16}};
    o->message_bytes = (struct options_list){1, {256 * MIB}};
    o->bytes_max = 1024 * MIB;
    o->keeps_workloads = true;
    o->rounds = 5;
    o->client_core = 1;
    if (options_parse(argc, argv, o) != 0)
        return 2;
    if (rounds_begin(o, name, &report) != 0)
        return 1;
    report.seconds = report.warmup_seconds = 0;
    int status = folder_make(o->folder, folder, sizeof folder);
    if (status == 0) {
        status = run_in_folder(&load, folder, &report);
        folder_remove(folder);
    }
    report_free(&report);
    return status == 0 ? 0 : 1;
}

int command_download(int argc, char **argv)
{
    static const struct peer servers[] = {
        {"cport-server-uring", "cport-server", "io_uring", true, false},
        {"cport-server-epoll", "cport-server", "epoll", true, false},
        {"raw-sendfile", "peer-download-raw-sendfile", NULL, true, false},
        {"raw-io_uring", "peer-download-raw-io_uring", NULL, true, false},
        {"libuv", "peer-download-libuv", NULL, true, false},
        {"nginx", "nginx", NULL, true, false},
        {NULL, NULL, NULL, false, false},
    };
    struct options o = {.table = servers};
    return run_command(&o, "download", false, argc, argv);
}

int command_upload(int argc, char **argv)
{
    static const struct peer servers[] = {
        {"cport-server-uring", "cport-server", "io_uring", true, false},
        {"cport-server-epoll", "cport-server", "epoll", true, false},
        {"raw-epoll", "peer-upload-raw-epoll", NULL, true, false},
        {"raw-io_uring", "peer-upload-raw-io_uring", NULL, true, false},
        {"libuv", "peer-upload-libuv", NULL, true, false},
        {"nginx", "nginx", NULL, true, false},
        {NULL, NULL, NULL, false, false},
    };
    struct options o = {.table = servers};
    return run_command(&o, "upload", true, argc, argv);
}
