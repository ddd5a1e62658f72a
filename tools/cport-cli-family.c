#include "cport-cli-family.h"

#include "cport-cli-output.h"
#include "md5.h"

#include <inttypes.h>
#include <stdlib.h>

#define REPLY_BYTES_MAX ((size_t)128 << 20) /* a list of very many files */

/* ---- Requests ---- */

static size_t put(uint8_t *at, size_t used, const char *text)
{
    size_t len = strlen(text);
    if (at)
        memcpy(at + used, text, len);
    return used + len;
}

/* The text of a command, or only its length. */
static size_t text_put(uint8_t *at, const char *command, const char *const *values)
{
    size_t used = put(at, 0, "[Request]\r\nCommand=");
    used = put(at, used, command);
    for (; *values; values += 2) {
        used = put(at, used, "\r\n");
        used = put(at, used, values[0]);
        used = put(at, used, "=");
        used = put(at, used, values[1]);
    }
    return used;
}

uint8_t *cli_packet_make(
    const char *command, const char *const *values, const void *data, size_t len, size_t *ret_len)
{
    size_t text_len = text_put(NULL, command, values);
    uint8_t *packet = malloc(PACKET_HEAD_BYTES + text_len + len);
    if (!packet)
        return NULL;
    packet_head_store(packet, text_len, len);
    (void)text_put(packet + PACKET_HEAD_BYTES, command, values);
    if (len > 0)
        memcpy(packet + PACKET_HEAD_BYTES + text_len, data, len);
    *ret_len = PACKET_HEAD_BYTES + text_len + len;
    return packet;
}

static bool values_sound(const char *const *values)
{
    for (; *values; values += 2) {
        if (!strpbrk(values[1], "\r\n="))
            continue;
        output_error(
            "%s: what is sent to the server may hold no = and no end of a line", values[1]);
        return false;
    }
    return true;
}

static int ask(struct cli_session *session, const char *command, const char *const *values,
    const void *data, size_t len, struct cli_reply *ret_reply)
{
    size_t packet_len;
    *ret_reply = (struct cli_reply){0};
    if (!values_sound(values))
        return CLI_USAGE;
    uint8_t *packet = cli_packet_make(command, values, data, len, &packet_len);
    if (!packet)
        return cli_no_memory();
    int status = cli_send(session, packet, packet_len);
    free(packet);
    return status == CLI_OK ? cli_family_receive(session, ret_reply) : status;
}

int cli_try(struct cli_session *session, const char *command, const char *const *values,
    struct cli_reply *ret_reply)
{
    return ask(session, command, values, NULL, 0, ret_reply);
}

static int checked(const struct cli_session *session, int status, const struct cli_reply *reply)
{
    return status == CLI_OK && reply->code != CODE_OK ? cli_refused(session, reply) : status;
}

int cli_ask(struct cli_session *session, const char *command, const char *const *values,
    struct cli_reply *ret_reply)
{
    return checked(session, cli_try(session, command, values, ret_reply), ret_reply);
}

int cli_ask_with(struct cli_session *session, const char *command, const void *data, size_t len,
    struct cli_reply *ret_reply)
{
    return checked(session, ask(session, command, CLI_NO_VALUES, data, len, ret_reply), ret_reply);
}

/* ---- Answers ---- */

enum frame_result cli_reply_parse(struct bytes run, struct cli_reply *ret_reply, size_t *ret_len)
{
    *ret_len = PACKET_HEAD_BYTES;
    if (run.len < PACKET_HEAD_BYTES)
        return FRAME_PARTIAL;
    /* What the server sends may be longer than what it takes: the lengths are read here. */
    size_t packet_len = load_u32(run.data), text_len = load_u32(run.data + 4);
    if (packet_len > REPLY_BYTES_MAX)
        return FRAME_TOO_LONG;
    if (packet_len < 4 || text_len > packet_len - 4)
        return FRAME_MALFORMED;
    *ret_len = 4 + packet_len;
    if (run.len < *ret_len)
        return FRAME_PARTIAL;
    const uint8_t *text = run.data + PACKET_HEAD_BYTES;
    if (!command_parse((struct bytes){text, text_len}, &ret_reply->command) ||
        !command_i64(&ret_reply->command, "Code", &ret_reply->code))
        return FRAME_MALFORMED;
    ret_reply->data = (struct bytes){text + text_len, packet_len - 4 - text_len};
    return FRAME_OK;
}

int cli_family_receive(struct cli_session *session, struct cli_reply *ret_reply)
{
    size_t len = PACKET_HEAD_BYTES;
    for (;;) {
        int status = cli_need(session, len);
        if (status != CLI_OK)
            return status;
        switch (cli_reply_parse(cli_have(session), ret_reply, &len)) {
        case FRAME_OK:
            cli_take(session, len);
            return CLI_OK;
        case FRAME_PARTIAL:
            break;
        case FRAME_TOO_LONG:
            return cli_stranger(session, "it says that it is longer than any");
        case FRAME_MALFORMED:
            return cli_stranger(session, "it has not the form of one");
        }
    }
}

/* What a person can do about a code. */
static const char *remedy(const struct cli_session *session, int64_t code)
{
    bool files = session->preface >= CLI_UPLOAD && session->preface <= CLI_REMOTE_STREAM;
    if (code == CODE_PARAMETER && files)
        return ": it may be a folder; and a name is relative to the root, has no `..`, is no "
               "device of "
               "Windows, leads over no link out of the root, and is at most 1023 bytes long, 255 "
               "in a "
               "part";
    if (code == CODE_PARAMETER && session->preface == CLI_CONTROL)
        return ": nobody has that address; `cport-cli clients` shows who is there";
    if (code == CODE_NOT_COMPLETED && session->preface == CLI_CONTROL)
        return ": administrators may do it";
    if (code == CODE_LOGIN)
        return ": look at --user and the password";
    if (code == CODE_NOT_LOGGED_IN)
        return ": log in with --user NAME";
    if (code == CODE_IN_USE)
        return ": another client uploads it";
    return "";
}

int cli_refused(const struct cli_session *session, const struct cli_reply *reply)
{
    struct bytes message = output_bytes("the server says no more than that");
    (void)command_value(&reply->command, "Message", 0, &message);
    int len = message.len < 1024 ? (int)message.len : 1024;
    output_error("%s: %.*s (code %" PRId64 ")%s",
        session->about ? session->about : "the server says", len, (const char *)message.data,
        reply->code, remedy(session, reply->code));
    return CLI_REFUSED;
}

/* ---- Login ---- */

int cli_family_open(struct cli_session *session, const struct cli_options *options, uint8_t preface)
{
    char secret[CLI_PASSWORD_BYTES], md5_text[MD5_HEX_BYTES + 1];
    struct cli_reply reply;
    int status = options->user ? cli_password(options, secret) : CLI_OK;
    if (status == CLI_OK)
        status = cli_session_open(session, options, preface);
    if (status != CLI_OK || !options->user)
        return status;
    const char *about = session->about;
    md5_hex(output_bytes(secret), md5_text);
    session->about = options->user;
    status = cli_ask(
        session, "Login", CLI_VALUES("UserName", options->user, "Password", md5_text), &reply);
    session->about = about;
    return status;
}
