#include "courier.h"

#include "service.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PACKET_BYTES ((uint64_t)1 << 20)

static size_t print(char *ret_text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(ret_text, COURIER_TEXT_MAX, format, arguments);
    va_end(arguments);
    return length > 0 && length < COURIER_TEXT_MAX ? (size_t)length : 0;
}

/* ---- The reference server: packets of u32 length, u32 bytes of the command, the command, data ---- */

static size_t put_packet(char *ret_packet, const char *command, uint64_t data_bytes)
{
    enum { HEAD = 8 };
    size_t length = print(ret_packet + HEAD, "[Request]\r\nCommand=%s", command);
    wire_store_u32((unsigned char *)ret_packet, (uint32_t)(4 + length + data_bytes));
    wire_store_u32((unsigned char *)ret_packet + 4, (uint32_t)length);
    return HEAD + length;
}

static size_t join(char *ret_text, char preface)
{
    ret_text[0] = preface;
    return 1 + put_packet(ret_text + 1,
                   "Login\r\nUserName=" SERVICE_USER "\r\nPassword=" SERVICE_PASSWORD, 0);
}

static size_t join_upload(char *ret_text, unsigned number, uint64_t bytes)
{
    (void)number;
    (void)bytes;
    return join(ret_text, 0x02);
}

static size_t join_download(char *ret_text, unsigned number, uint64_t bytes)
{
    (void)number;
    (void)bytes;
    return join(ret_text, 0x03);
}

static size_t packet_download(char *ret_text, unsigned number, uint64_t bytes)
{
    char command[COURIER_TEXT_MAX];
    (void)number;
    (void)bytes;
    print(command,
        "Download\r\nDirName=\r\nFileName=" COURIER_FILE "\r\nFileSize=0\r\nPacketSize=%" PRIu64,
        PACKET_BYTES);
    return put_packet(ret_text, command, 0);
}

static size_t packet_upload(char *ret_text, unsigned number, uint64_t bytes)
{
    char command[COURIER_TEXT_MAX];
    (void)bytes;
    print(command, "Upload\r\nDirName=\r\nFileName=up-%u", number);
    return put_packet(ret_text, command, 0);
}

static size_t packet_data(char *ret_text, unsigned number, uint64_t bytes)
{
    (void)number;
    return put_packet(ret_text, "Data", bytes);
}

static size_t packet_eof(char *ret_text, unsigned number, uint64_t bytes)
{
    (void)number;
    (void)bytes;
    return put_packet(ret_text, "Eof", 0);
}

/* ---- HTTP ---- */

static size_t http_get(char *ret_text, unsigned number, uint64_t bytes)
{
    (void)number;
    (void)bytes;
    return print(ret_text, "GET /" COURIER_FILE " HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

static size_t http_put(char *ret_text, unsigned number, uint64_t bytes)
{
    return print(ret_text,
        "PUT /up-%u HTTP/1.1\r\nHost: localhost\r\nContent-Length: %" PRIu64 "\r\n\r\n", number,
        bytes);
}

/* ---- The servers in peers/: a byte asks, nothing but the file comes; u32 number, u64 length,
 * then the file, and a byte comes ---- */

static size_t plain_ask(char *ret_text, unsigned number, uint64_t bytes)
{
    (void)number;
    (void)bytes;
    ret_text[0] = 0;
    return 1;
}

static size_t plain_offer(char *ret_text, unsigned number, uint64_t bytes)
{
    unsigned char *head = (unsigned char *)ret_text;
    wire_store_u32(head, number);
    wire_store_u32(head + 4, (uint32_t)bytes);
    wire_store_u32(head + 8, (uint32_t)(bytes >> 32));
    return 12;
}

static enum wire_result plain_file(
    const unsigned char *data, size_t bytes, struct wire_item *ret_item)
{
    (void)data;
    (void)bytes;
    *ret_item = (struct wire_item){.kind = WIRE_NOTE, .body_bytes = UINT64_MAX};
    return WIRE_OK;
}

static enum wire_result plain_byte(
    const unsigned char *data, size_t bytes, struct wire_item *ret_item)
{
    (void)data;
    (void)bytes;
    *ret_item = (struct wire_item){.kind = WIRE_REPLY, .head_bytes = 1};
    return WIRE_OK;
}

const struct courier *courier_of(const struct peer *peer, bool is_upload)
{
    static const struct courier reference[] = {
        {.parse = wire_command,
            .join = join_download,
            .join_replies = 1,
            .before = packet_download},
        {.parse = wire_command,
            .join = join_upload,
            .join_replies = 1,
            .before = packet_upload,
            .packet = packet_data,
            .packet_bytes = PACKET_BYTES,
            .after = packet_eof,
            .replies = 2},
    };
    static const struct courier http[] = {
        {.parse = wire_http, .before = http_get},
        {.parse = wire_http, .before = http_put, .replies = 1},
    };
    static const struct courier plain[] = {
        {.parse = plain_file, .before = plain_ask},
        {.parse = plain_byte, .before = plain_offer, .replies = 1},
    };
    if (strcmp(peer->program, "cport-server") == 0)
        return &reference[is_upload];
    if (strcmp(peer->program, "nginx") == 0)
        return &http[is_upload];
    return &plain[is_upload];
}
