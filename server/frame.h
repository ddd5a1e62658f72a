/*
 * frame: the two frames of the wire, found in a run of bytes. No I/O, no memory, no state: a caller that gets
 * FRAME_PARTIAL comes again with the same bytes and more behind them.
 *
 * Ownership: what a parsed frame points to lies in the caller's bytes. Threading: any.
 */
#ifndef CPORT_SERVER_FRAME_H
#define CPORT_SERVER_FRAME_H

#include "bytes.h"

enum frame_result {
    FRAME_OK,       /* ret is the first frame; frame.bytes of the run are consumed */
    FRAME_PARTIAL,  /* *ret_need bytes are needed, counted from the start of the run */
    FRAME_TOO_LONG, /* the length is above the limit: the run cannot be read on */
    FRAME_MALFORMED /* the lengths or the type contradict each other: the same */
};

/* ---- Command family: u32 packet_len | u32 cmd_len | cmd | data ---------------------------------------------- */

#define PACKET_HEAD_BYTES 8u
#define PACKET_LEN_MAX    (10u << 20) /* the most that packet_len may say */

struct packet {
    struct bytes command;
    struct bytes data;
    size_t bytes; /* of the whole packet on the wire */
};

/* A fault is told as soon as the field that shows it has arrived, not when the packet is complete. */
enum frame_result packet_parse(struct bytes run, struct packet *ret_packet, size_t *ret_need);

/* Writes the PACKET_HEAD_BYTES that go before a command and its data. */
void packet_head_store(uint8_t *head, size_t command_len, size_t data_len);

/* ---- Message: u32 length | u8 type | u8 flags | u16 code | u32 id | payload --------------------------------- */

#define MESSAGE_HEAD_BYTES     12u
#define MESSAGE_LENGTH_MIN     8u /* length counts what follows itself */
#define MESSAGE_CHECKSUM_BYTES 8u

enum message_type {
    MESSAGE_REQUEST = 1,
    MESSAGE_REPLY = 2,
    MESSAGE_PUSH = 3,
    MESSAGE_PING = 4,
    MESSAGE_PONG = 5,
    MESSAGE_GOAWAY = 6
};

#define MESSAGE_CHECKSUM 0x01u
#define MESSAGE_ZSTD     0x02u
#define MESSAGE_FIELDS   0x04u
#define MESSAGE_FLAGS    (MESSAGE_CHECKSUM | MESSAGE_ZSTD | MESSAGE_FIELDS)

enum message_status {
    STATUS_OK = 0,
    STATUS_UNKNOWN_VERB = 1,
    STATUS_TOO_LONG = 2,
    STATUS_CHECKSUM = 3,
    STATUS_MALFORMED = 4,
    STATUS_NOT_LOGGED_IN = 5,
    STATUS_NOT_ALLOWED = 6,
    STATUS_NOT_FOUND = 7,
    STATUS_BUSY = 8,
    STATUS_SHUTTING_DOWN = 9
};

enum message_verb {
    VERB_ECHO = 1,
    VERB_LOGIN = 2,
    VERB_LOGOUT = 3,
    VERB_SUBSCRIBE = 4,
    VERB_UNSUBSCRIBE = 5,
    VERB_PUBLISH = 6,
    VERB_SEND_TO = 7,
    VERB_WHO = 8,
    VERB_KICK = 9,
    VERB_STATS = 10,
    VERB_CALL = 11
};

struct message {
    uint8_t type;
    uint8_t flags;
    uint16_t code;
    uint32_t id;
    struct bytes
        payload;  /* as on the wire: compressed and with its checksum, where the flags say so */
    size_t bytes; /* of the whole frame on the wire */
};

/* frame_max bounds the length field. Any of the six types is taken; who may send which is the protocol's matter. */
enum frame_result message_parse(
    struct bytes run, uint32_t frame_max, struct message *ret_message, size_t *ret_need);

/* Writes the MESSAGE_HEAD_BYTES of a message whose payload has payload_len bytes. */
void message_head_store(uint8_t *head, const struct message *message, size_t payload_len);

#endif
