/*
 * This library: a SINGLE port on one engine, a read per slot.
 *
 * Variant "shared": on a shared port, with one thread all the same. "pinned": the memory is pinned
 * once. "16": so many threads where the kernel does not read by itself.
 */
#include "reader.h"

#include <cport/cport.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_MAX 64

static void ok(const char *what, int error)
{
    if (error >= 0)
        return;
    fprintf(stderr, "peer: %s: %s\n", what, cport_strerror(error));
    exit(1);
}

static cport_handle *file;
static cport_op ops[READER_DEPTH_MAX];
static unsigned under_way;
static unsigned bytes;

/* Reads until one is under way, or it was the last. */
static void read_on(unsigned slot)
{
    for (;;) {
        int r = cport_read(
            file, &ops[slot], reader_memory(slot), bytes, reader_begin(slot), CPORT_INLINE_OK);
        ok("read", r);
        if (r == 0) {
            under_way++;
            return;
        }
        if (!reader_end(slot, cport_op_result(&ops[slot])))
            return;
    }
}

void read_file(const struct reader *r)
{
    cport_port_options options = {
        .size = sizeof options, .flags = CPORT_PORT_SINGLE, .backend = PEER_BACKEND};
    cport_port_info info = {.size = sizeof info};
    cport_os_handle fd;
    cport_port *port;
    cport_event ev[EVENTS_MAX];
    if (strcmp(r->variant, READER_THREADS) == 0)
        options.file_threads = (uint32_t)strtoul(READER_THREADS, NULL, 10);
    if (strcmp(r->variant, "shared") == 0) {
        options.flags = 0;
        options.concurrency = 1;
    }
    ok("port", cport_port_open(&options, &port));
    ok("info", cport_port_get_info(port, &info));
    ok("open",
        cport_file_open(r->path, CPORT_FILE_READ | (r->direct ? CPORT_FILE_DIRECT : 0), 0, &fd));
    ok("attach", cport_attach(port, fd, 0, 0, &file));
    bytes = r->block_bytes;
    if (strcmp(r->variant, "pinned") == 0)
        ok("pin", cport_memory_pin(port, reader_memory(0), (size_t)r->depth * bytes));
    reader_ready(info.backend_name, info.reason);
    for (unsigned slot = 0; slot < r->depth; slot++)
        read_on(slot);
    while (under_way > 0) {
        int n = cport_wait(port, ev, EVENTS_MAX, -1);
        ok("wait", n);
        under_way -= (unsigned)n;
        for (int i = 0; i < n; i++) {
            unsigned slot = (unsigned)(ev[i].op - ops);
            if (reader_end(slot, ev[i].result))
                read_on(slot);
        }
    }
    cport_op closed = {0};
    ok("close", cport_close(file, &closed, 0));
    ok("wait", cport_wait(port, ev, 1, -1));
    ok("close", cport_port_close(port));
}
