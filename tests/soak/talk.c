/* Healthy connections of Message, Throughput and LogOutput: every reply is the one that is due, every push the next one. */
#include "kinds.h"

#include "md5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX       (1u << 20)
#define PUSHES_PER_ECHO 50u
#define BUSY_WITNESSES  8u /* of its subscribers who read; the others do not */
#define PUSH_HEAD_BYTES 8u /* who published it, and that one's how manieth */

/* ---- Words ---- */

void talk_message(struct guest *guest, uint8_t type, uint8_t flags, uint16_t code, uint32_t id,
    const void *payload, size_t len)
{
    uint8_t head[MESSAGE_HEAD_BYTES];
    struct message message = {.type = type, .flags = flags, .code = code, .id = id};
    message_head_store(head, &message, len);
    guest_put(guest, head, sizeof(head));
    guest_put(guest, payload, len);
}

void talk_packet(struct guest *guest, const char *text, const void *data, size_t len)
{
    uint8_t head[PACKET_HEAD_BYTES];
    packet_head_store(head, strlen(text), len);
    guest_put(guest, head, sizeof(head));
    guest_put(guest, text, strlen(text));
    guest_put(guest, data, len);
}

void talk_login(struct guest *guest)
{
    static const struct bytes password = {(const uint8_t *)SOAK_USER, sizeof(SOAK_USER) - 1};
    char md5_text[MD5_HEX_BYTES + 1], text[128];
    md5_hex(password, md5_text);
    snprintf(text, sizeof(text), "[Request]\r\nCommand=Login\r\nUserName=%s\r\nPassword=%s",
        SOAK_USER, md5_text);
    talk_packet(guest, text, "", 0);
}

size_t hear_packet(
    struct guest *guest, struct bytes run, char *text, size_t size, struct bytes *ret_data)
{
    struct packet packet;
    size_t need;
    switch (packet_parse(run, &packet, &need)) {
    case FRAME_OK:
        break;
    case FRAME_PARTIAL:
        return 0;
    case FRAME_TOO_LONG:
    case FRAME_MALFORMED:
        crowd_fault(guest, "a packet that cannot be read");
        return 0;
    }
    if (packet.command.len >= size) {
        crowd_fault(guest, "a reply with too much text");
        return 0;
    }
    memcpy(text, packet.command.data, packet.command.len);
    text[packet.command.len] = '\0';
    *ret_data = packet.data;
    return packet.bytes;
}

/* The front message of a run. 0: it is not all there, or a fault. */
static size_t hear_message(struct guest *guest, struct bytes run, struct message *ret_message)
{
    size_t need;
    switch (message_parse(run, FRAME_MAX, ret_message, &need)) {
    case FRAME_OK:
        break;
    case FRAME_PARTIAL:
        return 0;
    case FRAME_TOO_LONG:
    case FRAME_MALFORMED:
        crowd_fault(guest, "a message that cannot be read");
        return 0;
    }
    if (ret_message->type == MESSAGE_GOAWAY) {
        if (!guest->crowd->draining || ret_message->code != STATUS_SHUTTING_DOWN) {
            crowd_fault(guest, "sent away with %u", ret_message->code);
            return 0;
        }
        guest->said_goodbye = true;
    } else if (guest->said_goodbye) {
        crowd_fault(guest, "a message after goodbye");
        return 0;
    }
    return ret_message->bytes;
}

/* ---- Echoes ---- */

/* Every seventh is a PING: the same there and back. */
static void echo_ask(struct guest *guest)
{
    static uint8_t words[WORDS_MAX];
    uint32_t number = guest->asked++;
    size_t len = words_len(guest->serial, number);
    words_fill(words, len, guest->serial, number);
    if (number % 7 == 6)
        talk_message(guest, MESSAGE_PING, 0, 0, number, words, len);
    else
        talk_message(guest, MESSAGE_REQUEST, 0, VERB_ECHO, number, words, len);
}

static bool echo_is_due(const struct guest *guest, const struct message *message)
{
    uint32_t number = guest->answered;
    uint8_t type = number % 7 == 6 ? MESSAGE_PONG : MESSAGE_REPLY;
    return message->type == type && message->code == 0 && message->flags == 0 &&
           message->id == number && message->payload.len == words_len(guest->serial, number) &&
           words_are(message->payload.data, message->payload.len, guest->serial, number);
}

static void greet_asking(struct guest *guest)
{
    for (unsigned i = 0; i < guest->kind->window && guest->asked < guest->life; i++)
        guest->kind->ask(guest);
}

