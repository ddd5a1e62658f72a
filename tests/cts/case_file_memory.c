/* Pinned memory, and memory of the library's own that files need. */
#include "file.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK (4 * KIB)

static bool can_pin(cport_port *port)
{
    cport_port_info info = {.size = sizeof info};
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    CHECK_EQ(info.caps & CPORT_CAP_PINNED_MEMORY, info.native & CPORT_CAP_PINNED_MEMORY);
    return (info.caps & CPORT_CAP_PINNED_MEMORY) != 0;
}

/* Operations inside, across its edge and beside it; where there is no such thing that is said,
 * and they work as well. */
void pinned_memory_is_used_like_any_other(void)
{
    file f;
    cport_op ops[4] = {0};
    cport_port *port = cts_port_open();
    unsigned char *memory = io_memory(16 * BLOCK);
    unsigned char *inside = memory + 4 * BLOCK;
    bool can = can_pin(port);
    CHECK_EQ(cport_memory_pin(port, inside, 8 * BLOCK), can ? 0 : CPORT_ENOTSUP);
    if (can)
        CHECK_EQ(cport_memory_pin(port, inside, BLOCK), CPORT_EALREADY);
    file_open(port, &f, 0);
    io_fill(memory, 16 * BLOCK, 0);
    CHECK_EQ(cts_write(f.h, &ops[0], inside, 8 * BLOCK, 4 * BLOCK, 0), 0);
    CHECK_EQ(cts_write(f.h, &ops[1], memory, 4 * BLOCK, 0, 0), 0);
    CHECK_EQ(cts_write(f.h, &ops[2], inside + 8 * BLOCK, 4 * BLOCK, 12 * BLOCK, 0), 0);
    CHECK_EQ(cts_write(f.h, &ops[3], inside + 7 * BLOCK, 2 * BLOCK, 11 * BLOCK, 0), 0);
    CHECK_EQ(cts_result(port, &ops[0]), 8 * BLOCK);
    CHECK_EQ(cts_result(port, &ops[1]), 4 * BLOCK);
    CHECK_EQ(cts_result(port, &ops[2]), 4 * BLOCK);
    CHECK_EQ(cts_result(port, &ops[3]), 2 * BLOCK);
    memset(memory, 0, 16 * BLOCK);
    CHECK_EQ(cts_read(f.h, &ops[0], inside + 1, 8 * BLOCK - 1, 4 * BLOCK + 1, 0), 0);
    CHECK_EQ(cts_read(f.h, &ops[1], memory, 4 * BLOCK + 1, 0, 0), 0);
    CHECK_EQ(cts_read(f.h, &ops[2], inside + 8 * BLOCK, 4 * BLOCK, 12 * BLOCK, 0), 0);
    CHECK_EQ(cts_result(port, &ops[0]), 8 * BLOCK - 1);
    CHECK_EQ(cts_result(port, &ops[1]), 4 * BLOCK + 1);
    CHECK_EQ(cts_result(port, &ops[2]), 4 * BLOCK);
    io_check(memory, 16 * BLOCK, 0);
    CHECK_EQ(file_read(&f, inside, 4 * BLOCK, 14 * BLOCK), 2 * BLOCK); /* the tail */
    CHECK_EQ(cport_memory_unpin(port, inside), can ? 0 : CPORT_ENOENT);
    CHECK_EQ(cport_memory_unpin(port, inside), CPORT_ENOENT);
    file_check(&f, 16 * BLOCK, 0);
    file_close(&f);
    free(memory);
    cts_port_close(port);
}

void pinned_memory_is_bounded(void)
{
    cport_port *port = cts_port_open();
    unsigned char *memory = io_memory((CPORT_MEMORY_REGIONS_MAX + 1) * BLOCK);
    unsigned char *beyond = memory + CPORT_MEMORY_REGIONS_MAX * BLOCK;
    CHECK_EQ(cport_memory_pin(NULL, memory, BLOCK), CPORT_EINVAL);
    CHECK_EQ(cport_memory_pin(port, NULL, BLOCK), CPORT_EINVAL);
    CHECK_EQ(cport_memory_pin(port, memory, 0), CPORT_EINVAL);
    CHECK_EQ(cport_memory_pin(port, memory, ((size_t)1 << 30) + 1), CPORT_EINVAL);
    CHECK_EQ(cport_memory_unpin(NULL, memory), CPORT_EINVAL);
    CHECK_EQ(cport_memory_unpin(port, NULL), CPORT_EINVAL);
    CHECK_EQ(cport_memory_unpin(port, memory), CPORT_ENOENT);
    if (can_pin(port)) {
        for (size_t i = 0; i < CPORT_MEMORY_REGIONS_MAX; i++)
            CHECK_EQ(cport_memory_pin(port, memory + i * BLOCK, BLOCK), 0);
        CHECK_EQ(cport_memory_pin(port, beyond, BLOCK), CPORT_ENOBUFS);
        CHECK_EQ(cport_memory_unpin(port, memory + 3 * BLOCK), 0);
        CHECK_EQ(cport_memory_pin(port, beyond, BLOCK), 0);
        CHECK_EQ(cport_memory_pin(port, (void *)(uintptr_t)BLOCK, BLOCK), CPORT_ENOBUFS);
        CHECK_EQ(cport_memory_unpin(port, memory), 0);
        CHECK(cport_memory_pin(port, (void *)(uintptr_t)BLOCK, BLOCK) < 0); /* no memory there */
        CHECK_EQ(cport_memory_pin(port, memory, BLOCK), 0);
    }
    cts_port_close(port); /* and what is pinned goes with it */
    free(memory);
}

