#include "dialogue.h"

#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The head, the body and the tail of a request. */
static int compose(const void *head, size_t head_bytes, size_t body_bytes, const char *tail,
    struct dialogue *ret_dialogue)
{
    size_t tail_bytes = strlen(tail);
    struct dialogue *d = ret_dialogue;
    d->request_bytes = head_bytes + body_bytes + tail_bytes;
    d->request = malloc(d->request_bytes);
    if (d->request == NULL) {
        fprintf(stderr, "client: no memory\n");
        return -1;
    }
    d->body_at = head_bytes;
    d->body_bytes = body_bytes;
    memcpy(d->request, head, head_bytes);
    for (size_t i = 0; i < body_bytes; i++)
        d->request[head_bytes + i] = (unsigned char)('a' + i % 26);
    memcpy(d->request + head_bytes + body_bytes, tail, tail_bytes);
    return 0;
}

/* ECHO of the Message protocol: u32 length, and in the bytes that it counts u8 type, u8 flags, u16 verb, u32 id, then the body. */
static int open_message(unsigned bytes, struct dialogue *ret_dialogue)
{
    static const unsigned char preface[] = {0x10};
    enum { HEAD = 12, COUNTED = 8, REQUEST = 1, ECHO = 1 };
    unsigned char head[HEAD] = {[4] = REQUEST, [6] = ECHO, [8] = 1};
    if (bytes < COUNTED) {
        fprintf(stderr, "a frame has at least %d bytes after its length\n", COUNTED);
        return -1;
    }
    wire_store_u32(head, bytes);
    ret_dialogue->parse = wire_message;
    ret_dialogue->hello = preface;
    ret_dialogue->hello_bytes = sizeof preface;
    return compose(head, HEAD, bytes - COUNTED, "", ret_dialogue);
}

/* CyclePacket of the Throughput protocol: u32 length, u32 bytes of the text, the text, the body. */
static int open_throughput(unsigned bytes, struct dialogue *ret_dialogue)
{
    static const unsigned char preface[] = {0x05};
    static const char text[] = "[Request]\r\nCommand=CyclePacket\r\nCount=1";
    enum { HEAD = 8, TEXT = sizeof text - 1 };
    unsigned char head[HEAD + TEXT];
    wire_store_u32(head, 4 + TEXT + bytes);
    wire_store_u32(head + 4, TEXT);
    memcpy(head + HEAD, text, TEXT);
    ret_dialogue->parse = wire_command;
    ret_dialogue->hello = preface;
    ret_dialogue->hello_bytes = sizeof preface;
    return compose(head, sizeof head, bytes, "", ret_dialogue);
}

/* A PING with a word, which comes back. */
static int open_redis(unsigned bytes, struct dialogue *ret_dialogue)
{
    char head[64];
    int length = snprintf(head, sizeof head, "*2\r\n$4\r\nPING\r\n$%u\r\n", bytes);
    ret_dialogue->parse = wire_redis;
    return compose(head, (size_t)length, bytes, "\r\n", ret_dialogue);
}

int dialogue_open(const struct peer *peer, unsigned bytes, struct dialogue *ret_dialogue)
{
    *ret_dialogue = (struct dialogue){.parse = NULL};
    if (strcmp(peer->program, "redis-server") == 0)
        return open_redis(bytes, ret_dialogue);
    if (strstr(peer->name, "-throughput") != NULL)
        return open_throughput(bytes, ret_dialogue);
    return open_message(bytes, ret_dialogue);
}

void dialogue_close(struct dialogue *d)
{
    free(d->request);
}
