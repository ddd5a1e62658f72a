/* Typed fields: every kind, every way to be wrong, every cut. */
#include "check.h"
#include "fields.h"

#define BYTES(literal) ((struct bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

static void every_kind_is_taken(void **state)
{
    (void)state;
    assert_true(fields_check(BYTES("")));
    assert_true(fields_check(BYTES("\0\0")));
    assert_true(fields_check(BYTES("\x01\x02ok\x01")));
    assert_true(fields_check(BYTES("\x02\x01i\xFF\xFF\xFF\xFF")));
    assert_true(fields_check(BYTES("\x03\x01u\xFF\xFF\xFF\xFF")));
    assert_true(fields_check(BYTES("\x04\x01l12345678")));
    assert_true(fields_check(BYTES("\x05\x01"
                                   "f12345678")));
    assert_true(fields_check(BYTES("\x06\x01t12345678")));
    assert_true(fields_check(BYTES("\x07\x01s\x05\0\0\0gr\xC3\xBC\x21")));
    assert_true(fields_check(BYTES("\x08\x01"
                                   "b\x02\0\0\0\xFF\xFE")));
    assert_true(fields_check(BYTES("\x09\x01r\x03\0\0\0\x01\0\x01")));
}

static void malformed_values(void **state)
{
    (void)state;
    assert_false(fields_check(BYTES("\x01\0\x02")));
    assert_false(fields_check(BYTES("\x0A\0")));
    assert_false(fields_check(BYTES("\xFF\0")));
    assert_false(fields_check(BYTES("\x07\0\x01\0\0\0\xFF")));
    assert_false(fields_check(BYTES("\x00\x01\xFF")));
    assert_false(fields_check(BYTES("\x08\0\xFF\xFF\xFF\xFFx")));
    assert_false(fields_check(BYTES("\x09\0\x04\0\0\0\x08\0\x01\0\0\0x")));
}

static void every_cut_is_malformed_or_between_fields(void **state)
{
    (void)state;
    struct bytes whole =
        BYTES("\x01\x01"
              "b\x01\x07\x01s\x03\0\0\0abc\x09\x01r\x06\0\0\0\x02\0\x01\x02\x03\x04");
    for (size_t len = 0; len <= whole.len; len++) {
        bool between = len == 0 || len == 4 || len == 14 || len == whole.len;
        assert_int_equal(fields_check((struct bytes){whole.data, len}), between);
    }
}

/* Records around a null field: the outermost is at depth 1. */
static struct bytes nested(uint8_t *memory, unsigned records)
{
    size_t len = 2;
    uint8_t *p = memory + 256;
    memset(p, 0, 2);
    for (unsigned i = 0; i < records; i++) {
        p -= 6;
        p[0] = FIELD_RECORD;
        p[1] = 0;
        store_u32(p + 2, (uint32_t)len);
        len += 6;
    }
    return (struct bytes){p, len};
}

static void records_nest_eight_deep(void **state)
{
    (void)state;
    uint8_t memory[258];
    assert_true(fields_check(nested(memory, 0)));
    assert_true(fields_check(nested(memory, 8)));
    assert_false(fields_check(nested(memory, 9)));
    assert_false(fields_check(nested(memory, 40)));
}

static void utf8_is_strict(void **state)
{
    (void)state;
    assert_true(utf8_check(BYTES("plain \xC2\x80 \xE0\xA0\x80 \xED\x9F\xBF \xEF\xBF\xBF")));
    assert_true(utf8_check(BYTES("\xF0\x90\x80\x80 \xF4\x8F\xBF\xBF")));
    static const char *const wrong[] = {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41",
        "\xE0\x9F\xBF", "\xE1\x80", "\xE1\x80\x41", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF0\x90\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFE", "\xFF"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(utf8_check(text_bytes(wrong[i])));
}

static void fields_are_read_as_written(void **state)
{
    (void)state;
    struct buffer_pool pool;
    struct buffer out;
    size_t outer, inner;
    buffer_pool_init(&pool, 1 << 20);
    buffer_init(&out, &pool);
    assert_true(field_put_string(&out, "user", text_bytes("gr\xC3\xBC")));
    assert_true(field_record_begin(&out, "outer", &outer));
    assert_true(field_put_u32(&out, "u", 0xFFFFFFFFu));
    assert_true(field_record_begin(&out, "inner", &inner));
    field_record_end(&out, inner);
    assert_true(field_put_i64(&out, "i", INT64_MIN));
    field_record_end(&out, outer);
    assert_true(field_put_time(&out, "t", -1));

    struct bytes run = buffer_bytes(&out);
    struct field field;
    assert_true(fields_check(run));
    assert_true(field_find(run, "user", FIELD_STRING, &field));
    assert_bytes(field.value, "gr\xC3\xBC", 4);
    assert_false(field_find(run, "USER", FIELD_STRING, &field));
    assert_false(field_find(run, "user", FIELD_BYTES, &field));
    assert_false(field_find(run, "i", FIELD_I64, &field)); /* it is not on this level */
    assert_true(field_find(run, "t", FIELD_TIME, &field));
    assert_int_equal(load_u64(field.value.data), UINT64_MAX);

    assert_true(field_find(run, "outer", FIELD_RECORD, &field));
    struct bytes record = field.value;
    assert_true(field_next(&record, &field));
    assert_int_equal(field.kind, FIELD_U32);
    assert_int_equal(load_u32(field.value.data), 0xFFFFFFFFu);
    assert_true(field_next(&record, &field));
    assert_bytes(field.name, "inner", 5);
    assert_int_equal(field.value.len, 0);
    assert_true(field_next(&record, &field));
    assert_int_equal((int64_t)load_u64(field.value.data), INT64_MIN);
    assert_false(field_next(&record, &field));
    buffer_clear(&out);
    buffer_pool_drain(&pool);
}

static void writers_tell_want_of_memory(void **state)
{
    (void)state;
    struct buffer_pool pool;
    struct buffer out;
    size_t start;
    buffer_pool_init(&pool, 0);
    buffer_init(&out, &pool);
    assert_false(field_put_string(&out, "a", text_bytes("b")));
    assert_false(field_put_u32(&out, "a", 1));
    assert_false(field_record_begin(&out, "a", &start));
    assert_int_equal(buffer_len(&out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_taken),
        cmocka_unit_test(malformed_values),
        cmocka_unit_test(every_cut_is_malformed_or_between_fields),
        cmocka_unit_test(records_nest_eight_deep),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(fields_are_read_as_written),
        cmocka_unit_test(writers_tell_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
