/* Upload: folders made and deleted, files sent to the server, resumed where they were cut off, durable at their Eof. */
#include "file_jobs.h"

#include <assert.h>
#include <stdlib.h>

/* ---- Folders ---- */

static void make_run(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    enum files_result result = files_make_folder(own->shared->files, &own->path);
    own->code = result == FILES_REFUSED ? CODE_PARAMETER
                : result == FILES_NONE  ? CODE_NO_DIRECTORY
                : result == FILES_OK    ? CODE_OK
                                        : CODE_CREATE_DIRECTORY;
}

static void delete_run(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    enum files_result result = files_delete_folder(own->shared->files, &own->path);
    own->code = result == FILES_REFUSED ? CODE_PARAMETER
                : result == FILES_NONE  ? CODE_NO_DIRECTORY
                : result == FILES_OK    ? CODE_OK
                                        : CODE_DELETE_DIRECTORY;
}

static enum proto_step on_folder(struct peer *peer, const struct family_request *request,
    struct buffer *out, void (*run)(struct job *job))
{
    struct path path;
    if (!file_path_of(request, "ParentDir", "DirName", &path))
        return family_fail(request, out, CODE_PARAMETER);
    struct file_job *own = file_job_new(peer, request, run);
    if (!own)
        return PROTO_NO_MEMORY;
    own->path = path;
    return PROTO_WAIT;
}

static enum proto_step create_dir(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    return on_folder(peer, request, out, make_run);
}

static enum proto_step delete_dir(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    return on_folder(peer, request, out, delete_run);
}

/* ---- DeleteFile ---- */

/* The names lie in data, one after the other, each ended by LF, which none of them holds. */
static void delete_files_run(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    struct bytes names = buffer_bytes(&own->data);
    assert(names.data || !names.len);
    for (size_t at = 0, start = 0; at < names.len && own->code == CODE_OK; at++) {
        if (names.data[at] != '\n')
            continue;
        struct path path = own->path;
        if (!path_append(&path, (struct bytes){names.data + start, at - start})) {
            own->code = CODE_PARAMETER;
        } else {
            enum files_result result = files_delete(own->shared->files, &path);
            if (result == FILES_REFUSED)
                own->code = CODE_PARAMETER;
            else if (result != FILES_OK && result != FILES_NONE)
                own->code = CODE_DELETE_FILE;
        }
        start = at + 1;
    }
}

/* Either all names are sound, or nothing is deleted. */
static enum proto_step delete_file(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    struct path folder;
    struct bytes item, rest = request->command->text;
    bool sound = file_path_of(request, "DirName", NULL, &folder) &&
                 command_value(request->command, "Item", 0, &item);
    while (sound && command_next(&rest, "Item", &item)) {
        struct path path = folder;
        sound = path_append(&path, item);
    }
    if (!sound)
        return family_fail(request, out, CODE_PARAMETER);
    struct file_job *own = file_job_new(peer, request, delete_files_run);
    if (!own)
        return PROTO_NO_MEMORY;
    own->path = folder;
    rest = request->command->text;
    while (command_next(&rest, "Item", &item)) {
        if (!buffer_append(&own->data, item.data, item.len) ||
            !buffer_append(&own->data, "\n", 1)) {
            peer->job = NULL;
            own->job.free(&own->job);
            return PROTO_NO_MEMORY;
        }
    }
    return PROTO_WAIT;
}

/* ---- A file on its way ---- */

static void upload_run(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    struct file_state *state = own->own;
    file_state_end(own->shared, state);
    own->code = file_code(
        file_open(own->shared->files, &own->path, FILE_UPDATE, &state->file), CODE_NO_DIRECTORY);
    if (own->code != CODE_OK)
        return;
    state->claim.id = file_identity(state->file);
    if (!uploads_take(own->shared->uploads, own->shared, &state->claim)) {
        own->code = CODE_IN_USE;
        file_state_end(own->shared, state);
        return;
    }
    own->code = file_code(file_size(state->file, &state->position), CODE_NOT_COMPLETED);
    own->number = state->position;
}

static enum proto_step upload(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    struct file_state *state = peer->state;
    struct path path;
    if (!file_path_of(request, "DirName", "FileName", &path))
        return family_fail(request, out, CODE_PARAMETER);
    struct file_job *own = file_job_new(peer, request, upload_run);
    if (!own)
        return PROTO_NO_MEMORY;
    own->path = path;
    own->value_name = "FileSize";
    state->claim.worker = peer->context->worker;
    state->claim.client = peer->client->number;
    return PROTO_WAIT;
}

static void data_run(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    struct file_state *state = own->own;
    struct bytes data = buffer_bytes(&own->data);
    enum files_result result = file_write(state->file, data.data, data.len, state->position);
    if (result == FILES_OK)
        state->position += (int64_t)data.len;
    own->code = file_code(result, CODE_NOT_COMPLETED);
}

/* What cannot be written would be missed at Eof by nobody: the client is told and the connection ends. */
static enum proto_step data_done(struct peer *peer, struct job *job, struct buffer *out)
{
    (void)peer;
    struct file_job *own = (struct file_job *)job;
    struct bytes name = {(const uint8_t *)own->name, own->name_len};
    if (own->code == CODE_OK)
        return PROTO_NEXT;
    return response_failure(out, name, own->code) ? PROTO_CLOSE : PROTO_NO_MEMORY;
}

static enum proto_step data(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    struct file_state *state = peer->state;
    if (!state->file)
        return response_failure(out, request->command->name, CODE_NOT_OPEN) ? PROTO_CLOSE
                                                                            : PROTO_NO_MEMORY;
    if (request->data.len == 0)
        return PROTO_NEXT;
    struct file_job *own = file_job_new(peer, request, data_run);
    if (!own)
        return PROTO_NO_MEMORY;
    own->job.done = data_done;
    buffer_init(&own->data, out->pool); /* counted with all that connections hold */
    if (!buffer_append(&own->data, request->data.data, request->data.len)) {
        peer->job = NULL;
        own->job.free(&own->job);
        return PROTO_NO_MEMORY;
    }
    return PROTO_WAIT;
}

static void eof_run(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    own->code = file_code(file_sync(own->own->file), CODE_NOT_COMPLETED);
    file_state_end(own->shared, own->own);
}

static enum proto_step eof(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    const struct file_state *state = peer->state;
    if (!state->file)
        return family_fail(request, out, CODE_NOT_OPEN);
    return file_job_new(peer, request, eof_run) ? PROTO_WAIT : PROTO_NO_MEMORY;
}

static const struct family_command commands[] = {{"Dir", false, file_folders},
    {"CreateDir", false, create_dir}, {"DeleteDir", false, delete_dir},
    {"FileList", false, file_list}, {"DeleteFile", false, delete_file}, {"Upload", false, upload},
    {"Data", false, data}, {"Eof", false, eof}};
static const struct family family = {commands, sizeof(commands) / sizeof(commands[0]), true};

static enum proto_step upload_step(
    struct peer *peer, struct bytes run, struct buffer *out, size_t *ret_count)
{
    return family_step(peer, &family, run, out, ret_count);
}

const struct proto proto_upload = {.name = "upload",
    .preface = 0x02,
    .wants_login = true,
    .wants_files = true,
    .state_bytes = sizeof(struct file_state),
    .step = upload_step,
    .close = file_peer_close};
