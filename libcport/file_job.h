/*
 * file_job.h: operations on files with the calls of POSIX, which block: a thread of the port's
 * makes them where the kernel has no better (offload.h), and both engines of Linux agree on what
 * its answers mean.
 *
 * Ownership and threading. The op is the caller's alone while one of these looks at it.
 */
#ifndef CPORT_FILE_JOB_H
#define CPORT_FILE_JOB_H

#include "offload.h"

/* Most bytes that the kernel moves in one call, in whole pages. What is longer takes several. */
#define FILE_TRANSFER_MAX ((size_t)0x7ffff000)

/* h's descriptor is not a socket: 0 if it is a file (h->file and h->direct are set), or why it
 * cannot be attached. */
int file_attach(struct cport_handle *h);

extern const struct job_kind file_job;

/* One attempt without waiting for a disk. START_DONE; START_PENDING: a thread must go on;
 * CPORT_ENOTSUP: not on this file. */
int file_try(struct op *op);

/* A call has moved n bytes. True: it was the last one, and op->result is set. */
bool file_took(struct op *op, size_t n);
/* A call has failed: sets op->result and ->aux. */
void file_failed(struct op *op, int error);

#endif
