#include "backend.h"

const struct backend *const *backend_candidates(void)
{
    static const struct backend *const candidates[] = {
#if CPORT_WITH_IOCP
        &backend_iocp,
#endif
#if CPORT_WITH_IO_URING
        &backend_io_uring,
#endif
#if CPORT_WITH_EPOLL
        &backend_epoll,
#endif
        NULL,
    };
    return candidates;
}
