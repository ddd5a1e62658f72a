/* Files down and up, every byte compared; every fourth transfer is cut off by a reset. */
#include "kinds.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CUT_ONE_IN 4u

static bool cut_now(struct guest *guest)
{
    return !guest->crowd->quiet && !guest->crowd->healthy_only &&
           crowd_random(guest->crowd) % CUT_ONE_IN == 0;
}

static void cut(struct guest *guest)
{
    guest->crowd->spoiled[SPOIL_RESET]++;
    guest_spoiled(guest, 0, false);
    guest_gone(guest, true);
}

static size_t other_reply(struct guest *guest, const char *text)
{
    crowd_fault(guest, "stage %u: another reply: %s", guest->stage, text);
    return 0;
}

/* ---- Down ---- */

static uint8_t *shelf[SHELF_FILES];

size_t shelf_len(unsigned i)
{
    static const size_t len[SHELF_FILES] = {0, 1000, 100000, 1000000};
    return len[i];
}

bool shelf_fill(const char *root)
{
    for (unsigned i = 0; i < SHELF_FILES; i++) {
        char name[4096];
        size_t len = shelf_len(i);
        shelf[i] = malloc(len + 1);
        snprintf(name, sizeof(name), "%s/shelf-%u", root, i);
        FILE *file = fopen(name, "wb");
        if (!shelf[i] || !file)
            return false;
        words_fill(shelf[i], len, i, 0);
        bool written = fwrite(shelf[i], 1, len, file) == len;
        if (fclose(file) != 0 || !written)
            return false;
    }
    return true;
}

enum down_stage { DOWN_LOGIN, DOWN_REPLY, DOWN_SIZE, DOWN_DATA };

static void login_first(struct guest *guest)
{
    guest->asked = 1;
    talk_login(guest);
}

static void downloader_ask(struct guest *guest)
{
    char text[128];
    uint64_t random = crowd_random(guest->crowd);
    guest->topic = (unsigned)(random % SHELF_FILES);
    guest->at = (size_t)(random >> 8) % (shelf_len(guest->topic) + 1);
    guest->stage = DOWN_REPLY;
    guest->asked++;
    snprintf(text, sizeof(text),
        "[Request]\r\nCommand=Download\r\nDirName=\r\nFileName=shelf-%u\r\nFileSize=%zu\r\n"
        "PacketSize=%u",
        guest->topic, guest->at, 500 + (unsigned)(random >> 40) % 60000);
    talk_packet(guest, text, "", 0);
}

static void downloaded(struct guest *guest)
{
    guest->crowd->downloads++;
    guest_answered(guest);
}

static size_t downloader_hear(struct guest *guest, struct bytes run)
{
    char text[128], due[128];
    struct bytes data;
    size_t used = hear_packet(guest, run, text, sizeof(text), &data);
    if (used == 0)
        return 0;
    switch ((enum down_stage)guest->stage) {
    case DOWN_LOGIN:
        if (strcmp(text, "[Response]\r\nCommand=Login\r\nCode=0") != 0)
            return other_reply(guest, text);
        guest_answered(guest);
        break;
    case DOWN_REPLY:
        if (strcmp(text, "[Response]\r\nCommand=Download\r\nCode=0") != 0)
            return other_reply(guest, text);
        guest->stage = DOWN_SIZE;
        break;
    case DOWN_SIZE:
        guest->left = (int64_t)(shelf_len(guest->topic) - guest->at);
        snprintf(due, sizeof(due), "[Response]\r\nCommand=SendFile\r\nCode=0\r\nFileSize=%lld",
            (long long)guest->left);
        if (strcmp(text, due) != 0)
            return other_reply(guest, text);
        guest->stage = DOWN_DATA;
        if (guest->left == 0)
            downloaded(guest);
        else if (cut_now(guest))
            cut(guest);
        break;
    case DOWN_DATA:
        if (strcmp(text, "[Response]\r\nCommand=Data\r\nCode=0") != 0 || data.len == 0 ||
            (int64_t)data.len > guest->left ||
            memcmp(data.data, shelf[guest->topic] + guest->at, data.len) != 0)
            return other_reply(guest, text);
        guest->at += data.len;
        guest->left -= (int64_t)data.len;
        if (guest->left == 0)
            downloaded(guest);
        break;
    }
    return used;
}

