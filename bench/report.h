/*
 * The result of a run: where, how, and a row for each server and workload with every round's values.
 *
 * Ownership: a report owns its rows; report_free gives them back. Everything in it is a copy.
 * Threading: one thread at a time.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "metric.h"
#include "os.h"

#include <stdbool.h>
#include <stdio.h>

#define REPORT_ROUNDS_MAX 64

struct report_row {
    char peer[32];
    char engine[32]; /* what the server says that it runs on, and why */
    char remark[256];
    char handlers[16]; /* "": those of an echo */
    char mode[16];     /* of a file's reads: "cached" or "direct"; "": not a file's */
    char subject[64];  /* what is measured; "": an echo, told by the next three */
    unsigned connections;
    unsigned message_bytes;
    unsigned depth;
    unsigned rounds;
    unsigned repeated; /* rounds thrown away because other work disturbed them */
    unsigned metrics;  /* bit 1 << metric: which of the values are there */
    double values[METRIC_COUNT][REPORT_ROUNDS_MAX];
};

struct report {
    char bench[24];
    char date[32]; /* UTC, ISO 8601 */
    char commit[64];
    char compiler[96];
    char client[32];
    struct sys_facts facts;
    double seconds;
    double warmup_seconds;
    double foreign_max;
    unsigned messages; /* 0: the rounds are timed */
    int server_core;
    int client_core;
    bool verify;
    struct report_row *rows;
    unsigned row_count;
};

/* Fills in system, date, commit and compiler; the rest is zeroed. */
void report_start(struct report *ret_report, const char *bench);
/* A new empty row, valid until the next one is added; NULL when memory is short. */
struct report_row *report_add_row(struct report *r);
void report_free(struct report *r);

/* Both return 0, or -1 after a message on standard error. */
int report_write(const struct report *r, const char *path);
int report_read(const char *path, struct report *ret_report);

/* The system in a few words, for a heading. */
void report_print_system(const struct report *r, FILE *out);
/* One table per workload, in the order in which the workloads first appear; more than one report: side by side. */
void report_print(const struct report *reports, unsigned count, FILE *out);
/* The same for the workload of one row. */
void report_print_workload(
    const struct report *reports, unsigned count, const struct report_row *like, FILE *out);

#endif
