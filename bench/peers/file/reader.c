/* peer-file-NAME PATH BLOCKS BLOCK_BYTES DEPTH cached|direct WARMUP_S SECONDS VARIANT */
#include "reader.h"

#include "hist.h"
#include "os.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096u

static struct reader reader;
static unsigned char *memory;
static int64_t begun_ns[READER_DEPTH_MAX];
static uint64_t offsets[READER_DEPTH_MAX];

/* The measured window. */
static int64_t open_at_ns, close_at_ns; /* when it is to open, and to close */
static int64_t opened_ns, cpu_ns;
static enum { BEFORE, OPEN, AFTER } window;
static struct hist latencies;

void reader_die(const char *what, int error)
{
    fprintf(
        stderr, "peer: %s%s%s\n", what, error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
    exit(1);
}

void reader_ready(const char *engine, const char *remark)
{
    printf("ready\t%s\t%s\n", engine, remark);
    fflush(stdout);
}

void *reader_memory(unsigned slot)
{
    return memory + (size_t)slot * reader.block_bytes;
}

/* Places that no read-ahead guesses; the same row of them for every program. */
static uint64_t random_next(void)
{
    static uint64_t state = UINT64_C(0x9E3779B97F4A7C15);
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

uint64_t reader_begin(unsigned slot)
{
    offsets[slot] = random_next() % reader.blocks * reader.block_bytes;
    begun_ns[slot] = sys_now_ns();
    return offsets[slot];
}

static void window_move(int64_t now)
{
    if (window == BEFORE && now >= open_at_ns) {
        window = OPEN;
        opened_ns = now;
        close_at_ns = now + close_at_ns;
        cpu_ns = sys_self_cpu_ns();
        hist_reset(&latencies);
    } else if (window == OPEN && now >= close_at_ns) {
        window = AFTER;
        close_at_ns = now;
        cpu_ns = sys_self_cpu_ns() - cpu_ns;
    }
}

/* Every block begins with its place: see bench/file.c. */
static void check(unsigned slot, int64_t bytes)
{
    uint64_t place;
    if (bytes != (int64_t)reader.block_bytes)
        reader_die("a read ended with less than a block", 0);
    memcpy(&place, reader_memory(slot), sizeof place);
    if (place != offsets[slot])
        reader_die("a read got another block", 0);
}

bool reader_end(unsigned slot, int64_t bytes)
{
    int64_t now = sys_now_ns();
    check(slot, bytes);
    if (window == OPEN)
        hist_add(&latencies, (uint64_t)(now - begun_ns[slot]));
    window_move(now);
    return window != AFTER;
}

static unsigned number(const char *text)
{
    return (unsigned)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
    if (argc != 9)
        reader_die("wrong number of arguments", 0);
    reader = (struct reader){.path = argv[1],
        .blocks = number(argv[2]),
        .block_bytes = number(argv[3]),
        .depth = number(argv[4]),
        .direct = strcmp(argv[5], "direct") == 0,
        .variant = argv[8]};
    if (reader.blocks == 0 || reader.block_bytes < sizeof(uint64_t) || reader.depth == 0 ||
        reader.depth > READER_DEPTH_MAX)
        reader_die("senseless arguments", 0);
    unsigned char *raw = calloc(1, (size_t)reader.depth * reader.block_bytes + PAGE_BYTES);
    if (raw == NULL)
        reader_die("no memory", 0);
    memory = (unsigned char *)(((uintptr_t)raw + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1));
    open_at_ns = sys_now_ns() + (int64_t)(strtod(argv[6], NULL) * 1e9);
    close_at_ns = (int64_t)(strtod(argv[7], NULL) * 1e9);
    read_file(&reader);
    if (window != AFTER)
        reader_die("it stopped too early", 0);
    printf("done\t%" PRIu64 "\t%" PRId64 "\t%" PRId64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n",
        latencies.total, close_at_ns - opened_ns, cpu_ns, hist_quantile(&latencies, 0.5),
        hist_quantile(&latencies, 0.99), hist_quantile(&latencies, 0.999));
    free(raw);
    return 0;
}
