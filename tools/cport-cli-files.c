/* Files: lists, uploads and downloads with resumption and verification, and RemoteStream's cat and put. */
#include "cport-cli-os.h"
#include "cport-cli-output.h"
#include "cport-cli-session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UPLOAD        0x02
#define DOWNLOAD      0x03
#define REMOTE_STREAM 0x04
#define PIECE_BYTES   ((size_t)256 << 10)

/* A remote name as the two values that commands want: everything before the last '/', and the rest. */
struct remote {
    char folder[1024];
    char name[256];
};

static int remote_split(const char *text, struct remote *ret_remote)
{
    const char *slash = strrchr(text, '/');
    const char *name = slash ? slash + 1 : text;
    size_t len = slash ? (size_t)(slash - text) : 0;
    if (strpbrk(text, "\r\n=") || *name == '\0' || len >= sizeof(ret_remote->folder) ||
        strlen(name) >= sizeof(ret_remote->name)) {
        fprintf(stderr, "cport-cli: %s is no name for the server\n", text);
        return CLI_USAGE;
    }
    memcpy(ret_remote->folder, text, len);
    ret_remote->folder[len] = '\0';
    memcpy(ret_remote->name, name, strlen(name) + 1);
    return CLI_OK;
}

static int cannot(const char *what, const char *name)
{
    fprintf(stderr, "cport-cli: cannot %s %s\n", what, name);
    return CLI_USAGE;
}

/* ---- Lists ---- */

static void print_items(const struct cli_reply *reply, bool folders, bool json, bool *first)
{
    struct bytes rest = reply->command.text, item;
    while (command_next(&rest, "Item", &item)) {
        const uint8_t *mark = folders ? NULL : memchr(item.data, 1, item.len);
        size_t len = mark ? (size_t)(mark - item.data) : item.len;
        int size_len = mark ? (int)(item.len - len - 1) : 0;
        struct bytes name = {item.data, len};
        if (json) {
            printf("%s\n  {\"name\": ", *first ? "" : ",");
            output_json(name);
            if (mark)
                printf(", \"size\": %.*s", size_len, (const char *)mark + 1);
            printf(", \"folder\": %s}", folders ? "true" : "false");
        } else {
            printf("%15.*s  ", size_len, mark ? (const char *)mark + 1 : "");
            output_text(name);
            puts(folders ? "/" : "");
        }
        *first = false;
    }
}

int cli_ls(const struct cli_options *options, const char *folder)
{
    struct cli_session session;
    struct cli_reply reply;
    char text[1200];
    bool first = true;
    int status = cli_session_login(&session, options, DOWNLOAD);
    if (options->json && status == CLI_OK)
        printf("[");
    for (int folders = 1; folders >= 0 && status == CLI_OK; folders--) {
        snprintf(text, sizeof(text), "Command=%s\r\n%s=%.1000s", folders ? "Dir" : "FileList",
            folders ? "ParentDir" : "DirName", folder);
        status = cli_ask(&session, text, NULL, 0, &reply);
        if (status == CLI_OK)
            print_items(&reply, folders, options->json, &first);
    }
    if (options->json && status == CLI_OK)
        printf("\n]\n");
    cli_session_close(&session);
    return status;
}

/* ---- One command about one name ---- */

static int on_name(const struct cli_options *options, const char *command, const char *folder_key,
    const char *name_key, const char *name)
{
    struct cli_session session;
    struct cli_reply reply;
    struct remote remote;
    char text[1500];
    int status = remote_split(name, &remote);
    if (status != CLI_OK)
        return status;
    snprintf(text, sizeof(text), "Command=%s\r\n%s=%s\r\n%s=%s", command, folder_key, remote.folder,
        name_key, remote.name);
    status = cli_session_login(&session, options, UPLOAD);
    if (status == CLI_OK)
        status = cli_ask(&session, text, NULL, 0, &reply);
    cli_session_close(&session);
    return status;
}

int cli_mkdir(const struct cli_options *options, const char *name)
{
    return on_name(options, "CreateDir", "ParentDir", "DirName", name);
}

int cli_rmdir(const struct cli_options *options, const char *name)
{
    return on_name(options, "DeleteDir", "ParentDir", "DirName", name);
}

int cli_rm(const struct cli_options *options, const char *name)
{
    return on_name(options, "DeleteFile", "DirName", "Item", name);
}

/* ---- Download ---- */

