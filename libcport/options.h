/*
 * options.h: structs that grow. Each begins with its size; the library copies what it knows, and refuses what a newer caller
 * has set beyond that.
 */
#ifndef CPORT_OPTIONS_H
#define CPORT_OPTIONS_H

#include "cport/cport.h"

/* Copies *given (whose first member is its size) into the known_size bytes at ret_known, zero-filling what the caller's
 * version does not have. CPORT_EINVAL: smaller than min_size, or a non-zero byte beyond known_size. */
int options_copy(const void *given, size_t min_size, size_t known_size, void *ret_known);

/* The reverse for infos: copies as much of known as the caller's size says, and zeroes the rest of the caller's. */
int options_copy_out(const void *known, size_t min_size, size_t known_size, void *ret_given);

#endif
