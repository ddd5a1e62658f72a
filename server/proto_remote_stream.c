/* RemoteStream: one file, read and written at a position, as if it were here. */
#include "file_jobs.h"

#include <stdlib.h>

#define READ_BYTES_MAX ((int64_t)10 << 20)

/* ---- Without the file system ---- */

static enum proto_step answer_number(
    const struct family_request *request, struct buffer *out, const char *key, int64_t value)
{
    struct response response;
    response_begin(&response, out, request->command->name, CODE_OK);
    response_i64(&response, key, value);
    return response_end(&response, (struct bytes){0}) ? PROTO_NEXT : PROTO_NO_MEMORY;
}

static enum proto_step set_position(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    struct file_state *state = peer->state;
    int64_t position;
    if (!state->file)
        return family_fail(request, out, CODE_NOT_OPEN);
    if (!command_i64(request->command, "Position", &position) || position < 0)
        return family_fail(request, out, CODE_PARAMETER);
    state->position = position;
    return family_ok(request, out);
}

static enum proto_step get_position(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    const struct file_state *state = peer->state;
    if (!state->file)
        return family_fail(request, out, CODE_NOT_OPEN);
    return answer_number(request, out, "Position", state->position);
}

/* ---- With it ---- */

static void exists_run(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    struct file *file = NULL;
    own->code =
        file_code(file_open(own->shared->files, &own->path, FILE_READ, &file), CODE_NO_FILE);
    file_close(file);
}

static void open_run(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    struct file_state *state = own->own;
    file_state_end(own->shared, state);
    enum file_mode mode = own->number == 0 ? FILE_READ : FILE_UPDATE;
    own->code =
        file_code(file_open(own->shared->files, &own->path, mode, &state->file), CODE_NO_FILE);
    state->writable = mode == FILE_UPDATE;
}

static void close_run(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    file_state_end(own->shared, own->own);
}

static void set_size_run(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    own->code = file_code(file_resize(own->own->file, own->number), CODE_NOT_COMPLETED);
}

static void get_size_run(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    own->code = file_code(file_size(own->own->file, &own->number), CODE_NOT_COMPLETED);
}

static void read_run(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    struct file_state *state = own->own;
    int64_t size;
    own->code = file_code(file_size(state->file, &size), CODE_NOT_COMPLETED);
    /* Memory for what there is, and not for what is asked. */
    int64_t there = size > state->position ? size - state->position : 0;
    size_t wanted = (size_t)(own->number < there ? own->number : there);
    own->number = 0;
    if (own->code != CODE_OK || wanted == 0)
        return;
    own->bytes = malloc(wanted);
    own->code = own->bytes ? file_code(file_read(state->file, own->bytes, wanted, state->position,
                                           &own->bytes_len),
                                 CODE_NOT_COMPLETED)
                           : CODE_NOT_COMPLETED;
    if (own->code != CODE_OK)
        return;
    own->number = (int64_t)own->bytes_len;
    state->position += own->number;
}

static void write_run(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    struct file_state *state = own->own;
    struct bytes data = buffer_bytes(&own->data);
    if (state->position > INT64_MAX - (int64_t)data.len) {
        own->code = CODE_SIZE;
        return;
    }
    own->code = file_code(
        file_write(state->file, data.data, data.len, state->position), CODE_NOT_COMPLETED);
    if (own->code != CODE_OK)
        return;
    state->position += (int64_t)data.len;
    own->number = (int64_t)data.len;
}

/* number is the offset, other from where. */
static void seek_run(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    struct file_state *state = own->own;
    int64_t from = own->other == 1 ? state->position : 0;
    own->code = CODE_OK;
    if (own->other == 2)
        own->code = file_code(file_size(state->file, &from), CODE_NOT_COMPLETED);
    if (own->code == CODE_OK && (own->number > INT64_MAX - from || own->number < -from))
        own->code = CODE_SIZE;
    if (own->code == CODE_OK)
        state->position = own->number = from + own->number;
}

/* A job of the open file. */
static struct file_job *on_file(struct peer *peer, const struct family_request *request,
    void (*run)(struct job *job), const char *value_name)
{
    struct file_job *own = file_job_new(peer, request, run);
    if (own)
        own->value_name = value_name;
    return own;
}

static enum proto_step by_name(struct peer *peer, const struct family_request *request,
    struct buffer *out, void (*run)(struct job *job), int64_t mode)
{
    struct bytes name;
    struct path path;
    if (!command_value(request->command, "FileName", 0, &name) || !path_parse(name, &path) ||
        path.len == 0)
        return family_fail(request, out, CODE_PARAMETER);
    struct file_job *own = file_job_new(peer, request, run);
    if (!own)
        return PROTO_NO_MEMORY;
    own->path = path;
    own->number = mode;
    return PROTO_WAIT;
}