static void progress(const struct cli_options *options, int64_t done, int64_t all)
{
    if (!cli_shows_progress() || options->json)
        return;
    enum { WIDTH = 40 };
    int part = all > 0 ? (int)(done * WIDTH / all) : WIDTH;
    fprintf(stderr, "\r[%.*s%*s] %3d %%", part, "########################################",
        WIDTH - part, "", all > 0 ? (int)(done * 100 / all) : 100);
    if (done == all)
        fputc('\n', stderr);
}

/* Asks for a file from an offset on; *ret_bytes follow. */
static int download_begin(
    struct cli_session *session, const struct remote *remote, int64_t offset, int64_t *ret_bytes)
{
    struct cli_reply reply;
    char text[1500];
    snprintf(text, sizeof(text),
        "Command=Download\r\nDirName=%s\r\nFileName=%s\r\nFileSize=%" PRId64 "\r\nPacketSize=%zu",
        remote->folder, remote->name, offset, PIECE_BYTES);
    int status = cli_ask(session, text, NULL, 0, &reply);
    if (status == CLI_OK)
        status = cli_packet_receive(session, &reply);
    if (status == CLI_OK && !command_i64(&reply.command, "FileSize", ret_bytes)) {
        fputs("cport-cli: the server does not say how long the file is\n", stderr);
        status = CLI_REFUSED;
    }
    return status;
}

static int download_rest(const struct cli_options *options, struct cli_session *session, FILE *to,
    int64_t offset, int64_t bytes)
{
    int status = CLI_OK;
    for (int64_t done = 0; done < bytes && status == CLI_OK;) {
        struct cli_reply reply;
        status = cli_packet_receive(session, &reply);
        if (status != CLI_OK)
            break;
        if (fwrite(reply.data.data, 1, reply.data.len, to) != reply.data.len)
            return cannot("write", "the local file");
        done += (int64_t)reply.data.len;
        progress(options, offset + done, offset + bytes);
    }
    return status;
}

/* Every byte of the local file against the server's. */
static int verify(const struct cli_options *options, const struct remote *remote, const char *local)
{
    struct cli_session session;
    uint8_t *piece = malloc(PIECE_BYTES);
    FILE *file = fopen(local, "rb");
    int64_t bytes = 0;
    int status =
        piece && file ? cli_session_login(&session, options, DOWNLOAD) : cannot("read", local);
    bool opened = piece && file;
    if (status == CLI_OK)
        status = download_begin(&session, remote, 0, &bytes);
    for (int64_t done = 0; done < bytes && status == CLI_OK;) {
        struct cli_reply reply;
        status = cli_packet_receive(&session, &reply);
        if (status != CLI_OK)
            break;
        if (reply.data.len > PIECE_BYTES ||
            fread(piece, 1, reply.data.len, file) != reply.data.len ||
            memcmp(piece, reply.data.data, reply.data.len) != 0) {
            fprintf(stderr, "cport-cli: the files differ within %" PRId64 " bytes\n",
                done + (int64_t)reply.data.len);
            status = CLI_REFUSED;
        }
        done += (int64_t)reply.data.len;
    }
    if (status == CLI_OK && fgetc(file) != EOF) {
        fputs("cport-cli: the local file is longer\n", stderr);
        status = CLI_REFUSED;
    }
    if (opened)
        cli_session_close(&session);
    if (file)
        (void)fclose(file);
    free(piece);
    return status;
}

int cli_download(const struct cli_options *options, const char *name, const char *local)
{
    struct cli_session session;
    struct remote remote;
    int64_t offset = 0, bytes = 0;
    int status = remote_split(name, &remote);
    if (status != CLI_OK)
        return status;
    if (!local)
        local = remote.name;
    FILE *file = fopen(local, options->restart ? "wb" : "ab");
    if (!file || !cli_file_size(file, &offset)) {
        if (file)
            (void)fclose(file);
        return cannot("write", local);
    }
    status = cli_session_login(&session, options, DOWNLOAD);
    if (status == CLI_OK)
        status = download_begin(&session, &remote, offset, &bytes);
    if (status == CLI_OK)
        status = download_rest(options, &session, file, offset, bytes);
    if (fclose(file) != 0 && status == CLI_OK)
        status = cannot("write", local);
    cli_session_close(&session);
    return status == CLI_OK && options->verify ? verify(options, &remote, local) : status;
}

/* ---- Upload ---- */