const struct kind kind_downloader = {.name = "downloader",
    .preface = 0x03,
    .per_mille = 4,
    .least = 2,
    .window = 1,
    .life_min = 10,
    .life = 50,
    .greet = login_first,
    .ask = downloader_ask,
    .hear = downloader_hear};

/* ---- Up ---- */

enum up_stage { UP_LOGIN, UP_REPLY, UP_EOF, UP_DELETED };

static void path_of(const struct guest *guest, char path[4096])
{
    snprintf(path, 4096, "%s/%s", guest->crowd->root, guest->name);
}

/* What a life before has left behind when it was cut off. */
static void uploader_greet(struct guest *guest)
{
    char path[4096];
    path_of(guest, path);
    if (guest->name[0] != '\0')
        unlink(path);
    login_first(guest);
}

static void uploader_ask(struct guest *guest)
{
    char text[128];
    guest->stage = UP_REPLY;
    snprintf(guest->name, sizeof(guest->name), "up-%u-%u", guest->serial, guest->asked);
    snprintf(
        text, sizeof(text), "[Request]\r\nCommand=Upload\r\nDirName=\r\nFileName=%s", guest->name);
    guest->asked++;
    talk_packet(guest, text, "", 0);
}

#define UP_PACKETS 5u

static void send_data(struct guest *guest)
{
    static uint8_t words[WORDS_MAX];
    unsigned packets = cut_now(guest) ? 1 + guest->serial % UP_PACKETS : 0;
    for (uint32_t i = 0; i < UP_PACKETS; i++) {
        size_t len = words_len(guest->serial, i);
        words_fill(words, len, guest->serial, i);
        talk_packet(guest, "[Request]\r\nCommand=Data", words, len);
        if (i + 1 == packets) {
            guest_flush(guest);
            cut(guest);
            return;
        }
    }
    talk_packet(guest, "[Request]\r\nCommand=Eof", "", 0);
    guest->stage = UP_EOF;
}

/* As the file system has it, now that Eof has been answered. */
static bool is_there(const struct guest *guest)
{
    static uint8_t bytes[WORDS_MAX];
    char path[4096];
    path_of(guest, path);
    FILE *file = fopen(path, "rb");
    bool good = file != NULL;
    for (uint32_t i = 0; good && i < UP_PACKETS; i++) {
        size_t len = words_len(guest->serial, i);
        good = fread(bytes, 1, len, file) == len && words_are(bytes, len, guest->serial, i);
    }
    good = good && fgetc(file) == EOF;
    if (file)
        fclose(file);
    return good;
}

static size_t uploader_hear(struct guest *guest, struct bytes run)
{
    static const char *const due[] = {[UP_LOGIN] = "[Response]\r\nCommand=Login\r\nCode=0",
        [UP_REPLY] = "[Response]\r\nCommand=Upload\r\nCode=0\r\nFileSize=0",
        [UP_EOF] = "[Response]\r\nCommand=Eof\r\nCode=0",
        [UP_DELETED] = "[Response]\r\nCommand=DeleteFile\r\nCode=0"};
    char text[128];
    struct bytes data;
    size_t used = hear_packet(guest, run, text, sizeof(text), &data);
    if (used == 0)
        return 0;
    if (strcmp(text, due[guest->stage]) != 0 || data.len > 0)
        return other_reply(guest, text);
    switch ((enum up_stage)guest->stage) {
    case UP_REPLY:
        send_data(guest);
        break;
    case UP_EOF:
        if (!is_there(guest))
            return other_reply(guest, "the file is another one");
        snprintf(text, sizeof(text), "[Request]\r\nCommand=DeleteFile\r\nDirName=\r\nItem=%s",
            guest->name);
        talk_packet(guest, text, "", 0);
        guest->stage = UP_DELETED;
        break;
    case UP_DELETED:
        guest->crowd->uploads++;
        guest_answered(guest);
        break;
    case UP_LOGIN:
        guest_answered(guest);
        break;
    }
    return used;
}

const struct kind kind_uploader = {.name = "uploader",
    .preface = 0x02,
    .per_mille = 3,
    .least = 2,
    .life_min = 10,
    .life = 50,
    .greet = uploader_greet,
    .ask = uploader_ask,
    .hear = uploader_hear};
