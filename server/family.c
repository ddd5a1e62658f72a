#include "family.h"

#include "login.h"

#include <string.h>

static enum proto_step stepped(bool appended)
{
    return appended ? PROTO_NEXT : PROTO_NO_MEMORY;
}

enum proto_step family_ok(const struct family_request *request, struct buffer *out)
{
    return stepped(response_ok(out, request->command->name));
}

enum proto_step family_fail(
    const struct family_request *request, struct buffer *out, enum command_code code)
{
    return stepped(response_failure(out, request->command->name, code));
}

struct bytes family_name_keep(
    const struct family_request *request, char ret_name[FAMILY_NAME_BYTES])
{
    struct bytes name = request->command->name;
    if (name.len > FAMILY_NAME_BYTES)
        name.len = FAMILY_NAME_BYTES;
    memcpy(ret_name, name.data, name.len);
    return (struct bytes){(const uint8_t *)ret_name, name.len};
}

/* The tag is the length of the command's name as it was written. */
static bool login_reply(struct login *login, struct buffer *out)
{
    struct bytes name = {(const uint8_t *)login->text, (size_t)login->tag};
    return login->role != ROLE_NONE ? response_ok(out, name)
                                    : response_failure(out, name, CODE_LOGIN);
}

static enum proto_step login_begin(
    struct peer *peer, const struct family_request *request, struct buffer *out)
{
    _Static_assert(FAMILY_NAME_BYTES <= sizeof(((struct login *)0)->text), "a name is kept there");
    struct bytes name, password;
    char md5_text[MD5_HEX_BYTES + 1];
    if (!command_value(request->command, "UserName", 0, &name) ||
        !command_value(request->command, "Password", 0, &password))
        return family_fail(request, out, CODE_PARAMETER);
    if (!password_md5_text(password, md5_text)) {
        counter_add(peer->context->counters, COUNTER_login_failed, 1);
        peer->offended = true;
        return family_fail(request, out, CODE_LOGIN);
    }
    struct login *login = login_new(peer, name, md5_text, login_reply);
    if (!login)
        return PROTO_NO_MEMORY;
    login->tag = family_name_keep(request, login->text).len;
    peer->job = &login->job;
    return PROTO_WAIT;
}

static enum proto_step answer(struct peer *peer, const struct family *family,
    const struct family_request *request, struct buffer *out)
{
    const struct command *command = request->command;
    if (command_is(command, "Active"))
        return family_ok(request, out);
    if (family->has_login && command_is(command, "Login"))
        return login_begin(peer, request, out);

    const struct family_command *own = NULL;
    for (size_t i = 0; i < family->count && !own; i++) {
        if (command_is(command, family->commands[i].name))
            own = &family->commands[i];
    }
    /* Who is not logged in does not learn what there is. */
    if (family->has_login && peer->role == ROLE_NONE && !(own && own->anonymous))
        return family_fail(request, out, CODE_NOT_LOGGED_IN);
    if (!own)
        return family_fail(request, out, CODE_UNKNOWN_COMMAND);
    return own->run(peer, request, out);
}

/* What cannot be read has no command to name in the reply. */
static enum proto_step refuse(struct buffer *out, enum command_code code)
{
    return response_failure(out, (struct bytes){0}, code) ? PROTO_CLOSE : PROTO_NO_MEMORY;
}

enum proto_step family_step(struct peer *peer, const struct family *family, struct bytes run,
    struct buffer *out, size_t *ret_count)
{
    struct packet packet;
    switch (packet_parse(run, &packet, ret_count)) {
    case FRAME_PARTIAL:
        return PROTO_PARTIAL;
    case FRAME_TOO_LONG:
        return refuse(out, CODE_LENGTH);
    case FRAME_MALFORMED:
        return refuse(out, CODE_FORMAT);
    case FRAME_OK:
        break;
    }

    struct command command;
    if (!command_parse(packet.command, &command))
        return refuse(out, CODE_FORMAT);
    struct family_request request = {.command = &command, .data = packet.data};
    *ret_count = packet.bytes;
    return answer(peer, family, &request, out);
}
