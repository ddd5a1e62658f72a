/* cport-cli against a server that means no good, or is broken: what it says is checked before it is used or shown. Each test
 * plays the server. */
#include "client.h"
#include "e2e.h"

#include <stdio.h>

#define NO_ANSWER "that is no answer of a cport-server"

static cport_os_handle listener = CPORT_OS_HANDLE_INVALID;
static cport_os_handle visitor = CPORT_OS_HANDLE_INVALID;
static struct child *client;
static uint16_t tcp_port;
static char local[64];

static int prepare(void **state)
{
    (void)state;
    snprintf(local, sizeof(local), "e2e-hostile-%s-%p.local", e2e_backend(), (void *)&state);
    (void)remove(local);
    listener = net_listen(&tcp_port);
    return listener == CPORT_OS_HANDLE_INVALID ? -1 : 0;
}

static int clean(void **state)
{
    (void)state;
    char errors[64];
    if (client) {
        child_kill(client);
        (void)child_wait(client, errors, sizeof(errors));
        client = NULL;
    }
    if (visitor != CPORT_OS_HANDLE_INVALID)
        net_close(visitor);
    visitor = CPORT_OS_HANDLE_INVALID;
    net_close(listener);
    (void)remove(local);
    return 0;
}

/* Starts the client, and takes its connection. */
static void visit(uint8_t preface, const char *const *words)
{
    uint8_t byte;
    client = client_start(tcp_port, words);
    visitor = net_accept(listener);
    assert_true(visitor != CPORT_OS_HANDLE_INVALID);
    e2e_recv(visitor, &byte, 1);
    assert_int_equal(byte, preface);
}
#define VISIT(preface, ...) visit(preface, CLIENT_WORDS(__VA_ARGS__))

/* Takes its next command, and answers with a text and data. */
static void answer(const char *text, const void *data, size_t len)
{
    free(e2e_packet_next(visitor));
    e2e_packet_send(visitor, text, data, len);
}

static void leave(struct outcome *outcome, int status)
{
    client_wait(client, outcome);
    client = NULL;
    net_close(visitor);
    visitor = CPORT_OS_HANDLE_INVALID;
    if (outcome->status != status)
        fail_msg("status %d, not %d: %s", outcome->status, status, outcome->errors);
}

static void expect_stranger(const char *why)
{
    struct outcome outcome;
    leave(&outcome, 1);
    if (!strstr(outcome.errors, NO_ANSWER) || !strstr(outcome.errors, why))
        fail_msg("it says %s", outcome.errors);
}

static void lengths_are_not_believed(void **state)
{
    (void)state;
    static const uint32_t heads[][2] = {
        {UINT32_MAX, 5}, {UINT32_MAX - 3, UINT32_MAX}, {0, 0}, {3, 0}, {20, 17}, {40, 30}};
    static const char *const texts[] = {"", "[Response]", "[Response]\r\nCommand=Stats",
        "[Response]\r\nCode=zero", "[Response]\r\nCode=0=0", "[Response]\nCode=0"};
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        uint8_t bytes[48] = {0};
        VISIT(0x08, "stats");
        free(e2e_packet_next(visitor));
        store_u32(bytes, heads[i][0]);
        store_u32(bytes + 4, heads[i][1]);
        e2e_send(visitor, bytes, sizeof(bytes));
        expect_stranger("");
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        VISIT(0x08, "stats");
        answer(texts[i], "", 0);
        expect_stranger("the form");
    }
}

/* It promises much and sends little. */
static void a_promise_takes_no_memory(void **state)
{
    (void)state;
    struct outcome outcome;
    uint8_t head[PACKET_HEAD_BYTES];
    VISIT(0x08, "stats");
    free(e2e_packet_next(visitor));
    store_u32(head, 100u << 20);
    store_u32(head + 4, 50u << 20);
    e2e_send(visitor, head, sizeof(head));
    net_shutdown_send(visitor);
    leave(&outcome, 4);
    assert_non_null(strstr(outcome.errors, "the server closed the connection"));
}

/* Whatever their length: it is the server's matter what is too long. */
static void names_are_sent_whole(void **state)
{
    (void)state;
    enum { LONG = 3000 };
    static const char head[] = "[Request]\r\nCommand=Dir\r\nParentDir=";
    struct outcome outcome;
    char name[LONG + 1];
    memset(name, 'n', LONG);
    name[LONG] = '\0';
    VISIT(0x03, "ls", name);
    char *text = e2e_packet_next(visitor);
    assert_memory_equal(text, head, sizeof(head) - 1);
    assert_string_equal(text + sizeof(head) - 1, name);
    free(text);
    e2e_packet_send(visitor, "[Response]\r\nCommand=Dir\r\nCode=6\r\nMessage=too long", "", 0);
    leave(&outcome, 1);
    assert_non_null(strstr(outcome.errors, "n: too long (code 6)"));
}

