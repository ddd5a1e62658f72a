/* What the peers without a library share: sockets. Both calls end the program when they fail. */
#ifndef BENCH_PEER_RAW_H
#define BENCH_PEER_RAW_H

/* A listening socket on a free port of 127.0.0.1. */
int raw_listen(unsigned *ret_port);
void raw_no_delay(int fd);

#endif
