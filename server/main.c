#include "log.h"
#include "passwd.h"
#include "payload.h"
#include "server.h"
#include "users.h"

#include <string.h>

/* What can be found out without serving. */
static int check(const struct config *config)
{
    char error[USERS_ERROR_BYTES];
    if (config->users_file[0] != '\0') {
        struct users *users = password_prepare() ? users_load(config->users_file, error) : NULL;
        if (!users) {
            fprintf(stderr, "cport-server: %s\n", error);
            return 2;
        }
        printf("cport-server: %zu users\n", users_count(users));
        users_release(users);
    }
    puts("cport-server: the options are good");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "passwd") == 0)
        return passwd_run(argc - 1, argv + 1);

    struct config config;
    char error[CONFIG_ERROR_BYTES];
    if (!config_parse(argc, argv, &config, error)) {
        fprintf(stderr, "cport-server: %s. --help lists the options.\n", error);
        return 2;
    }
    if (config.help) {
        config_print_help(stdout);
        return 0;
    }
    if (config.version) {
        printf("cport-server %s (checksums: %s, zstd: %s)\n", cport_version(),
            payload_has_checksum() ? "yes" : "no", payload_has_zstd() ? "yes" : "no");
        return 0;
    }
    if (config.print) {
        config_print_file(stdout);
        return 0;
    }
    if (config.check)
        return check(&config);
    if (!log_open((enum log_level)config.log_level, config.log_file)) {
        fprintf(stderr, "cport-server: cannot write the log file %s\n", config.log_file);
        return 1;
    }
    return server_run(&config, NULL, argc, argv);
}
