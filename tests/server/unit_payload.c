/*
 * What the flags of a Message promise, through the protocol itself. The frames were recorded from the libraries'
 * own tools. A build without one of the libraries must say so, and is held to that instead.
 */
#include "check.h"
#include "session.h"

#define BYTES(literal) ((struct bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

#define FRAME_MAX      1024u

#define HELLO_SUM      "\x8F\x5C\xBE\x15\xC8\x40\x5D\x73"
#define HELLO_ZSTD                                                                                 \
    "\x28\xB5\x2F\xFD\x20\x17\x65\x00\x00\x30\x68\x65\x6C\x6C\x6F\x20\x01\x00\x99\x4B\x11"
#define ZSTD_1024_KNOWN                                                                            \
    "\x28\xB5\x2F\xFD\x60\x00\x03\x4D\x00\x00\x10\x00\x00\x01\x00\xFB\x2B\x80\x05"
#define ZSTD_1025_KNOWN                                                                            \
    "\x28\xB5\x2F\xFD\x60\x01\x03\x4D\x00\x00\x10\x00\x00\x01\x00\xFC\x2B\x80\x05"
#define ZSTD_1024_UNKNOWN "\x28\xB5\x2F\xFD\x00\x58\x4D\x00\x00\x10\x00\x00\x01\x00\xFB\x2B\x80\x05"
#define ZSTD_1025_UNKNOWN "\x28\xB5\x2F\xFD\x00\x58\x4D\x00\x00\x10\x00\x00\x01\x00\xFC\x2B\x80\x05"
#define ZSTD_EMPTY        "\x28\xB5\x2F\xFD\x20\x00\x01\x00\x00"
#define ZSTD_FIELD_TRUE   "\x28\xB5\x2F\xFD\x20\x03\x19\x00\x00\x01\x00\x01"
#define ZSTD_FIELD_BAD    "\x28\xB5\x2F\xFD\x20\x03\x19\x00\x00\x01\x00\x02"

/* Sends one ECHO with id 7 and hands the one reply, which must be to id 7, to the caller. */
static struct message echo(struct session *session, uint8_t flags, struct bytes payload)
{
    uint8_t frame[256];
    struct message request = {.type = MESSAGE_REQUEST, .flags = flags, .code = VERB_ECHO, .id = 7};
    assert_true(MESSAGE_HEAD_BYTES + payload.len <= sizeof(frame));
    message_head_store(frame, &request, payload.len);
    memcpy(frame + MESSAGE_HEAD_BYTES, payload.data, payload.len);

    buffer_clear(&session->out);
    session_feed(session, frame, MESSAGE_HEAD_BYTES + payload.len);
    assert_false(session->closed);

    struct message reply;
    size_t need;
    struct bytes out = buffer_bytes(&session->out);
    assert_int_equal(message_parse(out, FRAME_MAX, &reply, &need), FRAME_OK);
    assert_int_equal(reply.bytes, out.len);
    assert_int_equal(reply.type, MESSAGE_REPLY);
    assert_int_equal(reply.id, 7);
    return reply;
}

static int open_session(void **state)
{
    static struct world world;
    static struct session session;
    world_open(&world, FRAME_MAX);
    session_open(&session, &world, &proto_message);
    *state = &session;
    return 0;
}

static int close_session(void **state)
{
    struct session *session = *state;
    session_close(session);
    world_close(session->world);
    return 0;
}

/* True: this build cannot, and said so. */
static bool lacks(struct session *session, uint8_t flags, struct bytes payload)
{
    const char *why = payload_lacks(flags);
    if (!why)
        return false;
    struct message reply = echo(session, flags, payload);
    assert_int_equal(reply.code, STATUS_NOT_ALLOWED);
    assert_int_equal(reply.flags, 0);
    assert_bytes(reply.payload, why, strlen(why));
    return true;
}

static void refused(struct session *session, uint8_t flags, struct bytes payload, uint16_t status)
{
    struct message reply = echo(session, flags, payload);
    assert_int_equal(reply.code, status);
    assert_int_equal(reply.flags, 0);
    assert_int_equal(reply.payload.len, 0);
}

static void a_checksum_is_checked_and_made_anew(void **state)
{
    struct bytes hello = BYTES("hello" HELLO_SUM);
    if (lacks(*state, MESSAGE_CHECKSUM, hello))
        return;
    struct message reply = echo(*state, MESSAGE_CHECKSUM, hello);
    assert_int_equal(reply.code, STATUS_OK);
    assert_int_equal(reply.flags, MESSAGE_CHECKSUM);
    assert_bytes(reply.payload, "hello\xEA\x1C\x69\x35\x43\xAD\xCF\x91", 13);

    reply = echo(*state, MESSAGE_CHECKSUM, BYTES("\xA5\x7A\xDD\xE7\x4D\x42\xB7\xB3"));
    assert_int_equal(reply.code, STATUS_OK);
    assert_bytes(reply.payload, "\x3E\xEF\x78\x99\x5A\xD0\x56\x9D", 8);
}

