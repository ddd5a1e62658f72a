/* The command text alone. Whatever is accepted holds no second '=' in a value and no CR or LF. */
#include "command.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void require_sound(struct bytes value, struct bytes text)
{
    require(value.data >= text.data && value.data + value.len <= text.data + text.len);
    for (size_t i = 0; i < value.len; i++)
        require(value.data[i] != '=' && value.data[i] != '\r' && value.data[i] != '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = {data, size};
    struct command command;
    if (!command_parse(text, &command))
        return 0;

    require_sound(command.name, text);
    struct bytes value;
    for (unsigned i = 0; command_value(&command, "Item", i, &value); i++)
        require_sound(value, text);
    int64_t count;
    if (command_i64(&command, "Count", &count))
        require(command_value(&command, "Count", 0, &value) && value.len > 0);
    return 0;
}
