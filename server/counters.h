/*
 * counters: what happened, counted where it happens. Each worker has its own, written by its thread alone; anybody may read
 * them at any time.
 *
 * A new counter is a line in COUNTERS: the log's last line, Stats, STATS and /metrics have it from there.
 */
#ifndef CPORT_SERVER_COUNTERS_H
#define CPORT_SERVER_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#define COUNTERS(X)                                                                                \
    X(accepted, "connections accepted")                                                            \
    X(handed_on, "connections handed to another worker")                                           \
    X(refused_full, "connections refused: max_connections, or no memory for one")                  \
    X(refused_address, "connections refused: max_per_address")                                     \
    X(refused_rate, "connections refused: rate_limit")                                             \
    X(refused_banned, "connections refused: their address is banned")                              \
    X(bans, "addresses banned")                                                                    \
    X(illegal_preface, "first bytes that choose no protocol")                                      \
    X(preface_timeout, "clients that sent no first byte in time")                                  \
    X(broken_frame, "connections ended because of a frame that cannot be read")                    \
    X(memory, "connections ended because their bytes would not fit")                               \
    X(write_timeout, "connections ended because the client took no bytes in time")                 \
    X(login_timeout, "connections ended because nobody logged in in time")                         \
    X(frame_timeout, "connections ended because a frame did not arrive whole in time")             \
    X(idle_timeout, "connections ended because nothing went either way for too long")              \
    X(frames, "requests and packets answered")                                                     \
    X(bytes_in, "bytes received")                                                                  \
    X(bytes_out, "bytes sent")                                                                     \
    X(logins, "logins")                                                                            \
    X(login_failed, "logins with a wrong user or password")                                        \
    X(kicked, "connections ended by an administrator")                                             \
    X(pushes, "pushes queued for subscribers")                                                     \
    X(slow_subscriber, "connections ended because they took their pushes too slowly")              \
    X(lines_lost, "log lines that slow readers did not get")

enum counter {
#define COUNTER_NAME(name, help) COUNTER_##name,
    COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
        COUNTER_COUNT
};

struct counters {
    _Atomic uint64_t value[COUNTER_COUNT];
};

/* relaxed: one writer, and a number that stands for itself */
static inline void counter_add(struct counters *counters, enum counter which, uint64_t count)
{
    _Atomic uint64_t *value = &counters->value[which];
    atomic_store_explicit(
        value, atomic_load_explicit(value, memory_order_relaxed) + count, memory_order_relaxed);
}

static inline uint64_t counter_get(const struct counters *counters, enum counter which)
{
    return atomic_load_explicit(&counters->value[which], memory_order_relaxed);
}

extern const char *const counter_names[COUNTER_COUNT];
extern const char *const counter_helps[COUNTER_COUNT];

#endif
