/* Files sent and fetched, resumed where they were cut off, and compared afterwards. */
#include "cport-cli-family.h"
#include "cport-cli-files.h"
#include "cport-cli-os.h"
#include "cport-cli-output.h"
#include "cport-cli-progress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define PIECE_BYTES      ((size_t)256 << 10)
#define PIECE_TEXT       "262144"
#define PAUSE_FIRST_NS   INT64_C(10000000)
#define PAUSE_LARGEST_NS INT64_C(500000000)

struct transfer {
    const struct cli_options *options;
    struct cli_session session;
    struct remote remote;
    const char *local;
    FILE *file;
    int64_t offset; /* where it went on */
    int64_t size;
    struct progress progress;
};

static int cannot(const char *what, const char *name)
{
    output_error("cannot %s %s: %s", what, name, strerror(errno));
    return CLI_USAGE;
}

static int cut_off(const struct transfer *transfer, int64_t done, int status)
{
    output_error("%s: this ended after %" PRId64 " of %" PRId64
                 " bytes; the same command goes on from there",
        transfer->session.about, done, transfer->size);
    return status;
}

static void transfer_report(const struct transfer *transfer, const char *name)
{
    if (!transfer->options->json)
        return;
    printf("{\"local\": ");
    output_json(output_bytes(transfer->local));
    printf(", \"name\": ");
    output_json(output_bytes(name));
    printf(", \"size\": %" PRId64 ", \"offset\": %" PRId64 ", \"verified\": %s}\n", transfer->size,
        transfer->offset, transfer->options->verify ? "true" : "false");
}

static void transfer_progress(struct transfer *transfer, int64_t done)
{
    progress_show(&transfer->progress, done, cport_now_ns(transfer->session.port));
}

static void transfer_progress_begin(struct transfer *transfer)
{
    progress_begin(&transfer->progress, !transfer->options->json, transfer->offset, transfer->size,
        cport_now_ns(transfer->session.port));
    transfer_progress(transfer, transfer->offset);
}

/* ---- From the server ---- */

/* Asks for the file from an offset on. Its bytes, so many, follow. */
static int download_begin(struct transfer *transfer, int64_t offset, int64_t *ret_bytes)
{
    struct cli_session *session = &transfer->session;
    struct cli_reply reply;
    char number[24];
    snprintf(number, sizeof(number), "%" PRId64, offset);
    int status = cli_try(session, "Download",
        CLI_VALUES("DirName", transfer->remote.folder, "FileName", transfer->remote.name,
            "FileSize", number, "PacketSize", PIECE_TEXT),
        &reply);
    if (status == CLI_OK && reply.code == CODE_SIZE) {
        output_error("%s is longer than %s; --restart replaces it", transfer->local,
            transfer->session.about);
        return CLI_REFUSED;
    }
    if (status == CLI_OK && reply.code != CODE_OK)
        status = cli_refused(session, &reply);
    if (status == CLI_OK)
        status = cli_family_receive(session, &reply);
    if (status != CLI_OK)
        return status;
    if (!command_is(&reply.command, "SendFile") ||
        !command_i64(&reply.command, "FileSize", ret_bytes) || *ret_bytes < 0 ||
        *ret_bytes > INT64_MAX - offset)
        return cli_stranger(session, "it does not say how long the file is");
    return CLI_OK;
}

/* The next piece of a file, of which so many bytes are still to come. */
static int download_piece(struct cli_session *session, int64_t left, struct bytes *ret_piece)
{
    struct cli_reply reply;
    int status = cli_family_receive(session, &reply);
    if (status != CLI_OK)
        return status;
    if (reply.code != CODE_OK)
        return cli_refused(session, &reply);
    if (!command_is(&reply.command, "Data") || reply.data.len == 0 ||
        (uint64_t)reply.data.len > (uint64_t)left)
        return cli_stranger(session, "it is no piece of the file");
    *ret_piece = reply.data;
    return CLI_OK;
}

static int download_rest(struct transfer *transfer)
{
    int64_t done = transfer->offset;
    transfer_progress_begin(transfer);
    while (done < transfer->size) {
        struct bytes piece = {0};
        int status = download_piece(&transfer->session, transfer->size - done, &piece);
        if (status == CLI_OK && fwrite(piece.data, 1, piece.len, transfer->file) != piece.len) {
            status = cannot("write", transfer->local);
            (void)cli_file_size(transfer->file, &done); /* a part of the piece may be there */
        }
        if (status != CLI_OK)
            return cut_off(transfer, done, status);
        done += (int64_t)piece.len;
        transfer_progress(transfer, done);
    }
    progress_end();
    return CLI_OK;
}

static int differ(const struct transfer *transfer, int64_t at)
{
    output_error("%s and %s differ after %" PRId64 " bytes; --restart replaces the other one",
        transfer->local, transfer->session.about, at);
    return CLI_REFUSED;
}

