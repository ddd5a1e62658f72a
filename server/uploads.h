/*
 * uploads: which connection writes which file. A second one that wants a file ends the first, and gets it once that has gone.
 *
 * Ownership: a claim is its connection's until uploads_give. Threading: any.
 */
#ifndef CPORT_SERVER_UPLOADS_H
#define CPORT_SERVER_UPLOADS_H

#include "clients.h"
#include "files.h"

struct shared;

struct upload_claim {
    struct upload_claim *next, **link; /* link NULL: not claimed */
    struct file_id id;
    unsigned worker;
    uint64_t client;
};

struct uploads;
struct uploads *uploads_open(void); /* NULL: no memory */
void uploads_close(struct uploads *uploads);

/* False: another connection has it, and has been told to end. */
bool uploads_take(struct uploads *uploads, struct shared *shared, struct upload_claim *claim);
void uploads_give(struct uploads *uploads, struct upload_claim *claim); /* not claimed is fine */

#endif
