/* What the UDP benchmark's programs must know before they include udp_bench.h. */
#ifndef BENCH_UDP_LIMITS_H
#define BENCH_UDP_LIMITS_H

#define UDP_BURST     32u
#define UDP_BYTES_MAX 1472u /* of a datagram that Ethernet takes whole */

#endif