void pinned_memory_may_go_while_it_is_used(void)
{
    enum { OPS = 64, ROUNDS = 10 };
    file f;
    static cport_op ops[OPS];
    cport_port *port = cts_port_open();
    unsigned char *memory = io_memory(OPS * BLOCK);
    bool can = can_pin(port);
    file_open(port, &f, 0);
    file_write(&f, OPS * BLOCK, 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        CHECK_EQ(cport_memory_pin(port, memory, OPS * BLOCK), can ? 0 : CPORT_ENOTSUP);
        memset(memory, 0, OPS * BLOCK);
        for (size_t i = 0; i < OPS; i++)
            CHECK_EQ(cts_read(f.h, &ops[i], memory + i * BLOCK, BLOCK, i * BLOCK, 0), 0);
        if (round % 2 == 0)
            CHECK_EQ(cport_flush(port), 0);
        CHECK_EQ(cport_memory_unpin(port, memory), can ? 0 : CPORT_ENOENT);
        for (size_t i = 0; i < OPS; i++)
            CHECK_EQ(cts_result(port, &ops[i]), BLOCK);
        io_check(memory, OPS * BLOCK, 0);
    }
    file_close(&f);
    free(memory);
    cts_port_close(port);
}

/* ---- Memory of the library's own ---- */

static void use_files(cport_port *port)
{
    enum { FILES = 70 }; /* more than come out of one piece of memory */
    static cport_op ops[FILES][3];
    static char data[FILES][2][8];
    cport_handle *handles[FILES];
    char path[CTS_PATH_MOST];
    cts_file_name(path, "");
    memset(ops, 0, sizeof ops);
    for (size_t i = 0; i < FILES; i++) {
        cport_os_handle fd;
        cport_buf pieces[2] = {{.base = data[i][0], .len = 8}, {.base = data[i][1], .len = 8}};
        CHECK_EQ(cport_file_open(
                     path, CPORT_FILE_READ | CPORT_FILE_WRITE | CPORT_FILE_CREATE, 0600, &fd),
            0);
        CTS_PERSIST(cts_attach_try(port, fd, i, 0, &handles[i]));
        CTS_PERSIST(cts_writev(handles[i], &ops[i][0], pieces, 2, i * 16, 0));
        CTS_PERSIST(cts_sync(handles[i], &ops[i][1], 0));
    }
    for (size_t i = 0; i < FILES; i++) {
        CHECK_EQ(cts_result(port, &ops[i][0]), 16);
        CHECK_EQ(cts_result(port, &ops[i][1]), 0);
        CTS_PERSIST(cts_read(handles[i], &ops[i][2], data[i], 16, i * 16, 0));
        CHECK_EQ(cts_result(port, &ops[i][2]), 16);
    }
    for (size_t i = 0; i < FILES; i++)
        cts_close_wait(handles[i], 0);
    cts_file_remove(path);
}

void every_allocation_for_files_may_fail(void)
{
    uint64_t n = 0;
    bool refused;
    do {
        cport_port_options opt;
        cport_port *port = NULL;
        cts_options(&opt);
        opt.entries = 8;
        cts_alloc_fail_at(++n);
        CTS_PERSIST(cport_port_open(&opt, &port));
        checker_port_opened(port);
        use_files(port);
        cts_port_close(port);
        refused = cts_alloc_refused();
        cts_alloc_fail_at(0);
        CHECK_EQ(cts_alloc_live(), 0);
    } while (refused);
    CHECK(n > 4);
}

void no_allocation_per_file_operation(void)
{
    enum { WARM_UP = 50, TURNS = 1000 };
    file f;
    char data[64];
    uint64_t calls = 0;
    cport_buf pieces[2] = {{.base = data, .len = 30}, {.base = data + 30, .len = 34}};
    cport_op op = {0};
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    memset(data, 0, sizeof data);
    for (int i = 0; i < WARM_UP + TURNS; i++) {
        if (i == WARM_UP)
            calls = cts_alloc_calls();
        CHECK_EQ(cts_write(f.h, &op, data, sizeof data, 0, 0), 0);
        CHECK_EQ(cts_result(port, &op), sizeof data);
        CHECK_EQ(cts_readv(f.h, &op, pieces, 2, 0, 0), 0);
        CHECK_EQ(cts_result(port, &op), sizeof data);
    }
    CHECK_EQ(cts_alloc_calls(), calls);
    file_close(&f);
    cts_port_close(port);
}
