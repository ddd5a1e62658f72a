/* The two frames of the wire: complete, cut anywhere, and wrong in every field. */
#include "check.h"
#include "frame.h"

#include <stdlib.h>

static enum frame_result packet_of(
    uint32_t packet_len, uint32_t command_len, size_t given, struct packet *packet, size_t *need)
{
    uint8_t bytes[64] = {0};
    store_u32(bytes, packet_len);
    store_u32(bytes + 4, command_len);
    assert_true(given <= sizeof(bytes));
    return packet_parse((struct bytes){bytes, given}, packet, need);
}

static void packet_is_cut_into_command_and_data(void **state)
{
    (void)state;
    static const uint8_t run[] = "\x0B\0\0\0\x05\0\0\0helloxy and more";
    struct packet packet;
    size_t need;
    assert_int_equal(packet_parse((struct bytes){run, sizeof(run)}, &packet, &need), FRAME_OK);
    assert_bytes(packet.command, "hello", 5);
    assert_bytes(packet.data, "xy", 2);
    assert_int_equal(packet.bytes, 15);
}

static void packet_may_be_empty(void **state)
{
    (void)state;
    struct packet packet;
    size_t need;
    assert_int_equal(packet_of(4, 0, 8, &packet, &need), FRAME_OK);
    assert_int_equal(packet.bytes, 8);
    assert_int_equal(packet.command.len, 0);
    assert_int_equal(packet.data.len, 0);
}

static void packet_tells_what_it_needs(void **state)
{
    (void)state;
    struct packet packet = {.bytes = 77};
    for (size_t given = 0; given < 24; given++) {
        size_t need = 0;
        assert_int_equal(packet_of(20, 7, given, &packet, &need), FRAME_PARTIAL);
        assert_int_equal(need, given < 4 ? 8 : 24);
        assert_int_equal(packet.bytes, 77);
    }
}

static void packet_length_has_two_ends(void **state)
{
    (void)state;
    struct packet packet;
    size_t need;
    /* Told with the first four bytes, before anything of the packet itself has to come. */
    assert_int_equal(packet_of(0, 0, 4, &packet, &need), FRAME_MALFORMED);
    assert_int_equal(packet_of(3, 0, 4, &packet, &need), FRAME_MALFORMED);
    assert_int_equal(packet_of(4, 0, 4, &packet, &need), FRAME_PARTIAL);
    assert_int_equal(packet_of(10 * 1024 * 1024, 0, 4, &packet, &need), FRAME_PARTIAL);
    assert_int_equal(need, 10 * 1024 * 1024 + 4);
    assert_int_equal(packet_of(10 * 1024 * 1024 + 1, 0, 4, &packet, &need), FRAME_TOO_LONG);
    assert_int_equal(packet_of(0x80000000u, 0, 4, &packet, &need), FRAME_TOO_LONG);
    assert_int_equal(packet_of(0xFFFFFFFFu, 0, 4, &packet, &need), FRAME_TOO_LONG);
}

static void command_length_stays_within_its_packet(void **state)
{
    (void)state;
    struct packet packet;
    size_t need;
    assert_int_equal(packet_of(12, 8, 16, &packet, &need), FRAME_OK);
    assert_int_equal(packet.command.len, 8);
    assert_int_equal(packet.data.len, 0);
    assert_int_equal(packet_of(12, 9, 8, &packet, &need), FRAME_MALFORMED);
    assert_int_equal(packet_of(4, 1, 8, &packet, &need), FRAME_MALFORMED);
    assert_int_equal(packet_of(12, 0xFFFFFFFFu, 8, &packet, &need), FRAME_MALFORMED);
    assert_int_equal(packet_of(12, 0x80000000u, 8, &packet, &need), FRAME_MALFORMED);
}

static void packet_head_is_what_the_parser_reads(void **state)
{
    (void)state;
    uint8_t bytes[PACKET_HEAD_BYTES + 5] = {0};
    packet_head_store(bytes, 3, 2);
    struct packet packet;
    size_t need;
    assert_int_equal(packet_parse((struct bytes){bytes, sizeof(bytes)}, &packet, &need), FRAME_OK);
    assert_int_equal(packet.command.len, 3);
    assert_int_equal(packet.data.len, 2);
}

