/* The command text: what is read, what is passed over, and what is a format error. */
#include "check.h"
#include "command.h"

#include <stdio.h>

static bool sound(const char *text)
{
    struct command command;
    return command_parse(text_bytes(text), &command);
}

static struct command parsed(const char *text)
{
    struct command command;
    assert_true(command_parse(text_bytes(text), &command));
    return command;
}

static void keys_compare_without_case(void **state)
{
    (void)state;
    struct command command = parsed("[Request]\r\ncOMMAND=CyclePacket\r\ncount=7\r\n");
    assert_bytes(command.name, "CyclePacket", 11);
    assert_true(command_is(&command, "CYCLEPACKET"));
    assert_false(command_is(&command, "CyclePacke"));
    assert_false(command_is(&command, "CyclePackets"));
    struct bytes value;
    assert_true(command_value(&command, "COUNT", 0, &value));
    assert_bytes(value, "7", 1);
    assert_false(command_value(&command, "Coun", 0, &value));
    assert_false(command_value(&command, "Counts", 0, &value));
}

static void a_key_may_repeat(void **state)
{
    (void)state;
    struct command command =
        parsed("[Request]\r\nCommand=DeleteFile\r\nItem=a\r\nItem=\r\nITEM=c d");
    struct bytes value;
    assert_true(command_value(&command, "Item", 0, &value));
    assert_bytes(value, "a", 1);
    assert_true(command_value(&command, "Item", 1, &value));
    assert_bytes(value, "", 0);
    assert_true(command_value(&command, "Item", 2, &value));
    assert_bytes(value, "c d", 3);
    assert_false(command_value(&command, "Item", 3, &value));
}

static void lines_without_equal_sign_are_passed_over(void **state)
{
    (void)state;
    struct command command = parsed("[Request]\r\nnonsense\r\n\r\nCommand=Active\r\n\r\n");
    assert_true(command_is(&command, "Active"));
    command = parsed("[Request]\r\nno command at all");
    assert_int_equal(command.name.len, 0);
    assert_false(command_is(&command, "Active"));
    assert_true(command_is(&command, ""));
}

static void values_are_bytes(void **state)
{
    (void)state;
    static const char text[] = "[Request]\r\nCommand=x\r\nName=\0\x01\xFF [;\t";
    struct command command;
    assert_true(command_parse((struct bytes){(const uint8_t *)text, sizeof(text) - 1}, &command));
    struct bytes value;
    assert_true(command_value(&command, "Name", 0, &value));
    assert_bytes(value, "\0\x01\xFF [;\t", 7);
    /* A NUL in a name does not end it early. */
    static const char nul[] = "[Request]\r\nCommand=Active\0";
    assert_true(command_parse((struct bytes){(const uint8_t *)nul, sizeof(nul) - 1}, &command));
    assert_false(command_is(&command, "Active"));
}

static void format_errors(void **state)
{
    (void)state;
    assert_false(sound(""));
    assert_false(sound("\r\n\r\n\r\n"));
    assert_false(sound("[Request]"));
    assert_false(sound("[Request]\r\n"));
    assert_false(sound("Command=Active\r\n"));
    assert_false(sound("[Request]\r\nCommand=a=b"));
    assert_false(sound("[Request]\r\nCommand==\r\n"));
    assert_false(sound("[Request]\r\nCommand=Active\r\nx=1=2=3\r\n"));
    assert_false(sound("[Request]\nCommand=Active\n"));
    assert_false(sound("[Request]\r\nCommand=Active\r"));
    assert_false(sound("[Request]\r\nCommand=Ac\ntive"));
    assert_false(sound("[Request]\r\r\nCommand=Active"));
    assert_false(sound("\n[Request]\r\nCommand=Active"));
    assert_true(sound("[Request]\r\nCommand=Active"));
    assert_true(sound("[Request]\r\nCommand="));
}

static bool number(const char *digits, int64_t *value)
{
    char text[128];
    snprintf(text, sizeof text, "[Request]\r\nCommand=x\r\nCount=%s", digits);
    struct command command = parsed(text);
    return command_i64(&command, "Count", value);
}

static void numbers_are_signed_and_64_bits(void **state)
{
    (void)state;
    int64_t value = 0;
    assert_true(number("0", &value) && value == 0);
    assert_true(number("-0", &value) && value == 0);
    assert_true(number("+5", &value) && value == 5);
    assert_true(number("-17", &value) && value == -17);
    assert_true(number("0000000000000000000000000000042", &value) && value == 42);
    assert_true(number("9223372036854775807", &value) && value == INT64_MAX);
    assert_true(number("-9223372036854775808", &value) && value == INT64_MIN);

    value = 99;
    static const char *const wrong[] = {"", "-", "+", "1 ", " 1", "1x", "0x10", "1.0", "--1", "+-1",
        "9223372036854775808", "-9223372036854775809", "18446744073709551616",
        "99999999999999999999999999"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(number(wrong[i], &value));
    assert_int_equal(value, 99);
    struct command command = parsed("[Request]\r\nCommand=x");
    assert_false(command_i64(&command, "Count", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_compare_without_case),
        cmocka_unit_test(a_key_may_repeat),
        cmocka_unit_test(lines_without_equal_sign_are_passed_over),
        cmocka_unit_test(values_are_bytes),
        cmocka_unit_test(format_errors),
        cmocka_unit_test(numbers_are_signed_and_64_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
