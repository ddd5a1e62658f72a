/*
 * file_jobs: what Upload, Download and RemoteStream have in common: a connection's open file, and the job of one command upon it.
 *
 * Ownership: a job is its own; the state the connection's. Threading: while a job runs nothing else touches the state.
 */
#ifndef CPORT_SERVER_FILE_JOBS_H
#define CPORT_SERVER_FILE_JOBS_H

#include "family.h"
#include "shared.h"
#include "uploads.h"

struct file_state {
    struct file *file; /* NULL: none is open */
    bool writable;
    int64_t position;
    struct upload_claim claim;
};

struct file_job {
    struct job job;
    struct shared *shared;
    struct file_state *own;
    char name[FAMILY_NAME_BYTES]; /* of the command, as it was written */
    size_t name_len;
    bool silent; /* no reply if all is well */

    struct path path;
    int64_t number;
    int64_t other;
    struct buffer data; /* of the request, in the worker's memory: the job only reads it */

    enum command_code code;
    const char *value_name;  /* a value of the reply: number; NULL: none */
    struct buffer_pool pool; /* the job's own memory */
    struct buffer text;      /* further lines of the reply */
    uint8_t *bytes;          /* its data, malloc'ed */
    size_t bytes_len;
};

/* The job of a request, in peer->job; NULL: no memory. run sets code and what belongs to it. */
struct file_job *file_job_new(
    struct peer *peer, const struct family_request *request, void (*run)(struct job *job));

enum command_code file_code(enum files_result result, enum command_code none);

/* Values of a request as paths. False: missing, or refused. */
bool file_path_of(const struct family_request *request, const char *folder_key,
    const char *name_key, struct path *ret_path);

void file_state_end(struct shared *shared, struct file_state *own); /* closes what is open */
void file_peer_close(struct peer *peer); /* the same, of a protocol's close */

/* Commands of both Upload and Download. */
enum proto_step file_folders(
    struct peer *peer, const struct family_request *request, struct buffer *out);
enum proto_step file_list(
    struct peer *peer, const struct family_request *request, struct buffer *out);

#endif
