/* What operators ask: clients, stats, kick, log. */
#include "cport-cli-family.h"
#include "cport-cli-list.h"
#include "cport-cli-output.h"

#include <stdlib.h>

#define LOG            0x09
#define LINE_BYTES_MAX ((size_t)64 << 10) /* a longer one is shown in pieces */

static int show(const struct cli_options *options, const char *command,
    void (*print)(const struct command *command, bool json))
{
    struct cli_session session = {0};
    struct cli_reply reply;
    int status = cli_family_open(&session, options, CLI_CONTROL);
    if (status == CLI_OK)
        status = cli_ask(&session, command, CLI_NO_VALUES, &reply);
    if (status == CLI_OK) {
        print(&reply.command, options->json);
        status = output_flush();
    }
    cli_session_close(&session);
    return status;
}

int cli_clients(const struct cli_options *options)
{
    return show(options, "GetClients", list_clients);
}

int cli_stats(const struct cli_options *options)
{
    return show(options, "Stats", list_stats);
}

int cli_kick(const struct cli_options *options, const char *remote)
{
    struct cli_session session = {.about = remote};
    struct cli_reply reply;
    int status = cli_family_open(&session, options, CLI_CONTROL);
    if (status == CLI_OK)
        status = cli_ask(&session, "Kick", CLI_VALUES("Remote", remote), &reply);
    if (status == CLI_OK && options->json) {
        printf("{\"remote\": ");
        output_json(output_bytes(remote));
        puts("}");
    }
    cli_session_close(&session);
    return status;
}

static void print_line(struct bytes line, bool json)
{
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    if (json) {
        printf("{\"line\": ");
        output_json(line);
        puts("}");
    } else {
        output_text(stdout, line);
        putchar('\n');
    }
}

/* Prints the lines that are whole, and those that are too long to wait for. */
static void print_lines(struct cli_session *session, bool json)
{
    for (;;) {
        struct bytes have = cli_have(session);
        const uint8_t *end = have.len > 0 ? memchr(have.data, '\n', have.len) : NULL;
        if (!end && have.len < LINE_BYTES_MAX)
            return;
        size_t len = end ? (size_t)(end - have.data) : have.len;
        print_line((struct bytes){have.data, len}, json);
        cli_take(session, end ? len + 1 : len);
    }
}

/* Until the server ends it, or whoever started this. */
int cli_log(const struct cli_options *options)
{
    struct cli_session session = {0};
    int status = cli_session_open(&session, options, LOG);
    session.patient = true;
    while (status == CLI_OK) {
        status = cli_need(&session, cli_have(&session).len + 1);
        if (status == CLI_OK) {
            print_lines(&session, options->json);
            status = output_flush();
        }
    }
    if (session.port && cli_ended(&session) && status == CLI_NO_ANSWER)
        status = session.answered ? CLI_OK : cli_lost(&session, 0);
    cli_session_close(&session);
    return status;
}
