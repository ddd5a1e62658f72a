#include "fields.h"

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

/* Checks the value at the front of the run. */
static bool value_check(uint8_t kind, struct bytes run, unsigned depth, size_t *ret_len)
{
    static const uint8_t fixed_len[] = {[FIELD_NULL] = 0,
        [FIELD_BOOL] = 1,
        [FIELD_I32] = 4,
        [FIELD_U32] = 4,
        [FIELD_I64] = 8,
        [FIELD_F64] = 8,
        [FIELD_TIME] = 8};

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