static size_t echo_hear(struct guest *guest, struct bytes run)
{
    struct message message;
    size_t used = hear_message(guest, run, &message);
    if (used == 0 || message.type == MESSAGE_GOAWAY)
        return used;
    if (!echo_is_due(guest, &message)) {
        crowd_fault(guest, "another reply: type %u, code %u, id %u, %zu bytes", message.type,
            message.code, message.id, message.payload.len);
        return 0;
    }
    guest_answered(guest);
    return used;
}

const struct kind kind_echo = {.name = "echo",
    .preface = 0x10,
    .window = 3,
    .life_min = 100,
    .life = 3000,
    .greet = greet_asking,
    .ask = echo_ask,
    .hear = echo_hear};

/* ---- Throughput ---- */

static void throughput_ask(struct guest *guest)
{
    static uint8_t words[WORDS_MAX];
    char text[64];
    uint32_t number = guest->asked++;
    size_t len = words_len(guest->serial, number);
    words_fill(words, len, guest->serial, number);
    snprintf(text, sizeof(text), "[Request]\r\nCommand=CyclePacket\r\nCount=%u", number);
    talk_packet(guest, text, words, len);
}

static size_t throughput_hear(struct guest *guest, struct bytes run)
{
    char text[128], due[128];
    struct bytes data;
    uint32_t number = guest->answered;
    size_t used = hear_packet(guest, run, text, sizeof(text), &data);
    if (used == 0)
        return 0;
    snprintf(
        due, sizeof(due), "[Response]\r\nCommand=CyclePacket\r\nCode=0\r\nCount=%u", number + 1);
    if (strcmp(text, due) != 0 || data.len != words_len(guest->serial, number) ||
        !words_are(data.data, data.len, guest->serial, number)) {
        crowd_fault(guest, "another reply: %s and %zu bytes", text, data.len);
        return 0;
    }
    guest_answered(guest);
    return used;
}

const struct kind kind_throughput = {.name = "throughput",
    .preface = 0x05,
    .per_mille = 120,
    .least = 2,
    .window = 2,
    .life_min = 100,
    .life = 2000,
    .greet = greet_asking,
    .ask = throughput_ask,
    .hear = throughput_hear};

/* ---- Topics ---- */

/* What the numbers of each topic stand for, as the first subscriber saw it: all must agree. */
#define ORDER_PUSHES 1024u
static struct {
    uint32_t id, epoch, number;
} order[TOPICS][ORDER_PUSHES];

size_t topic_name(unsigned topic, char name[8])
{
    return (size_t)snprintf(name, 8, "t%u", topic);
}

static void subscriber_greet(struct guest *guest)
{
    char name[8];
    guest->topic = guest->index < BUSY_WITNESSES ? TOPIC_BUSY : 1 + guest->index % (TOPICS - 1);
    size_t len = topic_name(guest->topic, name);
    guest->asked = 1;
    talk_message(guest, MESSAGE_REQUEST, 0, VERB_SUBSCRIBE, 0, name, len);
}

/* Sometimes, so that replies and pushes meet. Number 0 was the subscription. */
static bool push_is_due(struct guest *guest, const struct message *message)
{
    char name[8];
    size_t name_len = topic_name(guest->topic, name);
    struct bytes payload = message->payload;
    if (payload.len < 1 + name_len + PUSH_HEAD_BYTES || payload.data[0] != name_len ||
        memcmp(payload.data + 1, name, name_len) != 0)
        return false;
    const uint8_t *data = payload.data + 1 + name_len;
    size_t len = payload.len - 1 - name_len;
    uint32_t epoch = load_u32(data), number = load_u32(data + 4), id = message->id;
    if (!words_are(data + PUSH_HEAD_BYTES, len - PUSH_HEAD_BYTES, epoch, number))
        return false;
    if (guest->has_push && (id != guest->push_id + 1 ||
                               (epoch == guest->push_epoch && number != guest->push_number + 1)))
        return false;
    guest->has_push = true;
    guest->push_id = id;
    guest->push_epoch = epoch;
    guest->push_number = number;

    uint32_t at = id % ORDER_PUSHES;
    if (order[guest->topic][at].id == id)
        return order[guest->topic][at].epoch == epoch && order[guest->topic][at].number == number;
    if (order[guest->topic][at].id < id) {
        order[guest->topic][at].id = id;
        order[guest->topic][at].epoch = epoch;
        order[guest->topic][at].number = number;
    }
    return true;
}

