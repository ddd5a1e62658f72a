/* Recorded sessions of the protocols, in every partition into segments: the answers are the same to the byte. */
#include "script.h"

#include "fields.h"
#include "log.h"

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

/* ---- Logging in ---- */

#define ADMIN_MD5 "21232f297a57a5a743894a0e4a801fc3"

static char users_file[64];

static void users_file_make(void)
{
    char error[USERS_ERROR_BYTES];
    struct user user = {.name = "admin", .role = ROLE_ADMIN};
    assert_true(password_hash(ADMIN_MD5, PASSWORD_COST_LEAST, user.record));
    assert_true(users_edit(users_file, &user, error));
}

static void control_wants_a_login(void **state)
{
    struct script *script = script_new(state);
    users_file_make();
    script->users = users_file;
    static const char not_yet[] = "[Response]\r\nCommand=%s\r\nCode=8\r\nMessage=Not logged in";
    char text[128];
    exchange(script, "[Request]\r\nCommand=Active", "[Response]\r\nCommand=Active\r\nCode=0", "");
    snprintf(text, sizeof(text), not_yet, "Stats");
    refused(script, "[Request]\r\nCommand=Stats", text);
    snprintf(text, sizeof(text), not_yet, "Nonsense");
    refused(script, "[Request]\r\nCommand=Nonsense", text);
    refused(script, "[Request]\r\nCommand=login\r\nUserName=admin",
        "[Response]\r\nCommand=login\r\nCode=6\r\nMessage=Parameter missing or malformed");
    refused(script, "[Request]\r\nCommand=Login\r\nUserName=admin\r\nPassword=admin",
        "[Response]\r\nCommand=Login\r\nCode=7\r\nMessage=Wrong user or password");
    refused(script,
        "[Request]\r\nCommand=Login\r\nUserName=Admin\r\nPassword=21232F297A57A5A743894A0E4A801FC3",
        "[Response]\r\nCommand=Login\r\nCode=7\r\nMessage=Wrong user or password");
    refused(script,
        "[Request]\r\nCommand=LOGIN\r\nUserName=admin\r\nPassword=21232F297A57A5A743894A0E4A801FC3",
        "[Response]\r\nCommand=LOGIN\r\nCode=0");
    refused(script, "[Request]\r\nCommand=Nonsense",
        "[Response]\r\nCommand=Nonsense\r\nCode=1\r\nMessage=No such command");
    refused(script, "[Request]\r\nCommand=Kick\r\nRemote=nobody",
        "[Response]\r\nCommand=Kick\r\nCode=6\r\nMessage=Parameter missing or malformed");
    refused(script, "[Request]\r\nCommand=Kick\r\nRemote=127.0.0.1:50000",
        "[Response]\r\nCommand=Kick\r\nCode=0");
    play(&proto_control, script);
}

static void control_lists_clients_for_users(void **state)
{
    struct script *script = script_new(state);
    script->role = ROLE_USER;
    refused(script, "[Request]\r\nCommand=GetClients",
        "[Response]\r\nCommand=GetClients\r\nCode=0\r\nItem=127.0.0.1:9999\t127.0.0.1:"
        "50000\tcontrol\t"
        "ann\t1970-01-01 00:00:00\t1970-01-01 00:00:00");
    refused(script, "[Request]\r\nCommand=Kick",
        "[Response]\r\nCommand=Kick\r\nCode=6\r\nMessage=Parameter missing or malformed");
    refused(script, "[Request]\r\nCommand=Kick\r\nRemote=127.0.0.1:50000",
        "[Response]\r\nCommand=Kick\r\nCode=5\r\nMessage=Not completed");
    play(&proto_control, script);
}

static void log_output_repeats_its_banner(void **state)
{
    struct script *script = script_new(state);
    char banner[256];
    int len = snprintf(banner, sizeof(banner),
        "cport-server %s: its log, line by line as it is written. ESC ends, any other key shows "
        "this.\r\n",
        cport_version());
    put(script->in, &script->in_len, "a\r\x1B more", 8);
    for (int i = 0; i < 3; i++)
        put(script->out, &script->out_len, banner, (size_t)len);
    script->closes = true;
    play(&proto_log_output, script);
}

/* ---- Message verbs ---- */

static void ask(
    struct script *script, uint8_t flags, uint16_t verb, uint32_t id, const char *data, size_t len)
{
    put_message(script->in, &script->in_len, MESSAGE_REQUEST, flags, verb, id,
        (struct bytes){(const uint8_t *)data, len});
}
#define ASK(verb, id, literal) ask(script, 0, verb, id, literal, sizeof(literal) - 1)
#define ASK_FIELDS(verb, id, literal)                                                              \
    ask(script, MESSAGE_FIELDS, verb, id, literal, sizeof(literal) - 1)

