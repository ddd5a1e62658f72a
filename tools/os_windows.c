#include "cport-cli-os.h"

#include <fcntl.h>
#include <io.h>

void cli_binary_streams(void)
{
    (void)_setmode(_fileno(stdin), _O_BINARY);
    (void)_setmode(_fileno(stdout), _O_BINARY);
}

bool cli_shows_progress(void)
{
    return _isatty(_fileno(stderr)) != 0;
}

bool cli_file_size(FILE *file, int64_t *ret_size)
{
    *ret_size = _filelengthi64(_fileno(file));
    return *ret_size >= 0;
}

bool cli_file_seek(FILE *file, int64_t offset)
{
    return _fseeki64(file, offset, SEEK_SET) == 0;
}
