#include "file_jobs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LIST_BYTES_MAX ((size_t)64 << 20)

static enum proto_step job_done(struct peer *peer, struct job *job, struct buffer *out)
{
    (void)peer;
    struct file_job *own = (struct file_job *)job;
    struct bytes name = {(const uint8_t *)own->name, own->name_len};
    if (own->code != CODE_OK)
        return response_failure(out, name, own->code) ? PROTO_NEXT : PROTO_NO_MEMORY;
    if (own->silent)
        return PROTO_NEXT;
    struct response response;
    response_begin(&response, out, name, CODE_OK);
    if (own->value_name)
        response_i64(&response, own->value_name, own->number);
    response_lines(&response, buffer_bytes(&own->text));
    return response_end(&response, (struct bytes){own->bytes, own->bytes_len}) ? PROTO_NEXT
                                                                               : PROTO_NO_MEMORY;
}

static void job_free(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    buffer_clear(&own->data);
    buffer_clear(&own->text);
    buffer_pool_drain(&own->pool);
    free(own->bytes);
    free(own);
}

struct file_job *file_job_new(
    struct peer *peer, const struct family_request *request, void (*run)(struct job *job))
{
    struct file_job *own = calloc(1, sizeof(*own));
    if (!own)
        return NULL;
    own->job = (struct job){.run = run, .done = job_done, .free = job_free};
    own->shared = peer->context->shared;
    own->own = peer->state;
    own->name_len = family_name_keep(request, own->name).len;
    buffer_pool_init(&own->pool, LIST_BYTES_MAX);
    buffer_init(&own->text, &own->pool);
    buffer_init(&own->data, &own->pool);
    peer->job = &own->job;
    return own;
}

enum command_code file_code(enum files_result result, enum command_code none)
{
    switch (result) {
    case FILES_OK:
        return CODE_OK;
    case FILES_NONE:
        return none;
    case FILES_REFUSED:
        return CODE_PARAMETER;
    case FILES_SIZE:
        return CODE_SIZE;
    case FILES_FAILED:
        return CODE_NOT_COMPLETED;
    }
    return CODE_UNKNOWN_ERROR;
}

bool file_path_of(const struct family_request *request, const char *folder_key,
    const char *name_key, struct path *ret_path)
{
    struct bytes folder = {0}, name;
    /* A folder that is left out is the root. */
    (void)command_value(request->command, folder_key, 0, &folder);
    if (!path_parse(folder, ret_path))
        return false;
    return !name_key ||
           (command_value(request->command, name_key, 0, &name) && path_append(ret_path, name));
}

void file_state_end(struct shared *shared, struct file_state *own)
{
    file_close(own->file);
    own->file = NULL;
    own->position = 0;
    uploads_give(shared->uploads, &own->claim);
}

void file_peer_close(struct peer *peer)
{
    file_state_end(peer->context->shared, peer->state);
}

/* ---- Lists ---- */

static bool item_add(void *ctx, struct bytes name, int64_t size)
{
    static const char key[] = "\r\nItem=";
    struct file_job *own = ctx;
    char tail[24];
    int tail_len = own->other ? snprintf(tail, sizeof(tail), "\x01%" PRId64, size) : 0;
    if (!path_is_listable(name))
        return true;
    return buffer_append(&own->text, key, sizeof(key) - 1) &&
           buffer_append(&own->text, name.data, name.len) &&
           buffer_append(&own->text, tail, (size_t)tail_len);
}

static void list_run(struct job *job)
{
    struct file_job *own = (struct file_job *)job;
    own->code = file_code(
        files_list(own->shared->files, &own->path, !own->other, item_add, own), CODE_NO_DIRECTORY);
}

static enum proto_step list(struct peer *peer, const struct family_request *request,
    struct buffer *out, const char *key, bool files)
{
    struct path path;
    if (!file_path_of(request, key, NULL, &path))
        return family_fail(request, out, CODE_PARAMETER);
    struct file_job *own = file_job_new(peer, request, list_run);
    if (!own)
        return PROTO_NO_MEMORY;
    own->path = path;
    own->other = files;
    return PROTO_WAIT;
}

enum proto_step file_folders(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    return list(peer, request, out, "ParentDir", false);
}

enum proto_step file_list(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    return list(peer, request, out, "DirName", true);
}
