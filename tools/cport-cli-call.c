/* One question, one answer, over the Message protocol. */
#include "cport-cli-message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND           INT64_C(1000000000)
#define ANSWER_BYTES_MAX ((size_t)64 << 20) /* of any server's max-frame */

struct call {
    cport_port *port;
    cport_handle *handle;
    cport_op op;
    cport_op timer;
    cport_op close_op;
    uint8_t *
        memory; /* of the question, then of the answer; the engine may use it until the handle has closed */
};

/* Waits for the op just started, if it was. Returns its result, or an error: CPORT_ETIMEDOUT at the deadline. */
static int64_t call_await(struct call *call, int started)
{
    if (started < 0)
        return started;
    for (;;) {
        cport_event event;
        int count = cport_wait(call->port, &event, 1, -1);
        if (count < 0)
            return count;
        if (count == 1 && event.op == &call->op)
            return event.result;
        if (count == 1 && event.op == &call->timer)
            return CPORT_ETIMEDOUT;
    }
}

static int lost(int64_t result)
{
    fprintf(stderr, "cport-cli: %s\n",
        result == 0 ? "the server closed the connection" : cport_strerror((int)result));
    return CLI_NO_ANSWER;
}

static int call_connect(struct call *call, const struct cli_options *options)
{
    struct cli_address address;
    int status = cli_address_of(options, &address);
    if (status == CLI_OK)
        status = cli_port_open(&call->port);
    if (status != CLI_OK)
        return status;

    cport_os_handle fd;
    cport_socket_options no_delay = {.size = sizeof(no_delay), .flags = CPORT_SOCKET_NODELAY};
    int64_t result = cport_socket_tcp(address.storage.ss_family, &no_delay, &fd);
    if (result == 0) {
        result = cport_attach(call->port, fd, 0, 0, &call->handle);
        if (result < 0)
            (void)cport_socket_close(fd);
    }
    if (result == 0)
        result = cport_timer(
            call->port, &call->timer, cport_now_ns(call->port) + options->timeout_s * SECOND, 0);
    if (result == 0)
        result = call_await(call, cport_connect(call->handle, &call->op,
                                      (struct sockaddr *)&address.storage, address.len, 0));
    if (result == 0)
        return CLI_OK;
    fprintf(stderr, "cport-cli: cannot connect to %s port %lld: %s\n", options->host,
        (long long)options->tcp_port, cport_strerror((int)result));
    if (result == CPORT_ECONNREFUSED)
        fputs("cport-cli: no server there; start one with cport-server, or name it with --host and "
              "--port\n",
            stderr);
    return CLI_NO_SERVER;
}

/* Closes what was opened, and drops what is still under way. */
static void call_end(struct call *call)
{
    if (!call->port)
        return; /* and nothing else was */
    if (call->handle && cport_close(call->handle, &call->close_op, 0) == 0) {
        cport_event event = {0};
        while (event.op != &call->close_op && cport_wait(call->port, &event, 1, -1) >= 0)
            continue;
    }
    (void)cport_port_close(call->port);
    free(call->memory);
}

/* Receives one frame; the answer points into call->memory. */
static int call_receive(struct call *call, struct message *ret_answer)
{
    for (size_t have = 0, need = MESSAGE_HEAD_BYTES;;) {
        uint8_t *memory = realloc(call->memory, need);
        if (!memory)
            return lost(CPORT_ENOMEM);
        call->memory = memory;
        int64_t result = call_await(
            call, cport_recv(call->handle, &call->op, memory + have, need - have, CPORT_RECV_ALL));
        if (result <= 0)
            return lost(result);
        have += (size_t)result;
        switch (message_parse((struct bytes){memory, have}, ANSWER_BYTES_MAX, ret_answer, &need)) {
        case FRAME_OK:
            return CLI_OK;
        case FRAME_PARTIAL:
            break;
        case FRAME_TOO_LONG:
        case FRAME_MALFORMED:
            fputs("cport-cli: that is no answer of a cport-server\n", stderr);
            return CLI_REFUSED;
        }
    }
}

/* Sends the preface and one frame, and receives one. */
static int call_exchange(
    struct call *call, const struct message *question, struct message *ret_answer)
{
    size_t len = 1 + MESSAGE_HEAD_BYTES + question->payload.len;
    call->memory = malloc(len);
    if (!call->memory)
        return lost(CPORT_ENOMEM);
    call->memory[0] = 0x10;
    message_head_store(call->memory + 1, question, question->payload.len);
    memcpy(call->memory + 1 + MESSAGE_HEAD_BYTES, question->payload.data, question->payload.len);
    int64_t result = call_await(call, cport_send(call->handle, &call->op, call->memory, len, 0));
    return result < 0 ? lost(result) : call_receive(call, ret_answer);
}

static int check_answer(const struct message *answer, uint8_t type, uint32_t id)
{
    if (answer->type == type && answer->id == id &&
        (type == MESSAGE_PONG || answer->code == STATUS_OK))
        return CLI_OK;
    if (answer->type == MESSAGE_REPLY || answer->type == MESSAGE_GOAWAY)
        return cli_message_refused(answer);
    fprintf(stderr, "cport-cli: an answer of type %u, which was not asked for\n", answer->type);
    return CLI_REFUSED;
}

int cli_echo(const struct cli_options *options, const char *text)
{
    struct call call = {0};
    struct message answer, question = {.type = MESSAGE_REQUEST,
                               .code = VERB_ECHO,
                               .id = 1,
                               .payload = {(const uint8_t *)text, strlen(text)}};
    int status = call_connect(&call, options);
    if (status == CLI_OK)
        status = call_exchange(&call, &question, &answer);
    if (status == CLI_OK)
        status = check_answer(&answer, MESSAGE_REPLY, question.id);
    if (status == CLI_OK) {
        fwrite(answer.payload.data, 1, answer.payload.len, stdout);
        putchar('\n');
    }
    call_end(&call);
    return status;
}

int cli_ping(const struct cli_options *options)
{
    struct call call = {0};
    struct message answer, question = {.type = MESSAGE_PING, .id = 1};
    question.payload = (struct bytes){(const uint8_t *)"ping", 4};
    int64_t before = 0;
    int status = call_connect(&call, options);
    if (status == CLI_OK) {
        before = cport_now_ns(call.port);
        status = call_exchange(&call, &question, &answer);
    }
    if (status == CLI_OK)
        status = check_answer(&answer, MESSAGE_PONG, question.id);
    if (status == CLI_OK)
        printf("pong from %s port %lld in %lld us\n", options->host, (long long)options->tcp_port,
            (long long)((cport_now_ns(call.port) - before) / 1000));
    call_end(&call);
    return status;
}
