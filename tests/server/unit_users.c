/* The users file: what is read, what is refused, and that editing loses nobody. */
#include "check.h"
#include "users.h"

#include <stdio.h>

static char file_name[64];
static char error[USERS_ERROR_BYTES];

static void put(const char *text)
{
    FILE *file = fopen(file_name, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void get(char *text, size_t size)
{
    FILE *file = fopen(file_name, "rb");
    assert_non_null(file);
    size_t len = fread(text, 1, size - 1, file);
    text[len] = '\0';
    (void)fclose(file);
}

static struct user user_of(const char *name, enum role role, const char *password)
{
    struct user user = {.role = role};
    char md5_text[MD5_HEX_BYTES + 1];
    snprintf(user.name, sizeof(user.name), "%s", name);
    md5_hex(text_bytes(password), md5_text);
    assert_true(password_hash(md5_text, PASSWORD_COST_LEAST, user.record));
    return user;
}

static enum role login(const struct users *users, const char *name, const char *password)
{
    char md5_text[MD5_HEX_BYTES + 1];
    md5_hex(text_bytes(password), md5_text);
    return users_check(users, text_bytes(name), md5_text);
}

static void edited_files_are_read(void **state)
{
    (void)state;
    put("# people\n\n");
    struct user ann = user_of("ann", ROLE_ADMIN, "secret"), bob = user_of("bob", ROLE_USER, "pass");
    assert_true(users_edit(file_name, &ann, error));
    assert_true(users_edit(file_name, &bob, error));
    struct users *users = users_load(file_name, error);
    assert_non_null(users);
    assert_int_equal(users_count(users), 2);
    assert_int_equal(login(users, "ann", "secret"), ROLE_ADMIN);
    assert_int_equal(login(users, "bob", "pass"), ROLE_USER);
    assert_int_equal(login(users, "bob", "secret"), ROLE_NONE);
    assert_int_equal(login(users, "Bob", "pass"), ROLE_NONE);
    assert_int_equal(login(users, "", "pass"), ROLE_NONE);
    assert_int_equal(login(users, "nobody", "pass"), ROLE_NONE);
    assert_int_equal(login(NULL, "ann", "secret"), ROLE_NONE);
    users_release(users);

    bob = user_of("bob", ROLE_ADMIN, "changed");
    assert_true(users_edit(file_name, &bob, error));
    ann.role = ROLE_NONE;
    assert_true(users_edit(file_name, &ann, error));
    assert_false(users_edit(file_name, &ann, error));
    assert_non_null(strstr(error, "has no user ann"));
    users = users_load(file_name, error);
    assert_int_equal(users_count(users), 1);
    assert_int_equal(login(users, "bob", "changed"), ROLE_ADMIN);
    users_release(users);
    char text[1024];
    get(text, sizeof(text));
    assert_memory_equal(text, "# people\n", 9);
    assert_null(strstr(text, "changed"));
}

static void a_hold_outlives_a_release(void **state)
{
    (void)state;
    put("");
    struct user ann = user_of("ann", ROLE_USER, "secret");
    assert_true(users_edit(file_name, &ann, error));
    struct users *users = users_load(file_name, error);
    struct users *held = users_hold(users);
    users_release(users);
    assert_int_equal(login(held, "ann", "secret"), ROLE_USER);
    users_release(held);
    users_release(NULL);
}

static void wrong_files_are_told(void **state)
{
    (void)state;
    static const char *const wrong[] = {"ann", "ann:user", "ann:user:", "ann:king:$argon2id$",
        "ann:user:21232f297a57a5a743894a0e4a801fc3", ":user:x", "a=b:user:x"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "# one\n%s\n", wrong[i]);
        put(text);
        assert_null(users_load(file_name, error));
        assert_non_null(strstr(error, ":2:"));
    }
    struct user ann = user_of("ann", ROLE_USER, "x");
    char text[1024];
    snprintf(text, sizeof(text), "ann:user:%s\nann:admin:%s\n", ann.record, ann.record);
    put(text);
    assert_null(users_load(file_name, error));
    assert_non_null(strstr(error, "ann is there twice"));
    assert_null(users_load("no/such/file", error));
    assert_non_null(strstr(error, "no/such/file"));

    /* A line that nothing fits is not cut in two. */
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    put(text);
    assert_null(users_load(file_name, error));
    assert_false(users_edit(file_name, &ann, error));
}

static void records_are_salted_and_hide_the_digest(void **state)
{
    (void)state;
    struct user one = user_of("a", ROLE_USER, "admin"), two = user_of("a", ROLE_USER, "admin");
    assert_string_not_equal(one.record, two.record);
    assert_memory_equal(one.record, "$argon2id$", 10);
    assert_null(strstr(one.record, "21232f297a57a5a743894a0e4a801fc3"));
    assert_true(password_matches(one.record, "21232f297a57a5a743894a0e4a801fc3"));
    assert_false(password_matches(one.record, "21232f297a57a5a743894a0e4a801fc4"));

    char text[MD5_HEX_BYTES + 1];
    assert_true(password_md5_text(text_bytes("21232F297A57A5A743894A0E4A801FC3"), text));
    assert_string_equal(text, "21232f297a57a5a743894a0e4a801fc3");
    assert_false(password_md5_text(text_bytes("21232F297A57A5A743894A0E4A801FC"), text));
    assert_false(password_md5_text(text_bytes("21232F297A57A5A743894A0E4A801FCG"), text));
}

static void names_are_plain(void **state)
{
    (void)state;
    assert_true(user_name_is_sound(text_bytes("ann")));
    assert_true(user_name_is_sound(text_bytes("J\xC3\xBCrgen O'Neill")));
    static const char *const wrong[] = {"", "a:b", "a=b", "a\nb", "a\tb", "#a", "\xFF", "a\x7F"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(user_name_is_sound(text_bytes(wrong[i])));
    char name[USER_NAME_BYTES_MAX + 2];
    memset(name, 'x', sizeof(name));
    assert_true(user_name_is_sound((struct bytes){(uint8_t *)name, USER_NAME_BYTES_MAX}));
    assert_false(user_name_is_sound((struct bytes){(uint8_t *)name, USER_NAME_BYTES_MAX + 1}));
}

static int setup(void **state)
{
    (void)state;
    /* In the folder of the run; the name is this process's alone. */
    snprintf(file_name, sizeof(file_name), "unit_users-%p.tmp", (void *)state);
    return password_prepare() ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return remove(file_name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edited_files_are_read),
        cmocka_unit_test(a_hold_outlives_a_release),
        cmocka_unit_test(wrong_files_are_told),
        cmocka_unit_test(records_are_salted_and_hide_the_digest),
        cmocka_unit_test(names_are_plain),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
