#include "cport-cli-session.h"

#include "md5.h"
#include "os.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND             INT64_C(1000000000)
#define PACKET_LEN_LARGEST ((size_t)128 << 20) /* a list of very many files */

int cli_lost(int64_t result)
{
    fprintf(stderr, "cport-cli: %s\n",
        result == 0 ? "the server closed the connection" : cport_strerror((int)result));
    return CLI_NO_ANSWER;
}

/* The result of the op just started, or an error. */
static int64_t await(struct cli_session *session, int started)
{
    int64_t patience = session->patient ? -1 : session->options->timeout_s * SECOND;
    cport_event event;
    if (started < 0)
        return started;
    for (;;) {
        int count = cport_wait(session->port, &event, 1, patience);
        if (count <= 0)
            return count == 0 ? CPORT_ETIMEDOUT : count;
        if (event.op == &session->op)
            return event.result;
        if (session->patient)
            return CPORT_ETIMEDOUT; /* posted, for this to end */
    }
}

int cli_session_open(
    struct cli_session *session, const struct cli_options *options, uint8_t preface)
{
    struct cli_address address;
    *session = (struct cli_session){.options = options};
    int status = cli_address_of(options, &address);
    if (status == CLI_OK)
        status = cli_port_open(&session->port);
    if (status != CLI_OK)
        return status;

    cport_os_handle fd;
    cport_socket_options no_delay = {.size = sizeof(no_delay), .flags = CPORT_SOCKET_NODELAY};
    int64_t result = cport_socket_tcp(address.storage.ss_family, &no_delay, &fd);
    if (result == 0) {
        result = cport_attach(session->port, fd, 0, 0, &session->handle);
        if (result < 0)
            (void)cport_socket_close(fd);
    }
    if (result == 0)
        result = await(session, cport_connect(session->handle, &session->op,
                                    (struct sockaddr *)&address.storage, address.len, 0));
    if (result == 0)
        return cli_send(session, &preface, 1);
    fprintf(stderr, "cport-cli: cannot connect to %s port %lld: %s\n", options->host,
        (long long)options->tcp_port, cport_strerror((int)result));
    return CLI_NO_SERVER;
}

void cli_session_close(struct cli_session *session)
{
    if (!session->port)
        return;
    if (session->handle && cport_close(session->handle, &session->close_op, 0) == 0) {
        cport_event event = {0};
        while (event.op != &session->close_op && cport_wait(session->port, &event, 1, -1) >= 0)
            continue;
    }
    (void)cport_port_close(session->port);
    free(session->received);
    *session = (struct cli_session){0};
}

int cli_send(struct cli_session *session, const void *data, size_t len)
{
    if (len == 0)
        return CLI_OK;
    int64_t result = await(session, cport_send(session->handle, &session->op, data, len, 0));
    return result < 0 ? cli_lost(result) : CLI_OK;
}

struct bytes cli_have(const struct cli_session *session)
{
    return (struct bytes){session->received + session->start, session->end - session->start};
}

void cli_take(struct cli_session *session, size_t len)
{
    session->start += len;
    if (session->start == session->end)
        session->start = session->end = 0;
}

int cli_need(struct cli_session *session, size_t len)
{
    if (session->capacity - session->start < len || session->capacity == 0) {
        size_t have = session->end - session->start;
        size_t capacity = len < 65536 ? 65536 : len;
        uint8_t *memory = malloc(capacity);
        if (!memory)
            return cli_lost(CPORT_ENOMEM);
        if (have > 0)
            memcpy(memory, session->received + session->start, have);
        free(session->received);
        session->received = memory;
        session->capacity = capacity;
        session->start = 0;
        session->end = have;
    }
    while (session->end - session->start < len) {
        int64_t result = await(
            session, cport_recv(session->handle, &session->op, session->received + session->end,
                         session->capacity - session->end, 0));
        /* Who waits for ever is told of a time-out by nobody but who posts to the port, and knows why. */
        session->ended = result == 0 || (session->patient && result == CPORT_ETIMEDOUT);
        if (result <= 0)
            return session->patient && session->ended ? CLI_NO_ANSWER : cli_lost(result);
        session->end += (size_t)result;
    }
    return CLI_OK;
}

/* ---- The command family ---- */