static void told(struct script *script, uint16_t status, uint32_t id)
{
    put_message(script->out, &script->out_len, MESSAGE_REPLY, 0, status, id, nothing);
}

static void pushed(struct script *script, uint32_t number, const char *data, size_t len)
{
    put_message(script->out, &script->out_len, MESSAGE_PUSH, 0, 0, number,
        (struct bytes){(const uint8_t *)data, len});
}
#define PUSHED(number, literal) pushed(script, number, literal, sizeof(literal) - 1)

static void counted(struct script *script, uint32_t id, const char *count)
{
    put_message(script->out, &script->out_len, MESSAGE_REPLY, 0, STATUS_OK, id,
        (struct bytes){(const uint8_t *)count, 4});
}

#define LOGIN_FIELDS "\x07\x04user\x05\0\0\0admin\x07\x08password\x05\0\0\0admin"

static void message_verbs_want_a_login(void **state)
{
    struct script *script = script_new(state);
    users_file_make();
    script->users = users_file;
    for (unsigned v = VERB_LOGOUT; v <= VERB_CALL; v++) {
        uint16_t verb = (uint16_t)v;
        ask(script, 0, verb, verb, "x", 1);
        told(script, STATUS_NOT_LOGGED_IN, verb);
    }
    ASK(VERB_CALL + 1, 20, "");
    told(script, STATUS_UNKNOWN_VERB, 20);
    ASK(VERB_LOGIN, 21, LOGIN_FIELDS); /* fields without the flag */
    told(script, STATUS_MALFORMED, 21);
    ASK_FIELDS(VERB_LOGIN, 22, "\x07\x04user\x05\0\0\0admin");
    told(script, STATUS_MALFORMED, 22);
    ASK_FIELDS(VERB_LOGIN, 23, "\x07\x04user\x05\0\0\0admin\x07\x08password\x01\0\0\0x");
    told(script, STATUS_NOT_ALLOWED, 23);
    ASK_FIELDS(VERB_LOGIN, 24, LOGIN_FIELDS);
    told(script, STATUS_OK, 24);
    ASK(VERB_SUBSCRIBE, 25, "news");
    told(script, STATUS_OK, 25);
    ASK(VERB_LOGOUT, 26, "");
    told(script, STATUS_OK, 26);
    ASK(VERB_PUBLISH, 27, "\x04newsx");
    told(script, STATUS_NOT_LOGGED_IN, 27);
    play(&proto_message, script);
}

static void message_pushes_in_order(void **state)
{
    struct script *script = script_new(state);
    script->anonymous = true;
    ASK(VERB_PUBLISH, 1, "\x04news0");
    counted(script, 1, "\0\0\0\0");
    ASK(VERB_SUBSCRIBE, 2, "news");
    told(script, STATUS_OK, 2);
    ASK(VERB_SUBSCRIBE, 3, "news");
    told(script, STATUS_OK, 3);
    ASK(VERB_PUBLISH, 4, "\x04newsone");
    counted(script, 4, "\x01\0\0\0");
    PUSHED(1, "\x04newsone");
    ASK(VERB_PUBLISH, 5, "\x05news2other");
    counted(script, 5, "\0\0\0\0");
    ASK(VERB_PUBLISH, 6, "\x04news");
    counted(script, 6, "\x01\0\0\0");
    PUSHED(2, "\x04news");
    ASK(VERB_UNSUBSCRIBE, 7, "news");
    told(script, STATUS_OK, 7);
    ASK(VERB_UNSUBSCRIBE, 8, "news");
    told(script, STATUS_NOT_FOUND, 8);
    ASK(VERB_PUBLISH, 9, "\x04newsx");
    counted(script, 9, "\0\0\0\0");
    ASK(VERB_SUBSCRIBE, 10, "news"); /* its numbers go on: nobody sees one twice */
    told(script, STATUS_OK, 10);
    ASK(VERB_PUBLISH, 11, "\x04news3");
    counted(script, 11, "\x01\0\0\0");
    PUSHED(3, "\x04news3");
    play(&proto_message, script);
}

