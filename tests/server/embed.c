/* A program around the server, as somebody would write one: it offers functions of its own to Message clients. */
#include "log.h"
#include "os.h"
#include "server.h"

#include <string.h>

static enum message_status give_back(void *ctx, const struct call *call, struct buffer *reply)
{
    (void)ctx;
    return buffer_append(reply, call->args.data, call->args.len) ? STATUS_OK : STATUS_BUSY;
}

static enum message_status who_am_i(void *ctx, const struct call *call, struct buffer *reply)
{
    (void)ctx;
    struct bytes user = {(const uint8_t *)call->user, strlen(call->user)};
    return field_put_string(reply, "user", user) &&
                   field_put_u32(reply, "admin", call->role == ROLE_ADMIN)
               ? STATUS_OK
               : STATUS_BUSY;
}

static enum message_status admins_only(void *ctx, const struct call *call, struct buffer *reply)
{
    (void)ctx;
    (void)reply;
    return call->role == ROLE_ADMIN ? STATUS_OK : STATUS_NOT_ALLOWED;
}

/* Blocks until release is called: as a database does that has gone away. */
static enum message_status block(void *ctx, const struct call *call, struct buffer *reply)
{
    (void)call;
    (void)reply;
    sys_gate_wait(ctx);
    return STATUS_OK;
}

static enum message_status release(void *ctx, const struct call *call, struct buffer *reply)
{
    (void)call;
    (void)reply;
    sys_gate_open(ctx);
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    struct sys_gate *gate = sys_gate_new();
    struct call_entry entries[] = {{"test", "give_back", give_back, NULL},
        {"test", "who_am_i", who_am_i, NULL}, {"test", "admins_only", admins_only, NULL},
        {"gate", "block", block, gate}, {"gate", "release", release, gate}};
    struct calls calls = {entries, sizeof(entries) / sizeof(entries[0])};
    struct config config;
    char error[CONFIG_ERROR_BYTES];
    if (!gate || !config_parse(argc, argv, &config, error) ||
        !log_open((enum log_level)config.log_level, config.log_file))
        return 2;
    int status = server_run(&config, &calls, argc, argv);
    sys_gate_free(gate);
    return status;
}
