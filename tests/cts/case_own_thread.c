/* The thread that a shared port on io_uring has for itself: it is none of the program's. */
#include "cts.h"

static bool is_gone(void *arg)
{
    uint64_t blocked;
    (void)arg;
    return cts_threads_named("cport/ring", &blocked) == 0;
}

void a_ports_own_thread_takes_no_signals_and_ends_with_it(void)
{
    enum { ORDINARY = 31, KILL = 9, STOP = 19 };
    uint64_t blocked = 0;
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_threads_named("cport/ring", &blocked), 1);
    for (int number = 1; number <= ORDINARY; number++)
        CHECK(number == KILL || number == STOP || (blocked >> (number - 1) & 1) != 0);
    cts_port_close(port);
    cts_until(is_gone, NULL, "the thread"); /* joined by now; its entry stays for a moment */
}
