/*
 * The little of cport-server's Message protocol that `cport-bench framed` and `fanout` speak, so that the servers without it move
 * the same bytes: ECHO, SUBSCRIBE and PUBLISH, one topic, no login. Each server brings its input, its output, and the last two
 * functions.
 */
#ifndef BENCH_PEER_MESSAGE_H
#define BENCH_PEER_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MESSAGE_LENGTH_BYTES 4
#define MESSAGE_HEAD_BYTES   12
/* More than any frame of the default workloads, times their depth. */
#define MESSAGE_BUFFER_BYTES 65536

/* The whole frame's, by its first four bytes. */
size_t message_frame_bytes(const unsigned char *frame);

/*
 * Answers the whole requests at the front of the run and writes the replies over them, which are never longer. Returns the bytes
 * of replies; *ret_taken: of requests. *has_begun: false before the first byte of a connection. The program ends when a frame is
 * not one of those, or longer than the buffer.
 */
size_t message_answer(
    void *connection, bool *has_begun, unsigned char *run, size_t bytes, size_t *ret_taken);

/* The frame that subscribers get for a PUBLISH with this payload; as long as its head and the payload. */
void message_push_store(unsigned char *ret_frame, const unsigned char *payload, size_t bytes);

/* The server's: called by message_answer. The second returns how many subscribers there are. */
void message_subscribe(void *connection);
uint32_t message_publish(const unsigned char *payload, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