static enum proto_step file_exists(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    return by_name(peer, request, out, exists_run, 0);
}

static enum proto_step open_file(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    int64_t mode;
    if (!command_i64(request->command, "Mode", &mode) || mode < 0 || mode > 1)
        return family_fail(request, out, CODE_PARAMETER);
    return by_name(peer, request, out, open_run, mode);
}

static enum proto_step close_file(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    const struct file_state *state = peer->state;
    if (!state->file)
        return family_fail(request, out, CODE_NOT_OPEN);
    return on_file(peer, request, close_run, NULL) ? PROTO_WAIT : PROTO_NO_MEMORY;
}

static enum proto_step get_size(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    const struct file_state *state = peer->state;
    if (!state->file)
        return family_fail(request, out, CODE_NOT_OPEN);
    return on_file(peer, request, get_size_run, "Size") ? PROTO_WAIT : PROTO_NO_MEMORY;
}

static enum proto_step set_size(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    const struct file_state *state = peer->state;
    int64_t size;
    if (!state->file)
        return family_fail(request, out, CODE_NOT_OPEN);
    if (!command_i64(request->command, "Size", &size) || size < 0)
        return family_fail(request, out, CODE_PARAMETER);
    if (!state->writable)
        return family_fail(request, out, CODE_NOT_COMPLETED);
    struct file_job *own = on_file(peer, request, set_size_run, NULL);
    if (!own)
        return PROTO_NO_MEMORY;
    own->number = size;
    return PROTO_WAIT;
}

static enum proto_step read_file(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    const struct file_state *state = peer->state;
    int64_t count;
    if (!state->file)
        return family_fail(request, out, CODE_NOT_OPEN);
    if (!command_i64(request->command, "Count", &count) || count < 0)
        return family_fail(request, out, CODE_PARAMETER);
    struct file_job *own = on_file(peer, request, read_run, "Count");
    if (!own)
        return PROTO_NO_MEMORY;
    own->number = count < READ_BYTES_MAX ? count : READ_BYTES_MAX;
    return PROTO_WAIT;
}

static enum proto_step write_file(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    const struct file_state *state = peer->state;
    if (!state->file)
        return family_fail(request, out, CODE_NOT_OPEN);
    if (!state->writable)
        return family_fail(request, out, CODE_NOT_COMPLETED);
    struct file_job *own = on_file(peer, request, write_run, "Count");
    if (!own)
        return PROTO_NO_MEMORY;
    buffer_init(&own->data, out->pool); /* counted with all that connections hold */
    if (buffer_append(&own->data, request->data.data, request->data.len))
        return PROTO_WAIT;
    peer->job = NULL;
    own->job.free(&own->job);
    return PROTO_NO_MEMORY;
}

static enum proto_step seek(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    const struct file_state *state = peer->state;
    int64_t offset, origin;
    if (!state->file)
        return family_fail(request, out, CODE_NOT_OPEN);
    if (!command_i64(request->command, "Offset", &offset) ||
        !command_i64(request->command, "SeekOrigin", &origin) || origin < 0 || origin > 2)
        return family_fail(request, out, CODE_PARAMETER);
    struct file_job *own = on_file(peer, request, seek_run, "Offset");
    if (!own)
        return PROTO_NO_MEMORY;
    own->number = offset;
    own->other = origin;
    return PROTO_WAIT;
}

static const struct family_command commands[] = {{"FileExists", false, file_exists},
    {"OpenFile", false, open_file}, {"SetSize", false, set_size}, {"GetSize", false, get_size},
    {"SetPosition", false, set_position}, {"GetPosition", false, get_position},
    {"Read", false, read_file}, {"Write", false, write_file}, {"Seek", false, seek},
    {"CloseFile", false, close_file}};
static const struct family family = {commands, sizeof(commands) / sizeof(commands[0]), true};

/* Where nobody has to log in, everybody is a user. */
static bool remote_stream_open(struct peer *peer, struct buffer *out)
{
    (void)out;
    if (peer->context->shared->remote_stream_anonymous)
        peer->role = ROLE_USER;
    return true;
}

static enum proto_step remote_stream_step(
    struct peer *peer, struct bytes run, struct buffer *out, size_t *ret_count)
{
    return family_step(peer, &family, run, out, ret_count);
}

const struct proto proto_remote_stream = {.name = "remote_stream",
    .preface = 0x04,
    .wants_login = true,
    .wants_files = true,
    .state_bytes = sizeof(struct file_state),
    .open = remote_stream_open,
    .step = remote_stream_step,
    .close = file_peer_close};
