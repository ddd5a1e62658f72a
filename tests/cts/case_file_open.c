/* Opening and attaching files: S14. */
#include "file.h"

#include <string.h>

#define READ_WRITE (CPORT_FILE_READ | CPORT_FILE_WRITE)

static int try_open(const char *path, uint32_t flags)
{
    cport_os_handle fd = CPORT_OS_HANDLE_INVALID;
    int ret = cport_file_open(path, flags, 0600, &fd);
    CHECK(ret <= 0);
    if (ret == 0)
        CHECK_EQ(cport_file_close(fd), 0);
    else
        CHECK(fd == CPORT_OS_HANDLE_INVALID);
    return ret;
}

static uint64_t size_of(const char *path)
{
    cport_os_handle fd;
    uint64_t size = UINT64_MAX;
    CHECK_EQ(cport_file_open(path, CPORT_FILE_READ, 0, &fd), 0);
    CHECK_EQ(cport_file_size(fd, &size), 0);
    CHECK_EQ(cport_file_close(fd), 0);
    return size;
}

void file_open_takes_what_makes_sense(void)
{
    static const uint32_t senseless[] = {0, CPORT_FILE_CREATE, CPORT_FILE_READ | CPORT_FILE_CREATE,
        CPORT_FILE_READ | CPORT_FILE_TRUNCATE, READ_WRITE | CPORT_FILE_EXCLUSIVE,
        READ_WRITE | 0x40u, READ_WRITE | 0x80000000u};
    cport_os_handle fd;
    char path[CTS_PATH_MOST];
    cts_file_name(path, "");
    for (size_t i = 0; i < CTS_COUNT_OF(senseless); i++)
        CHECK_EQ(try_open(path, senseless[i]), CPORT_EINVAL);
    CHECK_EQ(try_open(NULL, CPORT_FILE_READ), CPORT_EINVAL);
    CHECK_EQ(cport_file_open(path, READ_WRITE | CPORT_FILE_CREATE, 0600, NULL), CPORT_EINVAL);
    CHECK_EQ(cport_file_open(path, READ_WRITE | CPORT_FILE_CREATE, 010000, &fd), CPORT_EINVAL);
    CHECK_EQ(try_open(path, CPORT_FILE_READ), CPORT_ENOENT); /* and nothing was created */
}

void file_open_creates_and_truncates(void)
{
    file f;
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    file_write(&f, 1000, 0);
    cts_close_wait(f.h, 0);
    f.h = NULL;
    CHECK_EQ(try_open(f.path, READ_WRITE | CPORT_FILE_CREATE | CPORT_FILE_EXCLUSIVE), CPORT_EEXIST);
    CHECK_EQ(try_open(f.path, READ_WRITE | CPORT_FILE_CREATE), 0);
    CHECK_EQ(size_of(f.path), 1000);
    CHECK_EQ(try_open(f.path, CPORT_FILE_WRITE | CPORT_FILE_TRUNCATE), 0);
    CHECK_EQ(size_of(f.path), 0);
    CHECK_EQ(try_open(f.path, CPORT_FILE_WRITE | CPORT_FILE_CREATE | CPORT_FILE_TRUNCATE), 0);
    file_close(&f);
    CHECK_EQ(try_open(f.path, READ_WRITE), CPORT_ENOENT);
    CHECK_EQ(try_open(f.path, CPORT_FILE_WRITE | CPORT_FILE_TRUNCATE), CPORT_ENOENT);
    cts_port_close(port);
}

void file_open_refuses_what_is_no_file(void)
{
    char path[CTS_PATH_MOST];
    char longest[70000];
    cts_file_name(path, "");
    char *last = strrchr(path, cts_is(CTS_IOCP) ? '\\' : '/');
    CHECK(last != NULL);
    *last = '\0';
    CHECK_EQ(try_open(path, CPORT_FILE_READ), CPORT_EINVAL); /* the folder */
    CHECK_EQ(try_open("", CPORT_FILE_READ), CPORT_ENOENT);
    CHECK_EQ(try_open(cts_is(CTS_IOCP) ? "NUL" : "/dev/null", READ_WRITE), CPORT_EINVAL);
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    CHECK_EQ(try_open(longest, CPORT_FILE_READ), CPORT_EINVAL);
}

void file_open_takes_paths_in_utf_8(void)
{
    char path[CTS_PATH_MOST];
    cts_file_name(path, "-\xC3\xBC\xE2\x82\xAC\xF0\x9D\x84\x9E");
    CHECK_EQ(try_open(path, READ_WRITE | CPORT_FILE_CREATE | CPORT_FILE_EXCLUSIVE), 0);
    CHECK_EQ(size_of(path), 0);
    cts_file_remove(path); /* under its name as the system sees it */
    CHECK_EQ(try_open(path, CPORT_FILE_READ), CPORT_ENOENT);
    if (cts_is(CTS_IOCP))
        CHECK_EQ(try_open("not \xFF utf-8", CPORT_FILE_READ), CPORT_EINVAL);
}

