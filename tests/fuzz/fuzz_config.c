/* The file of options. Whatever is accepted is within each option's limits, and a config is never left without an end of its
 * texts. */
#include "config_table.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config = {0};
    char error[CONFIG_ERROR_BYTES] = "";
    char *text = malloc(size + 1);
    require(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    bool taken = config_text_read(text, &config, error);
    require(taken == (error[0] == '\0'));
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &options[i];
        const char *field = (const char *)&config + option->offset;
        if (option->kind == OPTION_TEXT) {
            require(memchr(field, '\0', (size_t)option->max) != NULL);
        } else if (option->kind != OPTION_FLAG) {
            int64_t value;
            memcpy(&value, field, sizeof(value));
            require(value == 0 || option->kind == OPTION_CHOICE ||
                    (value >= option->min && value <= option->max));
        }
    }
    free(text);
    return 0;
}