static void terminals_are_left_alone(void **state)
{
    (void)state;
    struct outcome outcome;
    VISIT(0x03, "ls");
    answer(
        "[Response]\r\nCommand=Dir\r\nCode=0\r\nItem=../../etc\r\nItem=a\x1B[2Jb\r\nItem=c\xC2\x9B"
        "2Jd\r\nItem=\xFF",
        "", 0);
    answer("[Response]\r\nCommand=FileList\r\nCode=0\r\nItem=e\x01\x1B[2J\r\nItem=f\r\nItem=\x01"
           "99999999999999999999",
        "", 0);
    leave(&outcome, 0);
    assert_string_equal(outcome.output, "                 ../../etc/\n                 a?[2Jb/\n"
                                        "                 c?2Jd/\n                 ?/\n"
                                        "              ?  e\n              ?  f\n"
                                        "99999999999999999999  \n");

    VISIT(0x08, "clients");
    answer("[Response]\r\nCommand=GetClients\r\nCode=0\r\nItem=a\tb\x7F\x1B]0;x\x07\tc", "", 0);
    leave(&outcome, 0);
    assert_string_equal(outcome.output, "a\tb??]0;x?\tc\n");

    VISIT(0x08, "stats", "--json");
    answer("[Response]\r\nCommand=Stats\r\nCode=0\r\na\"b=1\r\nc\x1B=2}\r\nd=007\r\ne", "", 0);
    leave(&outcome, 0);
    assert_string_equal(outcome.output, "{\n  \"a\\\"b\": 1,\n  \"c\\u001b\": null,\n  \"d\": "
                                        "null,\n  \"e\": null\n}\n");

    VISIT(0x08, "stats");
    answer("[Response]\r\nCommand=Stats\r\nCode=5\r\nMessage=\x1B[31mred", "", 0);
    leave(&outcome, 1);
    assert_non_null(strstr(outcome.errors, "?[31mred (code 5)"));

    VISIT(0x09, "log");
    e2e_send(visitor, "one\x1B[2J\r\ntwo\nthree", 18);
    net_shutdown_send(visitor);
    leave(&outcome, 0);
    assert_string_equal(outcome.output, "one?[2J\ntwo\n");
}

static void download_answer(const char *text)
{
    answer("[Response]\r\nCommand=Download\r\nCode=0", "", 0);
    e2e_packet_send(visitor, text, "", 0);
}

static void a_download_brings_what_it_promised(void **state)
{
    (void)state;
    static const char *const sizes[] = {"-5", "zero", "9223372036854775808", ""};
    static const char sends[] = "[Response]\r\nCommand=SendFile\r\nCode=0\r\nFileSize=";
    static const char data[] = "[Response]\r\nCommand=Data\r\nCode=0";
    struct outcome outcome;
    char text[128];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        snprintf(text, sizeof(text), "%s%s", sends, sizes[i]);
        VISIT(0x03, "download", "file", local);
        download_answer(text);
        expect_stranger("how long the file is");
        assert_null(fopen(local, "rb"));
    }
    snprintf(text, sizeof(text), "%s10", sends);
    for (size_t len = 0; len <= 11; len += 11) { /* nothing, and too much */
        VISIT(0x03, "download", "file", local);
        download_answer(text);
        e2e_packet_send(visitor, data, "eleven byte", len);
        expect_stranger("no piece of the file");
    }
    VISIT(0x03, "download", "file", local);
    download_answer(text);
    e2e_packet_send(visitor, "[Response]\r\nCommand=Active\r\nCode=0", "five!", 5);
    expect_stranger("no piece of the file");

    VISIT(0x03, "download", "file", local);
    download_answer(text);
    e2e_packet_send(visitor, data, "five!", 5);
    e2e_packet_send(visitor, "[Response]\r\nCommand=Data\r\nCode=4\r\nMessage=disk", "", 0);
    leave(&outcome, 1);
    assert_non_null(strstr(outcome.errors, "disk (code 4)"));
    assert_non_null(strstr(outcome.errors, "5 of 10 bytes"));

    /* An absurd size, from where five bytes are. */
    snprintf(text, sizeof(text), "%s9223372036854775807", sends);
    VISIT(0x03, "download", "file", local);
    download_answer(text);
    expect_stranger("how long the file is");
    snprintf(text, sizeof(text), "%s9223372036854775802", sends);
    VISIT(0x03, "download", "file", local);
    download_answer(text);
    e2e_packet_send(visitor, data, "!", 1);
    net_shutdown_send(visitor);
    leave(&outcome, 4);
    assert_non_null(strstr(outcome.errors, "6 of 9223372036854775807 bytes"));
}

