/*
 * What no client should send, to every protocol: each gets its clear code, or its end, while somebody else goes on working beside
 * it; and the server is as before.
 */
#include "e2e.h"
#include "files.h"

#include <stdio.h>
#include <stdlib.h>

#define UPLOAD        0x02
#define DOWNLOAD      0x03
#define REMOTE_STREAM 0x04
#define THROUGHPUT    0x05
#define CONTROL       0x08

static struct files *here; /* where the tests run */
static struct path root;   /* the folder served, in there */

static int prepare(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof(name), "e2e-nonsense-%s-%p", e2e_backend(), (void *)&name);
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

static struct e2e_server server;
static cport_os_handle witness;
static uint32_t witnessed;

static void serve(void)
{
    E2E_START(&server, "--users", e2e_users(), "--root", root.text, "--workers", "1", "--max-frame",
        "64K", "--message-anonymous", "yes");
    witness = e2e_connect(&server, 0x10);
    witnessed = 0;
}

/* Somebody else, on the same worker. */
static void nobody_else_has_noticed(void)
{
    e2e_echo(witness, witnessed++, "hello", 5);
}

static void stop(void)
{
    nobody_else_has_noticed();
    net_close(witness);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "memory"), 0);
}

/* Commands that can be read, and cannot be meant. The connection stays. */
static void absurd_parameters_have_their_code(void **state)
{
    (void)state;
    static const struct {
        uint8_t protocol;
        const char *command;
        const char *code;
    } absurd[] = {
        {UPLOAD, "Upload\r\nDirName=", "6"},
        {UPLOAD, "Upload\r\nDirName=\r\nFileName=", "6"},
        {UPLOAD, "Upload\r\nDirName=../..\r\nFileName=f", "6"},
        {UPLOAD, "Upload\r\nDirName=\r\nFileName=..\\..\\f", "6"},
        {UPLOAD, "Upload\r\nDirName=C:\\\r\nFileName=f", "6"},
        {UPLOAD, "CreateDir\r\nParentDir=/etc\r\nDirName=x", "6"},
        {UPLOAD, "DeleteDir\r\nParentDir=a/../..\r\nDirName=x", "6"},
        {UPLOAD, "DeleteFile\r\nDirName=\r\nItem=../x", "6"},
        {UPLOAD, "Eof", "10"},
        {DOWNLOAD, "Download\r\nFileName=../../etc/passwd\r\nFileSize=0\r\nPacketSize=9", "6"},
        {DOWNLOAD, "Download\r\nFileName=f\r\nFileSize=-1\r\nPacketSize=9", "6"},
        {DOWNLOAD, "Download\r\nFileName=f\r\nFileSize=0\r\nPacketSize=0", "6"},
        {DOWNLOAD, "Download\r\nFileName=f\r\nFileSize=0\r\nPacketSize=-9223372036854775808", "6"},
        {DOWNLOAD, "Download\r\nFileName=f\r\nFileSize=99999999999999999999\r\nPacketSize=9", "6"},
        {REMOTE_STREAM, "Read\r\nCount=-1", "6"},
        {REMOTE_STREAM, "Read\r\nCount=1e9", "6"},
        {REMOTE_STREAM, "SetSize\r\nSize=-1", "6"},
        {REMOTE_STREAM, "SetPosition\r\nPosition=-9223372036854775808", "6"},
        {REMOTE_STREAM, "Seek\r\nOffset=9223372036854775808\r\nSeekOrigin=2", "6"},
        {REMOTE_STREAM, "Seek\r\nOffset=-9223372036854775808\r\nSeekOrigin=1", "33554440"},
        {REMOTE_STREAM, "Seek\r\nOffset=0\r\nSeekOrigin=99", "6"},
        {REMOTE_STREAM, "OpenFile\r\nFileName=../f\r\nMode=1", "6"},
        {REMOTE_STREAM, "OpenFile\r\nFileName=f\r\nMode=-1", "6"},
        {THROUGHPUT, "CyclePacket\r\nCount=9223372036854775807", "6"},
        {THROUGHPUT, "CyclePacket\r\nCount=", "6"},
        {CONTROL, "Kick\r\nRemote=", "6"},
        {CONTROL, "Format\r\nDrive=C:", "1"},
    };
    uint8_t protocol = 0;
    cport_os_handle fd = CPORT_OS_HANDLE_INVALID;
    serve();
    for (size_t i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++) {
        char text[512], expected[256];
        if (absurd[i].protocol != protocol) {
            if (protocol != 0)
                net_close(fd);
            protocol = absurd[i].protocol;
            fd = e2e_connect(&server, protocol);
            if (protocol != THROUGHPUT)
                e2e_login(fd, "ann");
        }
        if (protocol == REMOTE_STREAM && i > 0 && absurd[i - 1].protocol != protocol) {
            e2e_packet_send(fd, "[Request]\r\nCommand=OpenFile\r\nFileName=f\r\nMode=1", "", 0);
            e2e_packet_expect(fd, "[Response]\r\nCommand=OpenFile\r\nCode=0", "", 0);
        }
        snprintf(text, sizeof(text), "[Request]\r\nCommand=%s", absurd[i].command);
        snprintf(expected, sizeof(expected), "[Response]\r\nCommand=%.*s\r\nCode=%s\r\nMessage=",
            (int)strcspn(absurd[i].command, "\r"), absurd[i].command, absurd[i].code);
        e2e_packet_send(fd, text, "", 0);
        char *reply = e2e_packet_next(fd);
        if (strncmp(reply, expected, strlen(expected)) != 0)
            fail_msg("%s: %s", absurd[i].command, reply);
        free(reply);
        nobody_else_has_noticed();
    }
    net_close(fd);
    stop();
}

