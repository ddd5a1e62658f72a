#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What came out of a run of bytes: "reply(body) push(body) ". */
struct told {
    char text[512];
    char body[256];
};

static int told_body(void *context, const unsigned char *data, size_t bytes)
{
    struct told *told = context;
    strncat(told->body, (const char *)data, bytes);
    return 0;
}

static int told_item(void *context, enum wire_kind kind)
{
    static const char *const names[] = {
        [WIRE_REPLY] = "reply", [WIRE_PUSH] = "push", [WIRE_PING] = "ping", [WIRE_NOTE] = "note"};
    struct told *told = context;
    size_t used = strlen(told->text);
    snprintf(told->text + used, sizeof told->text - used, "%s(%s) ", names[kind], told->body);
    told->body[0] = '\0';
    return 0;
}

struct recording {
    wire_parse *parse;
    const char *data;
    size_t bytes;
    const char *told;
};

#define RECORDED(parse, data, told)                                                                \
    {                                                                                              \
        parse, data, sizeof(data) - 1, told                                                        \
    }

/* A session of each, as the servers speak: what goes before the bodies, bodies that look like heads, and what comes after. */
static const struct recording recordings[] = {
    RECORDED(wire_message,
        "\x08\0\0\0\x02\0\0\0\x01\0\0\0"
        "\x10\0\0\0\x03\0\0\0\x07\0\0\0\x04"
        "newsabc"
        "\x0a\0\0\0\x02\0\0\0\x02\0\0\0+1"
        "\x08\0\0\0\x04\0\0\0\0\0\0\0\x08\0\0\0\x05\0\0\0\0\0\0\0",
        "reply() push(abc) reply(+1) ping() note() "),
    RECORDED(wire_command,
        "\x2b\0\0\0\x24\0\0\0[Response]\r\nCommand=Data\r\n\r\nCode=0\r\nabc"
        "\x2b\0\0\0\x27\0\0\0[Response]\r\nCommand=CyclePacket\r\nCode=0",
        "reply(abc) reply() "),
    RECORDED(wire_redis,
        "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\n"
        "$1\r\na\r\n:1000\r\n+PONG\r\n$3\r\nabc\r\n$0\r\n\r\n",
        "reply() push($1\r\na) reply() reply() reply(abc) reply() "),
    RECORDED(wire_nats,
        "INFO {\"server_id\":\"N\",\"version\":\"2\"} \r\nPONG\r\nMSG news 1 "
        "5\r\nPING\n\r\nPING\r\n+OK\r\n"
        "MSG news 12 0\r\n\r\n",
        "note() reply() push(PING\n) ping() note() push() "),
    RECORDED(wire_mqtt, "\x20\x02\0\0\x90\x03\0\x01\0\x30\x09\0\x04newsabc\x30\x86\0\0\x04news",
        "note() reply() push(abc) push() "),
    RECORDED(wire_http,
        "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 4\r\nConnection: "
        "keep-alive\r\n\r\n\r\n\r\n"
        "HTTP/1.1 201 Created\r\ncontent-length:0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        "reply(\r\n\r\n) reply() reply() "),
};

/* The same in one run, and cut in two at every place, and byte by byte. */
static void languages_are_read_however_they_are_cut(void **state)
{
    static struct splitter s;
    (void)state;
    for (size_t i = 0; i < sizeof recordings / sizeof *recordings; i++) {
        const struct recording *r = &recordings[i];
        const unsigned char *data = (const unsigned char *)r->data;
        for (size_t cut = 0; cut <= r->bytes; cut++) {
            struct told told = {"", ""};
            const struct wire_sink sink = {told_body, told_item, &told};
            memset(&s, 0, sizeof s);
            assert_int_equal(splitter_feed(&s, r->parse, data, cut, &sink), 0);
            assert_int_equal(splitter_feed(&s, r->parse, data + cut, r->bytes - cut, &sink), 0);
            assert_string_equal(told.text, r->told);
        }
        struct told told = {"", ""};
        const struct wire_sink sink = {told_body, told_item, &told};
        memset(&s, 0, sizeof s);
        for (size_t at = 0; at < r->bytes; at++)
            assert_int_equal(splitter_feed(&s, r->parse, data + at, 1, &sink), 0);
        assert_string_equal(told.text, r->told);
    }
}

/* Refusals, other languages, lengths that contradict each other. */
static void what_is_wrong_is_broken(void **state)
{
    static const struct recording broken[] = {
        RECORDED(wire_message, "\x07\0\0\0\x02\0\0\0\x01\0\0\0", ""),
        RECORDED(wire_message, "\x08\0\0\0\x02\0\x05\0\x01\0\0\0", ""),
        RECORDED(wire_message, "\x08\0\0\0\x06\0\0\0\0\0\0\0", ""),
        RECORDED(wire_message, "\x09\0\0\0\x03\0\0\0\x07\0\0\0\x04", ""),
        RECORDED(wire_command, "\x03\0\0\0\0\0\0\0", ""),
        RECORDED(wire_command, "\x08\0\0\0\x05\0\0\0", ""),
        RECORDED(wire_command, "\x0d\0\0\0\x09\0\0\0\r\nCode=01", ""),
        RECORDED(wire_command, "\x0c\0\0\0\x08\0\0\0\r\nCode=7", ""),
        RECORDED(wire_redis, "-ERR unknown command\r\n", ""),
        RECORDED(wire_redis, "$-1\r\n", ""),
        RECORDED(wire_redis, "$9999999999999999999\r\n", ""),
        RECORDED(wire_redis, "*2\r\n$1\r\na\r\n$1\r\nb\r\n", ""),
        RECORDED(wire_redis, "*3\r\n$1\r\na\r\n+b\r\n:1\r\n", ""),
        RECORDED(wire_redis, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n:1\r\n", ""),
        RECORDED(wire_nats, "-ERR 'Unknown Protocol Operation'\r\n", ""),
        RECORDED(wire_nats, "MSG news 1 x\r\n", ""),
        RECORDED(wire_nats, "MSG news\r\n", ""),
        RECORDED(wire_mqtt, "\x20\x02\0\x05", ""),
        RECORDED(wire_mqtt, "\x90\x03\0\x01\x80", ""),
        RECORDED(wire_mqtt, "\x30\x03\0\x04n", ""),
        RECORDED(wire_mqtt, "\x30\xff\xff\xff\xff", ""),
        RECORDED(wire_mqtt, "\x40\x02\0\x01", ""),
        RECORDED(wire_http, "HTTP/1.1 404 Not Found\r\n\r\n", ""),
        RECORDED(wire_http, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", ""),
    };
    static struct splitter s;
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct told told = {"", ""};
        const struct wire_sink sink = {told_body, told_item, &told};
        memset(&s, 0, sizeof s);
        assert_int_equal(splitter_feed(&s, broken[i].parse, (const unsigned char *)broken[i].data,
                             broken[i].bytes, &sink),
            -1);
        assert_string_equal(told.text, "");
    }
}

static void a_head_without_end_is_broken(void **state)
{
    static struct splitter s;
    struct told told = {"", ""};
    const struct wire_sink sink = {told_body, told_item, &told};
    int status = 0;
    (void)state;
    for (int i = 0; status == 0 && i < WIRE_HEAD_MAX; i++)
        status = splitter_feed(&s, wire_nats, (const unsigned char *)"x", 1, &sink);
    assert_int_equal(status, -1);
}

static int give_up(void *context, enum wire_kind kind)
{
    (void)kind;
    ++*(int *)context;
    return -1;
}

static void a_sink_may_give_up(void **state)
{
    static struct splitter s;
    int items = 0;
    const struct wire_sink sink = {NULL, give_up, &items};
    (void)state;
    assert_int_equal(
        splitter_feed(&s, wire_redis, (const unsigned char *)"+A\r\n+B\r\n", 8, &sink), -1);
    assert_int_equal(items, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(languages_are_read_however_they_are_cut),
        cmocka_unit_test(what_is_wrong_is_broken),
        cmocka_unit_test(a_head_without_end_is_broken),
        cmocka_unit_test(a_sink_may_give_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
