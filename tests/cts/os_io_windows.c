/* Socket options on Windows, which has no table of descriptors that could be full. */
#include "io.h"

void io_sock_timeouts(cport_os_handle s, int ms)
{
    DWORD t = (DWORD)ms;
    CHECK_EQ(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, (const char *)&t, sizeof t), 0);
    CHECK_EQ(setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, (const char *)&t, sizeof t), 0);
}

bool io_sock_nodelay(cport_os_handle s)
{
    BOOL on = FALSE;
    int len = sizeof on;
    CHECK_EQ(getsockopt(s, IPPROTO_TCP, TCP_NODELAY, (char *)&on, &len), 0);
    return on != FALSE;
}

static const bool has_table = false;

void io_table_limit(void)
{
    CHECK(has_table);
}

void io_table_fill(void)
{
    CHECK(has_table);
}

void io_table_free(unsigned n)
{
    CHECK(has_table && n > 0);
}

void io_table_empty(void)
{
    CHECK(has_table);
}

void io_table_restore(void)
{
    CHECK(has_table);
}

void io_storm_begin(void)
{
    CHECK(has_table);
}

unsigned io_storm_end(void)
{
    return 0;
}
