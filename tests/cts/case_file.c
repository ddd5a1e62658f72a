/* Operations on files: S54, S55, S57, and what S18, S20 and S29 mean to them. */
#include "file.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK (4 * KIB)

/* ---- S18, S20 ---- */

void s18_the_pieces_of_a_file_operation_are_captured(void)
{
    file f;
    char out[300], in[300];
    cport_op op = {0};
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    io_fill(out, sizeof out, 0);
    cport_buf pieces[3] = {
        {.base = out, .len = 100}, {.base = out + 100, .len = 0}, {.base = out + 100, .len = 200}};
    CHECK_EQ(cts_writev(f.h, &op, pieces, 3, 0, 0), 0);
    memset(pieces, 0xFF, sizeof pieces);
    CHECK_EQ(cts_result(port, &op), 300);
    pieces[0] = (cport_buf){.base = in, .len = 1};
    pieces[1] = (cport_buf){.base = in + 1, .len = 299};
    CHECK_EQ(cts_readv(f.h, &op, pieces, 2, 0, 0), 0);
    memset(pieces, 0xFF, sizeof pieces);
    CHECK_EQ(cts_result(port, &op), 300);
    io_check(in, sizeof in, 0);
    file_close(&f);
    cts_port_close(port);
}

void s20_a_file_operation_has_its_event(void)
{
    file f;
    char data[100];
    cport_op op = {0};
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    file_write(&f, sizeof data, 0);
    for (int i = 0; i < 20; i++) {
        memset(data, 0, sizeof data);
        int ret = cts_read(f.h, &op, data, sizeof data, 0, CPORT_INLINE_OK);
        CHECK(ret == 0 || ret == 1);
        CHECK_EQ(ret == 1 ? cport_op_result(&op) : cts_result(port, &op), sizeof data);
        io_check(data, sizeof data, 0);
        ret = cts_write(f.h, &op, data, sizeof data, 0, CPORT_INLINE_OK);
        CHECK(ret == 0 || ret == 1);
        CHECK_EQ(ret == 1 ? cport_op_result(&op) : cts_result(port, &op), sizeof data);
        CHECK_EQ(cport_op_transferred(&op), sizeof data);
    }
    file_close(&f);
    cts_port_close(port);
}

/* ---- S54: offsets ---- */

