/* Download: lists, and files from the server, from any offset. The bytes come in packets that the server sends on its own, as fast as
 * the client takes them: the next are read only when most of those before have gone out. */
#include "file_jobs.h"
#include "frame.h"

#include <stdlib.h>
#include <string.h>

#define PACKET_BYTES_MAX ((int64_t)1 << 20)
#define CHUNK_BYTES      ((size_t)256 << 10) /* read at a time, if a packet is not longer */

static const char data_text[] = "[Response]\r\nCommand=Data\r\nCode=0";
#define DATA_HEAD_BYTES (PACKET_HEAD_BYTES + sizeof(data_text) - 1)

/* A file on its way, and the memory for one chunk of it in packets. */
struct stream {
    struct job job;
    struct file_state *own;
    int64_t left;
    size_t packet_bytes;
    size_t len; /* of what the chunk holds */
    bool failed;
    uint8_t chunk[];
};

static size_t packets_in_chunk(size_t packet_bytes)
{
    return packet_bytes < CHUNK_BYTES ? CHUNK_BYTES / packet_bytes : 1;
}

/* Reads whole packets. A file that has become shorter than it was promised ends the connection: there is no other way to say so. */
static void stream_run(struct job *job)
{
    struct stream *stream = (struct stream *)job;
    struct file_state *own = stream->own;
    uint8_t *p = stream->chunk;
    for (size_t i = packets_in_chunk(stream->packet_bytes);
         i > 0 && stream->left > 0 && !stream->failed; i--) {
        size_t wanted = stream->left < (int64_t)stream->packet_bytes ? (size_t)stream->left
                                                                     : stream->packet_bytes;
        size_t got;
        packet_head_store(p, sizeof(data_text) - 1, wanted);
        memcpy(p + PACKET_HEAD_BYTES, data_text, sizeof(data_text) - 1);
        p += DATA_HEAD_BYTES;
        stream->failed =
            file_read(own->file, p, wanted, own->position, &got) != FILES_OK || got < wanted;
        p += wanted;
        own->position += (int64_t)wanted;
        stream->left -= (int64_t)wanted;
    }
    stream->len = (size_t)(p - stream->chunk);
}

static enum proto_step stream_done(struct peer *peer, struct job *job, struct buffer *out)
{
    struct stream *stream = (struct stream *)job;
    if (stream->failed)
        return PROTO_CLOSE;
    if (!buffer_append(out, stream->chunk, stream->len))
        return PROTO_NO_MEMORY;
    if (stream->left > 0) {
        peer->job = job;
        return PROTO_WAIT;
    }
    file_state_end(peer->context->shared, stream->own);
    return PROTO_NEXT;
}

static void stream_free(struct job *job)
{
    free(job);
}

/* number is the offset, then how many bytes follow from there; other is the size of a packet. */
static void download_run(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    struct file_state *state = own->own;
    int64_t size = 0;
    file_state_end(own->shared, state);
    own->code =
        file_code(file_open(own->shared->files, &own->path, FILE_READ, &state->file), CODE_NO_FILE);
    if (own->code == CODE_OK)
        own->code = file_code(file_size(state->file, &size), CODE_NOT_COMPLETED);
    if (own->code == CODE_OK && own->number > size)
        own->code = CODE_SIZE;
    if (own->code != CODE_OK) {
        file_state_end(own->shared, state);
        return;
    }
    state->position = own->number;
    own->number = size - own->number;
}

static bool send_file(struct buffer *out, int64_t bytes)
{
    static const struct bytes name = {(const uint8_t *)"SendFile", 8};
    struct response response;
    response_begin(&response, out, name, CODE_OK);
    response_i64(&response, "FileSize", bytes);
    return response_end(&response, (struct bytes){0});
}

static enum proto_step download_done(struct peer *peer, struct job *job, struct buffer *out)
{
    struct file_job *own = (struct file_job *)job;
    struct bytes name = {(const uint8_t *)own->name, own->name_len};
    if (own->code != CODE_OK)
        return response_failure(out, name, own->code) ? PROTO_NEXT : PROTO_NO_MEMORY;
    if (!response_ok(out, name) || !send_file(out, own->number))
        return PROTO_NO_MEMORY;
    if (own->number == 0) {
        file_state_end(peer->context->shared, own->own);
        return PROTO_NEXT;
    }
    size_t packet = (size_t)own->other;
    struct stream *stream =
        malloc(sizeof(*stream) + packets_in_chunk(packet) * (DATA_HEAD_BYTES + packet));
    if (!stream)
        return PROTO_NO_MEMORY;
    *stream = (struct stream){
        .job = {.run = stream_run, .done = stream_done, .free = stream_free}, .own = own->own};
    stream->left = own->number;
    stream->packet_bytes = packet;
    peer->job = &stream->job;
    return PROTO_WAIT;
}

static enum proto_step download(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    struct path path;
    int64_t offset, packet;
    if (!file_path_of(request, "DirName", "FileName", &path) ||
        !command_i64(request->command, "FileSize", &offset) || offset < 0 ||
        !command_i64(request->command, "PacketSize", &packet) || packet <= 0)
        return family_fail(request, out, CODE_PARAMETER);
    struct file_job *own = file_job_new(peer, request, download_run);
    if (!own)
        return PROTO_NO_MEMORY;
    own->job.done = download_done;
    own->path = path;
    own->number = offset;
    own->other = packet < PACKET_BYTES_MAX ? packet : PACKET_BYTES_MAX;
    return PROTO_WAIT;
}

static const struct family_command commands[] = {
    {"Dir", false, file_folders}, {"FileList", false, file_list}, {"Download", false, download}};
static const struct family family = {commands, sizeof(commands) / sizeof(commands[0]), true};

static enum proto_step download_step(
    struct peer *peer, struct bytes run, struct buffer *out, size_t *ret_count)
{
    return family_step(peer, &family, run, out, ret_count);
}

const struct proto proto_download = {.name = "download",
    .preface = 0x03,
    .wants_login = true,
    .wants_files = true,
    .state_bytes = sizeof(struct file_state),
    .step = download_step,
    .close = file_peer_close};