static int upload_rest(const struct cli_options *options, struct cli_session *session, FILE *from,
    int64_t offset, int64_t size)
{
    uint8_t *piece = malloc(PIECE_BYTES);
    int status = piece ? CLI_OK : cannot("get memory for", "a piece");
    while (offset < size && status == CLI_OK) {
        size_t got = fread(piece, 1, PIECE_BYTES, from);
        if (got == 0) {
            status = cannot("read", "the local file");
            break;
        }
        status = cli_packet_send(session, "Command=Data", piece, got);
        offset += (int64_t)got;
        progress(options, offset, size);
    }
    free(piece);
    return status;
}

static int upload_file(const struct cli_options *options, struct cli_session *session,
    const struct remote *remote, FILE *file, int64_t size)
{
    struct cli_reply reply;
    char text[1500];
    int64_t offset = 0;
    snprintf(text, sizeof(text), "Command=DeleteFile\r\nDirName=%s\r\nItem=%s", remote->folder,
        remote->name);
    int status = options->restart ? cli_ask(session, text, NULL, 0, &reply) : CLI_OK;
    snprintf(text, sizeof(text), "Command=Upload\r\nDirName=%s\r\nFileName=%s", remote->folder,
        remote->name);
    if (status == CLI_OK)
        status = cli_ask(session, text, NULL, 0, &reply);
    if (status != CLI_OK)
        return status;
    if (!command_i64(&reply.command, "FileSize", &offset) || offset > size) {
        fputs("cport-cli: the server's file is longer; --restart replaces it\n", stderr);
        return CLI_REFUSED;
    }
    if (!cli_file_seek(file, offset))
        return cannot("read", "the local file");
    status = upload_rest(options, session, file, offset, size);
    return status == CLI_OK ? cli_ask(session, "Command=Eof", NULL, 0, &reply) : status;
}

int cli_upload(const struct cli_options *options, const char *local, const char *name)
{
    struct cli_session session;
    struct remote remote;
    int64_t size = 0;
    const char *slash = strrchr(local, '/');
    int status = remote_split(name ? name : slash ? slash + 1 : local, &remote);
    FILE *file = status == CLI_OK ? fopen(local, "rb") : NULL;
    if (status != CLI_OK)
        return status;
    if (!file || !cli_file_size(file, &size)) {
        if (file)
            (void)fclose(file);
        return cannot("read", local);
    }
    status = cli_session_login(&session, options, UPLOAD);
    if (status == CLI_OK)
        status = upload_file(options, &session, &remote, file, size);
    cli_session_close(&session);
    (void)fclose(file);
    return status == CLI_OK && options->verify ? verify(options, &remote, local) : status;
}

/* ---- RemoteStream ---- */

static int stream_open(
    struct cli_session *session, const struct cli_options *options, const char *name, int mode)
{
    struct cli_reply reply;
    char text[1200];
    snprintf(text, sizeof(text), "Command=OpenFile\r\nFileName=%.1000s\r\nMode=%d", name, mode);
    int status = cli_session_login(session, options, REMOTE_STREAM);
    return status == CLI_OK ? cli_ask(session, text, NULL, 0, &reply) : status;
}

int cli_cat(const struct cli_options *options, const char *name)
{
    struct cli_session session;
    struct cli_reply reply;
    cli_binary_streams();
    int status = stream_open(&session, options, name, 0);
    do {
        if (status == CLI_OK)
            status = cli_ask(&session, "Command=Read\r\nCount=262144", NULL, 0, &reply);
        if (status == CLI_OK)
            fwrite(reply.data.data, 1, reply.data.len, stdout);
    } while (status == CLI_OK && reply.data.len > 0);
    cli_session_close(&session);
    return status;
}

int cli_put(const struct cli_options *options, const char *name)
{
    struct cli_session session;
    struct cli_reply reply;
    uint8_t *piece = malloc(PIECE_BYTES);
    size_t got;
    if (!piece)
        return cannot("get memory for", "a piece");
    cli_binary_streams();
    int status = stream_open(&session, options, name, 1);
    if (status == CLI_OK)
        status = cli_ask(&session, "Command=SetSize\r\nSize=0", NULL, 0, &reply);
    while (status == CLI_OK && (got = fread(piece, 1, PIECE_BYTES, stdin)) > 0)
        status = cli_ask(&session, "Command=Write", piece, got, &reply);
    if (status == CLI_OK)
        status = cli_ask(&session, "Command=CloseFile", NULL, 0, &reply);
    cli_session_close(&session);
    free(piece);
    return status;
}