static void every_changed_bit_is_a_wrong_checksum(void **state)
{
    struct bytes hello = BYTES("hello" HELLO_SUM);
    if (lacks(*state, MESSAGE_CHECKSUM, hello))
        return;
    for (size_t bit = 0; bit < hello.len * 8; bit++) {
        uint8_t changed[13];
        memcpy(changed, hello.data, sizeof(changed));
        changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refused(
            *state, MESSAGE_CHECKSUM, (struct bytes){changed, sizeof(changed)}, STATUS_CHECKSUM);
    }
    for (size_t len = 0; len < 8; len++)
        refused(*state, MESSAGE_CHECKSUM, (struct bytes){hello.data, len}, STATUS_CHECKSUM);
}

static void a_compressed_payload_comes_back(void **state)
{
    if (lacks(*state, MESSAGE_ZSTD, BYTES(HELLO_ZSTD)))
        return;
    struct message reply = echo(*state, MESSAGE_ZSTD, BYTES(HELLO_ZSTD));
    assert_int_equal(reply.code, STATUS_OK);
    assert_int_equal(reply.flags, MESSAGE_ZSTD);
    assert_bytes(reply.payload, HELLO_ZSTD, sizeof(HELLO_ZSTD) - 1);
    assert_int_equal(echo(*state, MESSAGE_ZSTD, BYTES(ZSTD_EMPTY)).code, STATUS_OK);
}

static void inflating_stops_at_the_limit(void **state)
{
    if (lacks(*state, MESSAGE_ZSTD, BYTES(ZSTD_1024_KNOWN)))
        return;
    assert_int_equal(echo(*state, MESSAGE_ZSTD, BYTES(ZSTD_1024_KNOWN)).code, STATUS_OK);
    assert_int_equal(echo(*state, MESSAGE_ZSTD, BYTES(ZSTD_1024_UNKNOWN)).code, STATUS_OK);
    refused(*state, MESSAGE_ZSTD, BYTES(ZSTD_1025_KNOWN), STATUS_TOO_LONG);
    refused(*state, MESSAGE_ZSTD, BYTES(ZSTD_1025_UNKNOWN), STATUS_TOO_LONG);
}

static void what_is_not_one_zstd_frame_is_malformed(void **state)
{
    struct bytes whole = BYTES(HELLO_ZSTD);
    if (lacks(*state, MESSAGE_ZSTD, whole))
        return;
    for (size_t len = 0; len < whole.len; len++)
        refused(*state, MESSAGE_ZSTD, (struct bytes){whole.data, len}, STATUS_MALFORMED);
    refused(*state, MESSAGE_ZSTD, BYTES(HELLO_ZSTD "x"), STATUS_MALFORMED);
    refused(*state, MESSAGE_ZSTD, BYTES(HELLO_ZSTD ZSTD_EMPTY), STATUS_MALFORMED);
    refused(*state, MESSAGE_ZSTD, BYTES("plainly not compressed"), STATUS_MALFORMED);
    /* A skippable frame: it inflates to nothing and may be as long as it likes. */
    refused(*state, MESSAGE_ZSTD, BYTES("\x50\x2A\x4D\x18\x02\0\0\0xy"), STATUS_MALFORMED);
}

static void flags_apply_from_the_outside_in(void **state)
{
    uint8_t both = MESSAGE_CHECKSUM | MESSAGE_ZSTD;
    struct bytes summed = BYTES(HELLO_ZSTD "\x1B\xE3\x61\x5A\x30\xAF\x1B\x3A");
    if (lacks(*state, both, summed))
        return;
    struct message reply = echo(*state, both, summed);
    assert_int_equal(reply.code, STATUS_OK);
    assert_int_equal(reply.flags, both);
    assert_bytes(reply.payload, HELLO_ZSTD "\x00\xF1\xD0\x44\xE7\x2A\x22\xD3", 29);
    refused(*state, both, BYTES(HELLO_ZSTD HELLO_SUM), STATUS_CHECKSUM);

    uint8_t fields = MESSAGE_ZSTD | MESSAGE_FIELDS;
    reply = echo(*state, fields, BYTES(ZSTD_FIELD_TRUE));
    assert_int_equal(reply.code, STATUS_OK);
    assert_int_equal(reply.flags, fields);
    refused(*state, fields, BYTES(ZSTD_FIELD_BAD), STATUS_MALFORMED);
}

static void a_flag_that_does_not_exist_is_malformed(void **state)
{
    for (unsigned bit = 3; bit < 8; bit++)
        refused(*state, (uint8_t)(1u << bit), BYTES("hello"), STATUS_MALFORMED);
}

int main(void)
{
#define IN_SESSION(test) cmocka_unit_test_setup_teardown(test, open_session, close_session)
    const struct CMUnitTest tests[] = {
        IN_SESSION(a_checksum_is_checked_and_made_anew),
        IN_SESSION(every_changed_bit_is_a_wrong_checksum),
        IN_SESSION(a_compressed_payload_comes_back),
        IN_SESSION(inflating_stops_at_the_limit),
        IN_SESSION(what_is_not_one_zstd_frame_is_malformed),
        IN_SESSION(flags_apply_from_the_outside_in),
        IN_SESSION(a_flag_that_does_not_exist_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