/* Compares what comes with the local file. */
static int compare(struct transfer *transfer, int64_t bytes)
{
    uint8_t *own = malloc(PIECE_BYTES);
    int status = own ? CLI_OK : cli_no_memory();
    for (int64_t done = 0; done < bytes && status == CLI_OK;) {
        struct bytes piece = {0};
        status = download_piece(&transfer->session, bytes - done, &piece);
        for (size_t at = 0; status == CLI_OK && at < piece.len;) {
            size_t len = piece.len - at < PIECE_BYTES ? piece.len - at : PIECE_BYTES;
            size_t got = fread(own, 1, len, transfer->file), same = 0;
            while (same < got && own[same] == piece.data[at + same])
                same++;
            if (same < len)
                status = ferror(transfer->file) ? cannot("read", transfer->local)
                                                : differ(transfer, done + (int64_t)(at + same));
            at += len;
        }
        if (status == CLI_OK)
            done += (int64_t)piece.len;
    }
    if (status == CLI_OK && fgetc(transfer->file) != EOF)
        status = differ(transfer, bytes);
    free(own);
    return status;
}

/* Every byte of the local file against the server's, over a connection of its own. */
static int verify(struct transfer *transfer)
{
    int64_t bytes = 0;
    transfer->file = cli_file_open(transfer->local, "rb");
    if (!transfer->file)
        return cannot("read", transfer->local);
    int status = cli_family_open(&transfer->session, transfer->options, CLI_DOWNLOAD);
    if (status == CLI_OK)
        status = download_begin(transfer, 0, &bytes);
    if (status == CLI_OK)
        status = compare(transfer, bytes);
    (void)fclose(transfer->file);
    return status;
}

/* ---- Download ---- */

/* Where an earlier one was cut off. */
static int local_size(const char *name, int64_t *ret_size)
{
    *ret_size = 0;
    if (cli_path_kind(name) == CLI_PATH_NONE)
        return CLI_OK;
    if (cli_path_kind(name) == CLI_PATH_OTHER) {
        output_error("cannot write %s: it is no ordinary file", name);
        return CLI_USAGE;
    }
    FILE *file = cli_file_open(name, "rb");
    bool known = file && cli_file_size(file, ret_size);
    int status = known ? CLI_OK : cannot("read", name);
    if (file)
        (void)fclose(file);
    return status;
}

/* The local file is touched only when the server has said that it has one. */
static int download(struct transfer *transfer)
{
    int64_t bytes = 0;
    int status =
        transfer->options->restart ? CLI_OK : local_size(transfer->local, &transfer->offset);
    if (status == CLI_OK)
        status = cli_family_open(&transfer->session, transfer->options, CLI_DOWNLOAD);
    if (status == CLI_OK)
        status = download_begin(transfer, transfer->offset, &bytes);
    if (status != CLI_OK)
        return status;
    transfer->size = transfer->offset + bytes;
    transfer->file = cli_file_open(transfer->local, transfer->options->restart ? "wb" : "ab");
    if (!transfer->file)
        return cannot("write", transfer->local);
    status = download_rest(transfer);
    if (fclose(transfer->file) != 0 && status == CLI_OK)
        status = cannot("write", transfer->local);
    return status;
}

/* The name of a file in a folder; malloc'ed. NULL: no memory. */
static char *name_within(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%s%s%s", folder, *cli_path_base(folder) == '\0' ? "" : "/", name);
    return text;
}

static int transfer_run(
    struct transfer *transfer, const char *name, int (*run)(struct transfer *transfer))
{
    int status = run(transfer);
    cli_session_close(&transfer->session);
    if (status == CLI_OK && transfer->options->verify) {
        transfer->session.about = name;
        status = verify(transfer);
        cli_session_close(&transfer->session);
    }
    if (status == CLI_OK)
        transfer_report(transfer, name);
    return status;
}

int cli_download(const struct cli_options *options, const char *name, const char *local)
{
    struct transfer transfer = {.options = options, .session.about = name};
    char *within = NULL;
    int status = CLI_OK;
    if (!remote_split(name, &transfer.remote))
        return cli_no_memory();
    transfer.local = local ? local : transfer.remote.name;
    if (local && cli_path_kind(local) == CLI_PATH_FOLDER) {
        transfer.local = within = name_within(local, transfer.remote.name);
        status = within ? CLI_OK : cli_no_memory();
    }
    if (status == CLI_OK && cli_path_kind(transfer.local) == CLI_PATH_FOLDER) {
        output_error("cannot write %s: it is a folder", transfer.local);
        status = CLI_USAGE;
    }
    if (status == CLI_OK)
        status = transfer_run(&transfer, name, download);
    remote_clear(&transfer.remote);
    free(within);
    return status;
}

/* ---- Upload ---- */

/* A client that uploads the file already is ended by the server, which has taken that over when it is asked again. */
static int upload_begin(struct transfer *transfer, struct cli_reply *reply)
{
    struct cli_session *session = &transfer->session;
    const char *const *values =
        CLI_VALUES("DirName", transfer->remote.folder, "FileName", transfer->remote.name);
    int64_t end = cport_now_ns(session->port) + transfer->options->timeout_s * INT64_C(1000000000);
    for (int64_t pause = PAUSE_FIRST_NS;; pause *= 2) {
        int status = cli_try(session, "Upload", values, reply);
        if (status != CLI_OK || reply->code == CODE_OK)
            return status;
        if (reply->code != CODE_IN_USE || cport_now_ns(session->port) > end)
            return cli_refused(session, reply);
        cli_pause(session, pause < PAUSE_LARGEST_NS ? pause : PAUSE_LARGEST_NS);
    }
}

