/* A map from addresses to records: grows, never forgets. Ownership: keys and values stay the caller's. Not locked. */
#ifndef CTS_PTR_MAP_H
#define CTS_PTR_MAP_H

#include <stddef.h>

typedef struct ptr_map_slot {
    const void *key;
    void *value;
} ptr_map_slot;

typedef struct ptr_map {
    ptr_map_slot *slots;
    size_t size; /* a power of two, or 0 */
    size_t used;
} ptr_map;

void *ptr_map_get(const ptr_map *m, const void *key);
void ptr_map_put(ptr_map *m, const void *key, void *value);

#endif