void file_size_is_told(void)
{
    file f;
    uint64_t size = 7;
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    CHECK_EQ(cport_file_size(f.fd, NULL), CPORT_EINVAL);
    CHECK_EQ(cport_file_size(CPORT_OS_HANDLE_INVALID, &size), CPORT_EINVAL);
    CHECK_EQ(size, 7);
    CHECK_EQ(cport_file_size(f.fd, &size), 0);
    CHECK_EQ(size, 0);
    file_write(&f, 4097, 0);
    CHECK_EQ(cport_file_size(cport_handle_fd(f.h), &size), 0);
    CHECK_EQ(size, 4097);
    file_close(&f);
    cts_port_close(port);
}

void s14_a_file_is_attached(void)
{
    file f;
    cport_handle *second;
    cport_op op = {0};
    cport_port_info info = {.size = sizeof info};
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    CHECK_EQ(cts_attach_try(port, f.fd, 1, 0, &second), CPORT_EALREADY);
    CHECK_EQ(cport_handle_key(f.h), CTS_KEY_F);
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    CHECK_EQ(info.handles, 1);
    file_write(&f, 10, 0);
    file_check(&f, 10, 0);
    CHECK_EQ(cts_close(f.h, &op, CPORT_ABORT), 0); /* a file knows no reset */
    CHECK_EQ(cts_read(f.h, &(cport_op){0}, &op, 1, 0, 0), CPORT_ECANCELED);
    CHECK_EQ(cts_result(port, &op), 0);
    f.h = NULL;
    file_close(&f);
    cts_port_close(port);
}

/* It would be read and written where it stands, or at its end, and not at the offset that an
 * operation gives. */
void s14_a_file_with_a_place_of_its_own_is_refused(void)
{
    cport_handle *h;
    cport_port *port = cts_port_open();
    cport_os_handle appending = cts_appending_open(), plain = cts_file_open();
    CHECK_EQ(cts_attach_try(port, appending, 0, 0, &h), CPORT_EINVAL);
    cts_file_close(appending);
    if (cts_is(CTS_IOCP)) { /* not opened for overlapped use */
        CHECK_EQ(cts_attach_try(port, plain, 0, 0, &h), CPORT_EINVAL);
        cts_file_close(plain);
    } else {
        cts_close_wait(cts_attach(port, plain, 0), 0);
    }
    cts_port_close(port);
}

void s14_files_and_sockets_take_their_own_operations(void)
{
    file f;
    cts_pair pair;
    char byte = 'x';
    cport_buf piece = {.base = &byte, .len = 1};
    struct sockaddr_storage address;
    cport_socklen len;
    cport_bufs *pool;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_bufs_open(port, 64, 1, &pool), 0);
    CHECK_EQ(cport_address("127.0.0.1", 9, &address, &len), 0);
    CHECK_EQ(cts_recv(f.h, &op, &byte, 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recvv(f.h, &op, &piece, 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_recv_pooled(f.h, &op, pool, CPORT_MULTISHOT), CPORT_EINVAL);
    CHECK_EQ(cts_send(f.h, &op, &byte, 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sendv(f.h, &op, &piece, 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_accept(f.h, &op, CPORT_MULTISHOT), CPORT_EINVAL);
    CHECK_EQ(cts_connect(f.h, &op, (struct sockaddr *)&address, len, 0), CPORT_EINVAL);
    CHECK_EQ(cts_shutdown(f.h, &op, CPORT_SHUT_SEND), CPORT_EINVAL);
    CHECK_EQ(cts_poll(f.h, &op, CPORT_POLL_IN), CPORT_EINVAL);
    CHECK_EQ(cts_read(pair.a, &op, &byte, 1, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_readv(pair.a, &op, &piece, 1, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_write(pair.a, &op, &byte, 1, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_writev(pair.a, &op, &piece, 1, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_sync(pair.a, &op, 0), CPORT_EINVAL);
    cts_bufs_close(pool);
    cts_pair_close(&pair);
    file_close(&f);
    cts_port_close(port);
}

void s15_a_file_can_leave_its_port(void)
{
    file f;
    cport_os_handle fd;
    cport_op op = {0};
    char data[100];
    cport_port_info info = {.size = sizeof info};
    cport_port *port = cts_port_open(), *other = cts_port_open();
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    file_open(port, &f, 0);
    file_write(&f, sizeof data, 0);
    if ((info.caps & CPORT_CAP_DETACH) != 0) {
        CHECK_EQ(cts_sync(f.h, &op, 0), 0);
        CHECK_EQ(cts_detach(f.h, &fd), CPORT_EBUSY);
        CHECK_EQ(cts_result(port, &op), 0);
        CHECK_EQ(cts_detach(f.h, &fd), 0);
        CHECK(fd == f.fd);
        f.port = other;
        f.h = cts_attach(other, fd, CTS_KEY_F);
    } else {
        CHECK_EQ(cts_detach(f.h, &fd), CPORT_ENOTSUP);
    }
    file_check(&f, sizeof data, 0);
    file_close(&f);
    cts_port_close(other);
    cts_port_close(port);
}