/* Why the server takes no more: perhaps it has said so. */
static int upload_lost(struct transfer *transfer, int64_t result, int64_t done)
{
    struct cli_session *session = &transfer->session;
    struct cli_reply reply = {0};
    int status =
        result == CPORT_ETIMEDOUT ? cli_lost(session, result) : cli_family_receive(session, &reply);
    if (status == CLI_OK && reply.code == CODE_OK)
        return cli_stranger(session, "nothing was asked");
    if (status == CLI_OK)
        status = cli_refused(session, &reply);
    return cut_off(transfer, done, status);
}

/* One piece of the file, at most as long as the memory. */
static int upload_piece(struct transfer *transfer, uint8_t *piece, int64_t done, size_t wanted)
{
    struct cli_session *session = &transfer->session;
    size_t len;
    errno = 0;
    if (fread(piece, 1, wanted, transfer->file) != wanted) {
        if (ferror(transfer->file))
            return cannot("read", transfer->local);
        output_error("%s has become shorter meanwhile", transfer->local);
        return CLI_USAGE;
    }
    uint8_t *packet = cli_packet_make("Data", CLI_NO_VALUES, piece, wanted, &len);
    if (!packet)
        return cli_no_memory();
    bool heard = cli_heard(session);
    int64_t result = heard ? 0 : cli_send_quietly(session, packet, len);
    free(packet);
    return heard || result < 0 ? upload_lost(transfer, result, done) : CLI_OK;
}

static int upload_rest(struct transfer *transfer)
{
    int64_t done = transfer->offset;
    uint8_t *piece = malloc(PIECE_BYTES);
    int status = piece ? cli_listen(&transfer->session) : cli_no_memory();
    transfer_progress_begin(transfer);
    while (status == CLI_OK && done < transfer->size) {
        int64_t left = transfer->size - done;
        size_t wanted = left < (int64_t)PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        status = upload_piece(transfer, piece, done, wanted);
        done += (int64_t)wanted;
        if (status == CLI_OK)
            transfer_progress(transfer, done);
    }
    free(piece);
    progress_end();
    return status;
}

static int upload_all(struct transfer *transfer)
{
    struct cli_session *session = &transfer->session;
    struct cli_reply reply;
    int status = CLI_OK;
    if (transfer->options->restart)
        status = cli_ask(session, "DeleteFile",
            CLI_VALUES("DirName", transfer->remote.folder, "Item", transfer->remote.name), &reply);
    if (status == CLI_OK)
        status = upload_begin(transfer, &reply);
    if (status != CLI_OK)
        return status;
    if (!command_i64(&reply.command, "FileSize", &transfer->offset) || transfer->offset < 0)
        return cli_stranger(session, "it does not say where to go on");
    if (transfer->offset > transfer->size) {
        output_error(
            "%s is longer than %s; --restart replaces it", session->about, transfer->local);
        return CLI_REFUSED;
    }
    if (!cli_file_seek(transfer->file, transfer->offset))
        return cannot("read", transfer->local);
    status = upload_rest(transfer);
    if (status != CLI_OK)
        return status;
    status = cli_ask(session, "Eof", CLI_NO_VALUES, &reply);
    return status == CLI_OK ? CLI_OK : cut_off(transfer, transfer->size, status);
}

static int upload(struct transfer *transfer)
{
    enum cli_path kind = cli_path_kind(transfer->local);
    if (kind == CLI_PATH_FOLDER || kind == CLI_PATH_OTHER) {
        output_error("cannot read %s: it is %s", transfer->local,
            kind == CLI_PATH_FOLDER ? "a folder" : "no ordinary file");
        return CLI_USAGE;
    }
    transfer->file = cli_file_open(transfer->local, "rb");
    if (!transfer->file)
        return cannot("read", transfer->local);
    int status =
        cli_file_size(transfer->file, &transfer->size) ? CLI_OK : cannot("read", transfer->local);
    if (status == CLI_OK)
        status = cli_family_open(&transfer->session, transfer->options, CLI_UPLOAD);
    if (status == CLI_OK)
        status = upload_all(transfer);
    (void)fclose(transfer->file);
    return status;
}

int cli_upload(const struct cli_options *options, const char *local, const char *name)
{
    char *whole = NULL;
    if (!name) {
        name = cli_path_base(local);
    } else if (name[0] != '\0' && name[strlen(name) - 1] == '/') {
        name = whole = name_within(name, cli_path_base(local));
        if (!whole)
            return cli_no_memory();
    }
    struct transfer transfer = {.options = options, .session.about = name, .local = local};
    int status = remote_split(name, &transfer.remote) ? transfer_run(&transfer, name, upload)
                                                      : cli_no_memory();
    remote_clear(&transfer.remote);
    free(whole);
    return status;
}
