/* Recorded sessions of both protocols, in every partition into segments: the answers are the same to the byte. */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>

struct script {
    uint8_t in[2048];
    size_t in_len;
    uint8_t out[2048];
    size_t out_len;
    bool closes;
};

static void put(uint8_t *bytes, size_t *len, const void *data, size_t data_len)
{
    assert_true(*len + data_len <= 2048);
    memcpy(bytes + *len, data, data_len);
    *len += data_len;
}

static void put_packet(uint8_t *bytes, size_t *len, const char *command, const char *data)
{
    uint8_t head[8];
    store_u32(head, (uint32_t)(4 + strlen(command) + strlen(data)));
    store_u32(head + 4, (uint32_t)strlen(command));
    put(bytes, len, head, sizeof(head));
    put(bytes, len, command, strlen(command));
    put(bytes, len, data, strlen(data));
}

static void exchange(
    struct script *script, const char *command, const char *reply, const char *data)
{
    put_packet(script->in, &script->in_len, command, data);
    put_packet(script->out, &script->out_len, reply, data);
}

static void refused(struct script *script, const char *command, const char *reply)
{
    put_packet(script->in, &script->in_len, command, "");
    put_packet(script->out, &script->out_len, reply, "");
}

static void put_message(uint8_t *bytes, size_t *len, uint8_t type, uint8_t flags, uint16_t code,
    uint32_t id, struct bytes payload)
{
    uint8_t head[12];
    store_u32(head, (uint32_t)(8 + payload.len));
    head[4] = type;
    head[5] = flags;
    store_u16(head + 6, code);
    store_u32(head + 8, id);
    put(bytes, len, head, sizeof(head));
    put(bytes, len, payload.data, payload.len);
}

static void check_played(
    struct session *session, const struct script *script, const char *how, size_t a, size_t b)
{
    struct bytes out = buffer_bytes(&session->out);
    if (out.len != script->out_len ||
        (out.data != NULL && memcmp(out.data, script->out, out.len) != 0) ||
        session->closed != script->closes)
        fail_msg("%s %zu %zu: other answers (%zu bytes, expected %zu)", how, a, b, out.len,
            script->out_len);
}

static void play(const struct proto *proto, const struct script *script)
{
    struct session session;
    const uint8_t *in = script->in;
    size_t len = script->in_len;

    for (size_t a = 0; a <= len; a++) {
        for (size_t b = a; b <= len; b += b < a + 16 ? 1 : 7) {
            session_open(&session, proto, 1024);
            session_feed(&session, in, a);
            session_feed(&session, in + a, b - a);
            session_feed(&session, in + b, len - b);
            check_played(&session, script, "cut at", a, b);
            session_close(&session);
        }
    }
    for (size_t size = 1; size <= len; size++) {
        session_open(&session, proto, 1024);
        for (size_t at = 0; at < len; at += size)
            session_feed(&session, in + at, size < len - at ? size : len - at);
        check_played(&session, script, "pieces of", size, 0);
        session_close(&session);
    }
}

static struct script *script_new(void **state)
{
    struct script *script = calloc(1, sizeof(*script));
    assert_non_null(script);
    *state = script;
    return script;
}

static int script_free(void **state)
{
    free(*state);
    return 0;
}

static void throughput_answers_in_order(void **state)
{
    struct script *script = script_new(state);
    exchange(script, "[Request]\r\nCommand=CyclePacket\r\nCount=0\r\n",
        "[Response]\r\nCommand=CyclePacket\r\nCode=0\r\nCount=1", "some bytes");
    exchange(script, "[Request]\r\nCommand=Active", "[Response]\r\nCommand=Active\r\nCode=0", "");
    exchange(script, "[request]\r\ncommand=cyclepacket\r\ncount=-1",
        "[Response]\r\nCommand=cyclepacket\r\nCode=0\r\nCount=0", "");
    exchange(script, "[Request]\r\nCommand=CyclePacket\r\nCount=9223372036854775806",
        "[Response]\r\nCommand=CyclePacket\r\nCode=0\r\nCount=9223372036854775807", "[]=\r\n");
    play(&proto_throughput, script);
}

