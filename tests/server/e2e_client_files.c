/* cport-cli with files, operators' questions and topics. Its path is in the environment's CPORT_CLI, everybody's password in CPORT_PASSWORD:
 * it is bob's. */
#include "client.h"
#include "e2e.h"
#include "files.h"

#include <stdio.h>
#include <stdlib.h>

static struct e2e_server server;
static struct files *here;
static struct path root;
static char local[80];

#define BOB "--user", "bob"
#define RUN(status, ...)                                                                           \
    client_run(&outcome, status, server.tcp_port, CLIENT_WORDS(BOB, __VA_ARGS__))

static int prepare(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof(name), "e2e-client-%s-%p", e2e_backend(), (void *)&name);
    snprintf(local, sizeof(local), "%s.local", name);
    here = files_open(".");
    root = (struct path){0};
    if (!here || !path_append(&root, text_bytes(name)))
        return -1;
    (void)files_delete_folder(here, &root);
    if (files_make_folder(here, &root) != FILES_OK)
        return -1;
    E2E_START(&server, "--users", e2e_users(), "--root", root.text);
    return 0;
}

static int clean(void **state)
{
    int result = e2e_clean(state);
    (void)files_delete_folder(here, &root);
    files_close(here);
    (void)remove(local);
    return result;
}

