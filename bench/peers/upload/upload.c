#include "upload.h"

#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static const char *folder;

void upload_folder(int argc, char **argv)
{
    folder = argc > 2 ? argv[2] : NULL;
}

int upload_create(const unsigned char head[UPLOAD_HEAD_BYTES], uint64_t *ret_bytes)
{
    char path[4352];
    uint64_t number = 0, bytes = 0;
    for (int i = 3; i >= 0; i--)
        number = number << 8 | head[i];
    for (int i = 11; i >= 4; i--)
        bytes = bytes << 8 | head[i];
    if (folder == NULL || bytes == 0)
        peer_die("an upload to nowhere, or of nothing", 0);
    snprintf(path, sizeof path, "%s/up-%u", folder, (unsigned)number);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        peer_die(path, errno);
    *ret_bytes = bytes;
    return file;
}
