/*
 * os_file_posix.c: the files of os.h for Linux.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "os.h"

static int open_flags(uint32_t flags)
{
    int how = O_RDONLY;
    if (flags & CPORT_FILE_WRITE)
        how = flags & CPORT_FILE_READ ? O_RDWR : O_WRONLY;
    if (flags & CPORT_FILE_CREATE)
        how |= O_CREAT;
    if (flags & CPORT_FILE_EXCLUSIVE)
        how |= O_EXCL;
    if (flags & CPORT_FILE_TRUNCATE)
        how |= O_TRUNC;
    if (flags & CPORT_FILE_DIRECT)
        how |= O_DIRECT;
    /* Of a file it asks nothing, but it keeps the opening of a pipe from waiting for the other
     * side. */
    return how | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
}

static int open_error(int error, uint32_t flags)
{
    switch (error) {
    case ENXIO: /* a pipe, or a socket */
    case ENODEV:
        return CPORT_EINVAL;
    case EINVAL:
        return flags & CPORT_FILE_DIRECT ? CPORT_ENOTSUP : CPORT_EINVAL;
    default:
        return error_from_errno(error);
    }
}

int os_file_open(const char *path, uint32_t flags, uint32_t mode, cport_os_handle *ret_fd)
{
    int fd;
    do
        fd = open(path, open_flags(flags), (mode_t)mode);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return open_error(errno, flags);

    struct stat st;
    int status;
    int r = CPORT_EINVAL;
    if (fstat(fd, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
        goto fail_fd;
    status = fcntl(fd, F_GETFL);
    if (status < 0 || fcntl(fd, F_SETFL, status & ~O_NONBLOCK) < 0) {
        r = error_from_errno(errno);
        goto fail_fd;
    }
    *ret_fd = fd;
    return 0;

fail_fd:
    close(fd);
    return r;
}

int cport_file_close(cport_os_handle fd)
{
    /* EINTR leaves the descriptor closed on Linux: closing again could hit somebody else's. */
    return close(fd) < 0 && errno != EINTR ? error_from_errno(errno) : 0;
}

int os_file_size(cport_os_handle fd, uint64_t *ret_size)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_from_errno(errno);
    off_t size = st.st_size;
    if (S_ISBLK(st.st_mode))
        size = lseek(fd, 0, SEEK_END);
    else if (!S_ISREG(st.st_mode))
        return CPORT_EINVAL;
    if (size < 0)
        return error_from_errno(errno);
    *ret_size = (uint64_t)size;
    return 0;
}
