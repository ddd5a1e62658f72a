/* Upload, Download and RemoteStream, over real connections, in a folder of this run's own. */
#include "e2e.h"
#include "files.h"

#include <stdio.h>
#include <stdlib.h>

#define UPLOAD        0x02
#define DOWNLOAD      0x03
#define REMOTE_STREAM 0x04

static struct files *here; /* where the tests run */
static struct path root;   /* the folder served, in there */
static struct e2e_server server;

static int prepare(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof(name), "e2e-files-%s-%p", e2e_backend(), (void *)&name);
    here = files_open(".");
    root = (struct path){0};
    if (!here || !path_append(&root, text_bytes(name)))
        return -1;
    (void)files_delete_folder(here, &root);
    return files_make_folder(here, &root) == FILES_OK ? 0 : -1;
}

static int clean(void **state)
{
    int result = e2e_clean(state);
    (void)files_delete_folder(here, &root);
    files_close(here);
    return result;
}

static void serve(void)
{
    E2E_START(&server, "--users", e2e_users(), "--root", root.text, "--workers", "2");
}

static cport_os_handle open_as(uint8_t protocol, const char *user)
{
    cport_os_handle fd = e2e_connect(&server, protocol);
    e2e_login(fd, user);
    return fd;
}

/* Sends a command with data; the reply must be `[Response]`, its name, and rest. */
static void ask_with(
    cport_os_handle fd, const char *command, const void *data, size_t len, const char *rest)
{
    char text[512], expected[2048];
    snprintf(text, sizeof(text), "[Request]\r\nCommand=%s", command);
    snprintf(expected, sizeof(expected), "[Response]\r\nCommand=%.*s\r\n%s",
        (int)strcspn(command, "\r"), command, rest);
    e2e_packet_send(fd, text, data, len);
    char *reply = e2e_packet_next(fd);
    if (strcmp(reply, expected) != 0)
        fail_msg("%s: %s instead of %s", command, reply, expected);
    free(reply);
}

static void ask(cport_os_handle fd, const char *command, const char *rest)
{
    ask_with(fd, command, "", 0, rest);
}

static void put_data(cport_os_handle fd, const void *data, size_t len)
{
    e2e_packet_send(fd, "[Request]\r\nCommand=Data", data, len);
}

#define CODE(n, text) "Code=" #n "\r\nMessage=" text
#define PARAMETER     CODE(6, "Parameter missing or malformed")
#define NO_FOLDER     CODE(33554433, "No such directory")

/* Downloads from an offset, and checks that these are the bytes and the sizes of their packets. */
static void expect_download(cport_os_handle fd, const char *name, size_t offset,
    const uint8_t *bytes, size_t len, size_t packet)
{
    char text[256];
    snprintf(text, sizeof(text),
        "[Request]\r\nCommand=Download\r\nDirName=\r\nFileName=%s\r\n"
        "FileSize=%zu\r\nPacketSize=%zu",
        name, offset, packet);
    e2e_packet_send(fd, text, "", 0);
    e2e_packet_expect(fd, "[Response]\r\nCommand=Download\r\nCode=0", "", 0);
    snprintf(text, sizeof(text), "[Response]\r\nCommand=SendFile\r\nCode=0\r\nFileSize=%zu",
        len - offset);
    e2e_packet_expect(fd, text, "", 0);
    if (packet > 1u << 20)
        packet = 1u << 20;
    for (size_t at = offset; at < len; at += packet)
        e2e_packet_expect(fd, "[Response]\r\nCommand=Data\r\nCode=0", bytes + at,
            packet < len - at ? packet : len - at);
}

