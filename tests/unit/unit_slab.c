/*
 * The slab, with an allocator that counts and refuses.
 */
#include "slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CHUNKS_MAX = 8 };

struct ledger {
    unsigned allowed; /* chunks it will still give */
    unsigned held;
    size_t sizes[CHUNKS_MAX];
    void *chunks[CHUNKS_MAX];
    void *blocks
        [CHUNKS_MAX]; /* what malloc returned: C11's aligned_alloc is missing on some systems */
};

static void *ledger_alloc(void *ctx, size_t size, size_t align)
{
    struct ledger *ledger = ctx;
    if (ledger->allowed == 0)
        return NULL;
    ledger->allowed--;
    char *block = malloc(size + align);
    assert_non_null(block);
    memset(block, 0xA5, size + align);
    char *chunk = block + (align - (uintptr_t)block % align);
    ledger->blocks[ledger->held] = block;
    ledger->chunks[ledger->held] = chunk;
    ledger->sizes[ledger->held] = size;
    ledger->held++;
    return chunk;
}

static void ledger_free(void *ctx, void *memory, size_t size)
{
    struct ledger *ledger = ctx;
    for (unsigned i = 0; i < ledger->held; i++) {
        if (ledger->chunks[i] != memory)
            continue;
        assert_int_equal(ledger->sizes[i], size);
        free(ledger->blocks[i]);
        ledger->held--;
        ledger->blocks[i] = ledger->blocks[ledger->held];
        ledger->chunks[i] = ledger->chunks[ledger->held];
        ledger->sizes[i] = ledger->sizes[ledger->held];
        return;
    }
    fail_msg("%p was never allocated", memory);
}

static void slab_open(struct slab *slab, struct ledger *ledger, size_t bytes, size_t per_chunk)
{
    const cport_allocator allocator = {ledger_alloc, ledger_free, ledger};
    slab_init(slab, &allocator, bytes, per_chunk);
}

static void it_allocates_nothing_before_it_is_asked(void **state)
{
    (void)state;
    struct ledger ledger = {.allowed = CHUNKS_MAX};
    struct slab slab;
    slab_open(&slab, &ledger, 24, 4);
    assert_int_equal(ledger.held, 0);
    assert_int_equal(slab_live(&slab), 0);
    slab_close(&slab);
}

static void objects_are_zeroed_apart_and_aligned(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 8, 16, 24, 64, 100, 128, 192};
    static const unsigned char zeros[192];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct ledger ledger = {.allowed = CHUNKS_MAX};
        struct slab slab;
        unsigned char *objects[20];
        slab_open(&slab, &ledger, sizes[s], 7);
        for (unsigned i = 0; i < 20; i++) {
            objects[i] = slab_alloc(&slab);
            assert_non_null(objects[i]);
            assert_int_equal((uintptr_t)objects[i] % SLAB_ALIGN, 0);
            if (sizes[s] % 64 == 0)
                assert_int_equal((uintptr_t)objects[i] % 64, 0);
            assert_memory_equal(objects[i], zeros, sizes[s]);
            memset(objects[i], (int)i + 1, sizes[s]);
        }
        assert_int_equal(ledger.held, 3);
        for (unsigned i = 0; i < 20; i++) {
            assert_int_equal(objects[i][0], i + 1);
            assert_int_equal(objects[i][sizes[s] - 1], i + 1);
        }
        slab_close(&slab);
        assert_int_equal(ledger.held, 0);
    }
}

static void the_last_freed_is_the_first_reused(void **state)
{
    (void)state;
    struct ledger ledger = {.allowed = 1};
    struct slab slab;
    void *objects[3];
    slab_open(&slab, &ledger, 32, 4);
    for (unsigned i = 0; i < 3; i++)
        objects[i] = slab_alloc(&slab);
    assert_int_equal(slab_live(&slab), 3);
    slab_free(&slab, objects[1]);
    slab_free(&slab, objects[2]);
    slab_free(&slab, objects[0]);
    assert_int_equal(slab_live(&slab), 0);
    assert_ptr_equal(slab_alloc(&slab), objects[0]);
    assert_ptr_equal(slab_alloc(&slab), objects[2]);
    assert_ptr_equal(slab_alloc(&slab), objects[1]);
    slab_close(&slab);
}

/* What a stale reference relies on. */
static void a_freed_object_keeps_all_but_its_first_pointer(void **state)
{
    (void)state;
    struct record {
        void *first;
        uint64_t generation;
    };
    struct ledger ledger = {.allowed = 1};
    struct slab slab;
    slab_open(&slab, &ledger, sizeof(struct record), 4);
    struct record *record = slab_alloc(&slab);
    record->generation = 7;
    slab_free(&slab, record);
    assert_int_equal(record->generation, 7);
    assert_ptr_equal(slab_alloc(&slab), record);
    assert_int_equal(record->generation, 7);
    slab_close(&slab);
}

