/* The file of --config, read by inih; a build without it says so. */
#include "config_table.h"

#if CPORT_SERVER_CONFIG_FILE
#include <ini.h>
#include <string.h>

#define OPTIONS_MAX 128u

struct reading {
    struct config *config;
    bool seen[OPTIONS_MAX]; /* by the option's place in the table */
    char why[CONFIG_ERROR_BYTES / 2];
};

static int refuse(struct reading *reading, const char *what, const char *name)
{
    if (reading->why[0] == '\0')
        snprintf(reading->why, sizeof(reading->why), "%s: %.60s", what, name);
    return 0;
}

/* inih's handler: 0 refuses the line. */
static int on_line(void *ctx, const char *section, const char *name, const char *value)
{
    struct reading *reading = ctx;
    if (!value)
        return refuse(reading, "no '=' in the line", name);
    const struct option *option = option_find(name, strlen(name));
    if (!option || !option->section)
        return refuse(reading, "no such option", name);
    if (strcmp(option->section, section) != 0)
        return refuse(reading, "the option belongs into another section", name);
    size_t place = (size_t)(option - options);
    if (reading->seen[place])
        return refuse(reading, "the option is there twice", name);
    reading->seen[place] = true;
    if (!option_set(option, value, reading->config))
        return refuse(reading, "the option does not take this value", name);
    return 1;
}

static bool result(
    int line, const char *name, const struct reading *reading, char error[CONFIG_ERROR_BYTES])
{
    if (line == 0)
        return true;
    if (line < 0)
        snprintf(error, CONFIG_ERROR_BYTES, "cannot read the file %.200s", name);
    else
        snprintf(error, CONFIG_ERROR_BYTES, "%.200s:%d: %s", name, line,
            reading->why[0] ? reading->why : "neither [section], nor name = value, nor ; comment");
    return false;
}

bool config_file_read(const char *name, struct config *config, char error[CONFIG_ERROR_BYTES])
{
    struct reading reading = {.config = config};
    return result(ini_parse(name, on_line, &reading), name, &reading, error);
}

bool config_text_read(const char *text, struct config *config, char error[CONFIG_ERROR_BYTES])
{
    struct reading reading = {.config = config};
    return result(ini_parse_string(text, on_line, &reading), "text", &reading, error);
}

bool config_reads_files(void)
{
    return true;
}
#else
static bool refuse(char error[CONFIG_ERROR_BYTES])
{
    snprintf(
        error, CONFIG_ERROR_BYTES, "this build reads no file of options: it was made without inih");
    return false;
}

bool config_file_read(const char *name, struct config *config, char error[CONFIG_ERROR_BYTES])
{
    (void)name;
    (void)config;
    return refuse(error);
}

bool config_text_read(const char *text, struct config *config, char error[CONFIG_ERROR_BYTES])
{
    (void)text;
    (void)config;
    return refuse(error);
}

bool config_reads_files(void)
{
    return false;
}
#endif
