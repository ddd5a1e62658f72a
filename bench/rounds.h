/*
 * Rounds of one workload: every server takes its first before any takes its second, so that a machine that drifts drifts under all
 * of them. And the measured window of a round.
 *
 * Returns: 0, or -1 after a message on standard error.
 */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include "options.h"
#include "report.h"

/* Prints the heading, and pins this process to the client's core. */
int rounds_begin(const struct options *o, const char *name, struct report *ret_report);

/* Writes the values of the row's next round without counting it. */
typedef int rounds_measure(void *context, const struct peer *peer, struct report_row *row);

/* Rows like this one but for the peer: all rounds of all peers, then the table, and the JSON if it is asked for, since a run takes
 * minutes and what is measured is kept. A round that other work disturbed is repeated as the options say. */
int rounds_run(const struct options *o, const struct report_row *like, rounds_measure *measure,
    void *context, struct report *report);

/* The clocks around a measured window: at its end what they have gone on by. */
struct window {
    const struct options *options;
    const struct server *server;
    int64_t server_cpu_ns;
    int64_t busy_ns;
};

int window_mark(struct window *w, bool is_open);
/* Rate, CPU times and foreign time, into the row's next round. */
void window_store(const struct window *w, uint64_t messages, int64_t elapsed_ns,
    int64_t client_cpu_ns, struct report_row *row);

#endif
