/* Files on POSIX systems. */
#include "cts.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

cport_os_handle cts_file_open(void)
{
    char path[CTS_PATH_MOST];
    cts_file_name(path, "");
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CHECK(file >= 0);
    unlink(path);
    return file;
}

cport_os_handle cts_folder_open(void)
{
    int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(folder >= 0);
    return folder;
}

cport_os_handle cts_appending_open(void)
{
    int file = cts_file_open();
    CHECK_EQ(fcntl(file, F_SETFL, O_APPEND), 0);
    return file;
}

void cts_file_close(cport_os_handle file)
{
    CHECK_EQ(close(file), 0);
}

void cts_file_name(char ret_path[CTS_PATH_MOST], const char *ending)
{
    const char *folder = getenv("TMPDIR");
    /* The time, since a killed case leaves its files, and the system uses a process's number
     * again. */
    snprintf(ret_path, CTS_PATH_MOST, "%s/cport-cts-%ld-%lld%s",
        folder != NULL && folder[0] != '\0' ? folder : "/tmp", (long)getpid(),
        (long long)cts_now_ns(), ending);
}

void cts_file_remove(const char *path)
{
    CHECK_EQ(unlink(path), 0);
}

void cts_file_truncate(cport_os_handle file, uint64_t size)
{
    CHECK_EQ(ftruncate(file, (off_t)size), 0);
}

void cts_file_sparse(cport_os_handle file)
{
    (void)file; /* every file is */
}

/* A file system of that size, which only this process sees. It goes with the process. */
static bool mount_small(uint64_t bytes)
{
    char options[64];
    snprintf(options, sizeof options, "size=%llu", (unsigned long long)bytes);
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("cport-cts", "/tmp", "tmpfs", 0, options) == 0;
}

void cts_disk_limit(uint64_t bytes, char ret_path[CTS_PATH_MOST])
{
    if (mount_small(bytes)) {
        snprintf(ret_path, CTS_PATH_MOST, "/tmp/cport-cts");
        return;
    }
    /* Not permitted here: then every file of the process is limited, with a signal to boot,
     * which is the process's own. */
    printf("no file system can be mounted: a limit on the size of files stands in\n");
    struct rlimit limit = {bytes, bytes};
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_IGN);
    cts_file_name(ret_path, "");
}
