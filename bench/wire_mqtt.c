/* MQTT 3.1.1, as much as a client of quality of service 0 sees. */
#include "wire.h"

/* The length after the first byte: seven bits a byte, low ones first. Returns the bytes it takes; 0: they are not all there, or
 * there are more than four. */
static size_t remaining_length(const unsigned char *data, size_t bytes, uint32_t *ret_length)
{
    uint32_t length = 0;
    for (size_t i = 0; i < 4 && 1 + i < bytes; i++) {
        length |= (uint32_t)(data[1 + i] & 0x7f) << 7 * i;
        if ((data[1 + i] & 0x80) == 0) {
            *ret_length = length;
            return i + 1;
        }
    }
    return 0;
}

enum wire_result wire_mqtt(const unsigned char *data, size_t bytes, struct wire_item *ret_item)
{
    enum { CONNACK = 0x20, PUBLISH = 0x30, SUBACK = 0x90, REFUSED = 0x80 };
    uint32_t length;
    size_t at = remaining_length(data, bytes, &length);
    if (at == 0)
        return bytes < 5 ? WIRE_PARTIAL : WIRE_BROKEN;
    at++;
    *ret_item = (struct wire_item){.kind = WIRE_REPLY, .head_bytes = at + length};
    switch (data[0]) {
    case CONNACK: /* flags, code */
        if (length != 2)
            return WIRE_BROKEN;
        if (bytes < at + 2)
            return WIRE_PARTIAL;
        ret_item->kind = WIRE_NOTE; /* the subscription's answer is what is waited for */
        return data[at + 1] == 0 ? WIRE_OK : WIRE_BROKEN;
    case SUBACK: /* identifier, code */
        if (length != 3)
            return WIRE_BROKEN;
        if (bytes < at + 3)
            return WIRE_PARTIAL;
        return data[at + 2] < REFUSED ? WIRE_OK : WIRE_BROKEN;
    case PUBLISH: { /* topic, payload */
        if (bytes < at + 2)
            return WIRE_PARTIAL;
        size_t topic = 2 + ((size_t)data[at] << 8 | data[at + 1]);
        if (topic > length)
            return WIRE_BROKEN;
        if (bytes < at + topic)
            return WIRE_PARTIAL;
        *ret_item = (struct wire_item){
            .kind = WIRE_PUSH, .head_bytes = at + topic, .body_bytes = length - topic};
        return WIRE_OK;
    }
    default:
        return WIRE_BROKEN;
    }
}
