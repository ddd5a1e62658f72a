/*
 * What `cport-bench fanout` says to a server: how to subscribe to a topic, and how to publish to it.
 *
 * Ownership: a speech owns what it publishes, from speech_open to speech_close.
 * Returns: 0, or -1 after a message on standard error.
 */
#ifndef BENCH_SPEECH_H
#define BENCH_SPEECH_H

#include "wire.h"

#define SPEECH_HELLO_MAX    128

/* Every publish begins its data with its number. */
#define SPEECH_NUMBER_BYTES 8u

struct speech {
    wire_parse *parse;
    unsigned char join[SPEECH_HELLO_MAX]; /* a subscriber's first words; one reply comes */
    size_t join_bytes;
    unsigned char hello[SPEECH_HELLO_MAX]; /* a publisher's; no reply comes, notes perhaps */
    size_t hello_bytes;
    bool replies;     /* to each publish */
    const char *pong; /* the answer to a ping; NULL: none comes */
    unsigned char *publish;
    size_t publish_bytes;
    size_t data_at; /* in publish */
    size_t data_bytes;
};

struct peer;

int speech_open(const struct peer *peer, unsigned data_bytes, struct speech *ret_speech);
void speech_close(struct speech *s);

static inline void speech_number_store(unsigned char *data, uint64_t number)
{
    wire_store_u32(data, (uint32_t)number);
    wire_store_u32(data + 4, (uint32_t)(number >> 32));
}

#endif