static void folders_are_made_listed_and_deleted(void **state)
{
    (void)state;
    serve();
    cport_os_handle fd = e2e_connect(&server, UPLOAD);
    ask(fd, "Dir\r\nParentDir=", CODE(8, "Not logged in"));
    e2e_login(fd, "bob");
    ask(fd, "Active", "Code=0");
    ask(fd, "Dir\r\nParentDir=", "Code=0");
    ask(fd, "CreateDir\r\nParentDir=\r\nDirName=one", "Code=0");
    ask(fd, "CreateDir\r\nParentDir=\r\nDirName=one", "Code=0");
    ask(fd, "CreateDir\r\nParentDir=one\r\nDirName=two", "Code=0");
    ask(fd, "CreateDir\r\nParentDir=one\\two/\r\nDirName=three", "Code=0");
    ask(fd, "CreateDir\r\nParentDir=nowhere\r\nDirName=two", NO_FOLDER);
    ask(fd, "Dir\r\nParentDir=one", "Code=0\r\nItem=two");
    ask(fd, "Dir\r\nParentDir=one/two/three", "Code=0");
    ask(fd, "Dir\r\nParentDir=nowhere", NO_FOLDER);
    ask(fd, "FileList\r\nDirName=one", "Code=0");

    ask(fd, "Upload\r\nDirName=one/two\r\nFileName=file", "Code=0\r\nFileSize=0");
    put_data(fd, "hello", 5);
    ask(fd, "Eof", "Code=0");
    ask(fd, "FileList\r\nDirName=one/two",
        "Code=0\r\nItem=file\x01"
        "5");
    ask(fd, "CreateDir\r\nParentDir=one/two\r\nDirName=file",
        CODE(33554434, "The directory cannot be created"));
    ask(fd, "DeleteFile\r\nDirName=one/two\r\nItem=file\r\nItem=not there", "Code=0");
    ask(fd, "FileList\r\nDirName=one/two", "Code=0");
    ask(fd, "DeleteFile\r\nDirName=one\r\nItem=two", CODE(33554439, "The file cannot be deleted"));
    ask(fd, "DeleteFile\r\nDirName=one", PARAMETER);
    ask(fd, "DeleteDir\r\nParentDir=\r\nDirName=nowhere", NO_FOLDER);
    ask(fd, "DeleteDir\r\nParentDir=\r\nDirName=one", "Code=0");
    ask(fd, "Dir\r\nParentDir=", "Code=0");
    net_close(fd);
    e2e_stop(&server);
}

static void names_that_lead_out_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"..", "../x", "a/../../x", "/etc", "\\\\host", "C:", "c:x",
        "NUL", "a/con.txt", "..\\x", "..."};
    serve();
    cport_os_handle up = open_as(UPLOAD, "bob"), down = open_as(DOWNLOAD, "bob");
    cport_os_handle remote = open_as(REMOTE_STREAM, "bob");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "Dir\r\nParentDir=%s", names[i]);
        ask(up, text, PARAMETER);
        ask(down, text, PARAMETER);
        snprintf(text, sizeof(text), "CreateDir\r\nParentDir=\r\nDirName=%s", names[i]);
        ask(up, text, PARAMETER);
        snprintf(text, sizeof(text), "DeleteDir\r\nParentDir=%s\r\nDirName=x", names[i]);
        ask(up, text, PARAMETER);
        snprintf(text, sizeof(text), "DeleteFile\r\nDirName=\r\nItem=x\r\nItem=%s", names[i]);
        ask(up, text, PARAMETER);
        snprintf(text, sizeof(text), "Upload\r\nDirName=\r\nFileName=%s", names[i]);
        ask(up, text, PARAMETER);
        snprintf(text, sizeof(text), "OpenFile\r\nMode=1\r\nFileName=%s", names[i]);
        ask(remote, text, PARAMETER);
    }
    ask(up, "Upload\r\nDirName=\r\nFileName=a/b", PARAMETER);
    ask(up, "CreateDir\r\nParentDir=\r\nDirName=a\\b", PARAMETER);
    ask(up, "Upload\r\nDirName=", PARAMETER);
    net_close(up);
    net_close(down);
    net_close(remote);
    e2e_stop(&server);
}

