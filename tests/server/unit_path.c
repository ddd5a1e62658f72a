/* Names that clients send: what is taken, and what is refused on every system alike. */
#include "check.h"
#include "path.h"

static void expect(const char *name, const char *taken)
{
    struct path path;
    if (!path_parse(text_bytes(name), &path))
        fail_msg("%s is refused", name);
    assert_string_equal(path.text, taken);
    assert_int_equal(path.len, strlen(taken));
}

static void directories_are_divided_both_ways(void **state)
{
    (void)state;
    expect("", "");
    expect("a", "a");
    expect("a/b\\c", "a/b/c");
    expect("a/b/", "a/b");
    expect("a//b", "a/b");
    expect("./a/./b/.", "a/b");
    expect(".", "");
    expect("gr\xC3\xBC\xC3\x9F e/.hidden", "gr\xC3\xBC\xC3\x9F e/.hidden");
    expect("..a/b..", "..a/b..");
    expect("console/com/lpt10/nulls.txt", "console/com/lpt10/nulls.txt");
    expect("12:30", "12:30");
}

static void what_leads_out_is_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {"/", "\\", "/etc", "\\\\server\\share", "..", "../a",
        "a/..", "a/../b", "a\\..\\b", "...", ".. ", "a/ .", " ", "C:", "c:\\a", "a/d:b", "a=b",
        "a\rb", "a\nb", "CON", "con", "nul.txt", "a/AUX", "PRN .x", "COM1", "com9.log", "LPT0",
        "COM\xC2\xB9", "lpt\xB3", "CONIN$", "conout$", "NUL:stream"};
    struct path path;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (path_parse(text_bytes(refused[i]), &path))
            fail_msg("%s is taken", refused[i]);
    }
    assert_false(path_parse((struct bytes){(const uint8_t *)"a\0b", 3}, &path));
}

static void a_file_name_is_one_part(void **state)
{
    (void)state;
    static const char *const refused[] = {"", ".", "..", "a/b", "a\\b", "/", "NUL", "x:", "a=b"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct path path;
        assert_true(path_parse(text_bytes("d"), &path));
        assert_false(path_append(&path, text_bytes(refused[i])));
    }
    struct path path;
    assert_true(path_parse(text_bytes(""), &path));
    assert_true(path_append(&path, text_bytes("one")));
    assert_true(path_append(&path, text_bytes("two words")));
    assert_string_equal(path.text, "one/two words");
}

static void lengths_have_limits(void **state)
{
    (void)state;
    static uint8_t name[PATH_BYTES_MAX + 1];
    struct path path;
    memset(name, 'a', sizeof(name));
    assert_true(path_parse((struct bytes){name, PATH_PART_BYTES_MAX}, &path));
    assert_false(path_parse((struct bytes){name, PATH_PART_BYTES_MAX + 1}, &path));
    for (size_t i = 200; i < sizeof(name); i += 200)
        name[i] = '/';
    assert_true(path_parse((struct bytes){name, PATH_BYTES_MAX - 1}, &path));
    assert_int_equal(path.len, PATH_BYTES_MAX - 1);
    assert_false(path_parse((struct bytes){name, PATH_BYTES_MAX + 1}, &path));
}

/* Whatever is taken holds nothing that could lead out; every name of up to three bytes out of those that matter. */
static void every_short_name_is_safe_or_refused(void **state)
{
    (void)state;
    static const uint8_t letters[] = {0, '\n', '\r', ' ', '.', '/', '\\', ':', '=', 'c', 'C', 0xFF};
    enum { LETTERS = sizeof(letters) };
    for (unsigned i = 0; i < LETTERS * LETTERS * LETTERS; i++) {
        uint8_t name[3] = {
            letters[i % LETTERS], letters[i / LETTERS % LETTERS], letters[i / LETTERS / LETTERS]};
        for (size_t len = 0; len <= 3; len++) {
            struct path path;
            if (!path_parse((struct bytes){name, len}, &path))
                continue;
            assert_int_equal(strlen(path.text), path.len);
            for (const char *part = path.text; path.len > 0 && part;
                 part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
                assert_true(strspn(part, ". ") < strcspn(part, "/"));
            assert_null(strpbrk(path.text, "\\=\r\n"));
            assert_true(path.len == 0 || path.text[0] != '/');
            assert_true(path.len < 2 || path.text[1] != ':' || path.text[0] == '.' ||
                        path.text[0] == ' ' || path.text[0] == ':' ||
                        (uint8_t)path.text[0] == 0xFF);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directories_are_divided_both_ways),
        cmocka_unit_test(what_leads_out_is_refused),
        cmocka_unit_test(a_file_name_is_one_part),
        cmocka_unit_test(lengths_have_limits),
        cmocka_unit_test(every_short_name_is_safe_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
