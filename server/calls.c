#include "calls.h"

#include <string.h>

static bool text_is(const char *text, struct bytes bytes)
{
    return strlen(text) == bytes.len && memcmp(text, bytes.data, bytes.len) == 0;
}

const struct call_entry *calls_find(
    const struct calls *calls, struct bytes group, struct bytes function)
{
    for (size_t i = 0; calls && i < calls->count; i++) {
        if (text_is(calls->entries[i].group, group) &&
            text_is(calls->entries[i].function, function))
            return &calls->entries[i];
    }
    return NULL;
}
