/*
 * file.c: what there is about files besides operations on them.
 */
#include "port.h"

#define FLAGS_KNOWN                                                                                \
    (CPORT_FILE_READ | CPORT_FILE_WRITE | CPORT_FILE_CREATE | CPORT_FILE_EXCLUSIVE |               \
        CPORT_FILE_TRUNCATE | CPORT_FILE_DIRECT)
#define MODE_KNOWN 07777u

static bool flags_ok(uint32_t flags)
{
    if ((flags & ~FLAGS_KNOWN) || !(flags & (CPORT_FILE_READ | CPORT_FILE_WRITE)))
        return false;
    if ((flags & CPORT_FILE_EXCLUSIVE) && !(flags & CPORT_FILE_CREATE))
        return false;
    /* A reader that truncates or creates is a slip on every system, and an error on some. */
    return (flags & CPORT_FILE_WRITE) || !(flags & (CPORT_FILE_TRUNCATE | CPORT_FILE_CREATE));
}

int cport_file_open(const char *path, uint32_t flags, uint32_t mode, cport_os_handle *ret_fd)
{
    if (!path || !ret_fd || !flags_ok(flags) || (mode & ~MODE_KNOWN))
        return CPORT_EINVAL;
    return os_file_open(path, flags, mode, ret_fd);
}

int cport_file_size(cport_os_handle fd, uint64_t *ret_size)
{
    if (!ret_size || fd == CPORT_OS_HANDLE_INVALID)
        return CPORT_EINVAL;
    return os_file_size(fd, ret_size);
}

#define REGION_MOST ((size_t)1 << 30)

int cport_memory_pin(cport_port *port, void *memory, size_t len)
{
    if (!port || !memory || len == 0 || len > REGION_MOST)
        return CPORT_EINVAL;
    if (!port_is_mine(port))
        return CPORT_EWRONGTHREAD;
    return port->backend->memory_pin ? port->backend->memory_pin(port, memory, len) : CPORT_ENOTSUP;
}

int cport_memory_unpin(cport_port *port, void *memory)
{
    if (!port || !memory)
        return CPORT_EINVAL;
    if (!port_is_mine(port))
        return CPORT_EWRONGTHREAD;
    return port->backend->memory_unpin ? port->backend->memory_unpin(port, memory) : CPORT_ENOENT;
}
