#include "cport-cli-session.h"

#include "cport-cli-output.h"

#include <cport/dial.h>

#include <stdlib.h>

#define SECOND       INT64_C(1000000000)
#define MEMORY_LEAST ((size_t)64 << 10)

int cli_no_memory(void)
{
    output_error("no memory");
    return CLI_NO_ANSWER;
}

int cli_stranger(const struct cli_session *session, const char *why)
{
    output_error("%s port %lld: that is no answer of a cport-server: %s", session->options->host,
        (long long)session->options->tcp_port, why);
    return CLI_REFUSED;
}

/* Why a server may end a connection before it has said anything. */
static const char *silence_hint(const struct cli_session *session)
{
    if (session->answered)
        return "";
    return session->preface >= 0x02 && session->preface <= 0x04
               ? " without an answer: does it serve files (cport-server --root FOLDER)?"
               : " without an answer: is it a cport-server, and has it room for one more?";
}

int cli_lost(const struct cli_session *session, int64_t result)
{
    bool named = session->about != NULL;
    const char *about = named ? session->about : "", *colon = named ? ": " : "";
    if (result == CPORT_ETIMEDOUT)
        output_error("%s%sthe server has been silent for %lld s (--timeout)", about, colon,
            (long long)session->options->timeout_s);
    else if (result == 0 || result == CPORT_ECONNRESET || result == CPORT_EPIPE)
        output_error("%s%sthe server closed the connection%s", about, colon, silence_hint(session));
    else
        output_error("%s%s%s", about, colon, cport_strerror((int)result));
    return CLI_NO_ANSWER;
}

/* ---- Events ---- */

static void received(struct cli_session *session, int64_t result)
{
    session->receiving = false;
    session->recv_result = result;
    if (result <= 0)
        return;
    session->end += (size_t)result;
    session->answered = session->alive = true;
}

/* The next event. Returns 0, or why none comes. */
static int step(struct cli_session *session, int64_t timeout_ns)
{
    cport_event event;
    cport_handle *late;
    int count = cport_wait(session->port, &event, 1, timeout_ns);
    if (count <= 0)
        return count == 0 ? CPORT_ETIMEDOUT : count;
    if (event.op == &session->send_op) {
        session->sending = false;
        session->send_result = event.result;
    } else if (event.op == &session->recv_op) {
        received(session, event.result);
    } else if (event.op == &session->close_op) {
        session->handle = NULL;
    } else if (event.op && event.op->user == &session->dial_tag) {
        (void)cport_dial_event(&event, &late);
    } else {
        session->told = true;
    }
    return 0;
}

static int64_t timeout_of(const struct cli_session *session)
{
    return session->options->timeout_s * SECOND;
}

/* What a silence means to who waits for ever: time for a sign of life, or the end if the last one brought none. */
static int wait_on(struct cli_session *session)
{
    if (!session->patient || !session->alive || session->sending)
        return CPORT_ETIMEDOUT;
    session->alive = false;
    int error = cport_send(
        session->handle, &session->send_op, session->heartbeat.data, session->heartbeat.len, 0);
    session->sending = error == 0;
    return error;
}

/* step, for as long as this session waits. */
static int await(struct cli_session *session)
{
    bool for_ever = session->patient && session->heartbeat.len == 0;
    int error = step(session, for_ever ? -1 : timeout_of(session));
    return error == CPORT_ETIMEDOUT ? wait_on(session) : error;
}

/* ---- From open to close ---- */

/* To the first address of the host that answers. */
static int connect_to(struct cli_session *session, const struct cli_options *options)
{
    cport_socket_options no_delay = {.size = sizeof(no_delay), .flags = CPORT_SOCKET_NODELAY};
    cport_dial_options dial = {.size = sizeof(dial),
        .user = &session->dial_tag,
        .timeout_ns = options->timeout_s * SECOND,
        .socket = &no_delay};
    int result =
        cport_dial_name(session->port, options->host, (uint16_t)options->tcp_port, &dial, NULL);
    while (result == 0) {
        cport_event event;
        result = cport_wait(session->port, &event, 1, -1);
        if (result > 0)
            result = cport_dial_event(&event, &session->handle);
    }
    return result == CPORT_DIAL_CONNECTED ? 0 : result;
}

static int not_connected(const struct cli_options *options, int error)
{
    const char *what = error == CPORT_ECONNREFUSED
                           ? "no server there; start one with cport-server, or name it with --host "
                             "and --port"
                       : error == CPORT_ENOENT ? "no host has that name"
                       : error == CPORT_EINVAL ? "that is no name of a host"
                                               : cport_strerror(error);
    output_error(
        "cannot connect to %s port %lld: %s", options->host, (long long)options->tcp_port, what);
    return error == CPORT_EINVAL ? CLI_USAGE : CLI_NO_SERVER;
}

