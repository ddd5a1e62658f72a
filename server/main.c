#include "log.h"
#include "payload.h"
#include "server.h"

int main(int argc, char **argv)
{
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
    if (config.check) {
        puts("cport-server: the options are good");
        return 0;
    }
    log_open((enum log_level)config.log_level);
    return server_run(&config);
}
