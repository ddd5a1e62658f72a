#include "fields.h"

#include <string.h>

static struct bytes skip(struct bytes run, size_t len)
{
    return (struct bytes){run.data + len, run.len - len};
}

/* The length of the sequence that starts here, or 0. */
static size_t utf8_sequence(struct bytes text)
{
    const uint8_t *p = text.data;
    if (p[0] < 0x80)
        return 1;
    size_t len = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || text.len < len)
        return 0;

    /* The second byte carries the limits of the first: they exclude overlong forms, surrogates and what is too high. */
    uint8_t low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if (p[i] < 0x80 || p[i] > 0xBF)
            return 0;
    }
    return len;
}

bool utf8_check(struct bytes text)
{
    while (text.len > 0) {
        size_t len = utf8_sequence(text);
        if (len == 0)
            return false;
        text = skip(text, len);
    }
    return true;
}

static bool record_check(struct bytes run, unsigned depth);

static const uint8_t fixed_len[] = {[FIELD_NULL] = 0,
    [FIELD_BOOL] = 1,
    [FIELD_I32] = 4,
    [FIELD_U32] = 4,
    [FIELD_I64] = 8,
    [FIELD_F64] = 8,
    [FIELD_TIME] = 8};

/* Checks the value at the front of the run. */
static bool value_check(uint8_t kind, struct bytes run, unsigned depth, size_t *ret_len)
{
    if (kind < FIELD_STRING) {
        if (run.len < fixed_len[kind] || (kind == FIELD_BOOL && run.data[0] > 1))
            return false;
        *ret_len = fixed_len[kind];
        return true;
    }

    if (kind > FIELD_RECORD || run.len < 4)
        return false;
    size_t len = load_u32(run.data);
    struct bytes inner = skip(run, 4);
    if (len > inner.len)
        return false;
    inner.len = len;
    *ret_len = 4 + len;
    if (kind == FIELD_STRING)
        return utf8_check(inner);
    return kind == FIELD_BYTES || (depth < FIELDS_DEPTH_MAX && record_check(inner, depth + 1));
}

static bool record_check(struct bytes run, unsigned depth)
{
    while (run.len > 0) {
        if (run.len < 2)
            return false;
        uint8_t kind = run.data[0];
        size_t name_len = run.data[1];
        run = skip(run, 2);
        if (name_len > run.len || !utf8_check((struct bytes){run.data, name_len}))
            return false;
        run = skip(run, name_len);

        size_t value_len;
        if (!value_check(kind, run, depth, &value_len))
            return false;
        run = skip(run, value_len);
    }
    return true;
}

bool fields_check(struct bytes run)
{
    return record_check(run, 0);
}

bool field_next(struct bytes *run, struct field *ret_field)
{
    if (run->len == 0)
        return false;
    const uint8_t *p = run->data;
    struct field field = {.kind = (enum field_kind)p[0], .name = {p + 2, p[1]}};
    p += 2 + field.name.len;
    if (field.kind < FIELD_STRING) {
        field.value = (struct bytes){p, fixed_len[field.kind]};
    } else {
        field.value = (struct bytes){p + 4, load_u32(p)};
    }
    *run = skip(*run, (size_t)(field.value.data + field.value.len - run->data));
    *ret_field = field;
    return true;
}

bool field_find(struct bytes run, const char *name, enum field_kind kind, struct field *ret_field)
{
    size_t len = strlen(name);
    struct field field;
    while (field_next(&run, &field)) {
        if (field.kind == kind && field.name.len == len &&
            memcmp(field.name.data, name, len) == 0) {
            *ret_field = field;
            return true;
        }
    }
    return false;
}

static bool put(struct buffer *out, enum field_kind kind, const char *name, const uint8_t *value,
    size_t value_len)
{
    uint8_t head[2] = {(uint8_t)kind, (uint8_t)strlen(name)};
    return buffer_append(out, head, sizeof(head)) && buffer_append(out, name, head[1]) &&
           buffer_append(out, value, value_len);
}

bool field_put_string(struct buffer *out, const char *name, struct bytes text)
{
    uint8_t len[4];
    store_u32(len, (uint32_t)text.len);
    return put(out, FIELD_STRING, name, len, sizeof(len)) &&
           buffer_append(out, text.data, text.len);
}

bool field_put_u32(struct buffer *out, const char *name, uint32_t value)
{
    uint8_t bytes[4];
    store_u32(bytes, value);
    return put(out, FIELD_U32, name, bytes, sizeof(bytes));
}

bool field_put_i64(struct buffer *out, const char *name, int64_t value)
{
    uint8_t bytes[8];
    store_u64(bytes, (uint64_t)value);
    return put(out, FIELD_I64, name, bytes, sizeof(bytes));
}

bool field_put_time(struct buffer *out, const char *name, int64_t unix_ns)
{
    uint8_t bytes[8];
    store_u64(bytes, (uint64_t)unix_ns);
    return put(out, FIELD_TIME, name, bytes, sizeof(bytes));
}

bool field_record_begin(struct buffer *out, const char *name, size_t *ret_start)
{
    static const uint8_t len[4];
    if (!put(out, FIELD_RECORD, name, len, sizeof(len)))
        return false;
    *ret_start = buffer_len(out);
    return true;
}

void field_record_end(struct buffer *out, size_t start)
{
    uint8_t *inner = out->memory + out->start + start;
    store_u32(inner - 4, (uint32_t)(buffer_len(out) - start));
}
