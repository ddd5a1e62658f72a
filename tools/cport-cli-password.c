/* The password of --user. */
#include "cport-cli-os.h"
#include "cport-cli-output.h"
#include "cport-cli-session.h"
#include "os.h"

#include <errno.h>
#include <stdlib.h>

static int from_file(const char *name, char text[CLI_PASSWORD_BYTES])
{
    FILE *file = cli_file_open(name, "r");
    if (!file) {
        output_error("no password in %s: %s", name, strerror(errno));
        return CLI_USAGE;
    }
    bool read = fgets(text, (int)CLI_PASSWORD_BYTES, file) != NULL;
    size_t len = read ? strcspn(text, "\r\n") : 0;
    bool whole = text[len] != '\0' || len + 1 < CLI_PASSWORD_BYTES;
    (void)fclose(file);
    if (!read || !whole) {
        output_error(read ? "the password in %s is too long" : "no password in %s", name);
        return CLI_USAGE;
    }
    text[len] = '\0';
    return CLI_OK;
}

int cli_password(const struct cli_options *options, char text[CLI_PASSWORD_BYTES])
{
    const char *given = getenv("CPORT_PASSWORD");
    if (options->password_file)
        return from_file(options->password_file, text);
    if (given && strlen(given) < CLI_PASSWORD_BYTES) {
        memcpy(text, given, strlen(given) + 1);
        return CLI_OK;
    }
    if (given) {
        output_error("the password in CPORT_PASSWORD is too long");
        return CLI_USAGE;
    }
    /* Typed once, for a second session too. */
    static char typed[CLI_PASSWORD_BYTES];
    if (typed[0] != '\0' || sys_secret_read("Password: ", typed, sizeof(typed))) {
        memcpy(text, typed, sizeof(typed));
        return CLI_OK;
    }
    output_error("no password: set CPORT_PASSWORD, name a --password-file, or type it");
    return CLI_USAGE;
}
