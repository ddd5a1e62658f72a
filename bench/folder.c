#include "folder.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 16

int folder_make(const char *parent, char *ret_path, size_t size)
{
    if (parent == NULL)
        parent = getenv("TMPDIR");
    if (parent == NULL)
        parent = "/tmp";
    if (snprintf(ret_path, size, "%s/cport-bench-XXXXXX", parent) >= (int)size) {
        fprintf(stderr, "%s: the name of a temporary folder is too long there\n", parent);
        return -1;
    }
    if (mkdtemp(ret_path) == NULL) {
        fprintf(stderr, "%s: %s\n", ret_path, strerror(errno));
        return -1;
    }
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    if (remove(path) != 0)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return 0;
}

void folder_remove(const char *path)
{
    (void)nftw(path, remove_one, DESCRIPTORS_MAX, FTW_DEPTH | FTW_PHYS);
}