static void a_refusing_allocator_is_told_and_does_no_harm(void **state)
{
    (void)state;
    struct ledger ledger = {.allowed = 0};
    struct slab slab;
    void *objects[4];
    slab_open(&slab, &ledger, 48, 2);
    assert_null(slab_alloc(&slab));
    assert_int_equal(slab_live(&slab), 0);

    ledger.allowed = 1;
    objects[0] = slab_alloc(&slab);
    objects[1] = slab_alloc(&slab);
    assert_non_null(objects[0]);
    assert_non_null(objects[1]);
    assert_null(slab_alloc(&slab));
    assert_int_equal(slab_live(&slab), 2);

    slab_free(&slab, objects[0]); /* what is there can still be reused */
    assert_ptr_equal(slab_alloc(&slab), objects[0]);
    assert_null(slab_alloc(&slab));

    ledger.allowed = 1;
    objects[2] = slab_alloc(&slab);
    objects[3] = slab_alloc(&slab);
    assert_non_null(objects[2]);
    assert_non_null(objects[3]);
    assert_int_equal(ledger.held, 2);
    slab_close(&slab);
    assert_int_equal(ledger.held, 0);
}

static void memory_goes_back_at_the_close_alone(void **state)
{
    (void)state;
    struct ledger ledger = {.allowed = CHUNKS_MAX};
    struct slab slab;
    void *objects[CHUNKS_MAX * 2];
    slab_open(&slab, &ledger, 16, 2);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < CHUNKS_MAX * 2; i++)
            assert_non_null(objects[i] = slab_alloc(&slab));
        for (unsigned i = 0; i < CHUNKS_MAX * 2; i++)
            slab_free(&slab, objects[i]);
        assert_int_equal(ledger.held, CHUNKS_MAX);
    }
    slab_close(&slab);
    assert_int_equal(ledger.held, 0);

    ledger.allowed = 1; /* a closed slab is an empty one */
    assert_non_null(slab_alloc(&slab));
    assert_int_equal(slab_live(&slab), 1);
    slab_close(&slab);
    assert_int_equal(ledger.held, 0);
}

static unsigned visited;

static void count_visit(void *object)
{
    assert_non_null(object);
    visited++;
}

static void each_visits_what_was_ever_handed_out(void **state)
{
    (void)state;
    struct ledger ledger = {.allowed = CHUNKS_MAX};
    struct slab slab;
    void *objects[5];
    slab_open(&slab, &ledger, 16, 2);
    visited = 0;
    slab_each(&slab, count_visit);
    assert_int_equal(visited, 0);
    for (unsigned i = 0; i < 5; i++)
        assert_non_null(objects[i] = slab_alloc(&slab));
    slab_free(&slab, objects[0]);
    slab_free(&slab, objects[4]);
    slab_each(&slab, count_visit); /* two full chunks, half of the third */
    assert_int_equal(visited, 5);
    slab_close(&slab);
}

static void objects_are_found_in_the_order_of_their_first_use(void **state)
{
    (void)state;
    enum { COUNT = 10 };
    struct ledger ledger = {.allowed = CHUNKS_MAX};
    struct slab slab;
    void *objects[COUNT];
    slab_open(&slab, &ledger, 24, 4);
    assert_null(slab_at(&slab, 0));
    for (unsigned i = 0; i < COUNT; i++) {
        assert_null(slab_at(&slab, i));
        objects[i] = slab_alloc(&slab);
        for (unsigned j = 0; j <= i; j++)
            assert_ptr_equal(slab_at(&slab, j), objects[j]);
    }
    slab_free(&slab, objects[3]);
    assert_ptr_equal(slab_at(&slab, 3), objects[3]);
    assert_ptr_equal(slab_alloc(&slab), objects[3]);
    assert_null(slab_at(&slab, COUNT));
    assert_null(slab_at(&slab, SIZE_MAX));
    slab_close(&slab);
    assert_null(slab_at(&slab, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_allocates_nothing_before_it_is_asked),
        cmocka_unit_test(objects_are_zeroed_apart_and_aligned),
        cmocka_unit_test(the_last_freed_is_the_first_reused),
        cmocka_unit_test(a_freed_object_keeps_all_but_its_first_pointer),
        cmocka_unit_test(a_refusing_allocator_is_told_and_does_no_harm),
        cmocka_unit_test(memory_goes_back_at_the_close_alone),
        cmocka_unit_test(each_visits_what_was_ever_handed_out),
        cmocka_unit_test(objects_are_found_in_the_order_of_their_first_use),
    };
    return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
