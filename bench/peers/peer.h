/*
 * What the echo servers have in common. Each is a program of its own, so that none carries another's library, and is written
 * the way that library's documentation teaches. All listen on a free port of 127.0.0.1, set TCP_NODELAY, read into a buffer
 * of PEER_BUFFER_BYTES per connection, send back what was read, and end when their last connection has closed or when they are killed.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stddef.h>

#ifdef __cplusplus
#define PEER_NORETURN [[noreturn]]
extern "C" {
#else
#define PEER_NORETURN _Noreturn
#endif

/* More than any depth × size of the default workloads, so that one read takes all that is there. */
#define PEER_BUFFER_BYTES 32768
#define PEER_BACKLOG      1024

/* Tells the benchmark that connections are welcome: "ready", port, engine and remark, separated by tabs. */
void peer_ready(unsigned port, const char *engine, const char *remark);

/* Every connection is counted in and out, from any thread; with the last one the program ends. */
void peer_connection_opened(void);
void peer_connection_closed(void);

/* Zeroed memory for free(); never NULL, the program ends instead. */
void *peer_allocate(size_t size);

/* Ends the program with a message; error is an errno value, or 0 when it says nothing. */
PEER_NORETURN void peer_die(const char *what, int error);

#ifdef __cplusplus
}
#endif

#endif
