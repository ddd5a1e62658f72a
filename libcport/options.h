/*
 * options.h: structs that grow. Each begins with its size; the library copies what it knows, and refuses what a newer caller
 * has set beyond that. Inline, since libcport and libcport-workers are linked apart.
 */
#ifndef CPORT_OPTIONS_H
#define CPORT_OPTIONS_H

#include <string.h>

#include "cport/cport.h"

/* Structs beyond this are garbage, not a newer version. */
#define OPTIONS_SIZE_SANE 4096u

static inline uint32_t options_size(const void *given)
{
    uint32_t size;
    memcpy(&size, given, sizeof(size));
    return size;
}

/* Copies *given (whose first member is its size) into the known_size bytes at ret_known, zero-filling what the caller's
 * version does not have. CPORT_EINVAL: smaller than min_size, or a non-zero byte beyond known_size. */
static inline int options_copy(
    const void *given, size_t min_size, size_t known_size, void *ret_known)
{
    uint32_t size = options_size(given);
    if (size < min_size || size > OPTIONS_SIZE_SANE)
        return CPORT_EINVAL;
    for (size_t i = known_size; i < size; i++)
        if (((const unsigned char *)given)[i])
            return CPORT_EINVAL;
    memset(ret_known, 0, known_size);
    memcpy(ret_known, given, size < known_size ? size : known_size);
    return 0;
}

/* The reverse for infos: copies as much of known as the caller's size says, and zeroes the rest of the caller's. */
static inline int options_copy_out(
    const void *known, size_t min_size, size_t known_size, void *ret_given)
{
    uint32_t size = options_size(ret_given);
    if (size < min_size || size > OPTIONS_SIZE_SANE)
        return CPORT_EINVAL;
    memset(ret_given, 0, size);
    memcpy(ret_given, known, size < known_size ? size : known_size);
    memcpy(ret_given, &size, sizeof(size));
    return 0;
}

#endif
