/* What is measured: one table that the reports, the JSON and the tables on paper share. */
#ifndef BENCH_METRIC_H
#define BENCH_METRIC_H

enum metric {
    METRIC_RATE,
    METRIC_P50,
    METRIC_P99,
    METRIC_P999,
    METRIC_SERVER_CPU,
    METRIC_CLIENT_CPU,
    METRIC_FOREIGN,
    METRIC_INSTRUCTIONS,
    METRIC_ARM,
    METRIC_CANCEL,
    METRIC_REARM,
    METRIC_POST,
    METRIC_POST_CPU,
    METRIC_TURN_P50,
    METRIC_TURN_P99,
    METRIC_CONNECTION_RATE,
    METRIC_CONNECTION_CPU,
    METRIC_CONNECTION_BYTES,
    METRIC_DOWNLOAD_CPU,
    METRIC_DOWNLOAD_SERVER,
    METRIC_DOWNLOAD_RATE,
    METRIC_DATAGRAM,
    METRIC_DATAGRAM_CPU,
    METRIC_COUNT
};

struct metric_info {
    const char *key;   /* in JSON */
    const char *title; /* in tables */
    double scale;      /* a table shows value × scale */
    int decimals;
    int has_range; /* a table shows minimum and maximum too */
};

extern const struct metric_info metric_table[METRIC_COUNT];

struct summary {
    double median;
    double min;
    double max;
};

/* count of at least 1; the values keep their order. */
struct summary summary_of(const double *values, unsigned count);

#endif