static void uploads_are_resumed_and_downloaded(void **state)
{
    (void)state;
    enum { SIZE = 3000000, PART = 1234567 };
    uint8_t *bytes = e2e_bytes(SIZE, 11);
    serve();
    cport_os_handle fd = open_as(UPLOAD, "bob");
    ask(fd, "Upload\r\nDirName=\r\nFileName=big file", "Code=0\r\nFileSize=0");
    for (size_t at = 0; at < PART; at += 100000)
        put_data(fd, bytes + at, PART - at < 100000 ? PART - at : 100000);
    ask(fd, "Active", "Code=0"); /* all of it has been taken */
    net_reset(fd);

    /* The first connection may not have ended yet: then the file is in use, for a moment. */
    fd = open_as(UPLOAD, "bob");
    char *reply;
    for (;;) {
        e2e_packet_send(fd, "[Request]\r\nCommand=Upload\r\nDirName=\r\nFileName=big file", "", 0);
        reply = e2e_packet_next(fd);
        if (!strstr(reply, "Code=11"))
            break;
        free(reply);
    }
    assert_string_equal(reply, "[Response]\r\nCommand=Upload\r\nCode=0\r\nFileSize=1234567");
    free(reply);
    put_data(fd, bytes + PART, SIZE - PART);
    put_data(fd, "", 0);
    ask(fd, "Eof", "Code=0");
    ask(fd, "Eof", CODE(10, "No file is open"));
    ask(fd, "FileList\r\nDirName=",
        "Code=0\r\nItem=big file\x01"
        "3000000");
    put_data(fd, "x", 1); /* without a file: the end */
    e2e_packet_expect(
        fd, "[Response]\r\nCommand=Data\r\nCode=10\r\nMessage=No file is open", "", 0);
    e2e_expect_end(fd);
    net_close(fd);

    fd = open_as(DOWNLOAD, "bob");
    expect_download(fd, "big file", 0, bytes, SIZE, 65536);
    expect_download(fd, "big file", PART, bytes, SIZE, 4000000000u);
    expect_download(fd, "big file", SIZE - 1000, bytes, SIZE, 7);
    expect_download(fd, "big file", SIZE, bytes, SIZE, 1000);
    ask(fd, "Download\r\nFileName=big file\r\nFileSize=3000001\r\nPacketSize=1",
        CODE(33554440, "Size or offset out of range"));
    ask(fd, "Download\r\nFileName=big file\r\nFileSize=-1\r\nPacketSize=1", PARAMETER);
    ask(fd, "Download\r\nFileName=big file\r\nFileSize=0\r\nPacketSize=0", PARAMETER);
    ask(fd, "Download\r\nFileName=big file\r\nFileSize=0\r\nPacketSize=-5", PARAMETER);
    ask(fd, "Download\r\nFileName=no file\r\nFileSize=0\r\nPacketSize=5", CODE(9, "No such file"));
    net_close(fd);
    free(bytes);
    e2e_stop(&server);
}

/* More than the queue holds, to a client that has shut its side and reads late; what it asked behind comes behind. */
static void downloads_outlast_a_half_close(void **state)
{
    (void)state;
    enum { SIZE = 20000000 };
    uint8_t *bytes = e2e_bytes(SIZE, 12);
    serve();
    cport_os_handle up = open_as(UPLOAD, "ann");
    ask(up, "Upload\r\nDirName=\r\nFileName=f", "Code=0\r\nFileSize=0");
    for (size_t at = 0; at < SIZE; at += 10000000)
        put_data(up, bytes + at, 10000000);
    ask(up, "Eof", "Code=0");
    net_close(up);

    cport_os_handle fd = open_as(DOWNLOAD, "bob");
    net_small_buffers(fd);
    e2e_packet_send(fd,
        "[Request]\r\nCommand=Download\r\nFileName=f\r\nFileSize=0\r\nPacketSize=1000000", "", 0);
    e2e_packet_send(fd, "[Request]\r\nCommand=Active", "", 0);
    net_shutdown_send(fd);
    /* Somebody else is served meanwhile. */
    cport_os_handle other = open_as(DOWNLOAD, "ann");
    ask(other, "FileList\r\nDirName=",
        "Code=0\r\nItem=f\x01"
        "20000000");
    net_close(other);
    e2e_packet_expect(fd, "[Response]\r\nCommand=Download\r\nCode=0", "", 0);
    e2e_packet_expect(fd, "[Response]\r\nCommand=SendFile\r\nCode=0\r\nFileSize=20000000", "", 0);
    for (size_t at = 0; at < SIZE; at += 1000000)
        e2e_packet_expect(fd, "[Response]\r\nCommand=Data\r\nCode=0", bytes + at, 1000000);
    e2e_packet_expect(fd, "[Response]\r\nCommand=Active\r\nCode=0", "", 0);
    e2e_expect_end(fd);
    net_close(fd);
    free(bytes);
    e2e_stop(&server);
}

