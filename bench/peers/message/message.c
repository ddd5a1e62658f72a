#include "message.h"

#include "peer.h"

#include <string.h>

enum { PREFACE = 0x10, LENGTH_MIN = 8 };
enum { REQUEST = 1, REPLY = 2, PUSH = 3 };
enum { ECHO = 1, SUBSCRIBE = 4, PUBLISH = 6 };

static uint32_t load_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store_u32(unsigned char *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(value >> 8 * i);
}

size_t message_frame_bytes(const unsigned char *frame)
{
    uint32_t length = load_u32(frame);
    if (length < LENGTH_MIN || length > MESSAGE_BUFFER_BYTES - MESSAGE_LENGTH_BYTES)
        peer_die("a frame of a length that nobody sends", 0);
    return MESSAGE_LENGTH_BYTES + (size_t)length;
}

/* The verb of a request is the status of its reply: 0. */
static size_t reply_to(
    void *connection, const unsigned char *frame, size_t bytes, unsigned char *ret_reply)
{
    unsigned verb = frame[6] | (unsigned)frame[7] << 8;
    if (frame[4] != REQUEST)
        peer_die("a frame that is no request", 0);
    if (verb == ECHO) {
        memmove(ret_reply, frame, bytes);
        ret_reply[4] = REPLY;
        ret_reply[6] = 0;
        return bytes;
    }
    uint32_t receivers = 0;
    size_t payload_bytes = 0;
    if (verb == PUBLISH) {
        receivers = message_publish(frame + MESSAGE_HEAD_BYTES, bytes - MESSAGE_HEAD_BYTES);
        payload_bytes = sizeof receivers;
    } else if (verb == SUBSCRIBE) {
        message_subscribe(connection);
    } else {
        peer_die("a verb that nobody sends", 0);
    }
    memmove(ret_reply, frame, MESSAGE_HEAD_BYTES);
    store_u32(ret_reply, (uint32_t)(LENGTH_MIN + payload_bytes));
    ret_reply[4] = REPLY;
    ret_reply[6] = 0;
    if (payload_bytes > 0)
        store_u32(ret_reply + MESSAGE_HEAD_BYTES, receivers);
    return MESSAGE_HEAD_BYTES + payload_bytes;
}

size_t message_answer(
    void *connection, bool *has_begun, unsigned char *run, size_t bytes, size_t *ret_taken)
{
    size_t in = 0, out = 0;
    if (!*has_begun && bytes > 0) {
        if (run[0] != PREFACE)
            peer_die("another protocol", 0);
        *has_begun = true;
        in = 1;
    }
    while (bytes - in >= MESSAGE_LENGTH_BYTES) {
        size_t frame_bytes = message_frame_bytes(run + in);
        if (bytes - in < frame_bytes)
            break;
        out += reply_to(connection, run + in, frame_bytes, run + out);
        in += frame_bytes;
    }
    *ret_taken = in;
    return out;
}

void message_push_store(unsigned char *ret_frame, const unsigned char *payload, size_t bytes)
{
    static uint32_t number;
    memset(ret_frame, 0, MESSAGE_HEAD_BYTES);
    store_u32(ret_frame, (uint32_t)(LENGTH_MIN + bytes));
    ret_frame[4] = PUSH;
    store_u32(ret_frame + 8, ++number);
    memcpy(ret_frame + MESSAGE_HEAD_BYTES, payload, bytes);
}