static void message_refuses_malformed_verbs(void **state)
{
    struct script *script = script_new(state);
    script->role = ROLE_USER;
    static const struct {
        uint16_t verb;
        uint8_t flags;
        const char *data;
        size_t len;
        uint16_t status;
    } wrong[] = {{VERB_SUBSCRIBE, 0, "", 0, STATUS_MALFORMED},
        {VERB_SUBSCRIBE, 0, "\xFFlog", 4, STATUS_MALFORMED},
        {VERB_UNSUBSCRIBE, 0, "", 0, STATUS_MALFORMED}, {VERB_PUBLISH, 0, "", 0, STATUS_MALFORMED},
        {VERB_PUBLISH, 0, "\0x", 2, STATUS_MALFORMED},
        {VERB_PUBLISH, 0, "\x02x", 2, STATUS_MALFORMED},
        {VERB_PUBLISH, 0, "\x01\xC3x", 3, STATUS_MALFORMED},
        {VERB_PUBLISH, 0, "\x04@annx", 6, STATUS_NOT_ALLOWED},
        {VERB_SEND_TO, 0, "", 0, STATUS_MALFORMED},
        {VERB_SEND_TO, MESSAGE_FIELDS, "", 0, STATUS_MALFORMED},
        {VERB_SEND_TO, MESSAGE_FIELDS,
            "\x07\x04user\x03\0\0\0bob\x08\x04"
            "data\0\0\0\0",
            23, STATUS_NOT_FOUND},
        {VERB_KICK, MESSAGE_FIELDS, "", 0, STATUS_MALFORMED},
        {VERB_KICK, MESSAGE_FIELDS, "\x07\x06remote\x01\0\0\0x", 13, STATUS_NOT_ALLOWED},
        {VERB_CALL, MESSAGE_FIELDS, "", 0, STATUS_MALFORMED},
        {VERB_CALL, MESSAGE_FIELDS,
            "\x07\x05group\0\0\0\0\x07\x08"
            "function\0\0\0\0",
            25, STATUS_NOT_FOUND}};
    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ask(script, wrong[i].flags, wrong[i].verb, i, wrong[i].data, wrong[i].len);
        told(script, wrong[i].status, i);
    }
    play(&proto_message, script);
}

static void message_sends_to_a_user(void **state)
{
    struct script *script = script_new(state);
    script->role = ROLE_ADMIN;
#define SEND_ANN                                                                                   \
    "\x07\x04user\x03\0\0\0ann\x08\x04"                                                            \
    "data\x02\0\0\0hi"
    ASK_FIELDS(VERB_SEND_TO, 1, SEND_ANN);
    told(script, STATUS_OK, 1);
    PUSHED(1, "\x04@annhi");
    ASK_FIELDS(VERB_SEND_TO, 2, SEND_ANN);
    told(script, STATUS_OK, 2);
    PUSHED(2, "\x04@annhi");
    ASK_FIELDS(VERB_KICK, 3, "\x07\x06remote\x0F\0\0\000127.0.0.1:50000");
    told(script, STATUS_OK, 3);
    ASK_FIELDS(VERB_KICK, 4, "\x07\x06remote\x0F\0\0\000127.0.0.1:50001");
    told(script, STATUS_NOT_FOUND, 4);
    play(&proto_message, script);
}

static void message_tells_who_is_there(void **state)
{
    struct script *script = script_new(state);
    script->role = ROLE_USER;
    ASK(VERB_WHO, 1, "");
    static const char record[] = "\x09\x06"
                                 "client\x60\0\0\0"
                                 "\x07\x06remote\x0F\0\0\000127.0.0.1:50000"
                                 "\x07\x08protocol\x07\0\0\0message"
                                 "\x07\x04user\x03\0\0\0ann"
                                 "\x06\x09"
                                 "connected\0\0\0\0\0\0\0\0"
                                 "\x06\x06"
                                 "active\0\0\0\0\0\0\0\0";
    put_message(script->out, &script->out_len, MESSAGE_REPLY, MESSAGE_FIELDS, STATUS_OK, 1,
        (struct bytes){(const uint8_t *)record, sizeof(record) - 1});
    play(&proto_message, script);
}

static void protocols_are_chosen_by_their_byte(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        const struct proto *proto = proto_by_preface((uint8_t)byte);
        const struct proto *expected = byte == 0x02   ? &proto_upload
                                       : byte == 0x03 ? &proto_download
                                       : byte == 0x04 ? &proto_remote_stream
                                       : byte == 0x05 ? &proto_throughput
                                       : byte == 0x08 ? &proto_control
                                       : byte == 0x09 ? &proto_log_output
                                       : byte == 0x10 ? &proto_message
                                                      : NULL;
        assert_ptr_equal(proto, expected);
    }
}

static int prepare(void **state)
{
    snprintf(users_file, sizeof(users_file), "unit_session-%p.tmp", (void *)state);
    log_level_set(LOG_ERROR);
    return password_prepare() ? 0 : -1;
}

static int clean(void **state)
{
    (void)state;
    return remove(users_file);
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
        SCRIPTED(control_wants_a_login),
        SCRIPTED(control_lists_clients_for_users),
        SCRIPTED(log_output_repeats_its_banner),
        SCRIPTED(message_verbs_want_a_login),
        SCRIPTED(message_pushes_in_order),
        SCRIPTED(message_refuses_malformed_verbs),
        SCRIPTED(message_sends_to_a_user),
        SCRIPTED(message_tells_who_is_there),
        cmocka_unit_test(protocols_are_chosen_by_their_byte),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