static void a_second_uploader_takes_over(void **state)
{
    (void)state;
    serve();
    cport_os_handle first = open_as(UPLOAD, "ann"), second = open_as(UPLOAD, "bob");
    ask(first, "Upload\r\nDirName=\r\nFileName=f", "Code=0\r\nFileSize=0");
    put_data(first, "abc", 3);
    ask(first, "Active", "Code=0");
    ask(second, "Upload\r\nDirName=\r\nFileName=f", CODE(11, "The file is in use"));
    uint8_t byte;
    assert_true(net_recv(first, &byte, 1) <= 0);
    net_close(first);
    char *reply;
    for (;;) {
        e2e_packet_send(second, "[Request]\r\nCommand=Upload\r\nDirName=\r\nFileName=f", "", 0);
        reply = e2e_packet_next(second);
        if (!strstr(reply, "Code=11"))
            break;
        free(reply);
    }
    assert_non_null(strstr(reply, "FileSize=3"));
    free(reply);
    put_data(second, "def", 3);
    ask(second, "Eof", "Code=0");
    net_close(second);
    cport_os_handle fd = open_as(DOWNLOAD, "bob");
    expect_download(fd, "f", 0, (const uint8_t *)"abcdef", 6, 100);
    net_close(fd);
    e2e_stop(&server);
}

static void expect_read(cport_os_handle fd, const char *count, const void *data, size_t len)
{
    char text[64];
    snprintf(text, sizeof(text), "[Request]\r\nCommand=Read\r\nCount=%s", count);
    e2e_packet_send(fd, text, "", 0);
    snprintf(text, sizeof(text), "[Response]\r\nCommand=Read\r\nCode=0\r\nCount=%zu", len);
    e2e_packet_expect(fd, text, data, len);
}

static void remote_streams_read_and_write(void **state)
{
    (void)state;
    serve();
    cport_os_handle fd = e2e_connect(&server, REMOTE_STREAM);
    ask(fd, "GetSize", CODE(8, "Not logged in"));
    e2e_login(fd, "bob");
    static const char *const closed[] = {"GetSize", "SetSize\r\nSize=1", "GetPosition",
        "SetPosition\r\nPosition=0", "Read\r\nCount=1", "Write", "Seek\r\nOffset=0\r\nSeekOrigin=0",
        "CloseFile"};
    for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
        ask(fd, closed[i], CODE(10, "No file is open"));
    ask(fd, "FileExists\r\nFileName=f", CODE(9, "No such file"));
    ask(fd, "OpenFile\r\nFileName=f\r\nMode=0", CODE(9, "No such file"));
    ask(fd, "OpenFile\r\nFileName=f\r\nMode=2", PARAMETER);
    ask(fd, "OpenFile\r\nFileName=\r\nMode=0", PARAMETER);
    ask(fd, "OpenFile\r\nFileName=f\r\nMode=1", "Code=0");
    ask(fd, "FileExists\r\nFileName=f", "Code=0");
    ask_with(fd, "Write", "hello world", 11, "Code=0\r\nCount=11");
    ask(fd, "GetPosition", "Code=0\r\nPosition=11");
    ask(fd, "GetSize", "Code=0\r\nSize=11");
    ask(fd, "Seek\r\nOffset=-5\r\nSeekOrigin=2", "Code=0\r\nOffset=6");
    expect_read(fd, "100", "world", 5);
    expect_read(fd, "100", "", 0);
    ask(fd, "SetPosition\r\nPosition=4", "Code=0");
    expect_read(fd, "3", "o w", 3);
    expect_read(fd, "0", "", 0);
    ask(fd, "Seek\r\nOffset=-7\r\nSeekOrigin=1", "Code=0\r\nOffset=0");
    ask(fd, "Seek\r\nOffset=-1\r\nSeekOrigin=1", CODE(33554440, "Size or offset out of range"));
    ask(fd, "Seek\r\nOffset=9223372036854775807\r\nSeekOrigin=2",
        CODE(33554440, "Size or offset out of range"));
    ask(fd, "Seek\r\nOffset=0\r\nSeekOrigin=3", PARAMETER);
    ask(fd, "Read\r\nCount=-1", PARAMETER);
    ask(fd, "SetPosition\r\nPosition=-1", PARAMETER);
    ask(fd, "SetSize\r\nSize=-1", PARAMETER);
    ask(fd, "SetSize\r\nSize=5", "Code=0");
    expect_read(fd, "9223372036854775807", "hello", 5);
    ask(fd, "CloseFile", "Code=0");
    ask(fd, "OpenFile\r\nFileName=f\r\nMode=0", "Code=0");
    ask_with(fd, "Write", "x", 1, CODE(5, "Not completed"));
    ask(fd, "SetSize\r\nSize=0", CODE(5, "Not completed"));
    expect_read(fd, "5", "hello", 5);
    net_close(fd);
    e2e_stop(&server);
}

