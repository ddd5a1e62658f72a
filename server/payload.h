/*
 * payload: what the flags of a Message say about its payload, checked and undone.
 *
 * Checksums and compression come from libraries that a build may lack (CPORT_SERVER_CHECKSUM, CPORT_SERVER_ZSTD);
 * such a build says so in its reply instead of passing unchecked bytes on.
 *
 * Ownership: what was read lies in the frame or in the reader, until the next read. Threading: one thread a reader.
 */
#ifndef CPORT_SERVER_PAYLOAD_H
#define CPORT_SERVER_PAYLOAD_H

#include "frame.h"

#include <stdbool.h>

struct payload_reader {
    uint32_t inflated_max;
    uint8_t *inflated; /* made by the first compressed payload */
    void *inflater;
};

void payload_reader_init(struct payload_reader *reader, uint32_t inflated_max);
void payload_reader_clear(struct payload_reader *reader);

/* Checks all that the flags promise. With STATUS_OK *ret_content is the payload without checksum, inflated.
 * STATUS_NOT_ALLOWED: this build lacks what a flag asks for; payload_lacks says what. */
enum message_status payload_read(
    struct payload_reader *reader, const struct message *message, struct bytes *ret_content);

const char *payload_lacks(uint8_t flags);

/* Writes the MESSAGE_CHECKSUM_BYTES behind a frame whose len bytes from its type on lie at `from_type`. Only for builds
 * with checksums, which payload_read has made sure of. */
void payload_checksum_store(uint8_t *ret_checksum, const uint8_t *from_type, size_t len);

bool payload_has_checksum(void);
bool payload_has_zstd(void);

#endif