static enum frame_result message_of(
    uint32_t length, uint8_t type, size_t given, struct message *message, size_t *need)
{
    uint8_t bytes[64] = {0};
    store_u32(bytes, length);
    bytes[4] = type;
    assert_true(given <= sizeof(bytes));
    return message_parse((struct bytes){bytes, given}, 1000, message, need);
}

static void message_fields_are_little_endian(void **state)
{
    (void)state;
    static const uint8_t run[] = "\x0A\0\0\0\x01\x04\x02\x01\x04\x03\x02\x01hi!";
    struct message message;
    size_t need;
    assert_int_equal(
        message_parse((struct bytes){run, sizeof(run)}, 1000, &message, &need), FRAME_OK);
    assert_int_equal(message.type, MESSAGE_REQUEST);
    assert_int_equal(message.flags, MESSAGE_FIELDS);
    assert_int_equal(message.code, 0x0102);
    assert_int_equal(message.id, 0x01020304);
    assert_bytes(message.payload, "hi", 2);
    assert_int_equal(message.bytes, 14);

    uint8_t head[MESSAGE_HEAD_BYTES];
    message_head_store(head, &message, 2);
    assert_memory_equal(head, run, sizeof(head));
}

static void message_tells_what_it_needs(void **state)
{
    (void)state;
    struct message message;
    for (size_t given = 0; given < 24; given++) {
        size_t need = 0;
        assert_int_equal(message_of(20, MESSAGE_PING, given, &message, &need), FRAME_PARTIAL);
        assert_int_equal(need, given < 4 ? 12 : 24);
    }
}

static void message_length_has_two_ends(void **state)
{
    (void)state;
    struct message message;
    size_t need;
    assert_int_equal(message_of(0, 1, 4, &message, &need), FRAME_MALFORMED);
    assert_int_equal(message_of(7, 1, 4, &message, &need), FRAME_MALFORMED);
    assert_int_equal(message_of(8, 1, 12, &message, &need), FRAME_OK);
    assert_int_equal(message_of(1000, 1, 4, &message, &need), FRAME_PARTIAL);
    assert_int_equal(need, 1004);
    assert_int_equal(message_of(1001, 1, 4, &message, &need), FRAME_TOO_LONG);
    assert_int_equal(message_of(0xFFFFFFFFu, 1, 4, &message, &need), FRAME_TOO_LONG);
}

static void message_type_is_checked_before_the_rest_arrives(void **state)
{
    (void)state;
    struct message message;
    size_t need;
    for (unsigned type = 0; type < 256; type++) {
        enum frame_result expected = type >= 1 && type <= 6 ? FRAME_PARTIAL : FRAME_MALFORMED;
        assert_int_equal(message_of(1000, (uint8_t)type, 5, &message, &need), expected);
    }
}

/* In memory of exactly that size, so that a sanitizer sees a read past what has arrived. */
static void parsers_read_only_what_has_arrived(void **state)
{
    (void)state;
    for (size_t given = 0; given < 12; given++) {
        uint8_t *exact = malloc(given ? given : 1);
        assert_non_null(exact);
        memset(exact, 0, given ? given : 1);
        if (given >= 4)
            store_u32(exact, 8);
        if (given >= 5)
            exact[4] = MESSAGE_PING;
        struct bytes run = {exact, given};
        struct packet packet;
        struct message message;
        size_t need;
        (void)packet_parse(run, &packet, &need);
        assert_int_equal(message_parse(run, 1000, &message, &need), FRAME_PARTIAL);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packet_is_cut_into_command_and_data),
        cmocka_unit_test(packet_may_be_empty),
        cmocka_unit_test(packet_tells_what_it_needs),
        cmocka_unit_test(packet_length_has_two_ends),
        cmocka_unit_test(command_length_stays_within_its_packet),
        cmocka_unit_test(packet_head_is_what_the_parser_reads),
        cmocka_unit_test(message_fields_are_little_endian),
        cmocka_unit_test(message_tells_what_it_needs),
        cmocka_unit_test(message_length_has_two_ends),
        cmocka_unit_test(message_type_is_checked_before_the_rest_arrives),
        cmocka_unit_test(parsers_read_only_what_has_arrived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