static size_t subscriber_hear(struct guest *guest, struct bytes run)
{
    struct message message;
    size_t used = hear_message(guest, run, &message);
    if (used == 0 || message.type == MESSAGE_GOAWAY)
        return used;
    if (message.type == MESSAGE_PUSH) {
        uint32_t before = guest->push_id;
        if (!push_is_due(guest, &message)) {
            crowd_fault(guest, "topic %u: push %u of %zu bytes after %u", guest->topic, message.id,
                message.payload.len, before);
            return 0;
        }
        guest->crowd->pushes++;
        if (guest->push_id % PUSHES_PER_ECHO == 0 && guest->state == GUEST_TALKING &&
            guest->asked == guest->answered && guest->asked < guest->life && !guest->crowd->quiet)
            echo_ask(guest);
        return used;
    }
    bool due = guest->answered == 0 ? message.type == MESSAGE_REPLY && message.code == STATUS_OK &&
                                          message.id == 0 && message.payload.len == 0
                                    : echo_is_due(guest, &message);
    if (!due) {
        crowd_fault(guest, "another reply: type %u, code %u, id %u, %zu bytes", message.type,
            message.code, message.id, message.payload.len);
        return 0;
    }
    guest_answered(guest);
    return used;
}

const struct kind kind_subscriber = {.name = "subscriber",
    .preface = 0x10,
    .per_mille = 200,
    .least = TOPICS,
    .window = 1,
    .life_min = 20,
    .life = 200,
    .greet = subscriber_greet,
    .hear = subscriber_hear};

static void publish(struct guest *guest, unsigned topic, size_t len)
{
    static uint8_t payload[WORDS_MAX];
    char name[8];
    uint32_t number = guest->asked++;
    size_t name_len = topic_name(topic, name);
    payload[0] = (uint8_t)name_len;
    memcpy(payload + 1, name, name_len);
    uint8_t *data = payload + 1 + name_len;
    store_u32(data, guest->serial);
    store_u32(data + 4, number);
    words_fill(data + PUSH_HEAD_BYTES, len, guest->serial, number);
    talk_message(guest, MESSAGE_REQUEST, 0, VERB_PUBLISH, number, payload,
        1 + name_len + PUSH_HEAD_BYTES + len);
}

/* One for each topic. */
static void publisher_ask(struct guest *guest)
{
    publish(guest, 1 + guest->index % (TOPICS - 1), 16 + (guest->serial + guest->asked) % 500);
}

static void busy_publisher_ask(struct guest *guest)
{
    publish(guest, TOPIC_BUSY, 60000);
}

static size_t publisher_hear(struct guest *guest, struct bytes run)
{
    struct message message;
    size_t used = hear_message(guest, run, &message);
    if (used == 0 || message.type == MESSAGE_GOAWAY)
        return used;
    if (message.type != MESSAGE_REPLY || message.code != STATUS_OK ||
        message.id != guest->answered || message.payload.len != 4) {
        crowd_fault(guest, "another reply: type %u, code %u, id %u", message.type, message.code,
            message.id);
        return 0;
    }
    guest_answered(guest);
    return used;
}

const struct kind kind_publisher = {.name = "publisher",
    .preface = 0x10,
    .least = TOPICS - 1,
    .window = 1,
    .life_min = 500,
    .life = 2000,
    .greet = greet_asking,
    .ask = publisher_ask,
    .hear = publisher_hear};

/* As many as its subscribers can take for certain, even where a machine has more to do than this. */
const struct kind kind_busy_publisher = {.name = "busy publisher",
    .preface = 0x10,
    .least = 1,
    .paced = true,
    .window = 1,
    .life_min = 500,
    .life = 2000,
    .greet = greet_asking,
    .ask = busy_publisher_ask,
    .hear = publisher_hear};

/* ---- LogOutput ---- */

static void greet_nothing(struct guest *guest)
{
    (void)guest;
}

static size_t log_hear(struct guest *guest, struct bytes run)
{
    for (size_t i = 0; i < run.len; i++) {
        if (run.data[i] != '\n')
            continue;
        if (i == 0 || run.data[i - 1] != '\r') {
            crowd_fault(guest, "a line without its end");
            return 0;
        }
        guest->crowd->lines++;
        return i + 1;
    }
    return 0;
}

const struct kind kind_log = {
    .name = "log reader", .preface = 0x09, .least = 3, .greet = greet_nothing, .hear = log_hear};
