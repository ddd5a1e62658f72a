/* A room to talk in: a topic, each push a line that says who. Lines of standard input go out over a session of their own, because
 * one thread waits for them and another for what comes. */
#include "cport-cli-message.h"
#include "cport-cli-output.h"
#include "os.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 2048

struct speaker {
    struct cli_session session; /* the thread's, which opens and closes it: a port belongs to one */
    const struct cli_options *options;
    const char *room;
    cport_port *listener; /* waits for pushes; told when all is said */
    cport_op end_op;
    int status;        /* of what was said; read when ended */
    atomic_bool ended; /* release: pairs with the acquire in chat */
};

static int speaker_open(struct speaker *speaker)
{
    speaker->session = (struct cli_session){.about = speaker->room};
    int status = cli_message_open(&speaker->session, speaker->options);
    return status == CLI_OK ? cli_listen(&speaker->session) : status;
}

static int line_say(struct speaker *speaker, const char *line)
{
    char text[LINE_BYTES + 300];
    uint32_t receivers;
    int len = snprintf(text, sizeof(text), "%.256s: %s",
        speaker->options->user ? speaker->options->user : "guest", line);
    struct bytes data = {(const uint8_t *)text, (size_t)len};
    int status = CLI_OK;
    if (cli_heard(&speaker->session)) {
        /* Who says nothing for long is taken for gone by the server: once more, over a new connection. */
        cli_session_close(&speaker->session);
        status = speaker_open(speaker);
    }
    if (status == CLI_OK)
        status = cli_topic_publish(&speaker->session, speaker->room, data, &receivers);
    return status == CLI_OK ? cli_listen(&speaker->session) : status;
}

static void speak(void *arg)
{
    struct speaker *speaker = arg;
    char line[LINE_BYTES];
    speaker->status = speaker_open(speaker);
    while (speaker->status == CLI_OK && fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != '\0')
            speaker->status = line_say(speaker, line);
    }
    cli_session_close(&speaker->session);
    atomic_store_explicit(&speaker->ended, true, memory_order_release);
    (void)cport_post(speaker->listener, &speaker->end_op, 0, 0);
}

static bool push_show(void *ctx, uint32_t number, struct bytes data)
{
    const struct speaker *speaker = ctx;
    if (speaker->options->json) {
        cli_push_json(number, data);
    } else {
        output_text(stdout, data);
        putchar('\n');
    }
    return true;
}

/* Until the input ends or the server does. */
static int chat(struct speaker *speaker, struct cli_session *listener)
{
    struct sys_thread *thread;
    if (!sys_thread_start(speak, speaker, &thread))
        return cli_no_memory();
    int status = cli_topic_follow(listener, speaker->room, push_show, speaker);
    if (!atomic_load_explicit(&speaker->ended, memory_order_acquire)) {
        /* The thread waits for a line, which nothing ends: it goes with the process. */
        if (status == CLI_OK)
            output_error("%s: the server ended the chat", speaker->room);
        (void)fflush(stdout);
        _Exit(status == CLI_OK ? CLI_NO_ANSWER : status);
    }
    sys_thread_join(thread);
    return speaker->status;
}

int cli_chat(const struct cli_options *options, const char *room)
{
    struct cli_session listener = {.about = room};
    struct speaker speaker = {.options = options, .room = room};
    int status = cli_message_open(&listener, options);
    if (status == CLI_OK)
        status = cli_topic_subscribe(&listener, room);
    speaker.listener = listener.port;
    if (status == CLI_OK)
        status = chat(&speaker, &listener);
    cli_session_close(&listener);
    return status;
}
