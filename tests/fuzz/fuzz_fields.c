/* Typed fields. What is checked can be read to its end, and reading never leaves the run. */
#include "fields.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void walk(struct bytes run, unsigned depth)
{
    struct field field;
    require(depth <= FIELDS_DEPTH_MAX);
    while (run.len > 0) {
        const uint8_t *end = run.data + run.len;
        require(field_next(&run, &field));
        require(field.name.data + field.name.len <= end);
        require(field.value.data + field.value.len <= end);
        require(utf8_check(field.name));
        if (field.kind == FIELD_STRING)
            require(utf8_check(field.value));
        if (field.kind == FIELD_BOOL)
            require(field.value.data[0] <= 1);
        if (field.kind == FIELD_RECORD)
            walk(field.value, depth + 1);
    }
    require(!field_next(&run, &field));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes run = {data, size};
    if (fields_check(run))
        walk(run, 0);
    return 0;
}