static void an_upload_is_told_why_it_ends(void **state)
{
    (void)state;
    enum { SIZE = 20000000 };
    struct outcome outcome;
    FILE *file = fopen(local, "wb");
    assert_non_null(file);
    assert_int_equal(fseek(file, SIZE - 1, SEEK_SET), 0);
    assert_int_equal(fputc('x', file), 'x');
    assert_int_equal(fclose(file), 0);

    VISIT(0x02, "upload", local, "file");
    answer("[Response]\r\nCommand=Upload\r\nCode=0\r\nFileSize=-1", "", 0);
    expect_stranger("where to go on");

    /* The reason comes while the client still sends. */
    VISIT(0x02, "upload", local, "file");
    answer("[Response]\r\nCommand=Upload\r\nCode=0\r\nFileSize=0", "", 0);
    free(e2e_packet_next(visitor));
    e2e_packet_send(visitor, "[Response]\r\nCommand=Data\r\nCode=5\r\nMessage=disk full", "", 0);
    net_shutdown_send(visitor);
    uint8_t *bytes = malloc(65536);
    assert_non_null(bytes);
    while (net_recv(visitor, bytes, 65536) > 0)
        continue;
    free(bytes);
    leave(&outcome, 1);
    assert_non_null(strstr(outcome.errors, "file: disk full (code 5)"));
    assert_non_null(strstr(outcome.errors, "of 20000000 bytes"));
}

static void messages_are_checked(void **state)
{
    (void)state;
    struct outcome outcome;
    uint8_t head[MESSAGE_HEAD_BYTES];
    VISIT(0x10, "echo", "hello");
    free((void *)(uintptr_t)e2e_message_next(visitor).payload.data);
    memset(head, 0xFF, sizeof(head));
    e2e_send(visitor, head, sizeof(head));
    expect_stranger("longer than any");

    VISIT(0x10, "echo", "hello");
    free((void *)(uintptr_t)e2e_message_next(visitor).payload.data);
    e2e_message_send(visitor, MESSAGE_REPLY, 0, STATUS_OK, VERB_ECHO, "h\x1Bllo", 5);
    expect_stranger("not what was sent");

    /* Pushes of others may come first, and are nobody's answer. */
    VISIT(0x10, "echo", "hello");
    free((void *)(uintptr_t)e2e_message_next(visitor).payload.data);
    e2e_message_send(visitor, MESSAGE_PUSH, 0, 0, 1, "\x04@anntext", 9);
    e2e_message_send(visitor, MESSAGE_REPLY, 0, STATUS_OK, VERB_ECHO, "hello", 5);
    leave(&outcome, 0);
    assert_string_equal(outcome.output, "hello\n");
}

/* Only pushes of the topic are shown; a silence is broken by a ping, and a second one is the end. */
static void silence_is_asked_for_a_sign_of_life(void **state)
{
    (void)state;
    struct outcome outcome;
    struct message message;
    VISIT(0x10, "subscribe", "news", "--timeout", "1");
    free((void *)(uintptr_t)e2e_message_next(visitor).payload.data);
    e2e_message_send(visitor, MESSAGE_REPLY, 0, STATUS_OK, VERB_SUBSCRIBE, "", 0);
    e2e_message_send(visitor, MESSAGE_PUSH, 0, 0, 1, "\x04@anntext", 9);
    e2e_message_send(visitor, MESSAGE_PUSH, 0, 0, 2, "\xFFnews", 5);
    e2e_message_send(visitor, MESSAGE_PUSH, 0, 0, 3, "", 0);
    e2e_message_send(visitor, MESSAGE_PUSH, 0, 0, 7, "\x04newst\x1B!", 8);
    message = e2e_message_next(visitor);
    assert_int_equal(message.type, MESSAGE_PING);
    free((void *)(uintptr_t)message.payload.data);
    leave(&outcome, 4);
    assert_string_equal(outcome.output, "subscribed\n7 t?!\n");
    assert_non_null(strstr(outcome.errors, "news: the server has been silent for 1 s"));
}

int main(int argc, char **argv)
{
    if (!getenv("CPORT_CLI")) {
        fputs("CPORT_CLI must hold the path of cport-cli\n", stderr);
        return 2;
    }
#define HOSTILE_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, clean)
    const struct CMUnitTest tests[] = {
        HOSTILE_TEST(lengths_are_not_believed),
        HOSTILE_TEST(a_promise_takes_no_memory),
        HOSTILE_TEST(names_are_sent_whole),
        HOSTILE_TEST(terminals_are_left_alone),
        HOSTILE_TEST(a_download_brings_what_it_promised),
        HOSTILE_TEST(an_upload_is_told_why_it_ends),
        HOSTILE_TEST(messages_are_checked),
        HOSTILE_TEST(silence_is_asked_for_a_sign_of_life),
    };
    return e2e_run("e2e_client_hostile", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
