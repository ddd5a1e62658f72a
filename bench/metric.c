#include "metric.h"

#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 64

const struct metric_info metric_table[METRIC_COUNT] = {
    [METRIC_RATE] = {"messages_per_second", "msgs/s", 1, 0, 1},
    [METRIC_P50] = {"latency_p50_ns", "p50 us", 1e-3, 1, 0},
    [METRIC_P99] = {"latency_p99_ns", "p99 us", 1e-3, 1, 0},
    [METRIC_P999] = {"latency_p999_ns", "p99.9 us", 1e-3, 1, 0},
    [METRIC_SERVER_CPU] = {"server_cpu_ns_per_message", "server ns/msg", 1, 0, 1},
    [METRIC_CLIENT_CPU] = {"client_cpu_ns_per_message", "client ns/msg", 1, 0, 0},
    [METRIC_FOREIGN] = {"foreign_cpu_cores", "foreign", 1, 2, 0},
    [METRIC_INSTRUCTIONS] = {"instructions_per_message", "instructions/msg", 1, 1, 1},
    [METRIC_ARM] = {"arm_ns", "arm ns", 1, 1, 1},
    [METRIC_CANCEL] = {"cancel_ns", "cancel ns", 1, 1, 1},
    [METRIC_REARM] = {"rearm_ns", "re-arm ns", 1, 1, 1},
    [METRIC_POST] = {"post_ns", "post ns", 1, 1, 1},
    [METRIC_POST_CPU] = {"cpu_ns_per_post", "CPU ns/post", 1, 1, 1},
    [METRIC_TURN_P50] = {"turn_p50_ns", "there and back p50 us", 1e-3, 2, 1},
    [METRIC_TURN_P99] = {"turn_p99_ns", "p99 us", 1e-3, 2, 0},
    [METRIC_CONNECTION_RATE] = {"connections_per_second", "connections/s", 1, 0, 1},
    [METRIC_CONNECTION_CPU] = {"server_cpu_ns_per_connection", "server us/connection", 1e-3, 2, 1},
    [METRIC_CONNECTION_BYTES] = {"server_bytes_per_connection", "server B/connection", 1, 0, 1},
    [METRIC_DOWNLOAD_CPU] = {"cpu_s_per_gb", "CPU s/GB", 1, 3, 1},
    [METRIC_DOWNLOAD_SERVER] = {"server_cpu_s_per_gb", "server s/GB", 1, 3, 1},
    [METRIC_DOWNLOAD_RATE] = {"gigabytes_per_second", "GB/s", 1, 2, 0},
    [METRIC_DATAGRAM] = {"datagram_ns", "ns/datagram", 1, 0, 1},
    [METRIC_DATAGRAM_CPU] = {"cpu_ns_per_datagram", "CPU ns/datagram", 1, 0, 1},
};

static int compare_values(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct summary summary_of(const double *values, unsigned count)
{
    double sorted[VALUES_MAX];
    if (count > VALUES_MAX)
        count = VALUES_MAX;
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_values);
    double median = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
    return (struct summary){.median = median, .min = sorted[0], .max = sorted[count - 1]};
}
