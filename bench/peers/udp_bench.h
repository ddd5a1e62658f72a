/*
 * The UDP benchmark around a library. A program defines the functions below for its library's way of moving datagrams between two
 * sockets of one thread, 0 and 1, which are bound to free ports of 127.0.0.1, and includes this file behind them:
 *
 *   static void udp_prepare(const char **ret_engine, const char **ret_remark);   opens both sockets
 *   static void udp_send(unsigned from, size_t bytes);    to the other; the content does not matter
 *   static void udp_run(void);                            calls on_datagram for each that comes, until udp_stop
 *   static void udp_stop(void);
 *
 * burst: socket 0 sends UDP_BURST datagrams; when 1 has them all, the next. turns: one goes there and back. Both ends are the
 * library's, so a datagram's cost is that of a send and a receive.
 */
#ifndef BENCH_UDP_BENCH_H
#define BENCH_UDP_BENCH_H

#include "peer.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static unsigned long count, moved; /* datagrams to move, and moved */
static size_t datagram_bytes = 1;
static bool is_burst;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void send_burst(void)
{
    for (unsigned i = 0; i < UDP_BURST; i++)
        udp_send(0, datagram_bytes);
}

static void on_datagram(unsigned at, size_t bytes)
{
    if (bytes != datagram_bytes)
        peer_die("a datagram of another length", 0);
    if (++moved == count)
        udp_stop();
    else if (!is_burst)
        udp_send(at, datagram_bytes);
    else if (moved % UDP_BURST == 0)
        send_burst();
}

static void move_all(unsigned long datagrams)
{
    count = datagrams;
    moved = 0;
    if (is_burst)
        send_burst();
    else
        udp_send(0, datagram_bytes);
    udp_run();
}

/* ARGUMENT KIND,DATAGRAMS,BYTES; without them little, for who only asks whether it starts. */
int main(int argc, char **argv)
{
    const char *engine, *remark;
    char kind[16] = "turns";
    unsigned long datagrams = 2;
    /* NOLINTNEXTLINE(cert-err34-c): from the benchmark itself, whose numbers are in range */
    if (argc > 2 && (sscanf(argv[2], "%15[a-z],%lu,%zu", kind, &datagrams, &datagram_bytes) != 3 ||
                        datagram_bytes > UDP_BYTES_MAX))
        peer_die("arguments", 0);
    is_burst = strcmp(kind, "burst") == 0;
    datagrams += UDP_BURST - datagrams % UDP_BURST;
    udp_prepare(&engine, &remark);
    peer_ready(1, engine, remark);
    move_all(UDP_BURST * 64); /* warm */
    int64_t start = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    move_all(datagrams);
    cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    int64_t elapsed = clock_ns(CLOCK_MONOTONIC) - start;
    printf("datagram_ns\t%.3f\ncpu_ns_per_datagram\t%.3f\nend\n",
        (double)elapsed / (double)datagrams, (double)cpu / (double)datagrams);
    return 0;
}

#endif
