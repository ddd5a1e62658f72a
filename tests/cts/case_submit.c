/* Submits and their events: S18, S20 to S22. */
#include "cts.h"

#include <string.h>

void s20_success_queues_an_event(void)
{
    char data[8] = {0};
    cts_pair pair;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_send(pair.a, &op, "hello", 5, 0), 0);
    CHECK_EQ(cts_result(port, &op), 5);
    cts_sock_recv_all(pair.peer, data, 5);
    CHECK(memcmp(data, "hello", 5) == 0);
    cts_sock_send_all(pair.peer, "world", 5);
    CHECK_EQ(cts_recv(pair.a, &op, data, sizeof data, CPORT_RECV_ALL), 0);
    cts_sock_shutdown_send(pair.peer);
    CHECK_EQ(cts_result(port, &op), 5);
    CHECK(memcmp(data, "world", 5) == 0);
    cts_pair_close(&pair);
    cts_port_close(port);
}
