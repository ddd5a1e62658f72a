#include "cport-cli-os.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A standard stream that is closed would be taken by the next socket, and text would go there: it gets a descriptor that refuses. */
static void stream_hold(int fd)
{
    if (fcntl(fd, F_GETFD) < 0)
        (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

void cli_os_start(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        stream_hold(fd);
    signal(SIGXFSZ, SIG_IGN); /* a file that must not grow is said in words */
}

void cli_binary_streams(void)
{
    /* They always do here. */
}

bool cli_shows_progress(void)
{
    return isatty(STDERR_FILENO) != 0;
}

enum cli_path cli_path_kind(const char *name)
{
    struct stat status;
    if (stat(name, &status) != 0)
        return CLI_PATH_NONE;
    return S_ISREG(status.st_mode)   ? CLI_PATH_FILE
           : S_ISDIR(status.st_mode) ? CLI_PATH_FOLDER
                                     : CLI_PATH_OTHER;
}

const char *cli_path_base(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

FILE *cli_file_open(const char *name, const char *mode)
{
    FILE *file = fopen(name, mode);
    if (file)
        (void)setvbuf(file, NULL, _IONBF, 0);
    return file;
}

bool cli_file_size(FILE *file, int64_t *ret_size)
{
    struct stat status;
    if (fstat(fileno(file), &status) != 0)
        return false;
    *ret_size = status.st_size;
    return true;
}

bool cli_file_seek(FILE *file, int64_t offset)
{
    return fseeko(file, offset, SEEK_SET) == 0;
}
