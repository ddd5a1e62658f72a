/*
 * sample: what the server's process takes, from /proc, and what it says of itself, from its admin port.
 *
 * Threading: one thread.
 */
#ifndef CPORT_TESTS_SOAK_SAMPLE_H
#define CPORT_TESTS_SOAK_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

struct sample {
    uint64_t rss_kib; /* resident, as smaps_rollup has it */
    unsigned descriptors;
    unsigned threads;
};

bool sample_take(long pid, struct sample *ret_sample); /* false: there is no such process */

/* The values of a question to /metrics. Blocks: until the answer is there. */
struct metrics {
    char text[32768];
};
bool metrics_ask(uint16_t admin_port, struct metrics *ret_metrics);
/* A value by its name without the prefix; UINT64_MAX: there is none. */
uint64_t metrics_value(const struct metrics *metrics, const char *name);

#endif
