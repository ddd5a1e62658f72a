/* The digest against the RFC's own examples, and the lengths around a block's end. */
#include "check.h"
#include "md5.h"

static void expect(const char *text, const char *hex)
{
    char got[MD5_HEX_BYTES + 1];
    md5_hex(text_bytes(text), got);
    assert_string_equal(got, hex);
}

static void examples_of_the_rfc(void **state)
{
    (void)state;
    expect("", "d41d8cd98f00b204e9800998ecf8427e");
    expect("a", "0cc175b9c0f1b6a831c399e269772661");
    expect("abc", "900150983cd24fb0d6963f7d28e17f72");
    expect("message digest", "f96b697d7cb7938d525a2f31aaf161d0");
    expect("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b");
    expect("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        "d174ab98d277d9f5a5611c2c9f419d9f");
    expect("12345678901234567890123456789012345678901234567890123456789012345678901234567890",
        "57edf4a22be3c955ac49da2e2107b67a");
    expect("admin", "21232f297a57a5a743894a0e4a801fc3");
}

/* From another implementation: 55, 56, 63, 64, 65 and 119, 120 times the letter a. */
static void ends_of_blocks(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        const char *hex;
    } known[] = {{55, "ef1772b6dff9a122358552954ad0df65"}, {56, "3b0c8ac703f828b04c6c197006d17218"},
        {63, "b06521f39153d618550606be297466d5"}, {64, "014842d480b571495a4a0363793f7367"},
        {65, "c743a45e0d2e6a95cb859adae0248435"}, {119, "8a7bd0732ed6a28ce75f6dabc90e1613"},
        {120, "5f61c0ccad4cac44c75ff505e1f1e537"}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        char text[128] = {0};
        memset(text, 'a', known[i].len);
        expect(text, known[i].hex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_the_rfc),
        cmocka_unit_test(ends_of_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