static void throughput_stays_after_a_refusal(void **state)
{
    struct script *script = script_new(state);
    refused(script, "[Request]\r\nCommand=Upload\r\nFileName=x",
        "[Response]\r\nCommand=Upload\r\nCode=1\r\nMessage=No such command");
    refused(script, "[Request]\r\nNothing=1",
        "[Response]\r\nCommand=\r\nCode=1\r\nMessage=No such command");
    refused(script, "[Request]\r\nCommand=CyclePacket",
        "[Response]\r\nCommand=CyclePacket\r\nCode=6\r\nMessage=Parameter missing or malformed");
    refused(script, "[Request]\r\nCommand=CyclePacket\r\nCount=1e3",
        "[Response]\r\nCommand=CyclePacket\r\nCode=6\r\nMessage=Parameter missing or malformed");
    refused(script, "[Request]\r\nCommand=CyclePacket\r\nCount=9223372036854775807",
        "[Response]\r\nCommand=CyclePacket\r\nCode=6\r\nMessage=Parameter missing or malformed");
    exchange(script, "[Request]\r\nCommand=Active", "[Response]\r\nCommand=Active\r\nCode=0", "");
    play(&proto_throughput, script);
}

static void throughput_closes_after(
    void **state, uint32_t packet_len, uint32_t command_len, const char *command, const char *reply)
{
    struct script *script = script_new(state);
    exchange(script, "[Request]\r\nCommand=Active", "[Response]\r\nCommand=Active\r\nCode=0", "");
    uint8_t head[8];
    store_u32(head, packet_len);
    store_u32(head + 4, command_len);
    put(script->in, &script->in_len, head, sizeof(head));
    put(script->in, &script->in_len, command, strlen(command));
    put_packet(script->out, &script->out_len, reply, "");
    script->closes = true;
    play(&proto_throughput, script);
}

static void throughput_closes_after_a_packet_too_long(void **state)
{
    throughput_closes_after(state, (10u << 20) + 1, 5, "[Requ",
        "[Response]\r\nCommand=\r\nCode=2\r\nMessage=Packet too long");
}

static const char malformed_reply[] =
    "[Response]\r\nCommand=\r\nCode=3\r\nMessage=Malformed packet or command text";

static void throughput_closes_after_a_packet_too_short(void **state)
{
    throughput_closes_after(state, 3, 0, "xxxxxxx", malformed_reply);
}

static void throughput_closes_after_a_command_past_its_packet(void **state)
{
    throughput_closes_after(state, 20, 17, "[Request]", malformed_reply);
}

static void throughput_closes_after_malformed_text(void **state)
{
    throughput_closes_after(state, 4 + 26, 26, "[Request]\r\nCommand=Active=1", malformed_reply);
}

static const struct bytes hello = {(const uint8_t *)"hello", 5};
static const struct bytes nothing = {(const uint8_t *)"", 0};

static void message_echoes_and_pongs_in_order(void **state)
{
    struct script *script = script_new(state);
    put_message(script->in, &script->in_len, MESSAGE_REQUEST, 0, VERB_ECHO, 7, hello);
    put_message(script->out, &script->out_len, MESSAGE_REPLY, 0, STATUS_OK, 7, hello);
    put_message(script->in, &script->in_len, MESSAGE_PING, 0, 0, 8, nothing);
    put_message(script->out, &script->out_len, MESSAGE_PONG, 0, 0, 8, nothing);
    put_message(script->in, &script->in_len, MESSAGE_PING, 0, 0, 0xFFFFFFFF, hello);
    put_message(script->out, &script->out_len, MESSAGE_PONG, 0, 0, 0xFFFFFFFF, hello);
    put_message(script->in, &script->in_len, MESSAGE_REQUEST, 0, VERB_ECHO, 7, nothing);
    put_message(script->out, &script->out_len, MESSAGE_REPLY, 0, STATUS_OK, 7, nothing);
    play(&proto_message, script);
}

static void message_asks_nothing_of_pong_and_goaway(void **state)
{
    struct script *script = script_new(state);
    put_message(script->in, &script->in_len, MESSAGE_PONG, 0, 0, 1, hello);
    put_message(script->in, &script->in_len, MESSAGE_GOAWAY, 0, 0, 0, nothing);
    put_message(script->in, &script->in_len, MESSAGE_REQUEST, 0, VERB_ECHO, 2, hello);
    put_message(script->out, &script->out_len, MESSAGE_REPLY, 0, STATUS_OK, 2, hello);
    play(&proto_message, script);
}

