/*
 * What the servers of `cport-bench upload` have in common: a connection sends u32 number, u64 length and so many bytes, which become
 * the file "up-NUMBER", and gets a byte when they are durable; then it may send the next.
 */
#ifndef BENCH_PEER_UPLOAD_H
#define BENCH_PEER_UPLOAD_H

#include <stddef.h>
#include <stdint.h>

#define UPLOAD_HEAD_BYTES  12
#define UPLOAD_PIECE_BYTES (256u * 1024)

/* The second of the program's arguments; without one nothing can be uploaded. */
void upload_folder(int argc, char **argv);
/* The new file that a head announces. */
int upload_create(const unsigned char head[UPLOAD_HEAD_BYTES], uint64_t *ret_bytes);

#endif