/* Packets that cannot be read: a code, and the end. In every protocol of the family alike, before anybody has logged in. */
static void packets_that_cannot_be_read_end_the_connection(void **state)
{
    (void)state;
    static const uint8_t protocols[] = {UPLOAD, DOWNLOAD, REMOTE_STREAM, THROUGHPUT, CONTROL};
    static const struct {
        uint32_t packet_len, command_len;
        const char *text;
        const char *code;
    } wrong[] = {{0xFFFFFFFF, 10, "", "Code=2\r\n"}, {(10u << 20) + 1, 10, "", "Code=2\r\n"},
        {0, 0, "", "Code=3\r\n"}, {3, 0, "", "Code=3\r\n"}, {50, 47, "", "Code=3\r\n"},
        {50, 0xFFFFFFFF, "", "Code=3\r\n"}, {50, 0x80000000, "", "Code=3\r\n"},
        {4, 0, "", "Code=3\r\n"},                                       /* no text at all */
        {4 + 9, 9, "[Request]", "Code=3\r\n"},                          /* one line */
        {4 + 26, 26, "[Request]Command=ActiveXXX", "Code=3\r\n"},       /* without an end */
        {4 + 26, 26, "[Request]\r\nCommand=Active=", "Code=3\r\n"},     /* two equal signs */
        {4 + 26, 26, "[Request]\nCommand=Active\n\n\n", "Code=3\r\n"}}; /* ends of another sort */
    serve();
    for (size_t p = 0; p < sizeof(protocols); p++) {
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
            uint8_t head[PACKET_HEAD_BYTES];
            cport_os_handle fd = e2e_connect(&server, protocols[p]);
            store_u32(head, wrong[i].packet_len);
            store_u32(head + 4, wrong[i].command_len);
            e2e_send(fd, head, sizeof(head));
            e2e_send(fd, wrong[i].text, strlen(wrong[i].text));
            char *reply = e2e_packet_next(fd);
            if (!strstr(reply, wrong[i].code))
                fail_msg("protocol %u, packet %zu: %s", protocols[p], i, reply);
            free(reply);
            e2e_expect_end(fd);
            net_close(fd);
            nobody_else_has_noticed();
        }
    }
    stop();
    assert_int_equal(
        e2e_count(&server, "broken_frame"), sizeof(protocols) * (sizeof(wrong) / sizeof(wrong[0])));
}

/* A server that was made without what a flag asks for looks no further. */
static uint16_t expected_of(uint8_t flags, uint16_t status)
{
    bool lacks = ((flags & MESSAGE_CHECKSUM) && !CPORT_SERVER_CHECKSUM) ||
                 ((flags & MESSAGE_ZSTD) && !CPORT_SERVER_ZSTD);
    return lacks ? STATUS_NOT_ALLOWED : status;
}

