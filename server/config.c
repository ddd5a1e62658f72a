#include "config.h"

#include "config_table.h"

#include <cport/cport.h>
#include <string.h>

/* "127.0.0.1:9999", "[::1]:9999": the last colon divides. */
static bool address_split(const char *text, char ret_host[64], uint16_t *ret_port)
{
    const char *colon = strrchr(text, ':');
    int64_t number;
    if (!colon || !option_number(colon + 1, &number) || number > 65535)
        return false;
    size_t len = (size_t)(colon - text);
    if (len == 0 || len >= 64)
        return false;
    memcpy(ret_host, text, len);
    ret_host[len] = '\0';
    *ret_port = (uint16_t)number;

    struct sockaddr_storage address;
    cport_socklen address_len;
    return cport_address(ret_host, *ret_port, &address, &address_len) == 0;
}

/* "--max-frame" of max_frame. */
static const char *dashed(const struct option *option, char text[40])
{
    snprintf(text, 40, "--%s", option->name);
    for (char *p = text; *p; p++) {
        if (*p == '_')
            *p = '-';
    }
    return text;
}

/* What an argument is: its option, and its value if that is a part of it. */
static const struct option *argument_option(const char *argument, const char **ret_value)
{
    const char *name = argument + 2;
    size_t len = strncmp(argument, "--", 2) == 0 ? strcspn(name, "=") : 0;
    *ret_value = len > 0 && name[len] == '=' ? name + len + 1 : NULL;
    return len > 0 ? option_find(name, len) : NULL;
}

static bool argument_parse(
    int argc, char *const *argv, int *at, struct config *config, char error[CONFIG_ERROR_BYTES])
{
    const char *value;
    char name[40];
    const struct option *option = argument_option(argv[*at], &value);
    if (!option) {
        snprintf(error, CONFIG_ERROR_BYTES, "unknown option %.100s", argv[*at]);
        return false;
    }
    if (option->kind == OPTION_FLAG) {
        if (value)
            snprintf(error, CONFIG_ERROR_BYTES, "%s takes no value", dashed(option, name));
        *((bool *)((char *)config + option->offset)) = true;
        return !value;
    }
    if (!value && ++*at < argc)
        value = argv[*at];
    if (!value) {
        snprintf(error, CONFIG_ERROR_BYTES, "%s needs %s: %s", dashed(option, name), option->takes,
            option->help);
        return false;
    }
    if (!option_set(option, value, config)) {
        snprintf(error, CONFIG_ERROR_BYTES, "%s does not take %.60s (%s: %.100s)",
            dashed(option, name), value, option->takes, option->help);
        return false;
    }
    return true;
}

static bool arguments_parse(
    int argc, char *const *argv, struct config *config, char error[CONFIG_ERROR_BYTES])
{
    for (int i = 1; i < argc; i++) {
        if (!argument_parse(argc, argv, &i, config, error))
            return false;
    }
    return true;
}

/* The arguments are read twice: for the name of the file, and over what it says. */
bool config_parse(
    int argc, char *const *argv, struct config *ret_config, char error[CONFIG_ERROR_BYTES])
{
    struct config initial = {0};
    for (size_t i = 0; i < option_count; i++) {
        if (options[i].initial)
            option_set(&options[i], options[i].initial, &initial);
    }
    struct config config = initial;
    if (!arguments_parse(argc, argv, &config, error))
        return false;
    if (config.config_file[0] != '\0') {
        struct config over = initial;
        if (!config_file_read(config.config_file, &over, error) ||
            !arguments_parse(argc, argv, &over, error))
            return false;
        config = over;
    }
    bool admin_good = config.admin[0] == '\0' ||
                      address_split(config.admin, config.admin_host, &config.admin_port);
    if (!address_split(config.listen, config.host, &config.tcp_port) || !admin_good) {
        snprintf(error, CONFIG_ERROR_BYTES,
            "--%s does not take %.60s (HOST:PORT, a numeric address and 0 to 65535)",
            admin_good ? "listen" : "admin", admin_good ? config.listen : config.admin);
        return false;
    }
    *ret_config = config;
    return true;
}

void config_print_help(FILE *to)
{
    fputs(
        "usage: cport-server [OPTION]...\n"
        "       cport-server passwd [--admin | --delete] FILE NAME\n"
        "\n"
        "The reference server of libcport: one TCP port for all its protocols, the first byte that "
        "a client sends\n"
        "chooses. It serves until SIGINT or SIGTERM, then drains and exits. passwd reads a "
        "password and writes a\n"
        "user into the file that --users names.\n"
        "\n"
        "BYTES take K, M or G (1024); TIME takes ms, s, m or h. Defaults in brackets. In the file "
        "of --config the\n"
        "options have '_' for '-'; --print-config writes such a file with every option.\n"
        "\n",
        to);
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &options[i];
        char name[40], left[64];
        snprintf(left, sizeof(left), "%s%s%s", dashed(option, name), option->takes ? " " : "",
            option->takes ? option->takes : "");
        fprintf(to, "  %-24s %s", left, option->help);
        if (option->initial && option->initial[0] != '\0')
            fprintf(to, " [%s]", option->initial);
        fputc('\n', to);
    }
    fputs("\nExit status: 0 stopped as asked, 1 could not serve, 2 wrong options.\n", to);
}

/* Whatever goes before the sections' own lines is in the table, so that a new option cannot be left out. */
void config_print_file(FILE *to)
{
    const char *section = "";
    fputs(
        "; Options of cport-server, each with its default: cport-server --config FILE reads them,\n"
        "; and its command line goes over them. Sizes take K, M or G (1024); times ms, s, m or "
        "h.\n",
        to);
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &options[i];
        if (!option->section)
            continue;
        if (strcmp(section, option->section) != 0)
            fprintf(to, "\n[%s]\n", option->section);
        section = option->section;
        fprintf(to, "\n; %s: %s\n%s = %s\n", option->takes, option->help, option->name,
            option->initial);
    }
}