static void message_stays_after_a_broken_payload(void **state)
{
    static const struct bytes bad_bool = {(const uint8_t *)"\x01\0\x02", 3};
    static const struct bytes good_bool = {(const uint8_t *)"\x01\0\x01", 3};
    struct script *script = script_new(state);
    put_message(script->in, &script->in_len, MESSAGE_REQUEST, 0, 77, 1, hello);
    put_message(script->out, &script->out_len, MESSAGE_REPLY, 0, STATUS_UNKNOWN_VERB, 1, nothing);
    put_message(
        script->in, &script->in_len, MESSAGE_REQUEST, MESSAGE_FIELDS, VERB_ECHO, 2, bad_bool);
    put_message(script->out, &script->out_len, MESSAGE_REPLY, 0, STATUS_MALFORMED, 2, nothing);
    put_message(
        script->in, &script->in_len, MESSAGE_REQUEST, MESSAGE_FIELDS, VERB_ECHO, 3, good_bool);
    put_message(
        script->out, &script->out_len, MESSAGE_REPLY, MESSAGE_FIELDS, STATUS_OK, 3, good_bool);
    put_message(script->in, &script->in_len, MESSAGE_PING, 0x80, 0, 4, hello);
    put_message(script->out, &script->out_len, MESSAGE_REPLY, 0, STATUS_MALFORMED, 4, nothing);
    put_message(script->in, &script->in_len, MESSAGE_REQUEST, 0, VERB_ECHO, 5, hello);
    put_message(script->out, &script->out_len, MESSAGE_REPLY, 0, STATUS_OK, 5, hello);
    play(&proto_message, script);
}

/* The replies still owed, a GOAWAY that says why, and not a byte after it. */
static void message_closes_after(void **state, uint32_t length, uint8_t type, uint16_t status)
{
    struct script *script = script_new(state);
    put_message(script->in, &script->in_len, MESSAGE_REQUEST, 0, VERB_ECHO, 1, hello);
    put_message(script->out, &script->out_len, MESSAGE_REPLY, 0, STATUS_OK, 1, hello);
    uint8_t head[13] = {0};
    store_u32(head, length);
    head[4] = type;
    put(script->in, &script->in_len, head, sizeof(head));
    put_message(script->in, &script->in_len, MESSAGE_REQUEST, 0, VERB_ECHO, 2, hello);
    put_message(script->out, &script->out_len, MESSAGE_GOAWAY, 0, status, 0, nothing);
    script->closes = true;
    play(&proto_message, script);
}

static void message_closes_after_a_length_too_short(void **state)
{
    message_closes_after(state, 7, MESSAGE_PING, STATUS_MALFORMED);
}

static void message_closes_after_a_length_too_long(void **state)
{
    message_closes_after(state, 1025, MESSAGE_PING, STATUS_TOO_LONG);
}

static void message_closes_after_an_unknown_type(void **state)
{
    message_closes_after(state, 9, 9, STATUS_MALFORMED);
}

static void message_closes_after_a_reply_from_the_client(void **state)
{
    message_closes_after(state, 9, MESSAGE_REPLY, STATUS_MALFORMED);
}

static void protocols_are_chosen_by_their_byte(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        const struct proto *proto = proto_by_preface((uint8_t)byte);
        const struct proto *expected = byte == 0x05   ? &proto_throughput
                                       : byte == 0x10 ? &proto_message
                                                      : NULL;
        assert_ptr_equal(proto, expected);
    }
}

int main(void)
{
#define SCRIPTED(test) cmocka_unit_test_teardown(test, script_free)
    const struct CMUnitTest tests[] = {
        SCRIPTED(throughput_answers_in_order),
        SCRIPTED(throughput_stays_after_a_refusal),
        SCRIPTED(throughput_closes_after_a_packet_too_long),
        SCRIPTED(throughput_closes_after_a_packet_too_short),
        SCRIPTED(throughput_closes_after_a_command_past_its_packet),
        SCRIPTED(throughput_closes_after_malformed_text),
        SCRIPTED(message_echoes_and_pongs_in_order),
        SCRIPTED(message_asks_nothing_of_pong_and_goaway),
        SCRIPTED(message_stays_after_a_broken_payload),
        SCRIPTED(message_closes_after_a_length_too_short),
        SCRIPTED(message_closes_after_a_length_too_long),
        SCRIPTED(message_closes_after_an_unknown_type),
        SCRIPTED(message_closes_after_a_reply_from_the_client),
        cmocka_unit_test(protocols_are_chosen_by_their_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
