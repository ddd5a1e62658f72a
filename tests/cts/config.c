/* The configurations: each counts as a backend of its own. */
#include "cts.h"

#include <string.h>

static const cts_config configs[] = {
#define CTS_CONFIG(name, words, backend, flags, concurrency, caps)                                 \
    {name, words, backend, flags, concurrency, caps},
#include "configs.def"
#undef CTS_CONFIG
};

static const cts_config *now;

const cts_config *cts_config_now(void)
{
    return now;
}

const cts_config *cts_config_find(const char *name)
{
    for (size_t i = 0; i < CTS_COUNT_OF(configs); i++)
        if (strcmp(configs[i].name, name) == 0)
            return &configs[i];
    return NULL;
}

bool cts_select_config(const char *name)
{
    now = cts_config_find(name);
    return now != NULL;
}

bool cts_is(uint32_t words)
{
    return (now->words & words) == words;
}
