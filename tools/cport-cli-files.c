/* Files one at a time, without their bytes: lists, folders made and deleted, files deleted. */
#include "cport-cli-files.h"
#include "cport-cli-family.h"
#include "cport-cli-list.h"
#include "cport-cli-output.h"

#include <stdlib.h>

bool remote_split(const char *text, struct remote *ret_remote)
{
    const char *slash = strrchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : 0;
    char *folder = malloc(len + 1);
    if (!folder)
        return false;
    memcpy(folder, text, len);
    folder[len] = '\0';
    *ret_remote = (struct remote){.folder = folder, .name = slash ? slash + 1 : text};
    return true;
}

void remote_clear(struct remote *remote)
{
    free(remote->folder);
}

int cli_ls(const struct cli_options *options, const char *folder)
{
    struct cli_session session = {.about = folder[0] != '\0' ? folder : NULL};
    struct cli_reply reply;
    bool first = true;
    int status = cli_family_open(&session, options, CLI_DOWNLOAD);
    if (status == CLI_OK)
        status = cli_ask(&session, "Dir", CLI_VALUES("ParentDir", folder), &reply);
    if (status == CLI_OK) {
        fputs(options->json ? "[" : "", stdout);
        list_items(&reply.command, true, options->json, &first);
        status = cli_ask(&session, "FileList", CLI_VALUES("DirName", folder), &reply);
    }
    if (status == CLI_OK) {
        list_items(&reply.command, false, options->json, &first);
        fputs(options->json ? "\n]\n" : "", stdout);
        status = output_flush();
    }
    cli_session_close(&session);
    return status;
}

static int on_name(const struct cli_options *options, const char *command, const char *folder_key,
    const char *name_key, const char *name)
{
    struct cli_session session = {.about = name};
    struct cli_reply reply;
    struct remote remote;
    if (!remote_split(name, &remote))
        return cli_no_memory();
    int status = cli_family_open(&session, options, CLI_UPLOAD);
    if (status == CLI_OK)
        status = cli_ask(&session, command,
            CLI_VALUES(folder_key, remote.folder, name_key, remote.name), &reply);
    if (status == CLI_OK && options->json) {
        printf("{\"name\": ");
        output_json(output_bytes(name));
        puts("}");
    }
    cli_session_close(&session);
    remote_clear(&remote);
    return status;
}

int cli_mkdir(const struct cli_options *options, const char *name)
{
    return on_name(options, "CreateDir", "ParentDir", "DirName", name);
}

int cli_rmdir(const struct cli_options *options, const char *name)
{
    return on_name(options, "DeleteDir", "ParentDir", "DirName", name);
}

int cli_rm(const struct cli_options *options, const char *name)
{
    return on_name(options, "DeleteFile", "DirName", "Item", name);
}
