#include "cport-cli-os.h"

#include <sys/stat.h>
#include <unistd.h>

void cli_binary_streams(void)
{
    /* They always do here. */
}

bool cli_shows_progress(void)
{
    return isatty(STDERR_FILENO) != 0;
}

bool cli_file_size(FILE *file, int64_t *ret_size)
{
    struct stat status;
    if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    *ret_size = status.st_size;
    return true;
}

bool cli_file_seek(FILE *file, int64_t offset)
{
    return fseeko(file, offset, SEEK_SET) == 0;
}
