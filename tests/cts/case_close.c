/* Closing: S29. */
#include "cts.h"

void s29_close_ends_what_is_pending(void)
{
    char data[4][16];
    cts_pair pair;
    cport_op recv[4] = {0}, close = {0};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(cts_recv(pair.a, &recv[i], data[i], sizeof data[i], 0), 0);
    CHECK_EQ(cts_close(pair.a, &close, 0), 0);
    CHECK_EQ(cts_result(port, &close), 0);
    for (int i = 0; i < 4; i++) {
        CHECK(!cts_pending(&recv[i]));
        CHECK_EQ(cts_result(port, &recv[i]), CPORT_ECANCELED);
    }
    pair.a = NULL;
    cts_pair_close(&pair);
    cts_port_close(port);
}
