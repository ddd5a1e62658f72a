#include "payload.h"

#include "fields.h"

#include <stdlib.h>

#if CPORT_SERVER_CHECKSUM
/* Compiled in: a cross-build then needs the header alone. */
#define XXH_INLINE_ALL
#include <xxhash.h>
#endif
#if CPORT_SERVER_ZSTD
#include <zstd.h>
#include <zstd_errors.h>
#endif

void payload_reader_init(struct payload_reader *reader, uint32_t inflated_max)
{
    *reader = (struct payload_reader){.inflated_max = inflated_max};
}

bool payload_has_checksum(void)
{
    return CPORT_SERVER_CHECKSUM;
}

bool payload_has_zstd(void)
{
    return CPORT_SERVER_ZSTD;
}

const char *payload_lacks(uint8_t flags)
{
    if ((flags & MESSAGE_CHECKSUM) && !payload_has_checksum())
        return "this build has no checksums";
    if ((flags & MESSAGE_ZSTD) && !payload_has_zstd())
        return "this build has no zstd";
    return NULL;
}

#if CPORT_SERVER_CHECKSUM
void payload_checksum_store(uint8_t *ret_checksum, const uint8_t *from_type, size_t len)
{
    store_u64(ret_checksum, XXH3_64bits(from_type, len));
}

static bool checksum_take(const struct message *message, struct bytes *content)
{
    if (content->len < MESSAGE_CHECKSUM_BYTES)
        return false;
    content->len -= MESSAGE_CHECKSUM_BYTES;
    const uint8_t *from_type = content->data - MESSAGE_LENGTH_MIN;
    return XXH3_64bits(from_type, MESSAGE_LENGTH_MIN + content->len) ==
           load_u64(message->payload.data + content->len);
}
#else
void payload_checksum_store(uint8_t *ret_checksum, const uint8_t *from_type, size_t len)
{
    (void)from_type;
    (void)len;
    store_u64(ret_checksum, 0);
}

static bool checksum_take(const struct message *message, struct bytes *content)
{
    (void)message;
    (void)content;
    return false;
}
#endif

#if CPORT_SERVER_ZSTD
void payload_reader_clear(struct payload_reader *reader)
{
    ZSTD_freeDCtx(reader->inflater);
    free(reader->inflated);
    payload_reader_init(reader, reader->inflated_max);
}

/* One call into memory of the largest size allowed: no window to keep, so a frame that asks for a huge one costs
 * nothing. */
static enum message_status inflate(struct payload_reader *reader, struct bytes *content)
{
    if (content->len < 4 || load_u32(content->data) != ZSTD_MAGICNUMBER ||
        ZSTD_findFrameCompressedSize(content->data, content->len) != content->len)
        return STATUS_MALFORMED;
    unsigned long long size = ZSTD_getFrameContentSize(content->data, content->len);
    if (size == ZSTD_CONTENTSIZE_ERROR)
        return STATUS_MALFORMED;
    if (size != ZSTD_CONTENTSIZE_UNKNOWN && size > reader->inflated_max)
        return STATUS_TOO_LONG;

    if (!reader->inflater)
        reader->inflater = ZSTD_createDCtx();
    if (!reader->inflated)
        reader->inflated = malloc(reader->inflated_max);
    if (!reader->inflater || !reader->inflated)
        return STATUS_BUSY;
    size_t len = ZSTD_decompressDCtx(
        reader->inflater, reader->inflated, reader->inflated_max, content->data, content->len);
    if (ZSTD_isError(len)) {
        /* A frame that does not tell its size is too long when it does not fit. */
        return size == ZSTD_CONTENTSIZE_UNKNOWN &&
                       ZSTD_getErrorCode(len) == ZSTD_error_dstSize_tooSmall
                   ? STATUS_TOO_LONG
                   : STATUS_MALFORMED;
    }
    *content = (struct bytes){reader->inflated, len};
    return STATUS_OK;
}
#else
void payload_reader_clear(struct payload_reader *reader)
{
    payload_reader_init(reader, reader->inflated_max);
}

static enum message_status inflate(struct payload_reader *reader, struct bytes *content)
{
    (void)reader;
    (void)content;
    return STATUS_NOT_ALLOWED;
}
#endif

enum message_status payload_read(
    struct payload_reader *reader, const struct message *message, struct bytes *ret_content)
{
    struct bytes content = message->payload;
    if (message->flags & ~MESSAGE_FLAGS)
        return STATUS_MALFORMED;
    if (payload_lacks(message->flags))
        return STATUS_NOT_ALLOWED;
    if ((message->flags & MESSAGE_CHECKSUM) && !checksum_take(message, &content))
        return STATUS_CHECKSUM;
    if (message->flags & MESSAGE_ZSTD) {
        enum message_status status = inflate(reader, &content);
        if (status != STATUS_OK)
            return status;
    }
    if ((message->flags & MESSAGE_FIELDS) && !fields_check(content))
        return STATUS_MALFORMED;
    *ret_content = content;
    return STATUS_OK;
}