static void put_local(const uint8_t *bytes, size_t len)
{
    FILE *file = fopen(local, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void expect_local(const uint8_t *bytes, size_t len)
{
    uint8_t *got = malloc(len + 1);
    FILE *file = fopen(local, "rb");
    assert_non_null(file);
    assert_non_null(got);
    assert_int_equal(fread(got, 1, len + 1, file), len);
    assert_memory_equal(got, bytes, len);
    (void)fclose(file);
    free(got);
}

static void files_go_there_and_back(void **state)
{
    (void)state;
    enum { SIZE = 1500000, PART = 600000 };
    struct outcome outcome;
    uint8_t *bytes = e2e_bytes(SIZE, 21);
    RUN(0, "mkdir", "folder");
    put_local(bytes, PART);
    RUN(0, "upload", local, "folder/file");
    put_local(bytes, SIZE);
    RUN(0, "--verify", "upload", local, "folder/file"); /* the rest of it */
    RUN(0, "ls");
    assert_non_null(strstr(outcome.output, "folder/"));
    RUN(0, "ls", "folder", "--json");
    assert_non_null(
        strstr(outcome.output, "{\"name\": \"file\", \"size\": 1500000, \"folder\": false}"));

    put_local(bytes, PART);
    RUN(0, "--verify", "download", "folder/file", local);
    expect_local(bytes, SIZE);
    bytes[5] ^= 1;
    put_local(bytes, PART);
    RUN(1, "--verify", "download", "folder/file", local); /* what was there was something else */
    assert_non_null(strstr(outcome.errors, "differ"));
    bytes[5] ^= 1;
    RUN(0, "--restart", "--verify", "download", "folder/file", local);
    expect_local(bytes, SIZE);
    put_local(bytes, 10);
    RUN(1, "upload", local, "folder/file");
    assert_non_null(strstr(outcome.errors, "--restart"));
    RUN(0, "--restart", "upload", local, "folder/file");
    RUN(1, "download", "folder/nothing", local);
    assert_non_null(strstr(outcome.errors, "folder/nothing: No such file"));
    put_local(bytes, 20);
    RUN(1, "download", "folder/file", local); /* ten bytes */
    assert_non_null(strstr(outcome.errors, "--restart"));
    expect_local(bytes, 20);
    assert_int_equal(remove(local), 0);
    RUN(1, "download", "folder/nothing", local);
    assert_null(fopen(local, "rb"));
    RUN(0, "rm", "folder/file");
    RUN(0, "rmdir", "folder");
    RUN(1, "ls", "folder");
    RUN(1, "mkdir", "..");
    RUN(2, "upload", "no such file");
    assert_non_null(strstr(outcome.errors, "cannot read no such file: "));
    RUN(2, "upload", root.text);
    assert_non_null(strstr(outcome.errors, "it is a folder"));
    free(bytes);
    e2e_stop(&server);
}

static void transfers_tell_programs_what_they_did(void **state)
{
    (void)state;
    struct outcome outcome;
    char wanted[256];
    uint8_t *bytes = e2e_bytes(300000, 22);
    put_local(bytes, 100000);
    RUN(0, "mkdir", "folder", "--json");
    assert_string_equal(outcome.output, "{\"name\": \"folder\"}\n");
    RUN(0, "upload", local, "folder/"); /* under its own name */
    assert_string_equal(outcome.output, "");
    put_local(bytes, 300000);
    RUN(0, "--verify", "--json", "upload", local, "folder/");
    snprintf(wanted, sizeof(wanted),
        "{\"local\": \"%s\", \"name\": \"folder/%s\", \"size\": 300000, \"offset\": 100000, "
        "\"verified\": true}\n",
        local, local);
    assert_string_equal(outcome.output, wanted);
    snprintf(wanted, sizeof(wanted), "folder/%s", local);
    put_local(bytes, 300000);
    RUN(0, "--json", "download", wanted); /* here it has the same name */
    assert_non_null(strstr(outcome.output, "\"size\": 300000, \"offset\": 300000, "));
    RUN(0, "--json", "download", wanted, root.text); /* into a folder */
    assert_non_null(strstr(outcome.output, "\"size\": 300000, \"offset\": 0, "));
    RUN(0, "--verify", "upload", local); /* so it lies in the root by now */
    free(bytes);
    e2e_stop(&server);
}

static void names_arrive_as_they_are(void **state)
{
    (void)state;
    static const char name[] = "a folder/two words and \xC3\xA9\xE2\x82\xAC";
    struct outcome outcome;
    put_local((const uint8_t *)"hello", 5);
    RUN(0, "mkdir", "a folder");
    RUN(0, "upload", local, name);
    RUN(0, "cat", "--json", name);
    assert_non_null(strstr(outcome.output, "\"base64\": \"aGVsbG8=\", \"size\": 5}"));
    assert_non_null(strstr(outcome.output, name));
    RUN(0, "ls", "a folder");
    assert_string_equal(outcome.output, "              5  two words and \xC3\xA9\xE2\x82\xAC\n");
    RUN(0, "rm", name);
    RUN(2, "mkdir", "a=b");
    RUN(2, "mkdir", "a\nb");
    assert_non_null(strstr(outcome.errors, "a?b: what is sent"));
    RUN(1, "ls", "no/such\x1B[2Jfolder");
    assert_null(strchr(outcome.errors, 0x1B));
    RUN(1, "mkdir", "..");
    assert_non_null(
        strstr(outcome.errors, "..: Parameter missing or malformed (code 6): it may be"));
    e2e_stop(&server);
}

/* A client that uploads the file already is ended, and what it has brought is gone on with. */
static void an_upload_is_taken_over(void **state)
{
    (void)state;
    struct outcome outcome;
    uint8_t *bytes = e2e_bytes(200000, 23);
    cport_os_handle first = e2e_connect(&server, 0x02);
    e2e_login(first, "bob");
    e2e_packet_send(first, "[Request]\r\nCommand=Upload\r\nDirName=\r\nFileName=file", "", 0);
    e2e_packet_expect(first, "[Response]\r\nCommand=Upload\r\nCode=0\r\nFileSize=0", "", 0);
    e2e_packet_send(first, "[Request]\r\nCommand=Data", bytes, 50000);
    e2e_packet_send(first, "[Request]\r\nCommand=Active", "", 0);
    e2e_packet_expect(first, "[Response]\r\nCommand=Active\r\nCode=0", "", 0);
    put_local(bytes, 200000);
    RUN(0, "--verify", "--json", "upload", local, "file");
    assert_non_null(strstr(outcome.output, "\"offset\": 50000"));
    net_close(first);
    free(bytes);
    e2e_stop(&server);
}

static void texts_are_printed(void **state)
{
    (void)state;
    struct outcome outcome;
    put_local((const uint8_t *)"one\ntwo\n", 8);
    RUN(0, "upload", local, "text");
    RUN(0, "cat", "text");
    assert_string_equal(outcome.output, "one\ntwo\n");
    RUN(1, "cat", "nothing");
    e2e_stop(&server);
}

static void operators_are_answered(void **state)
{
    (void)state;
    struct outcome outcome;
    RUN(0, "clients");
    assert_non_null(strstr(outcome.output, "\tcontrol\tbob\t"));
    RUN(0, "clients", "--json");
    assert_non_null(strstr(outcome.output, "\"protocol\": \"control\", \"user\": \"bob\""));
    RUN(0, "stats");
    assert_non_null(strstr(outcome.output, "logins=3\n"));
    RUN(0, "stats", "--json");
    assert_non_null(strstr(outcome.output, "\n  \"logins\": 4,"));
    RUN(1, "kick", "1.2.3.4:5");
    assert_non_null(
        strstr(outcome.errors, "1.2.3.4:5: Not completed (code 5): administrators may"));
    RUN(1, "--user", "nobody", "stats");
    assert_non_null(strstr(outcome.errors, "nobody: Wrong user or password (code 7): look at"));
    e2e_stop(&server);
}

static void topics_and_the_log_are_followed(void **state)
{
    (void)state;
    struct outcome outcome;
    char line[1200], errors[1024];
    struct child *listener =
        client_start(server.tcp_port, CLIENT_WORDS(BOB, "subscribe", "news", "--count", "2"));
    assert_true(child_line(listener, line, sizeof(line)));
    assert_string_equal(line, "subscribed");
    RUN(0, "publish", "news", "first");
    assert_string_equal(outcome.output, "1 receivers\n");
    RUN(0, "--json", "publish", "news", "second one");
    assert_string_equal(outcome.output, "{\"receivers\": 1}\n");
    assert_true(child_line(listener, line, sizeof(line)));
    assert_string_equal(line, "1 first");
    assert_true(child_line(listener, line, sizeof(line)));
    assert_string_equal(line, "2 second one");
    assert_int_equal(child_wait(listener, errors, sizeof(errors)), 0);

    struct child *reader = client_start(server.tcp_port, CLIENT_WORDS(BOB, "log"));
    assert_true(child_line(reader, line, sizeof(line)));
    assert_memory_equal(line, "cport-server ", 13);
    RUN(1, "--user", "nobody", "stats");
    do
        assert_true(child_line(reader, line, sizeof(line)));
    while (!strstr(line, "event=login_failed"));
    e2e_stop(&server);
    assert_int_equal(child_wait(reader, errors, sizeof(errors)), 0);
}

int main(int argc, char **argv)
{
    if (!getenv("CPORT_CLI") || !getenv("CPORT_PASSWORD")) {
        fputs("CPORT_CLI must hold the path of cport-cli, CPORT_PASSWORD bob's\n", stderr);
        return 2;
    }
#define CLIENT_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, clean)
    const struct CMUnitTest tests[] = {
        CLIENT_TEST(files_go_there_and_back),
        CLIENT_TEST(transfers_tell_programs_what_they_did),
        CLIENT_TEST(names_arrive_as_they_are),
        CLIENT_TEST(an_upload_is_taken_over),
        CLIENT_TEST(texts_are_printed),
        CLIENT_TEST(operators_are_answered),
        CLIENT_TEST(topics_and_the_log_are_followed),
    };
    return e2e_run("e2e_client_files", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
