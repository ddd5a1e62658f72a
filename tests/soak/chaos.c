/* Connections that a server on the open internet gets as well: silent ones, nonsense, readers that do not read. */
#include "kinds.h"

#include <string.h>

static void told(struct guest *guest, unsigned which)
{
    guest->crowd->told[which]++;
}

/* ---- Nothing at all ---- */

static void silent_greet(struct guest *guest)
{
    told(guest, TOLD_SILENT);
    guest_spoiled(guest, guest->crowd->limits.preface_ns + 60 * SECOND_NS, true);
}

const struct kind kind_silent = {
    .name = "silent", .per_mille = 40, .least = 2, .greet = silent_greet};

/* ---- Nonsense ---- */

static void put_message(struct guest *guest, uint32_t length, uint8_t type, uint8_t flags)
{
    uint8_t bytes[1 + MESSAGE_HEAD_BYTES] = {0x10};
    store_u32(bytes + 1, length);
    bytes[5] = type;
    bytes[6] = flags;
    bytes[7] = VERB_ECHO;
    guest_put(guest, bytes, sizeof(bytes));
}

static void put_packet(
    struct guest *guest, uint8_t preface, uint32_t len, uint32_t command_len, const char *text)
{
    uint8_t bytes[1 + PACKET_HEAD_BYTES] = {preface};
    store_u32(bytes + 1, len);
    store_u32(bytes + 5, command_len);
    guest_put(guest, bytes, sizeof(bytes));
    guest_put(guest, text, strlen(text));
}

/* Chance alone, behind a preface that is one. */
static void put_noise(struct guest *guest)
{
    static const uint8_t prefaces[] = {0x02, 0x03, 0x04, 0x05, 0x08, 0x09, 0x10};
    uint8_t bytes[2048];
    uint64_t random = crowd_random(guest->crowd);
    size_t len = 1 + (size_t)(random >> 8) % sizeof(bytes);
    words_fill(bytes, len, guest->serial, 0);
    bytes[0] = prefaces[random % sizeof(prefaces)];
    guest_put(guest, bytes, len);
}

static void malformed_greet(struct guest *guest)
{
    static const char two_equals[] = "[Request]\r\nCommand=Active=1", one_line[] = "[Request]";
    uint8_t byte = (uint8_t)('A' + guest->serial % 26);
    told(guest, TOLD_MALFORMED);
    guest_spoiled(guest, 5 * SECOND_NS, false);
    switch (crowd_random(guest->crowd) % 12) {
    case 0:
        guest_put(guest, &byte, 1); /* no protocol's */
        break;
    case 1:
        put_message(guest, 0xFFFFFFFF, MESSAGE_REQUEST, 0);
        break;
    case 2:
        put_message(guest, 3, MESSAGE_REQUEST, 0);
        break;
    case 3:
        put_message(guest, 8, 99, 0);
        break;
    case 4:
        put_message(guest, 2000, MESSAGE_REQUEST, MESSAGE_ZSTD);
        put_noise(guest);
        break;
    case 5:
        put_message(guest, 1000, MESSAGE_REQUEST, MESSAGE_CHECKSUM | MESSAGE_FIELDS);
        put_noise(guest);
        break;
    case 6:
        put_packet(guest, 0x05, 0xFFFFFFFF, 10, "");
        break;
    case 7:
        put_packet(guest, 0x02, 3, 0, "");
        break;
    case 8:
        put_packet(guest, 0x03, 20, 0xFFFFFFF0, "");
        break;
    case 9:
        put_packet(guest, 0x08, 4 + sizeof(two_equals) - 1, sizeof(two_equals) - 1, two_equals);
        break;
    case 10:
        put_packet(guest, 0x04, 4 + sizeof(one_line) - 1, sizeof(one_line) - 1, one_line);
        break;
    default:
        put_noise(guest);
        break;
    }
}

const struct kind kind_malformed = {
    .name = "malformed", .per_mille = 30, .least = 4, .greet = malformed_greet};

/* ---- Readers that do not read ---- */

static void slow_log_greet(struct guest *guest)
{
    static const uint8_t preface = 0x09;
    told(guest, TOLD_SLOW_LOG);
    guest_spoiled(guest, 20 * SECOND_NS, false);
    guest_put(guest, &preface, 1);
    guest->deaf = true;
}

const struct kind kind_slow_log = {
    .name = "slow log reader", .small_window = true, .least = 2, .greet = slow_log_greet};

static void slow_subscriber_greet(struct guest *guest)
{
    static const uint8_t preface = 0x10;
    char name[8];
    size_t len = topic_name(TOPIC_BUSY, name);
    told(guest, TOLD_SLOW_SUBSCRIBER);
    guest_spoiled(guest, 60 * SECOND_NS, false);
    guest_put(guest, &preface, 1);
    talk_message(guest, MESSAGE_REQUEST, 0, VERB_SUBSCRIBE, 0, name, len);
    guest->deaf = true;
}

const struct kind kind_slow_subscriber = {
    .name = "slow subscriber", .small_window = true, .least = 4, .greet = slow_subscriber_greet};