int cli_packet_send(struct cli_session *session, const char *text, const void *data, size_t len)
{
    static const char title[] = "[Request]\r\n";
    size_t text_len = sizeof(title) - 1 + strlen(text);
    uint8_t *packet = malloc(PACKET_HEAD_BYTES + text_len + len);
    if (!packet)
        return cli_lost(CPORT_ENOMEM);
    packet_head_store(packet, text_len, len);
    memcpy(packet + PACKET_HEAD_BYTES, title, sizeof(title) - 1);
    memcpy(packet + PACKET_HEAD_BYTES + sizeof(title) - 1, text, strlen(text));
    if (len > 0)
        memcpy(packet + PACKET_HEAD_BYTES + text_len, data, len);
    int status = cli_send(session, packet, PACKET_HEAD_BYTES + text_len + len);
    free(packet);
    return status;
}

int cli_packet_receive(struct cli_session *session, struct cli_reply *ret_reply)
{
    int status = cli_need(session, PACKET_HEAD_BYTES);
    if (status != CLI_OK)
        return status;
    /* What the server sends may be longer than what it takes: the lengths are read here. */
    size_t packet_len = load_u32(cli_have(session).data);
    size_t text_len = load_u32(cli_have(session).data + 4);
    bool sound = packet_len >= 4 && packet_len <= PACKET_LEN_LARGEST && text_len <= packet_len - 4;
    if (sound)
        status = cli_need(session, 4 + packet_len);
    if (status != CLI_OK)
        return status;
    const uint8_t *text = cli_have(session).data + PACKET_HEAD_BYTES;
    if (!sound || !command_parse((struct bytes){text, text_len}, &ret_reply->command) ||
        !command_i64(&ret_reply->command, "Code", &ret_reply->code)) {
        fputs("cport-cli: that is no answer of a cport-server\n", stderr);
        return CLI_REFUSED;
    }
    ret_reply->data = (struct bytes){text + text_len, packet_len - 4 - text_len};
    cli_take(session, 4 + packet_len); /* the memory stays until the next receive */
    return CLI_OK;
}

int cli_refused(const struct cli_reply *reply)
{
    struct bytes message = {(const uint8_t *)"no message", 10};
    (void)command_value(&reply->command, "Message", 0, &message);
    fprintf(stderr, "cport-cli: the server says: %.*s (code %" PRId64 ")\n", (int)message.len,
        (const char *)message.data, reply->code);
    return CLI_REFUSED;
}

int cli_ask(struct cli_session *session, const char *text, const void *data, size_t len,
    struct cli_reply *ret_reply)
{
    int status = cli_packet_send(session, text, data, len);
    if (status == CLI_OK)
        status = cli_packet_receive(session, ret_reply);
    return status == CLI_OK && ret_reply->code != 0 ? cli_refused(ret_reply) : status;
}

static int password_from_file(const char *name, char text[CLI_PASSWORD_BYTES])
{
    FILE *file = fopen(name, "r");
    bool read = file && fgets(text, (int)CLI_PASSWORD_BYTES, file);
    if (file)
        (void)fclose(file);
    if (!read) {
        fprintf(stderr, "cport-cli: there is no password in %s\n", name);
        return CLI_USAGE;
    }
    text[strcspn(text, "\r\n")] = '\0';
    return CLI_OK;
}

int cli_password(const struct cli_options *options, char text[CLI_PASSWORD_BYTES])
{
    const char *given = getenv("CPORT_PASSWORD");
    if (options->password_file)
        return password_from_file(options->password_file, text);
    if (given && strlen(given) < CLI_PASSWORD_BYTES) {
        memcpy(text, given, strlen(given) + 1);
        return CLI_OK;
    }
    /* Typed once, for a second session too. */
    static char typed[CLI_PASSWORD_BYTES];
    if (!given && (typed[0] != '\0' || sys_secret_read("Password: ", typed, sizeof(typed)))) {
        memcpy(text, typed, sizeof(typed));
        return CLI_OK;
    }
    fputs(
        "cport-cli: no password: set CPORT_PASSWORD, name a --password-file, or type it\n", stderr);
    return CLI_USAGE;
}

int cli_session_login(
    struct cli_session *session, const struct cli_options *options, uint8_t preface)
{
    char secret[CLI_PASSWORD_BYTES], md5_text[MD5_HEX_BYTES + 1], text[512];
    struct cli_reply reply;
    *session = (struct cli_session){0};
    int status = options->user ? cli_password(options, secret) : CLI_OK;
    if (status == CLI_OK)
        status = cli_session_open(session, options, preface);
    if (status != CLI_OK || !options->user)
        return status;
    md5_hex((struct bytes){(const uint8_t *)secret, strlen(secret)}, md5_text);
    snprintf(text, sizeof(text), "Command=Login\r\nUserName=%.64s\r\nPassword=%s", options->user,
        md5_text);
    return cli_ask(session, text, NULL, 0, &reply);
}