void s54_reads_and_writes_carry_their_offsets(void)
{
    enum { BLOCKS = 64 };
    file f;
    static unsigned char data[BLOCKS][BLOCK];
    cport_op ops[BLOCKS] = {0};
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    for (size_t i = 0; i < BLOCKS; i++) { /* in no order: 37 and 64 have no common divisor */
        size_t at = i * 37 % BLOCKS * BLOCK;
        io_fill(data[i], BLOCK, at);
        CHECK_EQ(cts_write(f.h, &ops[i], data[i], BLOCK, at, 0), 0);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        CHECK_EQ(cts_result(port, &ops[i]), BLOCK);
    memset(data, 0, sizeof data);
    for (size_t i = 0; i < BLOCKS; i++)
        CHECK_EQ(cts_read(f.h, &ops[i], data[i], BLOCK, i * 23 % BLOCKS * BLOCK, 0), 0);
    for (size_t i = 0; i < BLOCKS; i++) {
        CHECK_EQ(cts_result(port, &ops[i]), BLOCK);
        io_check(data[i], BLOCK, i * 23 % BLOCKS * BLOCK);
    }
    file_close(&f);
    cts_port_close(port);
}

void s54_offsets_beyond_4_gib(void)
{
    static const uint64_t places[] = {
        0, UINT32_MAX - 10, (uint64_t)1 << 32, ((uint64_t)1 << 32) + 5 * MIB + 1};
    file f;
    char data[200];
    uint64_t size;
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    cts_file_sparse(f.fd);
    for (size_t i = 0; i < CTS_COUNT_OF(places); i++)
        file_write(&f, 100, places[i]);
    for (size_t i = 0; i < CTS_COUNT_OF(places); i++)
        if (i != 1) /* whose tail the next has overwritten */
            file_check(&f, 100, places[i]);
    file_check(&f, 11, places[1]);
    CHECK_EQ(cport_file_size(f.fd, &size), 0);
    CHECK_EQ(size, places[3] + 100);
    CHECK_EQ(file_read(&f, data, sizeof data, (uint64_t)2 << 30), sizeof data); /* a hole */
    for (size_t i = 0; i < sizeof data; i++)
        CHECK_EQ(data[i], 0);
    CHECK_EQ(file_read(&f, data, sizeof data, places[3] + 40), 60);
    CHECK_EQ(file_read(&f, data, 1, INT64_MAX - 1), 0);
    file_close(&f);
    cts_port_close(port);
}

void s54_pieces_of_every_size(void)
{
    file f;
    cport_op op = {0};
    cport_buf pieces[CPORT_BUFS_MAX];
    size_t total = 0;
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    for (size_t i = 0; i < CPORT_BUFS_MAX; i++)
        total += i * i;
    unsigned char *out = io_stream(total), *in = io_memory(total);
    for (unsigned shape = 0; shape < 2; shape++) { /* ever longer, then ever shorter */
        size_t at = 0;
        unsigned char *memory = shape == 0 ? out : in;
        memset(in, 0, total);
        for (size_t i = 0; i < CPORT_BUFS_MAX; i++) {
            size_t k = shape == 0 ? i : CPORT_BUFS_MAX - 1 - i;
            pieces[i].base = k == 0 ? NULL : memory + at;
            pieces[i].len = (cport_buf_len)(k * k);
            at += k * k;
        }
        int ret = shape == 0 ? cts_writev(f.h, &op, pieces, CPORT_BUFS_MAX, 3, 0)
                             : cts_readv(f.h, &op, pieces, CPORT_BUFS_MAX, 3, 0);
        CHECK_EQ(ret, 0);
        CHECK_EQ(cts_result(port, &op), total);
    }
    io_check(in, total, 0);
    pieces[0] = (cport_buf){.base = NULL, .len = 0};
    CHECK_EQ(cts_readv(f.h, &op, pieces, 1, 0, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    CHECK_EQ(cts_writev(f.h, &op, pieces, 1, total, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    free(in);
    free(out);
    file_close(&f);
    cts_port_close(port);
}

void s54_impossible_ranges_are_refused(void)
{
    file f;
    char byte = 0;
    cport_op op = {0};
    cport_buf piece = {.base = &byte, .len = 1}, nowhere = {.base = NULL, .len = 1};
    cport_buf many[CPORT_BUFS_MAX + 1] = {{0}};
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    CHECK_EQ(cts_read(f.h, &op, &byte, 1, (uint64_t)INT64_MAX, 0), CPORT_EINVAL);
    CHECK_EQ(cts_read(f.h, &op, &byte, 1, UINT64_MAX, 0), CPORT_EINVAL);
    CHECK_EQ(cts_write(f.h, &op, &byte, 1, UINT64_MAX, 0), CPORT_EINVAL); /* "at the end" to some */
    CHECK_EQ(cts_write(f.h, &op, &byte, SIZE_MAX, 1, 0), CPORT_EINVAL);
    CHECK_EQ(cts_read(f.h, &op, NULL, 1, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_write(f.h, &op, NULL, 1, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_readv(f.h, &op, NULL, 1, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_readv(f.h, &op, &piece, 0, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_writev(f.h, &op, many, CPORT_BUFS_MAX + 1, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_writev(f.h, &op, &nowhere, 1, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_writev(f.h, &op, &piece, 1, (uint64_t)INT64_MAX, 0), CPORT_EINVAL);
    CHECK_EQ(cts_read(NULL, &op, &byte, 1, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_read(f.h, NULL, &byte, 1, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_read(f.h, &op, &byte, 1, 0, CPORT_RECV_ALL), CPORT_EINVAL);
    CHECK_EQ(cts_write(f.h, &op, &byte, 1, 0, CPORT_MULTISHOT), CPORT_EINVAL);
    CHECK_EQ(cts_sync(f.h, &op, CPORT_INLINE_OK), CPORT_EINVAL);
    CHECK_EQ(cts_sync(NULL, &op, 0), CPORT_EINVAL);
    CHECK_EQ(cts_read(f.h, &op, NULL, 0, 0, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    CHECK_EQ(cts_write(f.h, &op, NULL, 0, 100, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    uint64_t size;
    CHECK_EQ(cport_file_size(f.fd, &size), 0);
    CHECK_EQ(size, 0);
    file_close(&f);
    cts_port_close(port);
}

void s54_a_file_is_used_as_it_was_opened(void)
{
    file f;
    cport_os_handle fd;
    cport_op op = {0};
    char byte = 'x';
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    file_write(&f, 10, 0);
    CHECK_EQ(cport_file_open(f.path, CPORT_FILE_READ, 0, &fd), 0);
    cport_handle *reader = cts_attach(port, fd, 1);
    CHECK_EQ(cport_file_open(f.path, CPORT_FILE_WRITE, 0, &fd), 0);
    cport_handle *writer = cts_attach(port, fd, 2);
    CHECK_EQ(cts_write(reader, &op, &byte, 1, 0, 0), 0);
    CHECK_EQ(cts_result(port, &op), CPORT_EACCES);
    CHECK_EQ(cts_read(writer, &op, &byte, 1, 0, 0), 0);
    CHECK_EQ(cts_result(port, &op), CPORT_EACCES);
    CHECK_EQ(cts_write(writer, &op, &byte, 1, 10, 0), 0);
    CHECK_EQ(cts_result(port, &op), 1);
    CHECK_EQ(cts_read(reader, &op, &byte, 1, 10, 0), 0);
    CHECK_EQ(cts_result(port, &op), 1);
    CHECK_EQ(byte, 'x');
    cts_close_wait(reader, 0);
    cts_close_wait(writer, 0);
    file_close(&f);
    cts_port_close(port);
}

/* With aligned memory, offset and length it works, to the byte at the end. What is not aligned
 * is an error or works, as the file system likes; and a file system that has no such thing says
 * so at the open. */
void s54_transfers_past_the_cache(void)
{
    file f;
    cport_os_handle fd;
    cport_op op = {0};
    cport_port *port = cts_port_open();
    unsigned char *memory = io_memory(4 * BLOCK);
    unsigned char *aligned = (unsigned char *)(((uintptr_t)memory + BLOCK - 1) & ~(BLOCK - 1));
    file_open(port, &f, 0);
    file_write(&f, 2 * BLOCK + 100, 0);
    CHECK_EQ(cts_sync(f.h, &op, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    int ret =
        cport_file_open(f.path, CPORT_FILE_READ | CPORT_FILE_WRITE | CPORT_FILE_DIRECT, 0, &fd);
    if (ret != 0) {
        CHECK_EQ(ret, CPORT_ENOTSUP);
        printf("this file system has a cache and nothing else\n");
    } else {
        file direct = {.port = port, .fd = fd, .h = cts_attach(port, fd, 1)};
        CHECK_EQ(file_read(&direct, aligned, 2 * BLOCK, 0), 2 * BLOCK);
        io_check(aligned, 2 * BLOCK, 0);
        CHECK_EQ(file_read(&direct, aligned, BLOCK, BLOCK), BLOCK);
        io_check(aligned, BLOCK, BLOCK);
        CHECK_EQ(file_read(&direct, aligned, 2 * BLOCK, 2 * BLOCK), 100);
        io_check(aligned, 100, 2 * BLOCK);
        CHECK_EQ(file_read(&direct, aligned, BLOCK, 16 * BLOCK), 0);
        io_fill(aligned, BLOCK, 7 * BLOCK);
        CHECK_EQ(cts_write(direct.h, &op, aligned, BLOCK, 7 * BLOCK, 0), 0);
        CHECK_EQ(cts_result(port, &op), BLOCK);
        file_check(&f, BLOCK, 7 * BLOCK);
        int64_t odd[] = {file_read(&direct, aligned + 1, BLOCK, 0),
            file_read(&direct, aligned, BLOCK, 1), file_read(&direct, aligned, 100, 0)};
        for (size_t i = 0; i < CTS_COUNT_OF(odd); i++)
            CHECK(odd[i] == CPORT_EINVAL || odd[i] == (i == 2 ? 100 : (int64_t)BLOCK));
        CHECK_EQ(file_read(&direct, aligned, BLOCK, 0), BLOCK); /* and no harm was done */
        io_check(aligned, BLOCK, 0);
        cts_close_wait(direct.h, 0);
    }
    free(memory);
    file_close(&f);
    cts_port_close(port);
}

void s54_a_full_disk_is_told(void)
{
    enum { BLOCKS = 64, FIT = 16 };
    static unsigned char data[BLOCKS * BLOCK];
    cport_op ops[BLOCKS] = {0};
    char path[CTS_PATH_MOST];
    cport_os_handle fd;
    unsigned fit = 0;
    cts_disk_limit(FIT * BLOCK, path);
    cport_port *port = cts_port_open();
    CHECK_EQ(
        cport_file_open(path, CPORT_FILE_READ | CPORT_FILE_WRITE | CPORT_FILE_CREATE, 0600, &fd),
        0);
    file f = {.port = port, .fd = fd, .h = cts_attach(port, fd, CTS_KEY_F)};
    io_fill(data, sizeof data, 0);
    for (size_t i = 0; i < BLOCKS; i++)
        CHECK_EQ(cts_write(f.h, &ops[i], data + i * BLOCK, BLOCK, i * BLOCK, 0), 0);
    for (size_t i = 0; i < BLOCKS; i++) {
        cport_event ev = cts_next(port, &ops[i]);
        CHECK(ev.result == (int64_t)BLOCK || ev.result == CPORT_ENOSPC);
        CHECK(ev.result > 0 || ev.aux != 0);
        fit += ev.result > 0;
    }
    CHECK(fit > 0 && fit <= FIT);
    cts_file_truncate(fd, 0);
    CHECK_EQ(cts_write(f.h, &ops[0], data, sizeof data, 0, 0), 0); /* some of it fits */
    CHECK_EQ(cts_result(port, &ops[0]), CPORT_ENOSPC);
    size_t moved = cport_op_transferred(&ops[0]);
    CHECK(moved > 0 && moved <= FIT * BLOCK);
    file_check(&f, moved, 0);
    cts_close_wait(f.h, 0);
    cts_file_remove(path);
    cts_port_close(port);
}

/* ---- S55: the end ---- */

void s55_the_end_of_a_file_is_zero_bytes(void)
{
    file f;
    char data[100];
    cport_op op = {0};
    cport_buf pieces[2] = {{.base = data, .len = 50}, {.base = data + 50, .len = 50}};
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    CHECK_EQ(file_read(&f, data, sizeof data, 0), 0); /* an empty file */
    file_write(&f, 100, 0);
    CHECK_EQ(file_read(&f, data, sizeof data, 100), 0);
    CHECK_EQ(file_read(&f, data, sizeof data, 101), 0);
    CHECK_EQ(file_read(&f, data, sizeof data, (uint64_t)1 << 40), 0);
    CHECK_EQ(cts_readv(f.h, &op, pieces, 2, 100, 0), 0);
    CHECK_EQ(cts_result(port, &op), 0);
    file_close(&f);
    cts_port_close(port);
}

void s55_a_partial_tail_succeeds(void)
{
    file f;
    char data[300];
    cport_op op = {0};
    cport_buf pieces[3] = {{.base = data, .len = 50}, {.base = data + 50, .len = 100},
        {.base = data + 150, .len = 150}};
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    file_write(&f, 200, 0);
    CHECK_EQ(file_read(&f, data, sizeof data, 0), 200);
    io_check(data, 200, 0);
    CHECK_EQ(file_read(&f, data, sizeof data, 199), 1);
    io_check(data, 1, 199);
    for (size_t at = 10; at < 200; at += 45) { /* ends in each of the pieces, and between them */
        memset(data, 0, sizeof data);
        CHECK_EQ(cts_readv(f.h, &op, pieces, 3, at, 0), 0);
        CHECK_EQ(cts_result(port, &op), 200 - at);
        io_check(data, 200 - at, at);
    }
    CHECK_EQ(cts_readv(f.h, &op, pieces, 3, 150, 0), 0);
    CHECK_EQ(cts_result(port, &op), 50);
    file_close(&f);
    cts_port_close(port);
}

/* Whatever a read still finds is right; what it does not find is the end. */
void s55_a_file_truncated_underneath(void)
{
    enum { READS = 64, ROUNDS = 20 };
    file f;
    static unsigned char data[READS][BLOCK];
    static cport_op ops[READS];
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        const size_t kept = round * READS / ROUNDS * BLOCK + round;
        file_write(&f, READS * BLOCK, 0);
        for (size_t i = 0; i < READS; i++)
            CHECK_EQ(cts_read(f.h, &ops[i], data[i], BLOCK, i * BLOCK, 0), 0);
        cts_file_truncate(f.fd, kept);
        for (size_t i = 0; i < READS; i++) {
            int64_t got = cts_result(port, &ops[i]);
            size_t left = kept > i * BLOCK ? kept - i * BLOCK : 0;
            CHECK(got >= (int64_t)(left < BLOCK ? left : BLOCK) && got <= (int64_t)BLOCK);
            io_check(data[i], left < BLOCK ? left : BLOCK, i * BLOCK);
        }
    }
    file_close(&f);
    cts_port_close(port);
}

/* ---- S57: no order, cancel, close ---- */

void s57_any_number_at_once(void)
{
    enum { OPS = 2000 };
    file f;
    static cport_op ops[OPS];
    static char data[OPS][16];
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    for (size_t i = 0; i < OPS; i++) {
        io_fill(data[i], 16, i * 16);
        CHECK_EQ(cts_write(f.h, &ops[i], data[i], 16, i * 16, 0), 0);
    }
    for (size_t i = OPS; i-- > 0;)
        CHECK_EQ(cts_result(port, &ops[i]), 16);
    for (size_t i = 0; i < OPS; i++)
        CHECK_EQ(i % 50 == 0 ? cts_sync(f.h, &ops[i], 0)
                             : cts_read(f.h, &ops[i], data[i], 16, (OPS - 1 - i) * 16, 0),
            0);
    for (size_t i = 0; i < OPS; i++) {
        CHECK_EQ(cts_result(port, &ops[i]), i % 50 == 0 ? 0 : 16);
        if (i % 50 != 0)
            io_check(data[i], 16, (OPS - 1 - i) * 16);
    }
    file_close(&f);
    cts_port_close(port);
}

typedef struct turn {
    io_task task;
    io_loop *loop;
    cport_handle *h;
    size_t number;
    unsigned left;
    bool reads;
    unsigned char data[512];
} turn;

/* Each writes a place of its own, reads it back, and so on. */
static void turn_on(io_task *task, const cport_event *ev)
{
    turn *t = CPORT_CONTAINER_OF(task, turn, task);
    size_t at = t->number * sizeof t->data;
    if (ev->op != NULL)
        CHECK_EQ(ev->result, sizeof t->data);
    if (t->reads)
        io_check(t->data, sizeof t->data, at);
    if (t->left-- == 0) {
        io_loop_done(t->loop);
        return;
    }
    t->reads = !t->reads;
    if (t->reads) {
        memset(t->data, 0, sizeof t->data);
        CHECK_EQ(cts_read(t->h, &task->op, t->data, sizeof t->data, at, 0), 0);
    } else {
        CHECK_EQ(cts_write(t->h, &task->op, t->data, sizeof t->data, at, 0), 0);
    }
}

void s57_several_threads_share_a_file(void)
{
    enum { TURNS = 40 };
    static turn turns[TURNS];
    file f;
    io_loop loop;
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    io_loop_init(&loop, port, TURNS);
    for (size_t i = 0; i < TURNS; i++) {
        turns[i] = (turn){.task.run = turn_on, .loop = &loop, .h = f.h, .number = i, .left = 40};
        io_fill(turns[i].data, sizeof turns[i].data, i * sizeof turns[i].data);
        turns[i].reads = true;
        turn_on(&turns[i].task, &(cport_event){0});
    }
    io_loop_run(&loop);
    file_close(&f);
    cts_port_close(port);
}

void s57_sync(void)
{
    file f;
    cport_op op[2] = {0};
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    file_write(&f, 100, 0);
    CHECK_EQ(cts_sync(f.h, &op[0], 0), 0);
    CHECK_EQ(cts_sync(f.h, &op[1], CPORT_DATA_ONLY), 0);
    CHECK_EQ(cts_result(port, &op[1]), 0);
    CHECK_EQ(cts_result(port, &op[0]), 0);
    file_close(&f);
    cts_port_close(port);
}

/* One thread has a lot to do, and each operation is cancelled right after its start, or a few
 * starts later. */
void s57_cancel_says_so_by_its_result(void)
{
    enum { OPS = 64, ROUNDS = 12 };
    file f;
    static unsigned char data[OPS][BLOCK];
    static cport_op ops[OPS];
    cport_port_options opt;
    cts_options(&opt);
    opt.file_threads = 1;
    cport_port *port = cts_port_open_with(&opt);
    file_open(port, &f, 0);
    file_write(&f, OPS * BLOCK, 0);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < OPS; i++) {
            bool writes = (i + round) % 3 == 0, syncs = (i + round) % 16 == 1;
            io_fill(data[i], BLOCK, i * BLOCK);
            if (!writes)
                memset(data[i], 0, BLOCK);
            CHECK_EQ(syncs    ? cts_sync(f.h, &ops[i], 0)
                     : writes ? cts_write(f.h, &ops[i], data[i], BLOCK, i * BLOCK, 0)
                              : cts_read(f.h, &ops[i], data[i], BLOCK, i * BLOCK, 0),
                0);
            if (i >= round)
                (void)cts_cancel(&ops[i - round]);
        }
        for (size_t i = 0; i < OPS; i++) {
            int64_t result = cts_result(port, &ops[i]);
            CHECK(result == (int64_t)BLOCK || result == 0 || result == CPORT_ECANCELED);
            if (result == (int64_t)BLOCK)
                io_check(data[i], BLOCK, i * BLOCK);
            CHECK_EQ(cts_cancel(&ops[i]), CPORT_ENOENT);
        }
    }
    file_check(&f, OPS * BLOCK, 0); /* what was cancelled was the same bytes */
    file_close(&f);
    cts_port_close(port);
}

void s57_cancel_all_of_a_file(void)
{
    enum { OPS = 200 };
    file f;
    static unsigned char data[OPS][64];
    static cport_op ops[OPS];
    cport_port *port = cts_port_open();
    file_open(port, &f, 0);
    CHECK_EQ(cts_cancel_all(f.h), 0); /* nothing there */
    file_write(&f, sizeof data, 0);
    for (size_t i = 0; i < OPS; i++)
        CHECK_EQ(i % 4 == 0 ? cts_write(f.h, &ops[i], data[i], 64, OPS * 64 + i * 64, 0)
                            : cts_read(f.h, &ops[i], data[i], 64, i * 64, 0),
            0);
    CHECK_EQ(cts_cancel_all(f.h), 0);
    for (size_t i = 0; i < OPS; i++) {
        int64_t result = cts_result(port, &ops[i]);
        CHECK(result == 64 || result == CPORT_ECANCELED);
    }
    file_check(&f, 64, 0); /* the file itself goes on */
    file_close(&f);
    cts_port_close(port);
}

void s29_close_waits_for_file_operations(void)
{
    enum { OPS = 100, ROUNDS = 10 };
    static unsigned char data[OPS][BLOCK];
    static cport_op ops[OPS];
    cport_port *port = cts_port_open();
    for (unsigned round = 0; round < ROUNDS; round++) {
        file f;
        cport_op close = {0};
        file_open(port, &f, 0);
        file_write(&f, BLOCK, 0);
        for (size_t i = 0; i < OPS; i++)
            CHECK_EQ(i % 10 == 3  ? cts_sync(f.h, &ops[i], CPORT_DATA_ONLY)
                     : i % 2 == 0 ? cts_write(f.h, &ops[i], data[i], BLOCK, i * BLOCK, 0)
                                  : cts_read(f.h, &ops[i], data[i], BLOCK, 0, 0),
                0);
        if (round % 2 == 0)
            CHECK_EQ(cport_flush(port), 0);
        CHECK_EQ(cts_close(f.h, &close, 0), 0);
        CHECK_EQ(cts_result(port, &close), 0); /* the last: the checker has seen to it */
        for (size_t i = 0; i < OPS; i++) {
            int64_t result = cts_result(port, &ops[i]);
            CHECK(result >= 0 || result == CPORT_ECANCELED);
        }
        f.h = NULL;
        file_close(&f);
    }
    cts_port_close(port);
}
