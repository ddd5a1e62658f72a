/* Open addressing with linear probing: nothing is ever removed. */
#include "ptr_map.h"

#include "cts.h"

#include <stdlib.h>

static ptr_map_slot *slot_of(const ptr_map *m, const void *key)
{
    uint64_t hash = (uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15u;
    size_t i = (size_t)(hash >> 32) & (m->size - 1);
    while (m->slots[i].key != NULL && m->slots[i].key != key)
        i = (i + 1) & (m->size - 1);
    return &m->slots[i];
}

void *ptr_map_get(const ptr_map *m, const void *key)
{
    return m->size > 0 && key != NULL ? slot_of(m, key)->value : NULL;
}

static void grow(ptr_map *m)
{
    ptr_map bigger = {NULL, m->size > 0 ? m->size * 2 : 64, m->used};
    bigger.slots = calloc(bigger.size, sizeof *bigger.slots);
    CHECK(bigger.slots != NULL);
    for (size_t i = 0; i < m->size; i++)
        if (m->slots[i].key != NULL)
            *slot_of(&bigger, m->slots[i].key) = m->slots[i];
    free(m->slots);
    *m = bigger;
}

void ptr_map_put(ptr_map *m, const void *key, void *value)
{
    if (m->used * 2 >= m->size)
        grow(m);
    ptr_map_slot *slot = slot_of(m, key);
    m->used += slot->key == NULL;
    slot->key = key;
    slot->value = value;
}
