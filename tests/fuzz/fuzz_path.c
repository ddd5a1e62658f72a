/* Names that clients send: byte 0 says how many bytes are the directory, the rest is the file's name. What is taken is
 * taken again, unchanged, and has no part that leads out. */
#include "path.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void require_safe(const struct path *path)
{
    require(path->len < sizeof(path->text) && strlen(path->text) == path->len);
    require(path->len == 0 || path->text[0] != '/');
    require(!strpbrk(path->text, "\\=\r\n"));
    const char *part = path->text;
    while (path->len > 0 && part) {
        size_t len = strcspn(part, "/");
        require(len > 0 && len <= PATH_PART_BYTES_MAX);
        require(strspn(part, ". ") < len);
        part = part[len] == '/' ? part + len + 1 : NULL;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t directory = data[0] < size - 1 ? data[0] : size - 1;
    struct path path, again;
    if (!path_parse((struct bytes){data + 1, directory}, &path))
        return 0;
    require_safe(&path);
    require(path_parse((struct bytes){(const uint8_t *)path.text, path.len}, &again));
    require(strcmp(path.text, again.text) == 0);
    if (path_append(&path, (struct bytes){data + 1 + directory, size - 1 - directory}))
        require_safe(&path);
    return 0;
}
