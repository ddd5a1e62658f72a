#include "options.h"

#include <string.h>

/* Structs beyond this are garbage, not a newer version. */
#define SIZE_SANE 4096u

static uint32_t size_of(const void *given)
{
    uint32_t size;
    memcpy(&size, given, sizeof(size));
    return size;
}

int options_copy(const void *given, size_t min_size, size_t known_size, void *ret_known)
{
    uint32_t size = size_of(given);
    if (size < min_size || size > SIZE_SANE)
        return CPORT_EINVAL;
    for (size_t i = known_size; i < size; i++)
        if (((const unsigned char *)given)[i])
            return CPORT_EINVAL;
    memset(ret_known, 0, known_size);
    memcpy(ret_known, given, size < known_size ? size : known_size);
    return 0;
}

int options_copy_out(const void *known, size_t min_size, size_t known_size, void *ret_given)
{
    uint32_t size = size_of(ret_given);
    if (size < min_size || size > SIZE_SANE)
        return CPORT_EINVAL;
    memset(ret_given, 0, size);
    memcpy(ret_given, known, size < known_size ? size : known_size);
    memcpy(ret_given, &size, sizeof(size));
    return 0;
}