int cli_session_open(
    struct cli_session *session, const struct cli_options *options, uint8_t preface)
{
    cport_port_options single = {.size = sizeof(single), .flags = CPORT_PORT_SINGLE};
    *session = (struct cli_session){.options = options,
        .about = session->about,
        .preface = preface,
        .alive = true,
        .recv_result = 1};
    int error = cport_port_open(&single, &session->port);
    if (error < 0) {
        output_error("cannot open a port: %s", cport_strerror(error));
        return CLI_NO_SERVER;
    }
    error = connect_to(session, options);
    return error < 0 ? not_connected(options, error) : cli_send(session, &preface, 1);
}

/* Whatever is under way comes to its end: the memory that it works on is ours again. */
static void hang_up(struct cli_session *session, uint32_t flags)
{
    if (!session->handle || cport_close(session->handle, &session->close_op, flags) < 0)
        return;
    while (session->handle && step(session, -1) == 0)
        continue;
    session->sending = session->receiving = false;
}

void cli_session_close(struct cli_session *session)
{
    if (!session->port)
        return;
    hang_up(session, 0);
    /* A dial may still have an end to tell, and sockets to close. */
    while (step(session, 0) == 0)
        continue;
    while (cport_port_close(session->port) == CPORT_EBUSY && step(session, -1) == 0)
        continue;
    free(session->received);
    *session = (struct cli_session){0};
}

/* ---- Sending ---- */

int64_t cli_send_quietly(struct cli_session *session, const void *data, size_t len)
{
    if (!session->handle)
        return CPORT_ENOTCONN;
    if (len == 0)
        return 0;
    int64_t result = cport_send(session->handle, &session->send_op, data, len, 0);
    session->sending = result == 0;
    while (session->sending && result == 0)
        result = await(session);
    if (result == 0)
        return session->send_result < 0 ? session->send_result : 0;
    if (session->sending)
        hang_up(session, CPORT_ABORT); /* the caller's memory */
    return result;
}

int cli_send(struct cli_session *session, const void *data, size_t len)
{
    int64_t result = cli_send_quietly(session, data, len);
    return result < 0 ? cli_lost(session, result) : CLI_OK;
}

/* ---- Receiving ---- */

struct bytes cli_have(const struct cli_session *session)
{
    return (struct bytes){session->received + session->start, session->end - session->start};
}

void cli_take(struct cli_session *session, size_t len)
{
    session->start += len;
    if (session->start == session->end && !session->receiving)
        session->start = session->end = 0;
}

/* Room for what is missing of len bytes, but no more than twice of what has come. Nothing is being received. */
static bool make_room(struct cli_session *session, size_t len)
{
    struct bytes have = cli_have(session);
    size_t wanted = len < 2 * have.len ? len : 2 * have.len;
    if (wanted < MEMORY_LEAST)
        wanted = MEMORY_LEAST;
    if (session->capacity - session->start >= wanted)
        return true;
    if (session->capacity < wanted) {
        uint8_t *memory = malloc(wanted);
        if (!memory)
            return false;
        if (have.len > 0)
            memcpy(memory, have.data, have.len);
        free(session->received);
        session->received = memory;
        session->capacity = wanted;
    } else if (have.len > 0) {
        memmove(session->received, have.data, have.len);
    }
    session->start = 0;
    session->end = have.len;
    return true;
}

/* More, towards len bytes in all. */
static int receive(struct cli_session *session, size_t len)
{
    if (!session->handle)
        return CPORT_ENOTCONN;
    if (!make_room(session, len))
        return CPORT_ENOMEM;
    int error = cport_recv(session->handle, &session->recv_op, session->received + session->end,
        session->capacity - session->end, 0);
    session->receiving = error == 0;
    return error;
}

int cli_listen(struct cli_session *session)
{
    int error = session->receiving ? 0 : receive(session, cli_have(session).len + 1);
    return error < 0 ? cli_lost(session, error) : CLI_OK;
}

bool cli_heard(struct cli_session *session)
{
    while (session->receiving && step(session, 0) == 0)
        continue;
    return !session->receiving;
}

/* Waits for the next bytes. Returns > 0, or what ended the connection: 0, or an error. */
static int64_t hear(struct cli_session *session, size_t len)
{
    if (!session->receiving && session->recv_result <= 0)
        return session->recv_result;
    int64_t error = session->receiving ? 0 : receive(session, len);
    while (error == 0 && session->receiving && !session->told)
        error = await(session);
    return error < 0 ? error : session->recv_result;
}

int cli_need(struct cli_session *session, size_t len)
{
    while (session->end - session->start < len) {
        int64_t result = hear(session, len);
        if (session->told || (result == 0 && session->patient))
            return CLI_NO_ANSWER; /* whoever posted, or waits for ever, knows why */
        if (result <= 0)
            return cli_lost(session, result);
    }
    return CLI_OK;
}

bool cli_ended(const struct cli_session *session)
{
    return session->told || session->recv_result == 0;
}

void cli_pause(struct cli_session *session, int64_t ns)
{
    int64_t end = cport_now_ns(session->port) + ns;
    while (ns > 0 && step(session, ns) == 0)
        ns = end - cport_now_ns(session->port);
}
