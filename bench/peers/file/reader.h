/*
 * What the programs that read a file at random have in common. Each keeps `depth` reads of a block
 * under way on one thread, the way its library teaches, and asks here which block is next; here,
 * too, the reads are counted and timed.
 *
 * Ownership: the reader is reader.c's; a slot, and its memory, is lent to one read at a time.
 * Threading: one thread, main's.
 */
#ifndef BENCH_READER_H
#define BENCH_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define READER_NORETURN [[noreturn]]
extern "C" {
#else
#define READER_NORETURN _Noreturn
#endif

#define READER_DEPTH_MAX 1024u
/* Of those that read with threads: as many as it takes to keep a disk busy. */
#define READER_THREADS   "16"

struct reader {
    const char *path; /* constant, as are all of them */
    uint64_t blocks;  /* in the file */
    unsigned block_bytes;
    unsigned depth;
    bool direct;         /* past the system's cache */
    const char *variant; /* "", or how this program is to do it */
};

/* The program's own: opens the file, calls reader_ready, reads until nothing is under way. */
void read_file(const struct reader *r);

/* To be told before the first read: what it runs on, and with what. */
void reader_ready(const char *engine, const char *remark);
/* The memory of a slot below depth: whole pages, one after the other. */
void *reader_memory(unsigned slot);
/* A read begins: where. */
uint64_t reader_begin(unsigned slot);
/* It has ended with so many bytes, or less than 0. False: it was the slot's last. */
bool reader_end(unsigned slot, int64_t bytes);

/* Ends the program with a message; error is an errno value, or 0 when it says nothing. */
READER_NORETURN void reader_die(const char *what, int error);

#ifdef __cplusplus
}
#endif

#endif
