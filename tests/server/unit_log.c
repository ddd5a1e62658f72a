/* What a client sent reaches the log as printable ASCII, and cannot be mistaken for anything else. */
#include "check.h"
#include "log.h"

static void every_byte_is_printable(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        char raw = (char)byte, text[8];
        size_t len = log_escape(&raw, 1, text, sizeof(text));
        if (byte >= 0x20 && byte <= 0x7E && byte != '\\') {
            assert_int_equal(len, 1);
            assert_int_equal(text[0], raw);
        } else {
            assert_int_equal(len, 4);
            assert_memory_equal(text, "\\x", 2);
            assert_int_equal(strtoul(text + 2, NULL, 16), byte);
        }
        assert_int_equal(text[len], '\0');
    }
}

static void a_line_cannot_be_forged(void **state)
{
    (void)state;
    static const char evil[] = "x\r\n2026 info event=all_is_well \x1B[2J\xC2\x9B\\x0a";
    char text[128];
    log_escape(evil, sizeof(evil) - 1, text, sizeof(text));
    assert_string_equal(text, "x\\x0d\\x0a2026 info event=all_is_well \\x1b[2J\\xc2\\x9b\\x5cx0a");
}

static void a_cut_falls_between_bytes(void **state)
{
    (void)state;
    char text[8];
    memset(text, '#', sizeof(text));
    assert_int_equal(log_escape("ab\n\n", 4, text, sizeof(text)), 6);
    assert_string_equal(text, "ab\\x0a");
    assert_int_equal(log_escape("abcdefghij", 10, text, sizeof(text)), 7);
    assert_string_equal(text, "abcdefg");
    assert_int_equal(log_escape("ab", 2, text, 1), 0);
    assert_string_equal(text, "");
    memset(text, '#', sizeof(text));
    assert_int_equal(log_escape("ab", 2, text, 0), 0);
    assert_int_equal(text[0], '#');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_printable),
        cmocka_unit_test(a_line_cannot_be_forged),
        cmocka_unit_test(a_cut_falls_between_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
