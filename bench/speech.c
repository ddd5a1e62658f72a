#include "speech.h"

#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char topic[] = "prices";
#define TOPIC_BYTES (sizeof topic - 1)

static void add(unsigned char *hello, size_t *hello_bytes, const void *data, size_t bytes)
{
    memcpy(hello + *hello_bytes, data, bytes);
    *hello_bytes += bytes;
}

static void join_with(struct speech *s, const void *data, size_t bytes)
{
    add(s->join, &s->join_bytes, data, bytes);
}

static void greet_with(struct speech *s, const void *data, size_t bytes)
{
    add(s->hello, &s->hello_bytes, data, bytes);
}

/* Head, data and tail of a publish. */
static int compose(struct speech *s, const void *head, size_t head_bytes, const char *tail)
{
    size_t tail_bytes = strlen(tail);
    s->publish_bytes = head_bytes + s->data_bytes + tail_bytes;
    s->publish = malloc(s->publish_bytes);
    if (s->publish == NULL) {
        fprintf(stderr, "client: no memory\n");
        return -1;
    }
    s->data_at = head_bytes;
    memcpy(s->publish, head, head_bytes);
    for (size_t i = 0; i < s->data_bytes; i++)
        s->publish[head_bytes + i] = (unsigned char)('a' + i % 26);
    memcpy(s->publish + head_bytes + s->data_bytes, tail, tail_bytes);
    return 0;
}

/* SUBSCRIBE with the topic; PUBLISH with u8 topic_len, topic, data: behind a head of u32 length, u8 type, u8 flags, u16 verb,
 * u32 id. */
static int open_message(struct speech *s)
{
    static const unsigned char preface[] = {0x10};
    enum { HEAD = 12, COUNTED = 8, REQUEST = 1, SUBSCRIBE = 4, PUBLISH = 6 };
    unsigned char subscribe[HEAD + TOPIC_BYTES] = {[4] = REQUEST, [6] = SUBSCRIBE};
    unsigned char publish[HEAD + 1 + TOPIC_BYTES] = {[4] = REQUEST, [6] = PUBLISH};
    wire_store_u32(subscribe, COUNTED + TOPIC_BYTES);
    memcpy(subscribe + HEAD, topic, TOPIC_BYTES);
    wire_store_u32(publish, (uint32_t)(COUNTED + 1 + TOPIC_BYTES + s->data_bytes));
    publish[HEAD] = TOPIC_BYTES;
    memcpy(publish + HEAD + 1, topic, TOPIC_BYTES);

    s->parse = wire_message;
    s->replies = true;
    join_with(s, preface, sizeof preface);
    join_with(s, subscribe, sizeof subscribe);
    greet_with(s, preface, sizeof preface);
    return compose(s, publish, sizeof publish, "");
}

static int open_redis(struct speech *s)
{
    static const char subscribe[] = "*2\r\n$9\r\nSUBSCRIBE\r\n$6\r\nprices\r\n";
    char head[96];
    int length = snprintf(head, sizeof head, "*3\r\n$7\r\nPUBLISH\r\n$%zu\r\n%s\r\n$%zu\r\n",
        TOPIC_BYTES, topic, s->data_bytes);
    s->parse = wire_redis;
    s->replies = true;
    join_with(s, subscribe, sizeof subscribe - 1);
    return compose(s, head, (size_t)length, "\r\n");
}

/* The reply to a PING tells that what went before it has been taken. */
static int open_nats(struct speech *s)
{
    static const char connect[] = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";
    static const char subscribe[] = "SUB prices 1\r\nPING\r\n";
    char head[96];
    int length = snprintf(head, sizeof head, "PUB %s %zu\r\n", topic, s->data_bytes);
    s->parse = wire_nats;
    s->pong = "PONG\r\n";
    join_with(s, connect, sizeof connect - 1);
    join_with(s, subscribe, sizeof subscribe - 1);
    greet_with(s, connect, sizeof connect - 1);
    return compose(s, head, (size_t)length, "\r\n");
}

/* MQTT 3.1.1: a clean session without a name and without keep-alive; quality of service 0. */
static int open_mqtt(struct speech *s)
{
    static const unsigned char connect[] = {
        0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x02, 0, 0, 0, 0};
    unsigned char subscribe[] = {0x82, 5 + TOPIC_BYTES, 0, 1, 0, TOPIC_BYTES};
    unsigned char head[8 + TOPIC_BYTES] = {0x30};
    static const unsigned char qos[] = {0};
    size_t at = 1;
    for (size_t rest = 2 + TOPIC_BYTES + s->data_bytes; at == 1 || rest > 0; rest >>= 7)
        head[at++] = (unsigned char)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    head[at++] = 0;
    head[at++] = TOPIC_BYTES;
    memcpy(head + at, topic, TOPIC_BYTES);
    s->parse = wire_mqtt;
    join_with(s, connect, sizeof connect);
    join_with(s, subscribe, sizeof subscribe);
    join_with(s, topic, TOPIC_BYTES);
    join_with(s, qos, sizeof qos);
    greet_with(s, connect, sizeof connect);
    return compose(s, head, at + TOPIC_BYTES, "");
}

int speech_open(const struct peer *peer, unsigned data_bytes, struct speech *ret_speech)
{
    struct speech s = {.data_bytes = data_bytes};
    if (data_bytes < SPEECH_NUMBER_BYTES) {
        fprintf(stderr, "what is published has at least %u bytes\n", SPEECH_NUMBER_BYTES);
        return -1;
    }
    int status;
    if (strcmp(peer->program, "redis-server") == 0)
        status = open_redis(&s);
    else if (strcmp(peer->program, "nats-server") == 0)
        status = open_nats(&s);
    else if (strcmp(peer->program, "mosquitto") == 0)
        status = open_mqtt(&s);
    else
        status = open_message(&s);
    *ret_speech = s;
    return status;
}

void speech_close(struct speech *s)
{
    free(s->publish);
}
