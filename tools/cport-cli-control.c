/* What operators ask: clients, stats, kick, log. */
#include "cport-cli-output.h"
#include "cport-cli-session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTROL 0x08
#define LOG     0x09

static void print_client(struct bytes item, bool json, bool first)
{
    static const char *const names[] = {
        "local", "remote", "protocol", "user", "connected", "active"};
    if (!json) {
        output_text(item);
        putchar('\n');
        return;
    }
    printf("%s\n  {", first ? "" : ",");
    for (size_t i = 0, start = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t end = start;
        while (end < item.len && item.data[end] != '\t')
            end++;
        printf("%s\"%s\": ", i > 0 ? ", " : "", names[i]);
        output_json((struct bytes){item.data + start, end - start});
        start = end < item.len ? end + 1 : end;
    }
    printf("}");
}

int cli_clients(const struct cli_options *options)
{
    struct cli_session session;
    struct cli_reply reply;
    struct bytes rest, item;
    int status = cli_session_login(&session, options, CONTROL);
    if (status == CLI_OK)
        status = cli_ask(&session, "Command=GetClients", NULL, 0, &reply);
    if (status == CLI_OK) {
        bool first = true;
        rest = reply.command.text;
        printf("%s", options->json ? "[" : "");
        for (; command_next(&rest, "Item", &item); first = false)
            print_client(item, options->json, first);
        printf("%s", options->json ? "\n]\n" : "");
    }
    cli_session_close(&session);
    return status;
}

int cli_stats(const struct cli_options *options)
{
    struct cli_session session;
    struct cli_reply reply;
    int status = cli_session_login(&session, options, CONTROL);
    if (status == CLI_OK)
        status = cli_ask(&session, "Command=Stats", NULL, 0, &reply);
    if (status == CLI_OK) {
        /* The lines behind [Response], Command and Code are the counters, as name=value. */
        char *text = malloc(reply.command.text.len + 1);
        if (!text) {
            cli_session_close(&session);
            return cli_lost(CPORT_ENOMEM);
        }
        memcpy(text, reply.command.text.data, reply.command.text.len);
        text[reply.command.text.len] = '\0';
        unsigned number = 0;
        printf("%s", options->json ? "{" : "");
        for (char *line = strtok(text, "\r\n"); line; line = strtok(NULL, "\r\n")) {
            char *equal = strchr(line, '=');
            if (number++ < 3 || !equal)
                continue;
            *equal = '\0';
            printf(options->json ? "%s\n  \"%s\": %s" : "%s%s=%s\n",
                options->json && number > 4 ? "," : "", line, equal + 1);
        }
        printf("%s", options->json ? "\n}\n" : "");
        free(text);
    }
    cli_session_close(&session);
    return status;
}

int cli_kick(const struct cli_options *options, const char *remote)
{
    struct cli_session session;
    struct cli_reply reply;
    char text[256];
    snprintf(text, sizeof(text), "Command=Kick\r\nRemote=%.100s", remote);
    int status = cli_session_login(&session, options, CONTROL);
    if (status == CLI_OK)
        status = cli_ask(&session, text, NULL, 0, &reply);
    cli_session_close(&session);
    return status;
}

/* Until the server ends it, or whoever started this. */
int cli_log(const struct cli_options *options)
{
    struct cli_session session;
    int status = cli_session_open(&session, options, LOG);
    session.patient = true;
    while (status == CLI_OK && (status = cli_need(&session, 1)) == CLI_OK) {
        struct bytes have = cli_have(&session);
        fwrite(have.data, 1, have.len, stdout);
        fflush(stdout);
        cli_take(&session, have.len);
    }
    if (session.ended)
        status = CLI_OK;
    cli_session_close(&session);
    return status;
}
