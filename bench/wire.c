/* The splitter, and the two frames of cport-server. */
#include "wire.h"

#include <stdio.h>
#include <string.h>

/* What a server says as text is quoted as far as it can be printed. */
static int say_broken(const unsigned char *data, size_t bytes)
{
    fprintf(stderr, "client: the server said something unexpected: \"");
    for (size_t i = 0; i < bytes && i < 160; i++)
        fputc(data[i] >= 0x20 && data[i] < 0x7f ? data[i] : '.', stderr);
    fprintf(stderr, "\"\n");
    return -1;
}

/* Takes a head off the front of the run, with what was held of it before. 1: it is whole; 0: more is needed; -1: broken. */
static int take_head(
    struct splitter *s, wire_parse *parse, const unsigned char **data, size_t *bytes)
{
    const unsigned char *run = *data;
    size_t run_bytes = *bytes, held = s->held;
    if (held > 0) {
        size_t room = sizeof s->head - held;
        size_t more = *bytes < room ? *bytes : room;
        memcpy(s->head + held, *data, more);
        run = s->head;
        run_bytes = held + more;
    }
    switch (parse(run, run_bytes, &s->item)) {
    case WIRE_OK:
        s->held = 0;
        s->in_item = true;
        *data += s->item.head_bytes - held;
        *bytes -= s->item.head_bytes - held;
        return 1;
    case WIRE_PARTIAL:
        if (run_bytes >= sizeof s->head)
            break;
        if (held == 0)
            memcpy(s->head, run, run_bytes);
        s->held = run_bytes;
        return 0;
    case WIRE_BROKEN:
        break;
    }
    return say_broken(run, run_bytes);
}

/* Body and tail, as far as they are there. */
static int take_rest(
    struct splitter *s, const unsigned char **data, size_t *bytes, const struct wire_sink *sink)
{
    size_t n = s->item.body_bytes < *bytes ? (size_t)s->item.body_bytes : *bytes;
    if (n > 0 && sink->body != NULL && sink->body(sink->context, *data, n) != 0)
        return -1;
    s->item.body_bytes -= n;
    *data += n;
    *bytes -= n;
    n = s->item.tail_bytes < *bytes ? s->item.tail_bytes : *bytes;
    s->item.tail_bytes -= n;
    *data += n;
    *bytes -= n;
    if (s->item.body_bytes > 0 || s->item.tail_bytes > 0)
        return 0;
    s->in_item = false;
    return sink->item(sink->context, s->item.kind);
}

int splitter_feed(struct splitter *s, wire_parse *parse, const unsigned char *data, size_t bytes,
    const struct wire_sink *sink)
{
    while (bytes > 0) {
        if (!s->in_item) {
            int taken = take_head(s, parse, &data, &bytes);
            if (taken <= 0)
                return taken;
        }
        if (take_rest(s, &data, &bytes, sink) != 0)
            return -1;
    }
    return 0;
}

/* u32 length | u8 type | u8 flags | u16 code | u32 id | payload; a push's payload: u8 topic_len | topic | data. */
enum wire_result wire_message(const unsigned char *data, size_t bytes, struct wire_item *ret_item)
{
    enum { HEAD = 12, LENGTH_MIN = 8, REPLY = 2, PUSH = 3, PING = 4, PONG = 5 };
    if (bytes < HEAD)
        return WIRE_PARTIAL;
    uint32_t length = wire_load_u32(data);
    unsigned code = data[6] | (unsigned)data[7] << 8;
    if (length < LENGTH_MIN || data[5] != 0)
        return WIRE_BROKEN;
    *ret_item = (struct wire_item){.head_bytes = HEAD, .body_bytes = length - LENGTH_MIN};
    switch (data[4]) {
    case REPLY:
        ret_item->kind = WIRE_REPLY;
        return code == 0 ? WIRE_OK : WIRE_BROKEN;
    case PUSH:
        if (bytes < HEAD + 1)
            return WIRE_PARTIAL;
        if (ret_item->body_bytes < 1u + data[HEAD])
            return WIRE_BROKEN;
        if (bytes < HEAD + 1u + data[HEAD])
            return WIRE_PARTIAL;
        ret_item->kind = WIRE_PUSH;
        ret_item->head_bytes += 1u + data[HEAD];
        ret_item->body_bytes -= 1u + data[HEAD];
        return WIRE_OK;
    case PING:
        ret_item->kind = WIRE_PING;
        return WIRE_OK;
    case PONG:
        ret_item->kind = WIRE_NOTE;
        return WIRE_OK;
    default:
        return WIRE_BROKEN; /* a GOAWAY, or a frame that no server sends */
    }
}

/* u32 packet_len | u32 cmd_len | cmd | data, the command being lines with "Code=0" among them. */
enum wire_result wire_command(const unsigned char *data, size_t bytes, struct wire_item *ret_item)
{
    static const char code[] = "\r\nCode=0";
    enum { HEAD = 8, CODE = sizeof code - 1 };
    if (bytes < HEAD)
        return WIRE_PARTIAL;
    uint32_t packet = wire_load_u32(data), command = wire_load_u32(data + 4);
    if (packet < 4 || command > packet - 4 || command > WIRE_HEAD_MAX - HEAD)
        return WIRE_BROKEN;
    if (bytes < HEAD + command)
        return WIRE_PARTIAL;
    const unsigned char *at = data + HEAD, *end = at + command;
    while (end - at >= CODE && memcmp(at, code, CODE) != 0)
        at++;
    /* The code may be the last line, or the lines go on. */
    if (end - at < CODE || (end - at > CODE && at[CODE] != '\r'))
        return WIRE_BROKEN;
    *ret_item = (struct wire_item){
        .kind = WIRE_REPLY, .head_bytes = HEAD + command, .body_bytes = packet - 4 - command};
    return WIRE_OK;
}
