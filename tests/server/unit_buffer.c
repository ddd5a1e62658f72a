/* Buffers: what they hold, what they give back, and where the pool's limit bites. */
#include "buffer.h"
#include "check.h"

static void bytes_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct buffer_pool pool;
    struct buffer buffer;
    buffer_pool_init(&pool, 1u << 20);
    buffer_init(&buffer, &pool);

    unsigned written = 0, read = 0;
    for (unsigned round = 0; round < 2000; round++) {
        uint8_t chunk[97];
        for (size_t i = 0; i < sizeof(chunk); i++)
            chunk[i] = (uint8_t)(written++ * 7);
        assert_true(buffer_append(&buffer, chunk, sizeof(chunk)));
        size_t take = round % 160 < buffer_len(&buffer) ? round % 160 : buffer_len(&buffer);
        for (size_t i = 0; i < take; i++)
            assert_int_equal(buffer_bytes(&buffer).data[i], (uint8_t)(read++ * 7));
        buffer_take(&buffer, take);
        assert_int_equal(buffer_len(&buffer), written - read);
    }
    buffer_clear(&buffer);
    assert_int_equal(pool.held, 0);
    buffer_pool_drain(&pool);
}

static void an_empty_buffer_holds_nothing(void **state)
{
    (void)state;
    struct buffer_pool pool;
    struct buffer buffer;
    buffer_pool_init(&pool, 1u << 20);
    buffer_init(&buffer, &pool);
    assert_int_equal(buffer_bytes(&buffer).len, 0);
    assert_true(buffer_append(&buffer, NULL, 0));
    assert_int_equal(pool.held, 0);
    assert_true(buffer_append(&buffer, "abc", 3));
    assert_int_equal(pool.held, BUFFER_SMALL_BYTES);
    buffer_take(&buffer, 3);
    assert_null(buffer.memory);
    assert_int_equal(pool.held, 0);
    assert_true(buffer_append(&buffer, "abc", 3));
    buffer_truncate(&buffer, 1);
    assert_bytes(buffer_bytes(&buffer), "a", 1);
    buffer_truncate(&buffer, 0);
    assert_int_equal(pool.held, 0);
    buffer_pool_drain(&pool);
}

static void blocks_are_used_again(void **state)
{
    (void)state;
    struct buffer_pool pool;
    struct buffer buffer;
    buffer_pool_init(&pool, 1u << 20);
    buffer_init(&buffer, &pool);
    assert_true(buffer_append(&buffer, "abc", 3));
    uint8_t *memory = buffer.memory;
    buffer_clear(&buffer);
    assert_int_equal(pool.small.count, 1);
    assert_true(buffer_append(&buffer, "abc", 3));
    assert_ptr_equal(buffer.memory, memory);
    assert_int_equal(pool.small.count, 0);
    /* What grows leaves the small block to others. */
    assert_true(buffer_reserve(&buffer, BUFFER_SMALL_BYTES));
    assert_int_equal(buffer.capacity, BUFFER_BLOCK_BYTES);
    assert_bytes(buffer_bytes(&buffer), "abc", 3);
    assert_int_equal(pool.small.count, 1);
    buffer_clear(&buffer);
    assert_int_equal(pool.blocks.count, 1);
    buffer_pool_drain(&pool);
    assert_int_equal(pool.small.count + pool.blocks.count, 0);
}

static void the_limit_refuses_and_changes_nothing(void **state)
{
    (void)state;
    struct buffer_pool pool;
    struct buffer a, b;
    buffer_pool_init(&pool, 3 * BUFFER_BLOCK_BYTES);
    buffer_init(&a, &pool);
    buffer_init(&b, &pool);
    assert_true(buffer_reserve(&a, BUFFER_BLOCK_BYTES));
    assert_true(buffer_append(&a, "keep", 4));
    assert_false(buffer_reserve(&a, 3 * BUFFER_BLOCK_BYTES));
    assert_false(buffer_reserve(&a, SIZE_MAX));
    assert_bytes(buffer_bytes(&a), "keep", 4);
    assert_true(buffer_reserve(&b, 2 * BUFFER_BLOCK_BYTES));
    assert_int_equal(pool.held, pool.limit);
    assert_false(buffer_reserve(&a, BUFFER_BLOCK_BYTES));
    buffer_clear(&b);
    assert_true(buffer_reserve(&a, BUFFER_BLOCK_BYTES));
    assert_bytes(buffer_bytes(&a), "keep", 4);
    buffer_clear(&a);
    buffer_pool_drain(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_as_they_went_in),
        cmocka_unit_test(an_empty_buffer_holds_nothing),
        cmocka_unit_test(blocks_are_used_again),
        cmocka_unit_test(the_limit_refuses_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
