/* copy FROM TO: copies a file, with several blocks under way at once. */
#include <cport/cport.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCKS = 16, BLOCK_BYTES = 256 * 1024 };

struct block {
    cport_op op;
    uint64_t offset;
    size_t len; /* of what has been read; 0 while it is being read */
    void *data;
};

static cport_port *port;
static cport_handle *from, *to;
static uint64_t size, next_offset; /* of the file, and where the next block to be read begins */

static int check(int64_t result) /* of what must not fail */
{
    if (result < 0)
        exit((fprintf(stderr, "copy: %s\n", cport_strerror((int)result)), 1));
    return (int)result;
}

static cport_handle *attach(const char *path, uint32_t flags)
{
    cport_os_handle fd;
    cport_handle *h;
    check(cport_file_open(path, flags, 0644, &fd));
    check(cport_attach(port, fd, 0, 0, &h));
    return h;
}

/* Starts the next read into the block; false: there is nothing left to be read. */
static bool block_read(struct block *b)
{
    if (next_offset >= size)
        return false;
    b->offset = next_offset;
    b->len = 0;
    next_offset += BLOCK_BYTES;
    check(cport_read(from, &b->op, b->data, BLOCK_BYTES, b->offset, 0));
    return true;
}

int main(int argc, char **argv)
{
    cport_port_options single = {.size = sizeof(single), .flags = CPORT_PORT_SINGLE};
    static unsigned char data[BLOCKS][BLOCK_BYTES];
    struct block blocks[BLOCKS] = {0};
    unsigned busy = 0;
    if (argc != 3)
        check(CPORT_EINVAL);
    check(cport_port_open(&single, &port)); /* CPORT_BACKEND in the environment steers it */
    from = attach(argv[1], CPORT_FILE_READ);
    to = attach(argv[2], CPORT_FILE_WRITE | CPORT_FILE_CREATE | CPORT_FILE_TRUNCATE);
    check(cport_file_size(cport_handle_fd(from), &size));
    cport_memory_pin(port, data, sizeof(data)); /* where it helps; all goes well without */
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i].data = data[i];
        busy += block_read(&blocks[i]);
    }
    while (busy) {
        cport_event ev;
        check(cport_wait(port, &ev, 1, -1));
        check(ev.result);
        struct block *b = CPORT_CONTAINER_OF(ev.op, struct block, op);
        if (b->len || ev.result == 0) { /* written; or the file has become shorter meanwhile */
            busy -= !block_read(b);
        } else { /* read */
            b->len = (size_t)ev.result;
            check(cport_write(to, &b->op, b->data, b->len, b->offset, 0));
        }
    }
    check(cport_sync(to, &blocks[0].op, 0));
    check(cport_wait(port, &(cport_event){0}, 1, -1));
    return check(cport_op_result(&blocks[0].op));
}