/* Frames of Message whose payload cannot be read: a status, and the connection stays. */
static void payloads_that_cannot_be_read_have_their_status(void **state)
{
    (void)state;
    static const struct {
        uint8_t flags;
        const char *payload;
        size_t len;
        uint16_t status;
    } wrong[] = {{MESSAGE_CHECKSUM, "short", 5, STATUS_CHECKSUM},
        {MESSAGE_CHECKSUM, "12345678", 8, STATUS_CHECKSUM},
        {MESSAGE_ZSTD, "this is no zstd", 15, STATUS_MALFORMED},
        {MESSAGE_ZSTD, "", 0, STATUS_MALFORMED},
        {MESSAGE_FIELDS, "\x07\x01x\xFF\xFF\xFF\xFF", 7, STATUS_MALFORMED}, /* past its end */
        {MESSAGE_FIELDS, "\x07\xFFx", 3, STATUS_MALFORMED},
        {MESSAGE_FIELDS, "\x09\0\x09\0\0\0\x09\0\xFF\0\0\0", 12, STATUS_MALFORMED},
        {MESSAGE_FIELDS, "\x07\x01x\x02\0\0\0\xC0\x80", 9, STATUS_MALFORMED}, /* no UTF-8 */
        {0x40, "x", 1, STATUS_MALFORMED}};
    serve();
    cport_os_handle fd = e2e_connect(&server, 0x10);
    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        e2e_message_send(
            fd, MESSAGE_REQUEST, wrong[i].flags, VERB_ECHO, i, wrong[i].payload, wrong[i].len);
        struct message reply = e2e_message_next(fd);
        if (reply.type != MESSAGE_REPLY || reply.id != i ||
            reply.code != expected_of(wrong[i].flags, wrong[i].status))
            fail_msg("payload %u: type %u, id %u, code %u", i, reply.type, reply.id, reply.code);
        free((void *)(uintptr_t)reply.payload.data);
    }
    e2e_echo(fd, 99, "still here", 10);
    net_close(fd);
    stop();
}

/* A few hundred bytes that inflate to a hundred times what a frame may have. No memory is held for them; that they would be too long
 * is told, whether their size is in their head or not, and the connection stays. */
static void zip_bombs_do_not_go_off(void **state)
{
    (void)state;
    /* One zstd frame after the other: magic number; no content size, a window of 8 MiB; blocks of 128 KiB of a repeated zero, four bytes
     * each; the last one says so. The second has a single segment, whose size stands in its head. */
    enum { BLOCKS = 50 };
    uint8_t bomb[16 + 4 * BLOCKS];
    serve();
    cport_os_handle fd = e2e_connect(&server, 0x10);
    for (uint32_t sized = 0; sized < 2; sized++) {
        static const uint8_t magic[] = {0x28, 0xB5, 0x2F, 0xFD};
        size_t len = sizeof(magic);
        memcpy(bomb, magic, len);
        if (sized) {
            bomb[len++] = 0xA0; /* the size in four bytes, single segment */
            store_u32(bomb + len, BLOCKS * (128u << 10));
            len += 4;
        } else {
            bomb[len++] = 0x00;
            bomb[len++] = 13 << 3; /* 2^23 bytes */
        }
        for (uint32_t i = 0; i < BLOCKS; i++) {
            uint32_t head = (128u << 10) << 3 | 1u << 1 | (i + 1 == BLOCKS);
            bomb[len++] = (uint8_t)head;
            bomb[len++] = (uint8_t)(head >> 8);
            bomb[len++] = (uint8_t)(head >> 16);
            bomb[len++] = 0;
        }
        for (uint32_t i = 0; i < 20; i++) {
            e2e_message_send(fd, MESSAGE_REQUEST, MESSAGE_ZSTD, VERB_ECHO, i, bomb, len);
            struct message reply = e2e_message_next(fd);
            assert_int_equal(reply.type, MESSAGE_REPLY);
            assert_int_equal(reply.id, i);
            assert_int_equal(reply.code, expected_of(MESSAGE_ZSTD, STATUS_TOO_LONG));
            free((void *)(uintptr_t)reply.payload.data);
        }
        nobody_else_has_noticed();
    }
    e2e_echo(fd, 99, "still here", 10);
    net_close(fd);
    stop();
}

/* Random bytes behind each protocol's first one. Whatever comes back, the server goes on. */
static void noise_disturbs_nobody(void **state)
{
    (void)state;
    static const uint8_t protocols[] = {
        UPLOAD, DOWNLOAD, REMOTE_STREAM, THROUGHPUT, CONTROL, 0x09, 0x10};
    serve();
    for (uint32_t i = 0; i < 70; i++) {
        size_t len = 1 + 37 * (size_t)i;
        uint8_t *noise = e2e_bytes(len, i);
        cport_os_handle fd = e2e_connect(&server, protocols[i % sizeof(protocols)]);
        e2e_send(fd, noise, len);
        nobody_else_has_noticed();
        net_reset(fd);
        free(noise);
    }
    stop();
}

int main(int argc, char **argv)
{
#define NONSENSE_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, clean)
    const struct CMUnitTest tests[] = {
        NONSENSE_TEST(absurd_parameters_have_their_code),
        NONSENSE_TEST(packets_that_cannot_be_read_end_the_connection),
        NONSENSE_TEST(payloads_that_cannot_be_read_have_their_status),
        NONSENSE_TEST(zip_bombs_do_not_go_off),
        NONSENSE_TEST(noise_disturbs_nobody),
    };
    return e2e_run("e2e_nonsense", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