/* Beyond 4 GiB, in a file of holes. */
static void files_may_be_longer_than_4_gib(void **state)
{
    (void)state;
    serve();
    cport_os_handle fd = open_as(REMOTE_STREAM, "bob");
    ask(fd, "OpenFile\r\nFileName=long\r\nMode=1", "Code=0");
    ask(fd, "SetSize\r\nSize=5000000000", "Code=0");
    ask(fd, "Seek\r\nOffset=-4\r\nSeekOrigin=2", "Code=0\r\nOffset=4999999996");
    ask_with(fd, "Write", "tail", 4, "Code=0\r\nCount=4");
    ask(fd, "GetSize", "Code=0\r\nSize=5000000000");
    ask(fd, "CloseFile", "Code=0");
    net_close(fd);

    fd = open_as(UPLOAD, "bob");
    ask(fd, "Upload\r\nDirName=\r\nFileName=long", "Code=0\r\nFileSize=5000000000");
    put_data(fd, "more", 4);
    ask(fd, "Eof", "Code=0");
    ask(fd, "FileList\r\nDirName=",
        "Code=0\r\nItem=long\x01"
        "5000000004");
    net_close(fd);

    fd = open_as(DOWNLOAD, "bob");
    e2e_packet_send(fd,
        "[Request]\r\nCommand=Download\r\nFileName=long\r\nFileSize=4999999996\r\nPacketSize=5", "",
        0);
    e2e_packet_expect(fd, "[Response]\r\nCommand=Download\r\nCode=0", "", 0);
    e2e_packet_expect(fd, "[Response]\r\nCommand=SendFile\r\nCode=0\r\nFileSize=8", "", 0);
    e2e_packet_expect(fd, "[Response]\r\nCommand=Data\r\nCode=0", "tailm", 5);
    e2e_packet_expect(fd, "[Response]\r\nCommand=Data\r\nCode=0", "ore", 3);
    net_close(fd);
    e2e_stop(&server);
}

static void servers_without_a_root_serve_no_files(void **state)
{
    (void)state;
    E2E_START_PLAIN(&server);
    for (uint8_t protocol = UPLOAD; protocol <= REMOTE_STREAM; protocol++) {
        cport_os_handle fd = e2e_connect(&server, protocol);
        e2e_expect_end(fd);
        net_close(fd);
    }
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "illegal_preface"), 3);

    E2E_START(
        &server, "--root", root.text, "--remote-stream-anonymous", "yes", "--login-timeout", "1ms");
    cport_os_handle fd = e2e_connect(&server, REMOTE_STREAM);
    ask(fd, "OpenFile\r\nFileName=f\r\nMode=1", "Code=0");
    ask_with(fd, "Write", "x", 1, "Code=0\r\nCount=1");
    net_close(fd);
    e2e_stop(&server);
}

int main(int argc, char **argv)
{
#define FILES_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, clean)
    const struct CMUnitTest tests[] = {
        FILES_TEST(folders_are_made_listed_and_deleted),
        FILES_TEST(names_that_lead_out_are_refused),
        FILES_TEST(uploads_are_resumed_and_downloaded),
        FILES_TEST(downloads_outlast_a_half_close),
        FILES_TEST(a_second_uploader_takes_over),
        FILES_TEST(remote_streams_read_and_write),
        FILES_TEST(files_may_be_longer_than_4_gib),
        FILES_TEST(servers_without_a_root_serve_no_files),
    };
    return e2e_run("e2e_files", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
