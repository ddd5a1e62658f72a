/* What only the file system knows, on POSIX systems: links, pipes, and folders of folders. */
#include "check.h"
#include "files.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static struct files *files;

static struct path path_of(const char *text)
{
    struct path path;
    assert_true(path_parse(text_bytes(text), &path));
    return path;
}

static const char *real(const char *name)
{
    static char text[2][128];
    static unsigned turn;
    char *own = text[turn++ % 2];
    snprintf(own, sizeof(text[0]), "%s/%s", folder, name);
    return own;
}

static enum files_result try_open(const char *name, enum file_mode mode)
{
    struct path path = path_of(name);
    struct file *file = NULL;
    enum files_result result = file_open(files, &path, mode, &file);
    file_close(file);
    return result;
}

static int make(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/cport-files-XXXXXX");
    if (!mkdtemp(folder) || mkdir(real("root"), 0755) != 0 ||
        mkdir(real("root/inner"), 0755) != 0 || mkdir(real("outside"), 0755) != 0)
        return -1;
    FILE *secret = fopen(real("outside/secret"), "w");
    if (!secret || fputs("secret", secret) < 0 || fclose(secret) != 0)
        return -1;
    files = files_open(real("root"));
    return files ? 0 : -1;
}

static int unmake(void **state)
{
    (void)state;
    files_close(files);
    struct files *all = files_open("/tmp");
    struct path own = path_of(folder + 5);
    enum files_result result = files_delete_folder(all, &own);
    files_close(all);
    return result == FILES_OK ? 0 : -1;
}

static void links_that_lead_out_are_refused(void **state)
{
    (void)state;
    assert_int_equal(symlink("../outside", real("root/out")), 0);
    assert_int_equal(symlink("/etc", real("root/absolute")), 0);
    assert_int_equal(symlink("../../outside/secret", real("root/inner/secret")), 0);
    assert_int_equal(symlink("loop", real("root/loop")), 0);
    assert_int_equal(try_open("out/secret", FILE_READ), FILES_REFUSED);
    assert_int_equal(try_open("out/new", FILE_UPDATE), FILES_REFUSED);
    assert_int_equal(try_open("absolute/passwd", FILE_READ), FILES_REFUSED);
    assert_int_equal(try_open("inner/secret", FILE_READ), FILES_REFUSED);
    assert_int_equal(try_open("inner/secret", FILE_UPDATE), FILES_REFUSED);
    assert_int_equal(try_open("loop", FILE_READ), FILES_REFUSED);

    struct path path = path_of("out/new");
    assert_int_equal(files_make_folder(files, &path), FILES_REFUSED);
    assert_int_equal(files_delete_folder(files, &path), FILES_REFUSED);
    path = path_of("out/secret");
    assert_int_equal(files_delete(files, &path), FILES_REFUSED);
    assert_int_equal(access(real("outside/secret"), F_OK), 0);
}

static bool count(void *ctx, struct bytes name, int64_t size)
{
    (void)name;
    (void)size;
    ++*(unsigned *)ctx;
    return true;
}

static void links_are_deleted_and_not_followed(void **state)
{
    (void)state;
    unsigned seen = 0;
    assert_int_equal(symlink("../outside", real("root/out")), 0);
    assert_int_equal(symlink("../../outside", real("root/inner/out")), 0);
    struct path path = path_of("");
    assert_int_equal(files_list(files, &path, true, count, &seen), FILES_OK);
    assert_int_equal(seen, 1); /* inner */
    path = path_of("out");
    assert_int_equal(files_list(files, &path, true, count, &seen), FILES_REFUSED);
    assert_int_equal(files_delete_folder(files, &path), FILES_OK);
    path = path_of("inner");
    assert_int_equal(files_delete_folder(files, &path), FILES_OK);
    assert_int_equal(access(real("root/inner"), F_OK), -1);
    assert_int_equal(access(real("outside/secret"), F_OK), 0);
}

/* Opening a pipe must not wait for whoever is at its other end: there is nobody. */
static void only_regular_files_are_opened(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(real("root/pipe"), 0644), 0);
    assert_int_equal(try_open("pipe", FILE_READ), FILES_REFUSED);
    assert_int_equal(try_open("pipe", FILE_UPDATE), FILES_REFUSED);
    assert_int_equal(try_open("inner", FILE_READ), FILES_REFUSED);
    assert_int_equal(try_open("inner", FILE_UPDATE), FILES_REFUSED);
    assert_int_equal(try_open("inner/none", FILE_READ), FILES_NONE);
    assert_int_equal(try_open("none/file", FILE_UPDATE), FILES_NONE);
}

/* A link that stays within the root is as good as what it leads to. */
static void links_within_are_followed(void **state)
{
    (void)state;
    assert_int_equal(try_open("inner/file", FILE_UPDATE), FILES_OK);
    assert_int_equal(symlink("inner/file", real("root/link")), 0);
    assert_int_equal(symlink("inner", real("root/folder")), 0);
    assert_int_equal(try_open("link", FILE_READ), FILES_OK);
    assert_int_equal(try_open("folder/file", FILE_READ), FILES_OK);
}

static void deep_folders_are_deleted_up_to_a_limit(void **state)
{
    (void)state;
    struct path path = {0};
    for (int i = 0; i < 100; i++) {
        assert_true(path_append(&path, text_bytes("d")));
        assert_int_equal(files_make_folder(files, &path), FILES_OK);
    }
    path = path_of("d");
    assert_int_equal(files_delete_folder(files, &path), FILES_OK);
    assert_int_equal(access(real("root/d"), F_OK), -1);
}

int main(void)
{
#define FILES_TEST(test) cmocka_unit_test_setup_teardown(test, make, unmake)
    const struct CMUnitTest tests[] = {
        FILES_TEST(links_that_lead_out_are_refused),
        FILES_TEST(links_are_deleted_and_not_followed),
        FILES_TEST(only_regular_files_are_opened),
        FILES_TEST(links_within_are_followed),
        FILES_TEST(deep_folders_are_deleted_up_to_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
